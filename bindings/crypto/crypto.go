// Package crypto gives scripts the part of Web Crypto that call scripts need, and a small synchronous module.
//
//	crypto.randomUUID()
//	await crypto.subtle.digest('SHA-256', bytes)
//	import { hmac } from 'piopiy/crypto'
//	const signature = hmac('sha256', env.SECRET, body)          // hexadecimal text
//
// Chance comes from the session: fit for keys, and repeatable in a replay.
package crypto

import (
	"fmt"

	"github.com/dop251/goja"
	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// maxRandom is how many bytes getRandomValues fills at once (Web Cryptography API, section 10.1.1).
const maxRandom = 65536

// Module provides the globals crypto and CryptoKey and the module piopiy/crypto.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "crypto" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"crypto", "CryptoKey"}, Imports: []string{"piopiy/crypto"}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) { return &instance{s: s}, nil }

type instance struct {
	s               *runtime.Session
	keyClass        *goja.Object
	subtle, exports *goja.Object
}

// Global implements runtime.Instance.
func (m *instance) Global(name string) goja.Value {
	if name == "CryptoKey" {
		return m.cryptoKey()
	}
	vm := m.s.VM()
	o := vm.NewObject()
	webidl.AddMembers(vm, o,
		webidl.Member{Name: "randomUUID", Call: func(goja.FunctionCall) goja.Value {
			var id uuid.UUID
			m.s.Random(id[:])
			id[6] = id[6]&0x0f | 0x40
			id[8] = id[8]&0x3f | 0x80
			return vm.ToValue(id.String())
		}},
		webidl.Member{Name: "getRandomValues", Length: 1, Call: m.getRandomValues},
		webidl.Member{Name: "subtle", Get: func(goja.FunctionCall) goja.Value {
			if m.subtle == nil {
				m.subtle = m.makeSubtle()
			}
			return m.subtle
		}},
	)
	webidl.Tag(vm, o, "Crypto")
	return o
}

func (m *instance) getRandomValues(c goja.FunctionCall) goja.Value {
	o, ok := c.Argument(0).(*goja.Object)
	if ok {
		ok = webidl.KindOf(o) == webidl.TypedArrayKind
	}
	if ok {
		switch o.Export().(type) {
		case []float32, []float64:
			ok = false
		}
	}
	if !ok {
		panic(webidl.NewException(m.s, "TypeMismatchError", "crypto.getRandomValues: the argument must be an integer typed array, not "+runtime.Describe(c.Argument(0))))
	}
	data, _ := webidl.Bytes(o)
	if len(data) > maxRandom {
		panic(webidl.NewException(m.s, "QuotaExceededError", fmt.Sprintf("crypto.getRandomValues: %d bytes were asked for; the limit is %d", len(data), maxRandom)))
	}
	m.s.Random(data)
	return o
}
