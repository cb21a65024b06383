package outbound_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

// The answers in testdata/urls.json are those of Node 20's URL.
func TestParseURL(t *testing.T) {
	text, err := os.ReadFile("testdata/urls.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases [][2]*string
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		in, want := *c[0], "an error"
		if c[1] != nil && strings.HasPrefix(*c[1], "http") && !strings.Contains(in, "%zz") { // net/http cannot send a broken escape
			want = *c[1]
		}
		got := "an error"
		if u, err := outbound.ParseURL(in); err == nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("ParseURL(%q) is %s; want %s", in, got, want)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	for in, want := range map[string]string{
		"/path":                       "absolute",
		"ftp://example.com/":          `"ftp"`,
		"http://u:secret@example.com": "Authorization",
		"http://u@example.com":        "Authorization",
		"http://example.com/%zz":      "percent",
		"http:0..":                    "two dots",
		"http://" + strings.Repeat("a", 70_000) + "/": "longer",
	} {
		_, err := outbound.ParseURL(in)
		wantCode(t, err, "EURL")
		if err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret")) {
			t.Errorf("%.40s: %v; want %s", in, err, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"https://example.com/a/b":                       "https://example.com/a/b",
		"https://example.com/a?token=s3cret&x=1&y=#f":   "https://example.com/a?token=…&x=…&y=…",
		"https://example.com/?s3cret":                   "https://example.com/?…",
		"https://example.com/a?phone=%2B14155550100&&b": "https://example.com/a?phone=…&&…",
	} {
		u, err := outbound.ParseURL(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := outbound.Redact(u); got != want {
			t.Errorf("Redact(%s) is %s; want %s", in, got, want)
		}
	}
}

// What ParseURL returns, it must read as the same again, and its host must say plainly where it leads.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"http://2130706433/", "https://EXAMPLE.com:443/a/../b?c#d", "http://[::ffff:127.0.0.1]:80", "http://0x7f.1", "http:\\\\a\\b", "http:.", "http:0.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := outbound.ParseURL(text)
		if err != nil {
			return
		}
		again, err := outbound.ParseURL(u.String())
		if err != nil || again.String() != u.String() {
			t.Errorf("%q is %q, then %v (%v)", text, u, again, err)
		}
		if host := u.Hostname(); strings.Trim(host, "0123456789.") == "" && strings.ContainsAny(host, "0123456789") {
			if _, err := netip.ParseAddr(host); err != nil {
				t.Errorf("%q has the number %q for a host", text, host)
			}
		}
		if u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			t.Errorf("%q passed", text)
		}
	})
}
