package rest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

func TestAccounts(t *testing.T) {
	all := rest.Grant{All: true}
	one := rest.Grant{App: "one"}
	a := rest.NewAccounts([]rest.Account{
		{AppID: "1", Secret: "s1", Grant: one},
		{AppID: "2", Secret: "s2", Grant: all},
		{Token: "t", Grant: all},
		{AppID: "3"}, {Secret: "s4"}, {}, // of no use, and no door either
	})
	for _, test := range []struct {
		credentials rest.Credentials
		grant       rest.Grant
		ok          bool
	}{
		{rest.Credentials{AppID: "1", Secret: "s1"}, one, true},
		{rest.Credentials{AppID: "2", Secret: "s2"}, all, true},
		{rest.Credentials{Token: "t"}, all, true},
		{rest.Credentials{AppID: "1", Secret: "s2"}, rest.Grant{}, false},
		{rest.Credentials{AppID: "2", Secret: "s1"}, rest.Grant{}, false},
		{rest.Credentials{AppID: "1"}, rest.Grant{}, false},
		{rest.Credentials{Secret: "s1"}, rest.Grant{}, false},
		{rest.Credentials{AppID: "3"}, rest.Grant{}, false},
		{rest.Credentials{Secret: "s4"}, rest.Grant{}, false},
		{rest.Credentials{Token: "s1"}, rest.Grant{}, false},
		{rest.Credentials{Token: "T"}, rest.Grant{}, false},
		{rest.Credentials{}, rest.Grant{}, false},
	} {
		grant, err := a.Authorize(t.Context(), test.credentials)
		if grant != test.grant || (err == nil) != test.ok || err != nil && !errors.Is(err, rest.ErrCredentials) {
			t.Errorf("%+v: %+v %v", test.credentials, grant, err)
		}
	}
	if _, err := rest.NewAccounts(nil).Authorize(t.Context(), rest.Credentials{}); !errors.Is(err, rest.ErrCredentials) {
		t.Errorf("no accounts let in: %v", err)
	}
}

// An app id belongs to one app, and its credentials reach no other.
func TestScope(t *testing.T) {
	newKit(t).golden([]exchange{
		{name: "token of support, app sales", path: "/v3/voice/pcmo/call", body: `{` + parties + `,"app_id":"sales","pipeline":[{"action":"hangup"}]}`, token: "token-of-support"},
		{name: "token of support, flow sales", path: "/v3/voice/flow/call", body: `{"flow_id":"sales","org_id":"` + callID + `",` + parties + `,"app_id":"support"}`, token: "token-of-support"},
		{name: "token of support, agent sales", path: "/v3/voice/ai/call", body: `{` + parties + `,"agent_id":"sales"}`, token: "token-of-support"},
		{name: "token of support, agent sales in a pipeline", path: "/v3/voice/pcmo/call", token: "token-of-support",
			body: `{` + parties + `,"app_id":"support","pipeline":[{"action":"connect","params":{"caller_id":"15550002222"},"endpoints":[{"type":"agent","id":"` + rest.AppID("sales") + `"}]}]}`},
		{name: "token of support, app support", path: "/v3/voice/pcmo/call", body: `{` + parties + `,"app_id":"support","pipeline":[{"action":"hangup"}]}`, token: "token-of-support"},
		{name: "a token is no secret", path: "/v2/piopiy/get_channels", body: `{"appid":2222,"secret":"` + token + `"}`},
		{name: "a secret is no token", path: "/v3/voice/call/hangup", body: `{"call_id":"` + callID + `"}`, token: secret},
	})
}

// Too many wrong credentials make their source wait, for right ones too; others go on.
func TestSlowDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := newKit(t)
		send := func(from, appID, appSecret string) *httptest.ResponseRecorder {
			r := httptest.NewRequest(http.MethodPost, "/v2/piopiy/get_channels", strings.NewReader(`{"appid":`+appID+`,"secret":"`+appSecret+`"}`))
			r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 999).String()
			w := httptest.NewRecorder()
			k.api.ServeHTTP(w, r)
			return w
		}
		try := func(from, appSecret string) (int, string) {
			w := send(from, "2222", appSecret)
			return w.Code, w.Header().Get("Retry-After")
		}
		tryAs := func(from, appID, appSecret string) int { return send(from, appID, appSecret).Code }
		const attacker, neighbour = "2001:db8:0:1::1", "2001:db8:0:1::2"
		for i := range 6 {
			if code, _ := try(attacker, "wrong-secret"); code != 200 {
				t.Fatalf("try %d: %d", i, code)
			}
		}
		if code, after := try(attacker, "wrong-secret"); code != 429 || after != "1" {
			t.Errorf("after six wrong ones: %d, Retry-After %q", code, after)
		}
		if code, _ := try(attacker, secret); code != 429 {
			t.Errorf("the right secret meanwhile: %d", code)
		}
		if code, _ := try(neighbour, secret); code != 429 {
			t.Errorf("the same /64 meanwhile: %d", code)
		}
		if code, _ := try("2001:db8:0:2::1", secret); code != 200 {
			t.Errorf("another /64: %d", code)
		}
		if code, _ := try("192.0.2.1", secret); code != 200 {
			t.Errorf("another address: %d", code)
		}
		if code := tryAs(attacker, "7", "wrong-secret"); code != 200 {
			t.Errorf("another appid of the same address: %d", code)
		}
		// Each wrong one more doubles the wait, until one is forgiven in that time.
		waited, tried := time.Duration(0), 0
		for waited < time.Hour {
			code, after := try(attacker, "wrong-secret")
			if code == 200 {
				tried++
				continue
			}
			seconds, err := strconv.Atoi(after)
			if err != nil || seconds < 1 || seconds > 300 {
				t.Fatalf("Retry-After %q", after)
			}
			wait := time.Duration(seconds) * time.Second
			time.Sleep(wait)
			waited += wait
			// A right one opens nothing for those between.
			if tried == 10 {
				try(attacker, secret)
			}
		}
		if tried < 50 || tried > 80 {
			t.Errorf("%d tries in an hour", tried)
		}
		time.Sleep(5 * time.Minute)
		if code, _ := try(attacker, secret); code != 200 {
			t.Errorf("the right secret after the wait: %d", code)
		}
		// What lies back is forgiven.
		time.Sleep(30 * time.Minute)
		for i := range 6 {
			if code, _ := try(attacker, "wrong-secret"); code != 200 {
				t.Errorf("try %d half an hour later: %d", i, code)
			}
		}
		k.quiet()
	})
}

// Wrong tokens count like wrong secrets; requests without any do not.
func TestSlowDownV3(t *testing.T) {
	k := newKit(t)
	for range 20 {
		if code := k.do(exchange{method: "GET", path: "/v3/calls/x"}).StatusCode; code != 401 {
			t.Fatalf("without token: %d", code)
		}
		if code := k.do(exchange{path: "/v2/piopiy/get_channels", body: `{}`}).StatusCode; code != 200 {
			t.Fatalf("without secret: %d", code)
		}
	}
	var codes []int
	for range 7 {
		codes = append(codes, k.do(exchange{method: "GET", path: "/v3/calls/x", token: "wrong-secret"}).StatusCode)
	}
	if codes[5] != 401 || codes[6] != 429 {
		t.Errorf("got %v", codes)
	}
	if body, _ := io.ReadAll(k.do(exchange{method: "GET", path: "/v2/piopiy/play?file=x", token: token}).Body); !bytes.Contains(body, []byte("429")) {
		t.Errorf("recordings: %s", body)
	}
	if code := k.do(exchange{path: "/v2/piopiy/get_channels", body: with("")}).StatusCode; code != 200 {
		t.Errorf("an appid: %d", code)
	}
}

// An attack from very many addresses costs a bounded amount of memory and nobody else's access.
func TestSlowDownIsBounded(t *testing.T) {
	var from netip.Addr
	k := newKit(t, func(o *rest.Options) { o.Source = func(*http.Request) netip.Addr { return from } })
	from = netip.MustParseAddr("10.0.0.0")
	for range 12_000 {
		from = from.Next()
		k.do(exchange{method: "GET", path: "/v3/calls/x", token: "wrong-secret"})
	}
	from = netip.MustParseAddr("192.0.2.1")
	if code := k.do(exchange{method: "GET", path: "/v3/calls/" + callID, token: token}).StatusCode; code != 200 {
		t.Errorf("got %d", code)
	}
}

// A web page of another origin cannot use the API of a daemon that asks nobody for credentials.
func TestCrossOrigin(t *testing.T) {
	k := newKit(t, func(o *rest.Options) { o.Authorize = rest.Everybody })
	for _, test := range []struct {
		site, origin string
		code         int
	}{
		{"cross-site", "https://evil.example", 403},
		{"same-site", "http://evil.127.0.0.1:8080", 403},
		{"", "https://evil.example", 403},
		{"", "null", 403},
		{"same-origin", "http://example.com", 200},
		{"", "", 200},
	} {
		r := httptest.NewRequest(http.MethodPost, "http://example.com/v3/voice/call/hangup", strings.NewReader(`{"call_id":"`+callID+`"}`))
		if test.site != "" {
			r.Header.Set("Sec-Fetch-Site", test.site)
		}
		if test.origin != "" {
			r.Header.Set("Origin", test.origin)
		}
		w := httptest.NewRecorder()
		k.api.ServeHTTP(w, r)
		if w.Code != test.code {
			t.Errorf("%q from %q: %d %s", test.site, test.origin, w.Code, w.Body)
		}
	}
	if got := len(k.platform.seen()); got != 2 {
		t.Errorf("%d hang-ups reached the platform", got)
	}
}

// Authorize may fail without it being the credentials' fault.
func TestAuthorizeFails(t *testing.T) {
	k := newKit(t, func(o *rest.Options) {
		o.Authorize = func(context.Context, rest.Credentials) (rest.Grant, error) {
			return rest.Grant{}, errors.New("no database")
		}
	})
	for range 10 {
		for _, path := range []string{"/v3/voice/call/hangup", "/v2/piopiy/get_channels"} {
			if code := k.do(exchange{path: path, body: with(""), token: token}).StatusCode; code != 500 {
				t.Fatalf("%s: %d", path, code)
			}
		}
	}
	if !strings.Contains(k.log.String(), "no database") {
		t.Error("the log does not say why")
	}
	k.quiet()
}

// A handler that panics answers 500 and the log says why.
func TestPanic(t *testing.T) {
	k := newKit(t, func(o *rest.Options) { o.FindApp = func(string) (string, bool) { panic("oh") } })
	if code := k.do(exchange{path: "/v3/voice/ai/call", body: `{` + parties + `,"agent_id":"x"}`, token: token}).StatusCode; code != 500 {
		t.Errorf("got %d", code)
	}
	if !strings.Contains(k.log.String(), "oh") {
		t.Errorf("the log is %s", k.log)
	}
}

// Recordings (protocol page 3.6).
func TestRecordings(t *testing.T) {
	k := newKit(t)
	const credentials = "appid=2222&secret=" + secret
	for _, test := range []struct {
		path, token, span string
		code              int
		kind, body        string
	}{
		{"/v2/piopiy/play?" + credentials + "&file=one.wav", "", "", 200, "audio/wav", "RIFF-one"},
		{"/v3/piopiy/play?" + credentials + "&file=one.wav", "", "", 200, "audio/wav", "RIFF-one"},
		{"/v1/play?appid=2222&token=" + secret + "&file=one.wav", "", "", 200, "audio/wav", "RIFF-one"},
		{"/v3/piopiy/play?file=one.wav", token, "", 200, "audio/wav", "RIFF-one"},
		{"/v3/piopiy/play?file=one.wav", token, "bytes=5-", 206, "audio/wav", "one"},
		{"/v3/piopiy/play?file=two.html", token, "", 200, "application/octet-stream", "<b>"},
		{"/v3/piopiy/play?file=two.html", "token-of-support", "", 404, "", `"recording_not_found"`},
		{"/v2/piopiy/play?" + credentials + "&file=two.html", "", "", 404, "", `"code":404`},
		{"/v2/piopiy/play?" + credentials + "&file=three.wav", "", "", 404, "", `"code":404`},
		{"/v2/piopiy/play?" + credentials, "", "", 400, "", `"code":502`},
		{"/v2/piopiy/play?" + credentials + "&file=../one.wav", "", "", 400, "", `"code":502`},
		{"/v2/piopiy/play?" + credentials + "&file=..", "", "", 400, "", `"code":502`},
		{"/v2/piopiy/play?" + credentials + "&file=a%00.wav", "", "", 400, "", `"code":502`},
		{"/v2/piopiy/play?" + credentials + "&file=a%5Cb.wav", "", "", 400, "", `"code":502`},
		{"/v2/piopiy/play?appid=2222&secret=wrong-secret&file=one.wav", "", "", 401, "", `"code":420`},
		{"/v2/piopiy/play?file=one.wav", "", "", 401, "", `"code":420`},
	} {
		r := httptest.NewRequest(http.MethodGet, test.path, nil)
		if test.token != "" {
			r.Header.Set("Authorization", "Bearer "+test.token)
		}
		if test.span != "" {
			r.Header.Set("Range", test.span)
		}
		w := httptest.NewRecorder()
		k.api.ServeHTTP(w, r)
		kind := w.Header().Get("Content-Type")
		if w.Code != test.code || !strings.Contains(w.Body.String(), test.body) || test.kind != "" && kind != test.kind || test.kind == "" && !strings.HasPrefix(kind, "application/json") {
			t.Errorf("%s: %d %s %s", strings.ReplaceAll(test.path, secret, "…"), w.Code, kind, w.Body)
		}
	}
	k.quiet()
}

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := call.NewRequestID()
		if len(id) != 43 || seen[id] || strings.ContainsFunc(id, func(c rune) bool {
			return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
		}) {
			t.Fatalf("%q", id)
		}
		seen[id] = true
	}
	// An app's UUID must never change: it stands in programs.
	if got := rest.AppID("support"); got != "4b77a4df-b2ad-5203-b8be-81726b6fab52" {
		t.Errorf("AppID is %s", got)
	}
}
