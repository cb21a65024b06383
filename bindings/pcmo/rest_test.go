package pcmo_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

const classicSecret = "b6f1e3a0-secret"

// The classic client: bodies, endpoints and messages of SDK 1.0.8 (protocol page 3.1 to 3.3).
func TestClassicClient(t *testing.T) {
	const credentials = `{"appid":2222,"secret":"` + classicSecret + `",`
	p := newPlatform(t)
	kit := runtimetest.New(t, pcmo.New(p.options()))
	for _, test := range []struct{ script, path, body, rejects string }{
		{`voice.call(919876543210, 911, 14155550101)`, "/v2/ind_pcmo_make_call",
			credentials + `"extra_params":{},"from":911,"duration":4200,"pcmo":[{"action":"bridge","from":911,"connect":[{"type":"pstn","number":14155550101}]}],"to":919876543210}`, ""},
		{`voice.call(14155550101, 911, [1, 2], { duration: 60, extra_params: { order: 'A1' }, ring_type: 'group', record: true })`, "/v2/global_pcmo_make_call",
			credentials + `"extra_params":{"order":"A1"},"from":911,"duration":60,"pcmo":[{"action":"bridge","from":911,"connect":[{"type":"pstn","number":1},{"type":"pstn","number":2}],"duration":60,"timeout":40,"loop":1,"ring_type":"group"}],"to":14155550101}`, ""},
		{`voice.call(14155550101, 911, [{ action: 'hangup' }], { duration: 0 })`, "/v2/global_pcmo_make_call",
			credentials + `"extra_params":{},"from":911,"duration":4200,"pcmo":[{"action":"hangup"}],"to":14155550101}`, ""},
		{`voice.call(14155550101, 911, pcmo().speak('Hi'))`, "/v2/global_pcmo_make_call",
			credentials + `"extra_params":{},"from":911,"duration":4200,"pcmo":[{"action":"speak","text":"Hi"}],"to":14155550101}`, ""},
		{`voice.create(14155550101, 911, 'https://h.example/answer', 60)`, "/v1/global_make_call",
			credentials + `"from":911,"duration":60,"answer_url":"https://h.example/answer","to":14155550101}`, ""},
		{`voice.hold('id')`, "/v1/call/global_action", credentials + `"action":"hold","cmiuid":"id"}`, ""},
		{`voice.unhold('id')`, "/v1/call/global_action", credentials + `"action":"unhold","cmiuid":"id"}`, ""},
		{`voice.toggle('id')`, "/v1/call/global_action", credentials + `"action":"holdToggle","cmiuid":"id"}`, ""},
		{`voice.hangup('id')`, "/v1/call/global_action", credentials + `"action":"hangup","cmiuid":"id"}`, ""},
		{`voice.call('14155550101', 911, 1)`, "", "", "Error: leg_a,from and leg_b param type error"},
		{`voice.call(1, 911, 'x')`, "", "", "Error: leg_a,from and leg_b param type error"},
		{`voice.call('1', 911, [{ action: 'hangup' }])`, "", "", "Error: to,from and PCMO input param type error"},
		{`voice.create(1, 911, 'answer', 60)`, "", "", "Error: Invalid types for to, from, or answer_url"},
		{`voice.create(1, 911, 'https://h.example/a')`, "", "", "Error: Invalid types for to, from, or answer_url"},
		{`voice.hold(5)`, "", "", "Error: cmiuuid type error"},
		{`voice.call(1, 911, [{ action: 'input', action_url: () => 1 }])`, "", "", "TypeError: $.pcmo[0].action_url: is a function; a document that is sent by REST needs the URL of a web server"},
	} {
		p.reset(200, []byte(`{"cmi_code":200,"status":"progress"}`))
		v := kit.Eval(`const { Piopiy, pcmo } = require('piopiy');
			const { voice } = new Piopiy(2222, '` + classicSecret + `');
			return await ` + test.script + `.then(v => JSON.stringify(v), e => String(e))`)
		want := `{"cmi_code":200,"status":"progress"}`
		var requests []request
		if test.rejects != "" {
			want = test.rejects
		} else {
			requests = []request{{Method: "POST", Path: test.path, Body: test.body}}
		}
		got := p.seen()
		for i := range got {
			got[i].Headers = nil
		}
		if v != want || cmp.Diff(requests, got) != "" {
			t.Errorf("%s\n got %v\nwant %v\n%s", test.script, v, want, cmp.Diff(requests, got))
		}
	}
	for _, e := range kit.Journal.Entries(t.Name()) {
		if strings.Contains(string(e.Data), classicSecret) {
			t.Errorf("the secret is in the journal: %s %s", e.Kind, e.Data)
		}
	}
}

// What Piopiy is constructed with decides the generation; two classic clients keep their own credentials.
func TestClientGenerations(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	got := kit.Eval(`const { Piopiy } = require('piopiy');
		const keys = (...a) => { try { const p = new Piopiy(...a); return Object.keys(p).join() + ':' + Object.keys(p.voice).join() } catch (e) { return e.name } };
		const a = new Piopiy(1, 'a'), b = new Piopiy(2, 'b');
		return [keys('token'), keys(1, 's'), keys('1', 's'), keys(), a.voice === b.voice]`)
	want := []any{"auth,ai,voice,pcmo,flow:auth", "appid,secret,voice:setup,create,call,hold,unhold,toggle,hangup", "Error", "Error", false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// The journal has one entry for each request, without credentials.
func TestRestJournal(t *testing.T) {
	p := newPlatform(t)
	kit := runtimetest.New(t, pcmo.New(p.options()))
	p.reset(404, []byte(`{"message":"no such call"}`))
	got := kit.Eval(`const { Piopiy } = require('piopiy');
		try { await new Piopiy('token-1').voice.hangup('00000000-0000-4000-8000-000000000001') }
		catch (e) { return [e.code, e.response.status, e.response.data.message, e.isAxiosError, e.response.statusText] }`)
	if diff := cmp.Diff([]any{"ERR_BAD_REQUEST", int64(404), "no such call", true, "Not Found"}, got); diff != "" {
		t.Error(diff)
	}
	var found []string
	for _, e := range kit.Journal.Entries(t.Name()) {
		if e.Kind == "rest" {
			found = append(found, string(e.Data))
		}
	}
	if diff := cmp.Diff([]string{`{"method":"POST","path":"/v3/voice/call/hangup","status":404}`}, found); diff != "" {
		t.Error(diff)
	}
}

type failing struct{ err error }

func (f failing) Do(*http.Request) (*http.Response, error) { return nil, f.err }

func TestRestFails(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + listener.Addr().String()
	listener.Close()
	big := newPlatform(t)
	big.reset(200, make([]byte, 2<<20))
	for _, test := range []struct {
		options pcmo.Options
		code    string
	}{
		{pcmo.Options{V3URL: closed}, "ECONNREFUSED"},
		{pcmo.Options{Client: failing{&net.DNSError{IsNotFound: true}}}, "ENOTFOUND"},
		{pcmo.Options{Client: failing{context.DeadlineExceeded}}, "ECONNABORTED"},
		{pcmo.Options{Client: failing{errors.New("odd")}}, "ERR_NETWORK"},
		{big.options(), "ERR_NETWORK"},
	} {
		kit := runtimetest.New(t, pcmo.New(test.options))
		got := kit.Eval(`const { Piopiy } = require('piopiy');
			try { await new Piopiy('token-1').voice.hangup('00000000-0000-4000-8000-000000000001') } catch (e) { return e.code }`)
		if got != test.code {
			t.Errorf("got %v, want %v", got, test.code)
		}
	}
}

// The dry run that checks a version sends nothing; the session then does.
func TestRestDryRun(t *testing.T) {
	p := newPlatform(t)
	kit := runtimetest.New(t, pcmo.New(p.options()))
	s := kit.Session(map[string]string{"main.js": `const { Piopiy } = require('piopiy');
		const sent = [new Piopiy('token-1').voice.hangup('00000000-0000-4000-8000-000000000001'), new Piopiy(1, 's').voice.hold('id')];
		exports.answer = async () => { await Promise.all(sent) }`})
	if _, err := runtimetest.Call(t.Context(), s, "answer"); err != nil {
		t.Fatal(err)
	}
	if got := p.seen(); len(got) != 2 {
		t.Errorf("sent %v", got)
	}
}
