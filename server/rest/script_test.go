package rest_test

import (
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
	"github.com/piopiy/piopiyd/server/rest"
)

// A script's require('piopiy') works against the API: each of its methods, over a real connection.
func TestScripts(t *testing.T) {
	k := newKit(t)
	server := httptest.NewServer(k.api)
	defer server.Close()
	scripts := runtimetest.New(t, pcmo.New(pcmo.Options{Client: server.Client(), ClassicURL: server.URL, ClassicRESTURL: server.URL, V3URL: server.URL + "/v3"}))

	support, id := rest.AppID("support"), callID
	const bridge = `[{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550101}]}]`
	for _, test := range []struct {
		script string
		// asked is what the platform was asked, reply an expression on the reply r and what it gives.
		asked, expression, reply string
	}{
		{`classic.voice.call(14155550101, 15550002222, 14155550101)`,
			`MakeCall app="support" from=15550002222 to=14155550101 document=` + bridge + ` extra="" max=1h10m0s ring=0s record=false`, `[r.code, r.cmi_code, r.status, r.data.request_id]`, `[200,200,"progress","request-2"]`},
		{`classic.voice.call(919876543210, 15550002222, [{ action: 'hangup' }], { duration: 60, extra_params: { order: 'A1' } })`,
			`MakeCall app="support" from=15550002222 to=919876543210 document=[{"action":"hangup"}] extra="{\"order\":\"A1\"}" max=1m0s ring=0s record=false`, `r.request_id`, `"request-2"`},
		{`classic.voice.create(14155550101, 15550002222, 'https://h.example/answer', 60)`,
			`MakeCall app="support" from=15550002222 to=14155550101 url=https://h.example/answer extra="" max=1m0s ring=0s record=false`, `r.data.status`, `"progress"`},
		{`classic.voice.hold('` + id + `')`, `Hold ` + id + ` hold`, `r.held`, `true`},
		{`classic.voice.unhold('` + id + `')`, `Hold ` + id + ` unhold`, `r.held`, `false`},
		{`classic.voice.toggle('` + id + `')`, `Hold ` + id + ` holdToggle`, `r.held`, `true`},
		{`classic.voice.hangup('` + id + `')`, `Hangup ` + id + ` cause=NORMAL_CLEARING reason=""`, `r.code`, `200`},
		{`classic.voice.hold('x')`, ``, `r.code`, `404`},
		{`new Piopiy(2222, 'wrong-secret').voice.hold('` + id + `')`, ``, `r.cmi_code`, `420`},

		{`v3.voice.call('15550002222', '14155550101', 'support')`,
			`MakeCall app="support" from=15550002222 to=14155550101 pipeline=[{"action":"connect","params":{"caller_id":"15550002222","strategy":"sequential"},"endpoints":[{"type":"pstn","number":"14155550101"}]}] extra="" max=0s ring=0s record=false`, `r.message`, `"call_queued"`},
		{`v3.pcmo.call({ caller_id: '15550002222', to_number: '14155550101', app_id: 'support', pipeline: v3.pcmo.pipeline().play('a.wav').hangup().build(), options: { record: true }, variables: { order: 7 } })`,
			`MakeCall app="support" from=15550002222 to=14155550101 pipeline=[{"action":"play","file_name":"a.wav"},{"action":"hangup"}] extra="{\"order\":7}" max=0s ring=0s record=true`, `r.call_id`, `"00000000-0000-4000-8000-000000000009"`},
		{`v3.flow.call('` + support + `', '` + id + `', '15550002222', '14155550101', 'any')`,
			`MakeCall app="support" from=15550002222 to=14155550101 app decides extra="" max=0s ring=0s record=false`, `r.message`, `"call_queued"`},
		{`v3.ai.call('14155550101', '15550002222', '` + support + `')`,
			`MakeCall app="support" from=15550002222 to=14155550101 app decides extra="" max=0s ring=0s record=false`, `r.message`, `"call_queued"`},
		{`v3.ai.call({ caller_id: '15550002222', to_number: '14155550101', agent_id: '` + support + `', app_id: 'support', failover: { agent_id: '` + rest.AppID("sales") + `' } })`,
			`MakeCall app="support" from=15550002222 to=14155550101 pipeline=[{"action":"connect","params":{"caller_id":"15550002222"},"endpoints":[{"type":"agent","id":"support"},{"type":"agent","id":"sales"}]}] extra="" max=0s ring=0s record=false`, `r.message`, `"call_queued"`},
		{`v3.voice.transfer('` + id + `', [{ action: 'hangup' }])`, `Transfer ` + id + ` pipeline=[{"action":"hangup"}]`, `r.message`, `"queued"`},
		{`v3.pcmo.transfer('` + id + `', [{ action: 'hangup' }])`, ``, `[r.response.status, r.response.data.error, r.response.data.request_id.length]`, `[409,"transfer_in_progress",43]`},
		{`v3.voice.hangup('` + id + `', 'USER_BUSY', 'later')`, `Hangup ` + id + ` cause=USER_BUSY reason="later"`, `r.message`, `"queued"`},
		{`v3.ai.hangup('00000000-0000-4000-8000-0000000000ff')`, ``, `[r.response.status, r.response.data.error]`, `[404,"call_not_found"]`},
		{`new Piopiy('wrong-secret').voice.hangup('` + id + `')`, ``, `[r.response.status, r.response.data.error]`, `[401,"unauthorized"]`},
	} {
		got := scripts.Eval(`const { Piopiy } = require('piopiy');
			const classic = new Piopiy(2222, '` + secret + `'), v3 = new Piopiy('` + token + `');
			const r = await ` + test.script + `.catch(e => e);
			return JSON.stringify(` + test.expression + `)`)
		var want []string
		if test.asked != "" {
			want = []string{test.asked}
		}
		if diff := cmp.Diff(want, k.platform.seen()); diff != "" || got != test.reply {
			t.Errorf("%s\n got %v, want %s\n%s", test.script, got, test.reply, diff)
		}
	}
	k.quiet()
}
