package rest_test

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

func sortByName(table []exchange) {
	slices.SortFunc(table, func(a, b exchange) int { return strings.Compare(a.name, b.name) })
}

const parties = `"caller_id":"15550002222","to_number":"14155550101"`

// The calls of v3 (protocol page 3.7).
func TestV3Calls(t *testing.T) {
	support := rest.AppID("support")
	const pipeline = `"app_id":"support","pipeline":[{"action":"hangup"}]`
	var table []exchange
	add := func(path string, bodies map[string]string) {
		from := len(table)
		for name, body := range bodies {
			table = append(table, exchange{name: path + ": " + name, path: "/v3/voice/" + path, body: `{` + body + `}`, token: token})
		}
		sortByName(table[from:])
	}
	add("pcmo/call", map[string]string{
		"plain":               parties + `,` + pipeline,
		"app by UUID":         parties + `,"app_id":"` + support + `","pipeline":[{"action":"play","file_name":"a.wav"}]`,
		"all":                 parties + `,` + pipeline + `,"agent_id":"` + support + `","options":{"max_duration_sec":30,"record":true,"ring_timeout_sec":120},"variables":{"b":1, "a":"x", "c":true}`,
		"app unknown":         parties + `,"app_id":"nobody","pipeline":[{"action":"hangup"}]`,
		"app a number":        parties + `,"app_id":7,"pipeline":[{"action":"hangup"}]`,
		"nothing":             ``,
		"unknown keys":        parties + `,` + pipeline + `,"b":1,"a":2`,
		"number as number":    `"caller_id":15550002222,"to_number":"14155550101",` + pipeline,
		"number with plus":    `"caller_id":"+15550002222","to_number":"14155550101",` + pipeline,
		"number too short":    `"caller_id":"155500","to_number":"14155550101",` + pipeline,
		"number too long":     `"caller_id":"15550002222000000","to_number":"14155550101",` + pipeline,
		"number of zeroes":    `"caller_id":"05550002222","to_number":"14155550101",` + pipeline,
		"agent no UUID":       parties + `,` + pipeline + `,"agent_id":"x"`,
		"options no object":   parties + `,` + pipeline + `,"options":[]`,
		"options too small":   parties + `,` + pipeline + `,"options":{"max_duration_sec":29,"ring_timeout_sec":4}`,
		"options too large":   parties + `,` + pipeline + `,"options":{"max_duration_sec":7201,"ring_timeout_sec":121}`,
		"options fractions":   parties + `,` + pipeline + `,"options":{"max_duration_sec":30.5,"record":1}`,
		"options unknown":     parties + `,` + pipeline + `,"options":{"timeout":30}`,
		"options null":        parties + `,` + pipeline + `,"options":null`,
		"variables nested":    parties + `,` + pipeline + `,"variables":{"a":{}}`,
		"variables bad key":   parties + `,` + pipeline + `,"variables":{"1a":1}`,
		"pipeline missing":    parties + `,"app_id":"support"`,
		"pipeline empty":      parties + `,"app_id":"support","pipeline":[]`,
		"pipeline text":       parties + `,"app_id":"support","pipeline":"[]"`,
		"pipeline classic":    parties + `,"app_id":"support","pipeline":[{"action":"speak","text":"Hi"}]`,
		"pipeline two errors": parties + `,"app_id":"support","pipeline":[{"action":"play"},{"action":"record","format":"ogg"}]`,
		"pipeline no file":    parties + `,"app_id":"support","pipeline":[{"action":"play","file_name":""}]`,
		"agent in pipeline":   parties + `,"app_id":"support","pipeline":[{"action":"connect","params":{"caller_id":"15550002222"},"endpoints":[{"type":"agent","id":"` + strings.ToUpper(support) + `"}]}]`,
		"agent not running":   parties + `,"app_id":"support","pipeline":[{"action":"connect","params":{"caller_id":"15550002222"},"endpoints":[{"type":"agent","id":"` + callID + `"}]}]`,
	})
	add("flow/call", map[string]string{
		"by name":    `"flow_id":"sales","org_id":"` + callID + `",` + parties + `,"app_id":"any"`,
		"by UUID":    `"flow_id":"` + rest.AppID("sales") + `","org_id":"` + callID + `",` + parties + `,"app_id":"any","variables":{"x":"y"}`,
		"unknown":    `"flow_id":"` + callID + `","org_id":"` + callID + `",` + parties + `,"app_id":"any"`,
		"no name":    `"flow_id":"nobody","org_id":"acme",` + parties + `,"app_id":"any"`,
		"incomplete": `"flow_id":"sales",` + parties,
	})
	for _, path := range []string{"ai/call", "agent/call"} {
		add(path, map[string]string{
			"by name":       parties + `,"agent_id":"support","options":{"record":false}`,
			"by UUID":       parties + `,"agent_id":"` + support + `","variables":{"x":"y"}`,
			"not running":   parties + `,"agent_id":"` + callID + `"`,
			"app_id":        parties + `,"agent_id":"support","app_id":"support"`,
			"no agent":      parties,
			"agent a digit": parties + `,"agent_id":7`,
		})
	}
	for name, err := range map[string]error{"not allowed": rest.ErrNotAllowed, "busy": rest.ErrBusy, "draining": rest.ErrDraining, "broken": errors.New("disk full")} {
		table = append(table, exchange{name: "platform: " + name, path: "/v3/voice/pcmo/call", body: `{` + parties + `,` + pipeline + `}`, token: token, fail: err})
	}
	sortByName(table[len(table)-4:])
	newKit(t).golden(table)
}

// Hang-up, transfers and the state of calls (protocol page 3.7 and 3.8).
func TestV3Control(t *testing.T) {
	const id = `"call_id":"` + callID + `"`
	const calls = "/v3/calls/" + callID
	const other = "/v3/calls/" + otherID
	newKit(t).golden([]exchange{
		{name: "show", method: "GET", path: calls, token: token},
		{name: "show a ringing call", method: "GET", path: other, token: token},
		{name: "show no call", method: "GET", path: "/v3/calls/x", token: token},
		{name: "show another app's", method: "GET", path: other, token: "token-of-support"},
		{name: "show without token", method: "GET", path: calls},
		{name: "show with a wrong token", method: "GET", path: calls, token: "wrong-secret"},

		{name: "hangup", path: "/v3/voice/call/hangup", body: `{` + id + `}`, token: token},
		{name: "hangup, old path", path: "/v3/voice/ai/hangup", body: `{` + id + `,"cause":"USER_BUSY","reason":"two\nlines"}`, token: token},
		{name: "hangup, id in another form", path: "/v3/voice/call/hangup", body: `{"call_id":"{` + strings.ReplaceAll(callID, "-", "") + `}"}`, token: token},
		{name: "hangup, id in Python's form", path: "/v3/voice/call/hangup", body: `{"call_id":"` + strings.ReplaceAll(callID, "-", "") + `"}`, token: token},
		{name: "hangup without id", path: "/v3/voice/call/hangup", body: `{}`, token: token},
		{name: "hangup of no UUID", path: "/v3/voice/call/hangup", body: `{"call_id":"x"}`, token: token},
		{name: "hangup of no call", path: "/v3/voice/call/hangup", body: `{"call_id":"00000000-0000-4000-8000-0000000000ff"}`, token: token},
		{name: "hangup, long cause", path: "/v3/voice/call/hangup", body: `{` + id + `,"cause":"` + strings.Repeat("C", 65) + `","reason":"` + strings.Repeat("é", 257) + `"}`, token: token},
		{name: "hangup, longest cause", path: "/v3/voice/call/hangup", body: `{` + id + `,"cause":"` + strings.Repeat("C", 64) + `","reason":"` + strings.Repeat("é", 256) + `"}`, token: token},
		{name: "hangup, empty cause", path: "/v3/voice/call/hangup", body: `{` + id + `,"cause":""}`, token: token},
		{name: "hangup of another app's call", path: "/v3/voice/call/hangup", body: `{"call_id":"` + otherID + `"}`, token: "token-of-support"},
		{name: "action hangup", path: calls + "/actions/hangup", body: `{"cause":"normal","reason":"done"}`, token: token},
		{name: "action hangup without body", path: calls + "/actions/hangup", token: token},
		{name: "action hangup, unknown key", path: calls + "/actions/hangup", body: `{"call_id":"x"}`, token: token},
		{name: "action hangup of no call", path: "/v3/calls/x/actions/hangup", body: `{}`, token: token},

		{name: "transfer", path: "/v3/voice/pcmo/transfer", body: `{` + id + `,"pipeline":[{"action":"hangup"}]}`, token: token},
		{name: "transfer again", path: "/v3/voice/pcmo/transfer", body: `{` + id + `,"pipeline":[{"action":"hangup"}]}`, token: token},
		{name: "transfer without caller_id", path: "/v3/voice/pcmo/transfer", body: `{` + id + `,"pipeline":[{"action":"connect","params":{},"endpoints":[{"type":"pstn","number":"14155550101"}]}]}`, token: token},
		{name: "transfer of no call", path: "/v3/voice/pcmo/transfer", body: `{"call_id":"00000000-0000-4000-8000-0000000000ff","pipeline":[{"action":"hangup"}]}`, token: token},
		{name: "blind", path: other + "/actions/transfer", body: `{"pipeline":[{"action":"connect","params":{},"endpoints":[{"type":"pstn","number":"14155550101"}]}]}`, token: token},
		{name: "blind and warm", path: other + "/actions/transfer", body: `{"to_number":"14155550101","pipeline":[{"action":"hangup"}]}`, token: token},
		{name: "warm, in the way", path: other + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token},
		{name: "warm to nobody", path: other + "/actions/transfer", body: `{}`, token: token},
		{name: "warm without body", path: other + "/actions/transfer", token: token},
		{name: "warm to two", path: other + "/actions/transfer", body: `{"to_number":"14155550101","sip_uri":"sip:bob@pbx.example"}`, token: token},
		{name: "warm, all wrong", path: other + "/actions/transfer", body: `{"to_number":14155550101,"caller_id":"+1","timeout_sec":4,"confirm":"yes","hold_audio":7,"transfer_summary":"","sip_headers":{"Via":"x","X-A":1,"X-B":"a\r\nb"},"variables":{"a":null},"colour":"blue"}`, token: token},
		{name: "warm to a web page", path: other + "/actions/transfer", body: `{"sip_uri":"https://pbx.example"}`, token: token},
		{name: "warm of no call", path: "/v3/calls/x/actions/transfer", body: `{"to_number":"14155550101"}`, token: token},
		{name: "no transfer", method: "GET", path: "/v3/transfers/x", token: token},
	})
	newKit(t).goldenAs("TestV3Warm", []exchange{
		{name: "all", path: calls + "/actions/transfer", body: `{"to_number":"14155550101","caller_id":"15550002222","timeout_sec":30,"confirm":true,"hold_audio":"wait.mp3","transfer_summary":"refund","sip_headers":{"X-B":"2","X-A":"1"},"variables":{"b":1,"a":"x"}}`, token: token},
		{name: "sip", path: other + "/actions/transfer", body: `{"sip_uri":"SIP:bob@pbx.example;transport=tcp","hold_audio":true}`, token: token},
	})
	newKit(t).goldenAs("TestV3WarmFails", []exchange{
		{name: "the platform transfers already", path: calls + "/actions/transfer", body: `{"to_number":"14155550101","hold_audio":false}`, token: token, fail: rest.ErrTransferInProgress},
		{name: "the call ended meanwhile", path: calls + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token, fail: rest.ErrNoCall},
		{name: "the driver cannot", path: calls + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token, fail: &call.UnsupportedError{Verb: "transfer", Driver: "cloud"}},
		{name: "the call stands otherwise", path: calls + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token, fail: &call.StateError{Verb: "transfer", Reason: call.StateNotAnswered}},
		{name: "it works after that", path: calls + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token},
	})
}

// A transfer's status, from its order to its end and 15 minutes more.
func TestTransferStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		order := func() string {
			t.Helper()
			reply := k.reply(exchange{path: "/v3/calls/" + callID + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token})
			if reply["message"] != "queued" {
				t.Fatalf("not queued: %v", reply)
			}
			return reply["request_id"].(string)
		}
		status := func(id string) any {
			reply := k.reply(exchange{method: "GET", path: "/v3/transfers/" + id, token: token})
			if reply["error"] != nil {
				return reply["error"]
			}
			if reply["reason"] != nil {
				return reply["status"].(string) + ": " + reply["reason"].(string)
			}
			return reply["status"]
		}
		var ids []string
		for _, outcome := range []struct {
			err  error
			want string
		}{
			{nil, "completed"},
			{&call.TransferError{Reason: "busy", Cause: call.CauseBusy}, "failed: busy"},
			{rest.ErrNoCall, "failed: call_ended"},
			{call.ErrOver, "failed: call_ended"},
			{errors.New("something"), "failed: network_error"},
		} {
			id := order()
			if got := status(id); got != "queued" {
				t.Errorf("at first: %v", got)
			}
			time.Sleep(time.Hour) // a transfer under way is not forgotten
			done := k.platform.settle[0]
			k.platform.settleNext(outcome.err)
			done(errors.New("a second outcome does not count"))
			if got := status(id); got != outcome.want {
				t.Errorf("got %v, want %v", got, outcome.want)
			}
			ids = append(ids, id)
		}
		last := ids[len(ids)-1]
		if got := k.reply(exchange{method: "GET", path: "/v3/transfers/" + last, token: "token-of-support"})["status"]; got != "failed" {
			t.Errorf("its own app sees %v", got)
		}
		time.Sleep(15*time.Minute - time.Second)
		if got := status(last); got != "failed: network_error" {
			t.Errorf("after less than 15 minutes: %v", got)
		}
		time.Sleep(time.Second)
		if got := status(last); got != "transfer_not_found" {
			t.Errorf("after 15 minutes: %v", got)
		}
	})
}

// Another app's transfer is not there.
func TestTransferOfAnotherApp(t *testing.T) {
	k := newKit(t)
	id := k.reply(exchange{path: "/v3/calls/" + otherID + "/actions/transfer", body: `{"to_number":"14155550101"}`, token: token})["request_id"].(string)
	if got := k.reply(exchange{method: "GET", path: "/v3/transfers/" + id, token: "token-of-support"})["error"]; got != "transfer_not_found" {
		t.Errorf("got %v", got)
	}
}

// reply does an exchange and decodes its JSON.
func (k *kit) reply(e exchange) map[string]any {
	k.Helper()
	body, _ := io.ReadAll(k.do(e).Body)
	var reply map[string]any
	if err := json.Unmarshal(body, &reply); err != nil {
		k.Fatalf("%s: %v", body, err)
	}
	return reply
}
