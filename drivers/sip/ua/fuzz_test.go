package ua_test

import (
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func FuzzReplaces(f *testing.F) {
	f.Add("a@h;to-tag=1;from-tag=2;early-only")
	f.Add(" a ; from-tag = 2;to-tag=1")
	f.Fuzz(func(t *testing.T, value string) {
		text, err := ua.ParseReplaces(value)
		if err != nil {
			return
		}
		if again, err := ua.ParseReplaces(text); err != nil || again != text {
			t.Errorf("%q becomes %q, which becomes %q, %v", value, text, again, err)
		}
	})
}

func FuzzReferTo(f *testing.F) {
	f.Add(`"Bob" <sip:bob@h;transport=tcp?Replaces=a%40h%3Bto-tag%3D1%3Bfrom-tag%3D2&X=y>;p=q`)
	f.Add("sip:bob@[::1]:5070")
	f.Fuzz(func(t *testing.T, value string) {
		r, ok := ua.ParseReferTo(value)
		if !ok {
			return
		}
		if !strings.HasPrefix(strings.ToLower(r.To), "sip") || strings.ContainsAny(r.To+r.Replaces, "\r\n") {
			t.Errorf("%q: %q, %q", value, r.To, r.Replaces)
		}
		if _, err := ua.ParseReplaces(r.Replaces); r.Replaces != "" && err != nil {
			t.Errorf("%q: %v", value, err)
		}
	})
}

func FuzzSipfrag(f *testing.F) {
	f.Add("SIP/2.0 180 Ringing\r\nX: y\r\n")
	f.Fuzz(func(t *testing.T, body string) {
		if o, ok := ua.ParseSipfrag(body); ok && (o.Status < 100 || o.Status > 699 || strings.Contains(o.Phrase, "\n")) {
			t.Errorf("%q: %+v", body, o)
		}
	})
}

func FuzzSessionExpires(f *testing.F) {
	f.Add("1800;refresher=uac")
	f.Fuzz(func(t *testing.T, value string) {
		if d, _, ok := ua.ParseSessionExpires(value); ok && (d < 0 || d > 24*time.Hour) {
			t.Errorf("%q: %v", value, d)
		}
	})
}
