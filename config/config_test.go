package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/config"
)

func TestDefaultsAreValid(t *testing.T) {
	cfg, err := config.Load(filepath.Join(t.TempDir(), "piopiyd.yaml"), false, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(config.Default(), cfg); diff != "" {
		t.Error(diff)
	}
}

func TestMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "there.yaml")
	_, err := config.Load(path, true, nil)
	if want := path + ": there is no such configuration file"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, text string
		set        func(*config.Config)
	}{
		{"empty", "", func(*config.Config) {}},
		{"comments only", "# nothing\n", func(*config.Config) {}},
		{"keys without values", "limits:\nlog:\n  level:\n", func(*config.Config) {}},
		{"times", "limits: {turn: 250ms, lifetime: 2d}", func(c *config.Config) {
			c.Limits.Turn, c.Limits.Lifetime = 250*time.Millisecond, 48*time.Hour
		}},
		{"sizes", "hooks:\n  max_body: 1 MiB\nlimits:\n  memory: 2GiB\njournal:\n  max_bytes: 1500MB\n", func(c *config.Config) {
			c.Hooks.MaxBody, c.Limits.Memory, c.Journal.MaxBytes = config.MiB, 2*config.GiB, 1_500_000_000
		}},
		{"lists", "trusted_proxies: [10.0.0.0/8]\ndelivery:\n  retry:\n  - 1s\n  - 1m\n", func(c *config.Config) {
			c.TrustedProxies, c.Delivery.Retry = []string{"10.0.0.0/8"}, []time.Duration{time.Second, time.Minute}
		}},
		{"an app", "apps:\n  support:\n    numbers: [+14155550101, 14155550102]\n    env:\n      PORT: 0080\n      ON: true\n      URL: \"https://x\"\n    fault: {forward: '+14155550199', last_good: true}\n", func(c *config.Config) {
			c.Apps = map[string]config.App{"support": {
				Isolation: "newborn",
				Numbers:   []string{"+14155550101", "14155550102"},
				Env:       map[string]string{"PORT": "0080", "ON": "true", "URL": "https://x"},
				Fault:     &config.Fault{Forward: "+14155550199", LastGood: true},
			}}
		}},
		{"an app without settings", "apps:\n  support:\n", func(c *config.Config) {
			c.Apps = map[string]config.App{"support": {Isolation: "newborn"}}
		}},
		{"anchors", "apps:\n  a: &a\n    isolation: frozen\n  b: *a\n", func(c *config.Config) {
			c.Apps = map[string]config.App{"a": {Isolation: "frozen"}, "b": {Isolation: "frozen"}}
		}},
		{"the other listener", "listen: 0.0.0.0:80\napi: {token: 0123456789abcdef}", func(c *config.Config) {
			c.Listen, c.API.Token = "0.0.0.0:80", "0123456789abcdef"
		}},
		{"a byte order mark", "\ufefflisten: localhost:1\n", func(c *config.Config) { c.Listen = "localhost:1" }},
		{"windows line ends", "listen: localhost:1\r\nscripts: s\r\n", func(c *config.Config) { c.Listen, c.Scripts = "localhost:1", "s" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := config.Default()
			tt.set(&want)
			got, err := config.Parse("piopiyd.yaml", []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	texts, err := filepath.Glob("testdata/errors/*.yaml")
	if err != nil || len(texts) == 0 {
		t.Fatal("no cases", err)
	}
	for _, path := range texts {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = config.Parse("piopiyd.yaml", text)
			if err == nil {
				t.Fatal("no error")
			}
			var all *config.Error
			if !errors.As(err, &all) {
				t.Fatalf("%T", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("a secret is shown: %v", err)
			}
			same(t, strings.TrimSuffix(path, ".yaml")+".golden", err.Error()+"\n")
		})
	}
}

func TestPrecedence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "piopiyd.yaml")
	if err := os.WriteFile(path, []byte("listen: localhost:1\nscripts: file\ndata: file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, true, []string{"PIOPIYD_SCRIPTS=env", "PIOPIYD_DATA=env"}, config.Override{Path: "data", Value: "flag", Flag: "--data"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Listen != "localhost:1" || cfg.Scripts != "env" || cfg.Data != "flag" {
		t.Errorf("listen %q, scripts %q, data %q", cfg.Listen, cfg.Scripts, cfg.Data)
	}
	_, err = config.Load(path, true, []string{"PIOPIYD_LIMITS_TURN=5", "PIOPIYD_DRAIN_TIMEOUT=2h"}, config.Override{Path: "listen", Value: "8080", Flag: "--listen"})
	want := `--listen: listen: "8080" is not HOST:PORT; write for instance 127.0.0.1:8080, or :8080 for every address
PIOPIYD_DRAIN_TIMEOUT: drain.timeout: 2h must be from 0s to 1h
PIOPIYD_LIMITS_TURN: limits.turn: "5" has no unit; write a time such as 5s, 500ms or 2m`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

// TestEveryKeyHasAVariable sets each key through its variable and expects exactly that key to change.
func TestEveryKeyHasAVariable(t *testing.T) {
	values := map[string]string{
		"listen": "localhost:9", "public_url": "https://a.example", "log.level": "debug", "log.format": "json",
		"api.token": "0123456789abcdef0123", "trusted_proxies": "10.0.0.1,10.1.0.0/16", "fetch.allow": "crm.internal,10.0.0.0/8",
		"journal.nats_url": "nats://n:4222", "journal.nats_credentials": "n.creds", "journal.replicas": "3", "delivery.retry": "1s, 2s",
		"piopiy.url_v1": "https://a.example/1", "piopiy.url_v2": "https://a.example/2", "piopiy.url_v3": "https://a.example/3",
		"fault.forward": "14155550101", "fault.hangup": "USER_BUSY", "fault.play": "sorry.wav",
		"webhooks.secret": "0123456789abcdef0123", "apps.NAME.answer_url": "https://a.example/answer?key=1",
		"apps.NAME.event_url": "https://a.example/event", "apps.NAME.cdr_url": "https://a.example/cdr",
		"hooks.max_body": "7MiB", "limits.grace": "7s", "limits.string_length": "7777", "limits.array_length": "7777",
		"apps.NAME.numbers": "14155550101", "apps.NAME.isolation": "frozen", "apps.NAME.sources": "10.0.0.1",
		"sip.listen": "localhost:9", "sip.advertise": "203.0.113.5", "sip.codecs": "PCMA", "sip.rtp_ports": "10000-10100", "sip.tls.listen": "localhost:9", "sip.srtp": "required",
		"sip.allow_hosts": "pbx.example,10.0.0.0/8", "sip.allow_prefixes": "1415,44", "sip.trunks.NAME.address": "sip.carrier.example:5060",
		"sip.trunks.NAME.transport": "tcp", "sip.trunks.NAME.prefixes": "1,44", "sip.trunks.NAME.caller_id": "14155550100", "sip.trunks.NAME.sources": "10.0.0.1",
		"apps.NAME.dial.prefixes": "1,44", "sip.speech.command": "say,-q", "sip.recognition.command": "hear,-q",
		"sip.speech.provider": "embedded", "sip.recognition.provider": "server",
		"apps.NAME.api.app_id": "2222123", "apps.NAME.user": "u", "apps.NAME.password": "p", "apps.NAME.fault.forward": "14155550101", "apps.NAME.fault.hangup": "USER_BUSY",
	}
	for _, k := range config.Keys() {
		t.Run(k.Path, func(t *testing.T) {
			value, ok := values[k.Path]
			if !ok {
				value = map[string]string{"text": "word", "time": "7m", "size": "77MiB", "whole number": "77", "number": "7.5", "true or false": "true"}[k.Type]
			}
			// A name that reads like one of our keys must not confuse.
			environ := []string{strings.Replace(k.Env, "NAME", "MY_FAULT", 1) + "=" + value}
			if strings.HasPrefix(k.Path, "sip.trunks.") && k.Path != "sip.trunks.NAME.address" {
				environ = append(environ, "PIOPIYD_SIP_TRUNKS_MY_FAULT_ADDRESS=sip.carrier.example:5060")
			}
			switch k.Path {
			case "sip.recognition.url", "sip.recognition.command":
				environ = append(environ, "PIOPIYD_SIP_RECOGNITION_PROVIDER=server")
			case "sip.tls.listen", "sip.tls.cert", "sip.tls.key", "sip.tls.roots":
				environ = append(environ, "PIOPIYD_SIP_TLS_LISTEN=localhost:9", "PIOPIYD_SIP_TLS_CERT=word", "PIOPIYD_SIP_TLS_KEY=word")
			case "sip.trunks.NAME.password", "sip.trunks.NAME.register":
				environ = append(environ, "PIOPIYD_SIP_TRUNKS_MY_FAULT_USER=u")
			case "journal.replicas", "journal.nats_credentials":
				environ = append(environ, "PIOPIYD_JOURNAL_NATS_URL=nats://n:4222")
			case "apps.NAME.api.app_id":
				environ = append(environ, "PIOPIYD_APPS_MY_FAULT_API_SECRET=s")
			case "apps.NAME.api.secret":
				environ = append(environ, "PIOPIYD_APPS_MY_FAULT_API_APP_ID=2222123")
			case "apps.NAME.user":
				environ = append(environ, "PIOPIYD_APPS_MY_FAULT_PASSWORD=p")
			case "apps.NAME.event_url", "apps.NAME.cdr_url":
				environ = append(environ, "PIOPIYD_APPS_MY_FAULT_ANSWER_URL=https://a.example/answer")
			case "apps.NAME.password":
				environ = append(environ, "PIOPIYD_APPS_MY_FAULT_USER=u")
			}
			cfg, err := config.Load("", false, environ)
			if err != nil {
				t.Fatal(err)
			}
			if unknown := config.UnknownEnv(environ); len(unknown) > 0 {
				t.Error(unknown)
			}
			path := strings.Replace(k.Path, "NAME", "my_fault", 1)
			got := fmt.Sprintf("%v", lookup(t, reflect.ValueOf(cfg), strings.Split(path, ".")))
			if k.Secret {
				value = "********"
				if strings.Contains(path, ".env.") {
					value = "word"
				}
			}
			if want := strings.NewReplacer(",", " ", ", ", " ").Replace(value); got != want && got != value && got != "["+want+"]" &&
				got != value+"0s" && got != "[1s 2s]" {
				t.Errorf("%s is %s, want %s", path, got, value)
			}
		})
	}
}

func lookup(t *testing.T, v reflect.Value, path []string) reflect.Value {
	for v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if len(path) == 0 {
		return v
	}
	if v.Kind() == reflect.Map {
		return lookup(t, v.MapIndex(reflect.ValueOf(path[0])), path[1:])
	}
	for i := range v.NumField() {
		if v.Type().Field(i).Tag.Get("yaml") == path[0] {
			return lookup(t, v.Field(i), path[1:])
		}
	}
	t.Fatalf("no field %v", path)
	return reflect.Value{}
}

func TestAppVariables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "piopiyd.yaml")
	if err := os.WriteFile(path, []byte("apps:\n  call-centre:\n    token: from-file\n    env: {A: one}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, true, []string{
		"PIOPIYD_APPS_CALL_CENTRE_TOKEN=from-env", "PIOPIYD_APPS_CALL_CENTRE_ENV_B=two", "PIOPIYD_APPS_SALES_ENV_API_TOKEN=three",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]config.App{
		"call-centre": {Isolation: "newborn", Token: "from-env", Env: map[string]string{"A": "one", "B": "two"}},
		"sales":       {Isolation: "newborn", Env: map[string]string{"API_TOKEN": "three"}},
	}
	if diff := cmp.Diff(want, cfg.Apps); diff != "" {
		t.Error(diff)
	}
}

func TestEntriesOfSIP(t *testing.T) {
	path := filepath.Join(t.TempDir(), "piopiyd.yaml")
	if err := os.WriteFile(path, []byte("sip:\n  users: {Desk-1: from-file, bob: from-file}\n  trunks:\n    carrier-a: {address: a.example:5060, user: me}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path, true, []string{
		"PIOPIYD_SIP_USERS_DESK_1=from-env", "PIOPIYD_SIP_USERS_CAROL=new", "PIOPIYD_SIP_TRUNKS_CARRIER_A_PASSWORD=word",
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]config.Secret{"Desk-1": "from-env", "bob": "from-file", "carol": "new"}, cfg.SIP.Users, cmp.Comparer(func(a, b config.Secret) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if trunk := cfg.SIP.Trunks["carrier-a"]; trunk.Password != "word" || trunk.Address != "a.example:5060" || trunk.Transport != "udp" || trunk.Expires != time.Hour {
		t.Errorf("%+v", trunk)
	}
}

// A check from outside gets the place of what it blames, and is asked only when all else is right.
func TestLoadChecked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "piopiyd.yaml")
	check := func(c config.Config) []config.Problem {
		return []config.Problem{{Key: "sip.speech.voice", Message: "there is no voice " + c.SIP.Speech.Voice}}
	}
	for text, want := range map[string]string{
		"sip:\n  speech:\n    voice: amy\n": path + ":3:12: sip.speech.voice: there is no voice amy\n    3 |     voice: amy\n                   ^",
		"sip:\n  listen: 5060\n":            path + `:2:11: sip.listen: "5060" is not HOST:PORT; write for instance 127.0.0.1:5060; auto and off are the other choices` + "\n    2 |   listen: 5060\n                  ^",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := config.LoadChecked(path, true, nil, []config.Check{check}); err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	}
}

func TestUnknownVariables(t *testing.T) {
	got := config.UnknownEnv([]string{"PIOPIYD_LISTN=x", "PIOPIYD_PORT_8080_TCP=y", "PIOPIYD_SERVICE_HOST=z", "PIOPIYD_CONFIG=c", "HOME=/", "PIOPIYD_APPS_A_TOKEN=t", "PIOPIYD_SIP_USERS_BOB=b"}, "PIOPIYD_CONFIG")
	want := []string{"the environment variable PIOPIYD_LISTN is unknown and has no effect; did you mean PIOPIYD_LISTEN?"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	cfg, err := config.Parse("x", []byte(`
api: {token: hunter2-hunter2-hunter2}
webhooks: {secret: hunter2-hunter2-hunter2}
journal: {nats_url: "nats://me:hunter2@nats.internal:4222,nats://other:4222"}
apps:
  support: {token: hunter2, user: me, password: hunter2, env: {KEY: hunter2}}
  crm: {answer_url: "https://crm.example.com/answer?key=hunter2", event_url: "https://crm.example.com/event?hunter2@"}
sip:
  users: {alice: hunter2}
  trunks: {carrier: {address: "sip.carrier.example:5060", user: me, password: hunter2}}
  speech: {api_key: hunter2}
`))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"YAML": cfg.YAML(), "String": cfg.String(), "%v": fmt.Sprintf("%v", cfg), "%+v of app's secrets": fmt.Sprintf("%+v %#v %+v %+v", cfg.API, cfg.API, cfg.Webhooks, cfg.SIP)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s shows a secret:\n%s", name, text)
		}
	}
	if string(cfg.API.Token) != "hunter2-hunter2-hunter2" {
		t.Error("the secret itself is lost")
	}
}

func TestYAMLReadsBack(t *testing.T) {
	cfg, err := config.Parse("x", []byte(`
scripts: "42"
data: "a: b # c"
log: {level: debug}
trusted_proxies: [10.0.0.0/8, "::1"]
fault: {say: "Désolé: \"rappelez\"\n…", last_good: true}
apps:
  "007": {numbers: [14155550101], fault: {hangup: USER_BUSY}}
  yes: {isolation: frozen}
`))
	if err != nil {
		t.Fatal(err)
	}
	again, err := config.Parse("y", []byte(cfg.YAML()))
	if err != nil {
		t.Fatalf("%v\n%s", err, cfg.YAML())
	}
	if diff := cmp.Diff(cfg.YAML(), again.YAML()); diff != "" {
		t.Error(diff)
	}
	again.Fault, cfg.Fault = config.Fault{}, config.Fault{Say: cfg.Fault.Say, LastGood: true}
	if again.Scripts != "42" || again.Data != "a: b # c" || again.Apps["yes"].Isolation != "frozen" || again.Apps["007"].Fault.Hangup != "USER_BUSY" {
		t.Errorf("%+v", again)
	}
}

// FuzzParse looks for texts that panic, take long, or are accepted without reading back the same.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "limits:\n  turn: 1s\n  memory: 1GiB\nfault: {say: \"x\"}\n", "a: &a *a", "apps: {a: {env: {b: c}}}", "limits: [", "? {a: b}\n: c", "<<: {}", "--- \n--- \nlisten: x", "\t", "listen: !!str x", "%YAML 1.2\n---\nlisten: localhost:0"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1000 {
			t.Skip("longer texts hold nothing new and are slow to reduce")
		}
		cfg, err := config.Parse("fuzz.yaml", text)
		if err != nil {
			var all *config.Error
			if !errors.As(err, &all) || len(all.Problems) == 0 || err.Error() == "" {
				t.Fatalf("an error without a reason: %#v", err)
			}
			for _, p := range all.Problems {
				if p.Message == "" || p.Line < 0 || p.From == "" {
					t.Fatalf("%+v", p)
				}
			}
			return
		}
		written := cfg.YAML()
		again, err := config.Parse("again.yaml", []byte(written))
		if err != nil && !strings.Contains(written, "********") {
			t.Fatalf("%v\n%s", err, written)
		}
		if err == nil && again.YAML() != written {
			t.Fatalf("reads back differently:\n%s\n%s", written, again.YAML())
		}
	})
}
