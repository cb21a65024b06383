package stdlib_test

import (
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
	"github.com/piopiy/piopiyd/stdlib"
)

// kit returns sessions with the standard modules and the standard library.
func kit(t *testing.T, env map[string]string) *runtimetest.Kit {
	t.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	k := runtimetest.New(t, modules...)
	k.Config.Stdlib = stdlib.Files()
	k.Config.Settings = map[string]runtime.Settings{"test": {Env: env}}
	return k
}

func TestHours(t *testing.T) {
	k := kit(t, nil)
	for _, test := range []struct {
		plan, zone, at string
		want           bool
	}{
		{"Mon-Fri 09:00-18:00", "Asia/Kolkata", "2026-01-05T03:30:00Z", true},  // Monday 09:00 there
		{"Mon-Fri 09:00-18:00", "Asia/Kolkata", "2026-01-05T03:29:59Z", false}, // a second before
		{"Mon-Fri 09:00-18:00", "Asia/Kolkata", "2026-01-05T12:30:00Z", false}, // 18:00 is closed
		{"Mon-Fri 09:00-18:00", "Asia/Kolkata", "2026-01-04T06:00:00Z", false}, // Sunday
		{"Mon-Fri 09:00-18:00; Sat 10:00-14:00", "UTC", "2026-01-10T10:00:00Z", true},
		{"Mon-Fri 09:00-18:00, Sat 10:00-14:00", "UTC", "2026-01-10T10:00:00Z", true},
		{"Mon,Wed 09:00-18:00", "UTC", "2026-01-07T10:00:00Z", true},
		{"Mon,Wed 09:00-18:00", "UTC", "2026-01-06T10:00:00Z", false},
		{"Fri 22:00-02:00", "UTC", "2026-01-10T01:59:00Z", true}, // Saturday, after midnight
		{"Fri 22:00-02:00", "UTC", "2026-01-10T02:00:00Z", false},
		{"Fri 22:00-02:00", "UTC", "2026-01-09T01:00:00Z", false}, // Friday before
		{"Sat-Mon 00:00-24:00", "UTC", "2026-01-04T23:59:00Z", true},
		{"Mon-Fri 09:00-18:00", "America/New_York", "2026-07-06T13:00:00Z", true},  // summer time
		{"Mon-Fri 09:00-18:00", "America/New_York", "2026-01-05T13:00:00Z", false}, // winter
	} {
		got := k.Eval(`const { hours } = require('piopiy/hours')
			return hours.open('` + test.plan + `', '` + test.zone + `', new Date('` + test.at + `'))`)
		if got != test.want {
			t.Errorf("%s %s at %s: %v", test.plan, test.zone, test.at, got)
		}
	}
}

func TestHoursRefuses(t *testing.T) {
	k := kit(t, nil)
	for _, test := range []struct{ plan, zone, want string }{
		{"Mon-Fri 9-18", "UTC", `TypeError: hours: "9" in "Mon-Fri 9-18" is not a time such as 09:30`},
		{"Mon-Fri 09:00-25:00", "UTC", "is not a time"},
		{"Mo-Fr 09:00-18:00", "UTC", `"Mo" in "Mo-Fr 09:00-18:00" is not a day`},
		{"always", "UTC", `is not of the form "Mon-Fri 09:00-18:00"`},
		{"", "UTC", "is not of the form"},
		{"Mon 09:00-18:00", "Asia/Atlantis", "RangeError"},
	} {
		f := k.Fault(`require('piopiy/hours').hours.open('` + test.plan + `', '` + test.zone + `')`)
		if !strings.Contains(f.Name+": "+strings.TrimPrefix(f.Message, f.Name+": "), test.want) {
			t.Errorf("%q: %s %s", test.plan, f.Name, f.Message)
		}
		if f.Position.File != "main.js" { // the caller's, not the standard library's
			t.Errorf("%q: reported at %s", test.plan, f.Position)
		}
	}
}

func TestAccount(t *testing.T) {
	whole := kit(t, map[string]string{"PIOPIY_APPID": "2222222", "PIOPIY_SECRET": "s3cret"})
	if got := whole.Eval(`const a = require('piopiy/account').account(); return [a.appid, a.secret, typeof a.voice.call].join()`); got != "2222222,s3cret,function" {
		t.Errorf("account() = %v", got)
	}
	for _, test := range []struct {
		env  map[string]string
		want string
	}{
		{nil, "apps.test.env.PIOPIY_APPID"},
		{map[string]string{"PIOPIY_APPID": "1"}, "apps.test.env.PIOPIY_SECRET"},
		{map[string]string{"PIOPIY_APPID": "x", "PIOPIY_SECRET": "s"}, "PIOPIY_APPID is not the number of an app"},
	} {
		if f := kit(t, test.env).Fault(`require('piopiy/account').account()`); !strings.Contains(f.Message, test.want) {
			t.Errorf("%v: %s", test.env, f.Message)
		}
	}
}

func TestPhone(t *testing.T) {
	k := kit(t, nil)
	for given, want := range map[string]any{`'+1 (415) 555-0101'`: int64(14155550101), `14155550101`: int64(14155550101), `'919876543210'`: int64(919876543210)} {
		if got := k.Eval(`return require('piopiy/account').phone(` + given + `)`); got != want {
			t.Errorf("%s: %v (%T)", given, got, got)
		}
	}
	for _, given := range []string{`'sip:a@b'`, `'0123456789'`, `''`, `123`, `undefined`, `'1415555010112345'`, `'1415+5550101'`} {
		if f := k.Fault(`require('piopiy/account').phone(` + given + `)`); f.Name != "TypeError" || !strings.Contains(f.Message, "is not a phone number") {
			t.Errorf("%s: %s", given, f.Message)
		}
	}
}
