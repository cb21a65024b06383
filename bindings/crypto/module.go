package crypto

import (
	"crypto/hmac"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"hash"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// Import implements runtime.Instance: the module piopiy/crypto.
//
//	hash(algorithm, data, encoding = 'hex')
//	hmac(algorithm, key, data, encoding = 'hex')
//	timingSafeEqual(a, b)
//	randomBytes(size)
//
// Algorithms are sha1, sha256, sha384, sha512. Data and keys are text (as UTF-8) or bytes. Encodings are 'hex',
// 'base64', 'base64url' and 'bytes', which gives a Uint8Array.
func (m *instance) Import(string) goja.Value {
	if m.exports != nil {
		return m.exports
	}
	vm := m.s.VM()
	m.exports = vm.NewObject()
	webidl.AddMembers(vm, m.exports,
		webidl.Member{Name: "hash", Length: 2, Call: func(c goja.FunctionCall) goja.Value {
			args := m.s.Args("hash", c)
			h := algorithm(args).make()
			h.Write(m.input(args, 1, "data"))
			return m.encode(args, 2, h)
		}},
		webidl.Member{Name: "hmac", Length: 3, Call: func(c goja.FunctionCall) goja.Value {
			args := m.s.Args("hmac", c)
			h := hmac.New(algorithm(args).make, m.input(args, 1, "the key"))
			h.Write(m.input(args, 2, "data"))
			return m.encode(args, 3, h)
		}},
		webidl.Member{Name: "timingSafeEqual", Length: 2, Call: func(c goja.FunctionCall) goja.Value {
			args := m.s.Args("timingSafeEqual", c)
			return vm.ToValue(subtle.ConstantTimeCompare(m.input(args, 0, "the first value"), m.input(args, 1, "the second value")) == 1)
		}},
		webidl.Member{Name: "randomBytes", Length: 1, Call: func(c goja.FunctionCall) goja.Value {
			args := m.s.Args("randomBytes", c)
			n := args.Number(0, "size")
			if n != float64(int(n)) || n < 0 || n > maxRandom {
				args.Throw("size must be a whole number from 0 to %d", maxRandom)
			}
			data := make([]byte, int(n))
			m.s.Random(data)
			return webidl.Uint8Array(m.s, data)
		}},
	)
	return m.exports
}

func algorithm(args runtime.Args) digest {
	name := args.String(0, "algorithm")
	d, ok := findDigest(name, false)
	if !ok {
		args.Throw("the algorithm %q is not supported; there are sha1, sha256, sha384 and sha512", name)
	}
	return d
}

func (m *instance) input(args runtime.Args, i int, what string) []byte {
	v := args.Value(i)
	if s, ok := v.(goja.String); ok {
		return []byte(s.String())
	}
	data, ok := webidl.Bytes(v)
	if !ok {
		args.Throw("%s must be a string or bytes, not %s", what, runtime.Describe(v))
	}
	return data
}

func (m *instance) encode(args runtime.Args, i int, h hash.Hash) goja.Value {
	sum, encoding := h.Sum(nil), "hex"
	if args.Has(i) {
		encoding = args.String(i, "encoding")
	}
	vm := m.s.VM()
	switch encoding {
	case "hex":
		return vm.ToValue(hex.EncodeToString(sum))
	case "base64":
		return vm.ToValue(base64.StdEncoding.EncodeToString(sum))
	case "base64url":
		return vm.ToValue(base64.RawURLEncoding.EncodeToString(sum))
	case "bytes":
		return webidl.Uint8Array(m.s, sum)
	}
	args.Throw("the encoding %q is not known; there are hex, base64, base64url and bytes", encoding)
	return nil
}
