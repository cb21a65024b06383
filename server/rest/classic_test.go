package rest_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/server/rest"
)

// with makes a body of v1 and v2: the right credentials and what else is given as JSON members.
func with(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"appid":2222,"secret":"` + secret + `"` + members + `}`
}

const (
	numbers = `"from":15550002222,"to":14155550101`
	hangup  = `"pcmo":[{"action":"hangup"}]`
)

// Make call in all its variants (protocol page 3.1).
func TestMakeCall(t *testing.T) {
	table := []exchange{}
	for _, path := range []string{"/v1/make_call", "/v1/global_make_call"} {
		table = append(table,
			exchange{name: path, path: path, body: with(numbers + `,"answer_url":"https://h.example/a?x=1","duration":60`)},
			exchange{name: path + " without answer_url", path: path, body: with(numbers + `,` + hangup)},
			exchange{name: path + " with a relative answer_url", path: path, body: with(numbers + `,"answer_url":"/answer"`)},
			exchange{name: path + " without from", path: path, body: with(`"to":14155550101,"answer_url":"https://h.example/a"`)},
		)
	}
	for _, path := range []string{"/v1/pcmo_make_call", "/v1/global_pcmo_make_call", "/v2/ind_pcmo_make_call", "/v2/global_pcmo_make_call"} {
		table = append(table,
			exchange{name: path, path: path, body: with(numbers + `,"duration":4200,"extra_params":{},` + hangup)},
			exchange{name: path + " without pcmo", path: path, body: with(numbers + `,"answer_url":"https://h.example/a"`)},
			exchange{name: path + " without to", path: path, body: with(`"from":15550002222,` + hangup)},
		)
	}
	const path = "/v2/global_pcmo_make_call"
	from := len(table)
	for name, members := range map[string]string{
		"numbers as strings":     `"from":"+15550002222","to":"919876543210","duration":"30",` + hangup,
		"short numbers":          `"from":100,"to":"101",` + hangup,
		"letters in a number":    `"from":"alice","to":14155550101,` + hangup,
		"a fraction as number":   `"from":1.5,"to":14155550101,` + hangup,
		"an exponent as number":  `"from":1.5550002222e10,"to":14155550101,` + hangup,
		"an object as number":    `"from":{},"to":14155550101,` + hangup,
		"extra object":           numbers + `,"extra_params":{ "order" : "A1", "n": 2 },` + hangup,
		"extra string":           numbers + `,"extra_params":"any text",` + hangup,
		"extra null":             numbers + `,"extra_params":null,"duration":null,` + hangup,
		"extra array":            numbers + `,"extra_params":[1],` + hangup,
		"extra too long":         numbers + `,"extra_params":"` + strings.Repeat("x", 9000) + `",` + hangup,
		"duration 0":             numbers + `,"duration":0,` + hangup,
		"duration negative":      numbers + `,"duration":-1,` + hangup,
		"duration a fraction":    numbers + `,"duration":1.5,` + hangup,
		"duration a day and 1 s": numbers + `,"duration":86401,` + hangup,
		"duration in words":      numbers + `,"duration":"long",` + hangup,
		"document as text":       numbers + `,"pcmo":"[{\"action\":\"speak\",\"text\":\"Hi\"}]"`,
		"document wrapped":       numbers + `,"pcmo":{"pcmo":[{"action":"hangup"}]}`,
		"document empty":         numbers + `,"pcmo":[]`,
		"document no array":      numbers + `,"pcmo":{"action":"hangup"}`,
		"document unknown":       numbers + `,"pcmo":[{"action":"dance"}]`,
		"document two errors":    numbers + `,"pcmo":[{"action":"play"},{"action":"input","action_url":"x"}]`,
		"document unknown key":   numbers + `,"pcmo":[{"action":"hangup","now":true}]`,
		"python bridge":          numbers + `,"pcmo":[{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550102}],"duration":5400,"timeout":40,"loop":1}],"duration":5400,"extra_params":{}`,
		"unknown keys":           numbers + `,"colour":"blue",` + hangup,
	} {
		table = append(table, exchange{name: name, path: path, body: with(members)})
	}
	sortByName(table[from:])
	from = len(table)
	for name, err := range map[string]error{
		"not allowed": fmt.Errorf("wrapped: %w", rest.ErrNotAllowed), "busy": rest.ErrBusy, "draining": rest.ErrDraining,
		"no app": rest.ErrNoApp, "no audio": rest.ErrNoAudio, "broken": errors.New("disk full"),
	} {
		table = append(table, exchange{name: "platform: " + name, path: path, body: with(numbers + `,` + hangup), fail: err})
	}
	sortByName(table[from:])
	newKit(t).golden(table)
}

// Requests that cannot be read, and paths that are not there.
func TestClassicRequests(t *testing.T) {
	const path = "/v2/global_pcmo_make_call"
	newKit(t).golden([]exchange{
		{name: "no body", path: path},
		{name: "not JSON", path: path, body: "appid=2222"},
		{name: "broken JSON", path: path, body: `{"appid":2222,`},
		{name: "two objects", path: path, body: `{} {}`},
		{name: "an array", path: path, body: `[]`},
		{name: "a key twice", path: path, body: `{"pcmo":[{"action":"hangup"},{"a":1,"a":2}]}`},
		{name: "too deep", path: path, body: `{"a":` + strings.Repeat("[", 80) + strings.Repeat("]", 80) + `}`},
		{name: "too long", path: path, body: `{"a":"` + strings.Repeat("x", 300<<10) + `"}`},
		{name: "no credentials", path: path, body: `{}`},
		{name: "no secret", path: path, body: `{"appid":2222}`},
		{name: "appid as object", path: path, body: `{"appid":{},"secret":"x"}`},
		{name: "wrong secret", path: path, body: `{"appid":2222,"secret":"wrong-secret"}`},
		{name: "wrong secret, endpoint", path: "/v1/endpoint/get_sip", body: `{"appid":2222,"secret":"wrong-secret"}`},
		{name: "not JSON, endpoint", path: "/v1/endpoint/get_sip", body: `x`},
		{name: "unknown path", path: "/v1/fax", body: with("")},
		{name: "unknown path, v3", path: "/v3/fax", body: with("")},
		{name: "wrong method", method: "GET", path: path},
		{name: "wrong method, v3", method: "GET", path: "/v3/voice/pcmo/call"},
	})
}

// Hold, unhold, toggle, hang up and transfer under each name of the call's id (protocol page 3.3).
func TestCallAction(t *testing.T) {
	k := newKit(t)
	table := []exchange{}
	for _, path := range []string{"/v1/call/action", "/v1/call/global_action"} {
		for _, key := range []string{"cmiuid", "cmiuuid", "cmuuid"} {
			for _, action := range []string{"hold", "unhold", "holdToggle", "hangup"} {
				table = append(table, exchange{name: path + " " + key + " " + action, path: path, body: with(`"action":"` + action + `","` + key + `":"` + callID + `"`)})
			}
		}
	}
	const path = "/v1/call/action"
	id := `"cmiuuid":"` + callID + `"`
	table = append(table, []exchange{
		{name: "transfer", path: path, body: with(`"action":"transfer","transfer_url":"https://h.example/next",` + id)},
		{name: "transfer again", path: path, body: with(`"action":"transfer","transfer_url":"https://h.example/next",` + id)},
		{name: "transfer without URL", path: path, body: with(`"action":"transfer",` + id)},
		{name: "transfer to no URL", path: path, body: with(`"action":"transfer","transfer_url":"ftp://h.example/x",` + id)},
		{name: "no action", path: path, body: with(id)},
		{name: "no such action", path: path, body: with(`"action":"mute",` + id)},
		{name: "no id", path: path, body: with(`"action":"hold"`)},
		{name: "an id in capitals", path: path, body: with(`"action":"hold","cmiuuid":"` + strings.ToUpper(callID) + `"`)},
		{name: "the same id twice", path: path, body: with(`"action":"hold","cmiuid":"` + callID + `",` + id)},
		{name: "two ids", path: path, body: with(`"action":"hold","cmiuid":"` + otherID + `",` + id)},
		{name: "no such call", path: path, body: with(`"action":"hold","cmiuuid":"x"`)},
		{name: "another app's call", path: path, body: with(`"action":"hold","cmiuuid":"` + otherID + `"`)},
		{name: "not answered", path: path, body: with(`"action":"hold",` + id), fail: rest.ErrNotConnected},
		{name: "ended meanwhile", path: path, body: with(`"action":"hangup",` + id), fail: rest.ErrNoCall},
	}...)
	k.golden(table)
}

// The queries (protocol page 3.4).
func TestQueries(t *testing.T) {
	table := []exchange{
		{name: "get_channels", path: "/v2/piopiy/get_channels", body: with("")},
		{name: "get_channels, wrong secret", path: "/v2/piopiy/get_channels", body: `{"appid":2222,"secret":"wrong-secret"}`},
		{name: "get_channels, no secret", path: "/v2/piopiy/get_channels", body: `{"appid":2222}`},
	}
	for name, members := range map[string]string{
		"leg a": `"cmiuuid":"` + callID + `"`, "leg b": `"cmiuuid":"00000000-0000-4000-8000-00000000000b"`, "missing": "",
		"unknown": `"cmiuuid":"x"`, "another app's": `"cmiuuid":"` + otherID + `"`,
	} {
		table = append(table, exchange{name: "cmiuuid_cdr: " + name, path: "/v1/piopiy/cmiuuid_cdr", body: with(members)})
	}
	for name, members := range map[string]string{"both legs": `"request_id":"request-1"`, "missing": "", "unknown": `"request_id":"x"`, "another app's": `"request_id":"request-7"`} {
		table = append(table, exchange{name: "requestid_cdr: " + name, path: "/v1/piopiy/requestid_cdr", body: with(members)})
	}
	sortByName(table)
	table = append(table, exchange{name: "cmiuuid_cdr, wrong secret", path: "/v1/piopiy/cmiuuid_cdr", body: `{"appid":"2222","secret":"wrong-secret","cmiuuid":"x"}`})
	newKit(t).golden(table)
}

// SIP users (protocol page 3.5).
func TestEndpoints(t *testing.T) {
	const user, password = `"username":"bob"`, `"password":"correct horse"`
	table := []exchange{
		{name: "list none", path: "list_sip", body: with("")},
		{name: "add", path: "add_sip", body: with(user + `,` + password)},
		{name: "add again", path: "add_sip", body: with(user + `,` + password)},
		{name: "add without password", path: "add_sip", body: with(user)},
		{name: "add with a short password", path: "add_sip", body: with(user + `,"password":"1234567"`)},
		{name: "add with a password of two lines", path: "add_sip", body: with(user + `,"password":"12345678\n"`)},
		{name: "add without name", path: "add_sip", body: with(password)},
		{name: "add with a name that is no user part", path: "add_sip", body: with(`"username":"b@b",` + password)},
		{name: "add with a number as name", path: "add_sip", body: with(`"username":101,` + password)},
		{name: "get", path: "get_sip", body: with(user)},
		{name: "get nobody", path: "get_sip", body: with(`"username":"eve"`)},
		{name: "update", path: "update_sip", body: with(user + `,"password":"battery staple"`)},
		{name: "update nobody", path: "update_sip", body: with(`"username":"eve",` + password)},
		{name: "list", path: "list_sip", body: with(`"page":1`)},
		{name: "list page 2", path: "list_sip", body: with(`"page":"2"`)},
		{name: "list page x", path: "list_sip", body: with(`"page":"x"`)},
		{name: "remove", path: "remove_sip", body: with(user)},
		{name: "remove again", path: "remove_sip", body: with(user)},
		{name: "remove what is configured", path: "remove_sip", body: with(`"username":"fixed"`)},
		{name: "wrong secret", path: "list_sip", body: `{"appid":2222,"secret":"wrong-secret"}`},
		{name: "no secret", path: "list_sip", body: `{"appid":2222}`},
	}
	for i := range table {
		table[i].path = "/v1/endpoint/" + table[i].path
	}
	newKit(t).golden(table)
}

// Pages of the list hold ten users and cover all of them.
func TestEndpointPages(t *testing.T) {
	k := newKit(t)
	for i := range 23 {
		k.do(exchange{path: "/v1/endpoint/add_sip", body: with(fmt.Sprintf(`"username":"u%02d","password":"correct horse"`, i))})
	}
	var sizes []int
	for page := range 5 {
		var reply struct {
			List struct {
				Count int              `json:"count"`
				Rows  []map[string]any `json:"rows"`
			} `json:"list"`
		}
		response := k.do(exchange{path: "/v1/endpoint/list_sip", body: with(fmt.Sprintf(`"page":%d`, page))})
		if err := json.NewDecoder(response.Body).Decode(&reply); err != nil || reply.List.Count != 23 {
			t.Fatalf("page %d: %+v %v", page, reply, err)
		}
		sizes = append(sizes, len(reply.List.Rows))
	}
	if got := fmt.Sprint(sizes); got != "[10 10 10 3 0]" { // page 0 is page 1
		t.Errorf("pages have %s users", got)
	}
}

// What is not configured says so.
func TestNotServed(t *testing.T) {
	newKit(t, func(o *rest.Options) { o.Records, o.Endpoints, o.Recordings = nil, nil, nil }).golden([]exchange{
		{name: "records", path: "/v1/piopiy/cmiuuid_cdr", body: with(`"cmiuuid":"x"`)},
		{name: "records by request", path: "/v1/piopiy/requestid_cdr", body: with(`"request_id":"x"`)},
		{name: "endpoints", path: "/v1/endpoint/list_sip", body: with("")},
		{name: "recordings", method: "GET", path: "/v2/piopiy/play?appid=2222&secret=" + secret + "&file=one.wav"},
	})
}

// Without credentials to check, requests say by their appid which app they are for, or nothing.
func TestEverybody(t *testing.T) {
	newKit(t, func(o *rest.Options) { o.Authorize = rest.Everybody }).golden([]exchange{
		{name: "appid", path: "/v2/global_pcmo_make_call", body: `{"appid":2222,"secret":"any",` + numbers + `,` + hangup + `}`},
		{name: "appid is a name", path: "/v2/global_pcmo_make_call", body: `{"appid":"sales",` + numbers + `,` + hangup + `}`},
		{name: "appid is unknown", path: "/v2/global_pcmo_make_call", body: `{"appid":7,` + numbers + `,` + hangup + `}`},
		{name: "nothing", path: "/v2/global_pcmo_make_call", body: `{` + numbers + `,` + hangup + `}`},
		{name: "channels", path: "/v2/piopiy/get_channels", body: `{}`},
		{name: "any call", path: "/v1/call/action", body: `{"action":"hold","cmiuuid":"` + otherID + `"}`},
		{name: "no token", path: "/v3/voice/call/hangup", body: `{"call_id":"` + otherID + `"}`},
	})
}
