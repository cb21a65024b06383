package url_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// FuzzURL feeds the parser and every setter; what parses must serialize to something that parses to itself.
func FuzzURL(f *testing.F) {
	for _, seed := range []string{"https://u:p@h:1/a/../b?c=d#e", "mailto:x", "file:///C|/x", "http://[::1]", "//x", "http://ü.de", "a:b/../..", "http://%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, input string) {
		if !utf8.ValidString(input) || strings.ContainsAny(input, "`$\\\u2028\u2029") || len(input) > 1000 {
			t.Skip()
		}
		got := runtimetest.New(t, url.New()).Eval("const input = `" + strings.ReplaceAll(input, "\r", "") + "`" + `
			if (!URL.canParse(input)) return ''
			const u = new URL(input)
			if (new URL(u.href).href !== u.href) return 'unstable: ' + u.href
			for (const part of ['protocol', 'username', 'password', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']) {
				const v = new URL('https://a:b@c.d:1/e?f#g'); v[part] = input
				const w = new URL(u.href); w[part] = 'x1'; w[part] = input; w[part] = ''
				if (new URL(v.href).href !== v.href) return part + ' unstable: ' + v.href
			}
			return ''`)
		if got != "" {
			t.Errorf("%q: %s", input, got)
		}
	})
}
