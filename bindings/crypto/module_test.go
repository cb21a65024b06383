package crypto_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/crypto"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// The answers were computed with OpenSSL and are those of RFC 4231 where it has them.
func TestModule(t *testing.T) {
	kit := runtimetest.New(t, crypto.New())
	kit.Runtime()
	for _, test := range []struct{ name, body, want string }{
		{"hash", `return c.hash('sha256', 'abc')`, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{"hash of bytes", `return c.hash('SHA-1', new Uint8Array([97, 98, 99]))`, "a9993e364706816aba3e25717850c26c9cd0d89d"},
		{"base64", `return c.hash('sha1', 'abc', 'base64')`, "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="},
		{"base64url", `return c.hash('sha1', 'abc', 'base64url')`, "qZk-NkcGgWq6PiVxeFDCbJzQ2J0"},
		{"bytes", `const b = c.hash('sha1', 'abc', 'bytes'); return (b instanceof Uint8Array) + String(b.length)`, "true20"},
		{"hmac", `return c.hmac('sha256', 'Jefe', 'what do ya want for nothing?')`, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{"equal", `return [c.timingSafeEqual('a', 'a'), c.timingSafeEqual('a', 'b'), c.timingSafeEqual('a', 'aa'), c.timingSafeEqual('a', new Uint8Array([97]))].join()`, "true,false,false,true"},
		{"randomBytes", `const b = c.randomBytes(32); return String(b.length === 32 && b.some((n) => n > 0))`, "true"},
	} {
		t.Run(test.name, func(t *testing.T) {
			kit.T = t
			if diff := cmp.Diff(any(test.want), kit.Eval("const c = require('piopiy/crypto'); "+test.body)); diff != "" {
				t.Error(diff)
			}
		})
	}
	for body, want := range map[string]string{
		`c.hash('md5', 'x')`:           `hash: the algorithm "md5" is not supported; there are sha1, sha256, sha384 and sha512`,
		`c.hash('sha1', 5)`:            `hash: data must be a string or bytes, not 5`,
		`c.hash('sha1', 'x', 'hexx')`:  `hash: the encoding "hexx" is not known; there are hex, base64, base64url and bytes`,
		`c.hmac('sha1', {}, 'x')`:      `hmac: the key must be a string or bytes, not an object`,
		`c.randomBytes(-1)`:            `randomBytes: size must be a whole number from 0 to 65536`,
		`c.randomBytes(1.5)`:           `randomBytes: size must be a whole number from 0 to 65536`,
		`c.timingSafeEqual('a', null)`: `timingSafeEqual: the second value must be a string or bytes, not null`,
	} {
		kit.T = t
		f := kit.Fault("const c = require('piopiy/crypto'); " + body)
		if f.Name != "TypeError" || f.Message != want {
			t.Errorf("%s: %s: %s", body, f.Name, f.Message)
		}
	}
}

// A rejected promise of subtle says what there is instead, and never brings the session down when handled.
func TestUnsupportedAlgorithmsSayWhatThereIs(t *testing.T) {
	kit := runtimetest.New(t, crypto.New())
	for _, body := range []string{
		`return crypto.subtle.digest('MD5', new Uint8Array()).catch((e) => e.message)`,
		`return crypto.subtle.importKey('jwk', {}, 'HMAC', true, ['sign']).catch((e) => e.message)`,
		`return crypto.subtle.generateKey({ name: 'RSA-PSS' }, true, ['sign']).catch((e) => e.message)`,
		`return crypto.subtle.deriveKey().catch((e) => e.message)`,
	} {
		if got, _ := kit.Eval(body).(string); !strings.Contains(got, "is not supported; there ") {
			t.Errorf("%s: %q", body, got)
		}
	}
}
