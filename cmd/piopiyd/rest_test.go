package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestREST makes and controls a call of a real phone with the platform's API: the phone is called, hears the document,
// is put on hold, is sent to another document, and hung up; its CDR can be asked for.
func TestREST(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		"media/one.wav": string(media.EncodeWAV(media.Tone(880, 20_000_000_000))),
		"media/two.wav": string(media.EncodeWAV(media.Tone(1320, 20_000_000_000))),
		"piopiyd.yaml": `
sip:
  users: {"15550001111": carol-password}
apps:
  crm: {api: {app_id: "2222123", secret: a-secret, token: a-token}, numbers: ["15550002222"]}
`,
		"scripts/crm.js": `exports.answer = () => [{ action: 'hangup' }]`,
	})
	d := startSIP(t, dir)
	carol := siptest.StartPhone(t, siptest.Account{User: "15550001111", Password: "carol-password", Server: d.sip}, 1000)
	siptest.Wait(t, "the phone has registered", func() bool { return strings.Contains(d.get("/metrics"), "\npiopiyd_sip_registered_users 1\n") })

	post := func(path, token, body string) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.http+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		return reply(t, r)
	}
	const account = `"appid":2222123,"secret":"a-secret"`
	if got := post("/v2/piopiy/get_channels", "", `{"appid":2222123,"secret":"wrong"}`); got["code"] != 407.0 {
		t.Errorf("with a wrong secret: %v", got)
	}
	made := post("/v2/global_pcmo_make_call", "", `{`+account+`,"from":15550002222,"to":15550001111,"pcmo":[{"action":"play","file_name":"one.wav"}],"extra_params":{"order":"A1"}}`)
	id, _ := made["request_id"].(string)
	if made["code"] != 200.0 || id == "" {
		t.Fatalf("the call is not made: %v", made)
	}
	carol.Hears(880)
	if got := post("/v2/piopiy/get_channels", "", `{`+account+`}`); got["channel"] != "1" {
		t.Errorf("channels: %v", got)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.http+"/v3/calls/"+id, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer a-token")
	shown := reply(t, r)
	call, _ := shown["call_id"].(string)
	if shown["status"] != "answered" || shown["app"] != "crm" || shown["direction"] != "outbound" || call == "" {
		t.Fatalf("the call is %v", shown)
	}
	if got := post("/v3/voice/pcmo/transfer", "a-token", `{"call_id":"`+call+`","pipeline":[{"action":"play","file_name":"two.wav"}]}`); got["message"] != "queued" {
		t.Errorf("transfer: %v", got)
	}
	carol.Hears(1320)
	// Last, since this phone writes nothing down any more once it was held.
	for _, action := range []string{"hold", "unhold"} {
		if got := post("/v1/call/global_action", "", `{`+account+`,"action":"`+action+`","cmiuid":"`+call+`"}`); got["code"] != 200.0 {
			t.Errorf("%s: %v", action, got)
		}
	}
	if got := post("/v3/voice/call/hangup", "a-token", `{"call_id":"`+call+`","cause":"NORMAL_CLEARING"}`); got["message"] != "queued" {
		t.Errorf("hang-up: %v", got)
	}
	siptest.Wait(t, "the CDR", func() bool {
		got := post("/v1/piopiy/requestid_cdr", "", fmt.Sprintf(`{%s,"request_id":%q}`, account, id))
		return got["count"] == 1.0 && strings.Contains(fmt.Sprint(got["cdr"]), "direction:outbound")
	})
	carol.Quit()
}

func reply(t *testing.T, r *http.Request) map[string]any {
	t.Helper()
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("%s answers %s: %s", r.URL.Path, res.Status, text)
	}
	return body
}

// TestEndpoints adds a SIP user by the API: a phone registers with it at once, and still after a restart.
func TestEndpoints(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	dir := t.TempDir()
	lay(t, dir, map[string]string{
		"piopiyd.yaml":   "sip:\n  users: {alice: alice-password}\n",
		"scripts/crm.js": `exports.answer = () => []`,
	})
	d := startSIP(t, dir)
	post := func(path, body string) map[string]any {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, d.http+"/v1/endpoint/"+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return reply(t, r)
	}
	const account = `"appid":2222123,"secret":"any"`
	if got := post("add_sip", `{`+account+`,"username":"dave","password":"dave-password"}`); got["code"] != "cmi-200" || got["username"] != "dave" {
		t.Fatalf("%v", got)
	}
	for _, taken := range []string{"dave", "alice"} {
		if got := post("add_sip", `{`+account+`,"username":"`+taken+`","password":"another-password"}`); got["code"] == "cmi-200" {
			t.Errorf("%s was added again: %v", taken, got)
		}
	}
	registered := func() {
		t.Helper()
		dave := siptest.StartPhone(t, siptest.Account{User: "dave", Password: "dave-password", Server: d.sip}, 1000)
		siptest.Wait(t, "the phone has registered", func() bool { return strings.Contains(d.get("/metrics"), "\npiopiyd_sip_registered_users 1\n") })
		dave.Quit()
	}
	registered()
	d.stop()
	d = startSIP(t, dir)
	registered()
	if got := post("remove_sip", `{`+account+`,"username":"dave"}`); got["code"] != "cmi-200" {
		t.Errorf("%v", got)
	}
	if got := post("list_sip", `{`+account+`,"page":1}`); !strings.Contains(fmt.Sprint(got), "count:0") {
		t.Errorf("%v", got)
	}
}
