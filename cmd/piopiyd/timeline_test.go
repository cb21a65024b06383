package main

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/server"
)

func TestJournalLines(t *testing.T) {
	at := time.Date(2026, 1, 5, 9, 0, 1, 23e6, time.Local)
	tests := []struct{ kind, data, want string }{
		{"answer", `{"from":"1","to":"2"}`, "answer    1 calls 2"},
		{"input", `{"continuation":"menu","digits":"12"}`, "input     menu gets the digits 12"},
		{"input", `{"continuation":"menu","digits":""}`, "input     menu gets nothing: no digits in time"},
		{"input", `{"continuation":"menu","speech":"yes"}`, "input     menu gets the words “yes”"},
		{"pcmo", `[{"action":"speak","text":"Hi"},{"action":"hangup"}]`, `pcmo      speak "Hi", hangup`},
		{"pcmo", `[]`, "pcmo      no actions: the call is hung up"},
		{"log", `{"level":"info","message":"one\ntwo"}`, "log       one\n                        two"},
		{"log", `{"level":"warn","message":"\u001b[31mred"}`, "log       warn: \ufffd[31mred"},
		{"fault", `{"kind":"exception","name":"TypeError","message":"no","position":{"file":"a.ts","line":3,"column":5,"source":"  x()"}}`,
			"fault     a.ts:3:5: TypeError: no\n                        x()"},
		{"gap", `{"missing":3}`, "gap       3 entries are missing here"},
		{"cdr", `{"status":"answered","leg":"a","more":1}`, "cdr       answered, leg a"},
		{"cdr", `{"status":"missed","leg":"b","from":15550001111,"duration":0,"hangup_cause":"USER_BUSY","hangup_by":"callee"}`, "cdr       missed, leg b, 0 s, USER_BUSY by the callee"},
		{"event", `{"status":"in_hangup","leg":"a","from":15550001111}`, "event     in_hangup, leg a"},
		{"event", `{"from":15550001111}`, `event     {"from":15550001111}`},
		{"verb", `{"verb":"gather","with":[{"say":"Press 1"}]}`, `verb      gather({"say":"Press 1"})`},
		{"verb_end", `{"verb":"gather"}`, "verb_end  gather gets nothing: no digits in time"},
		{"verb_end", `{"verb":"gather","digits":"12"}`, "verb_end  gather gets the digits 12"},
		{"verb_end", `{"verb":"say","error":"the caller hung up"}`, "verb_end  say failed: the caller hung up"},
		{"fetch", `{ "url": "https://x", "status": 200 }`, `fetch     {"url":"https://x","status":200}`},
		{"odd", `[1,`, "odd       [1,"},
		{"start", `{"seed":"x"}`, "start     the session begins"},
	}
	for _, tt := range tests {
		t.Run(tt.kind, func(t *testing.T) {
			got := terminal{}.journal(server.Entry{Time: at, Kind: tt.kind, Data: json.RawMessage(tt.data)})
			if want := "09:00:01.023  " + tt.want; got != want {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	terminal{out: &out}.table([][]string{{"A", "LONG"}, {"été", "x\ny"}, {"b", "\x1b[2J"}})
	if want := "A    LONG\nété  x y\nb    \ufffd[2J\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
	out.Reset()
	terminal{out: &out, colour: true}.table([][]string{{"A"}, {"b"}})
	if want := "\x1b[2mA\x1b[0m\nb\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}
