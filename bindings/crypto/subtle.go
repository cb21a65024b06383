package crypto

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// digest is a hash function under its Web Crypto name.
type digest struct {
	name string
	make func() hash.Hash
}

var digests = []digest{{"SHA-1", sha1.New}, {"SHA-256", sha256.New}, {"SHA-384", sha512.New384}, {"SHA-512", sha512.New}}

// findDigest knows a hash function by any usual way of writing: SHA-256, sha256.
func findDigest(name string, strict bool) (digest, bool) {
	for _, d := range digests {
		if strings.EqualFold(d.name, name) || !strict && strings.EqualFold(strings.ReplaceAll(d.name, "-", ""), name) {
			return d, true
		}
	}
	return digest{}, false
}

// key is the state of a CryptoKey.
type key struct {
	secret      []byte
	hash        digest
	extractable bool
	usages      []string
}

// refusal is what an operation's promise rejects with.
type refusal struct{ name, message string }

func (r *refusal) Error() string { return r.name + ": " + r.message }

func refuse(name, message string) error { return &refusal{name, message} }

func (m *instance) makeSubtle() *goja.Object {
	vm := m.s.VM()
	o := vm.NewObject()
	operation := func(name string, length int, run func(goja.FunctionCall) (goja.Value, error)) {
		webidl.AddMembers(vm, o, webidl.Member{Name: name, Length: length, Call: func(c goja.FunctionCall) goja.Value {
			return m.promise(func() (goja.Value, error) {
				webidl.Need(m.s, c, length, "crypto.subtle."+name)
				return run(c)
			})
		}})
	}
	operation("digest", 2, m.digest)
	operation("importKey", 5, m.importKey)
	operation("exportKey", 2, m.exportKey)
	operation("generateKey", 3, m.generateKey)
	operation("sign", 3, m.sign)
	operation("verify", 4, m.verify)
	for _, name := range []string{"encrypt", "decrypt", "deriveBits", "deriveKey", "wrapKey", "unwrapKey"} {
		operation(name, 0, func(goja.FunctionCall) (goja.Value, error) {
			return nil, refuse("NotSupportedError", "crypto.subtle."+name+" is not supported; there are digest, importKey, exportKey, generateKey, sign and verify, with HMAC")
		})
	}
	webidl.Tag(vm, o, "SubtleCrypto")
	return o
}

// promise runs an operation at once and returns a promise for its outcome. Inputs are bounded, so that nothing
// is gained by a goroutine.
func (m *instance) promise(run func() (goja.Value, error)) goja.Value {
	vm := m.s.VM()
	p, resolve, reject := vm.NewPromise()
	var v goja.Value
	var err error
	if thrown := vm.Try(func() { v, err = run() }); thrown != nil {
		_ = reject(thrown.Value())
	} else if r, ok := err.(*refusal); ok {
		_ = reject(webidl.NewException(m.s, r.name, r.message))
	} else {
		_ = resolve(v)
	}
	return vm.ToValue(p)
}

// data returns a BufferSource's bytes, which the caller copies if it keeps them.
func (m *instance) data(function, what string, v goja.Value) []byte {
	b, ok := webidl.Bytes(v)
	if !ok {
		m.s.Args(function, goja.FunctionCall{}).Throw("%s must be an ArrayBuffer or a view of one, not %s", what, runtime.Describe(v))
	}
	return b
}

// algorithm reads an AlgorithmIdentifier: a name, or an object with one and with the known members.
func (m *instance) algorithm(function string, v goja.Value, known ...string) (string, runtime.Options) {
	args := m.s.Args(function, goja.FunctionCall{Arguments: []goja.Value{v}})
	if _, ok := v.(*goja.Object); !ok {
		return webidl.Text(v), runtime.Options{}
	}
	o := args.Options(0, append(known, "name")...)
	name := o.Value("name")
	if name == nil {
		args.Throw("the algorithm has no name")
	}
	return webidl.Text(name), o
}

func hashOf(m *instance, function string, v goja.Value) (digest, error) {
	if v == nil {
		m.s.Args(function, goja.FunctionCall{}).Throw(`the algorithm has no "hash"`)
	}
	name, _ := m.algorithm(function, v)
	d, ok := findDigest(name, true)
	if !ok {
		return d, refuse("NotSupportedError", function+": the algorithm "+name+" is not supported; there are SHA-1, SHA-256, SHA-384 and SHA-512")
	}
	return d, nil
}

func onlyHMAC(function, name string) error {
	if !strings.EqualFold(name, "HMAC") {
		return refuse("NotSupportedError", function+": the algorithm "+name+" is not supported; there is HMAC")
	}
	return nil
}

func (m *instance) digest(c goja.FunctionCall) (goja.Value, error) {
	d, err := hashOf(m, "crypto.subtle.digest", c.Argument(0))
	if err != nil {
		return nil, err
	}
	h := d.make()
	h.Write(m.data("crypto.subtle.digest", "the data", c.Argument(1)))
	return webidl.ArrayBuffer(m.s, h.Sum(nil)), nil
}

func (m *instance) usages(function string, v goja.Value) ([]string, error) {
	var list []string
	m.s.VM().ForOf(v, func(item goja.Value) bool {
		list = append(list, webidl.Text(item))
		return len(list) < 20
	})
	var known []string
	for _, u := range list {
		if u != "sign" && u != "verify" {
			return nil, refuse("SyntaxError", function+": the usage "+u+" does not go with HMAC keys; there are sign and verify")
		}
		if !slices.Contains(known, u) {
			known = append(known, u)
		}
	}
	if len(known) == 0 {
		return nil, refuse("SyntaxError", function+": usages must not be empty")
	}
	return known, nil
}

func (m *instance) importKey(c goja.FunctionCall) (goja.Value, error) {
	const function = "crypto.subtle.importKey"
	if format := webidl.Text(c.Argument(0)); format != "raw" {
		return nil, refuse("NotSupportedError", function+": the format "+format+" is not supported; there is raw")
	}
	name, o := m.algorithm(function, c.Argument(2), "hash", "length")
	if err := onlyHMAC(function, name); err != nil {
		return nil, err
	}
	d, err := hashOf(m, function, o.Value("hash"))
	if err != nil {
		return nil, err
	}
	usages, err := m.usages(function, c.Argument(4))
	if err != nil {
		return nil, err
	}
	secret := bytes.Clone(m.data(function, "the key", c.Argument(1)))
	if len(secret) == 0 {
		return nil, refuse("DataError", function+": the key is empty")
	}
	if v := o.Value("length"); v != nil && v.ToInteger() != int64(len(secret)*8) {
		return nil, refuse("DataError", function+": the length is not the key's")
	}
	return webidl.New(m.s, m.cryptoKey(), &key{secret, d, c.Argument(3).ToBoolean(), usages}), nil
}

func (m *instance) generateKey(c goja.FunctionCall) (goja.Value, error) {
	const function = "crypto.subtle.generateKey"
	name, o := m.algorithm(function, c.Argument(0), "hash", "length")
	if err := onlyHMAC(function, name); err != nil {
		return nil, err
	}
	d, err := hashOf(m, function, o.Value("hash"))
	if err != nil {
		return nil, err
	}
	usages, err := m.usages(function, c.Argument(2))
	if err != nil {
		return nil, err
	}
	bits := int64(d.make().BlockSize() * 8)
	if v := o.Value("length"); v != nil {
		bits = v.ToInteger()
	}
	if bits <= 0 || bits%8 != 0 || bits > maxRandom*8 {
		return nil, refuse("OperationError", function+": the length must be a multiple of 8 bits, up to 524288")
	}
	secret := make([]byte, bits/8)
	m.s.Random(secret)
	return webidl.New(m.s, m.cryptoKey(), &key{secret, d, c.Argument(1).ToBoolean(), usages}), nil
}

func (m *instance) keyOf(function string, v goja.Value) *key {
	k, ok := webidl.StateOf[*key](v)
	if !ok {
		m.s.Args(function, goja.FunctionCall{}).Throw("the key must be a CryptoKey, not %s", runtime.Describe(v))
	}
	return k
}

func (m *instance) exportKey(c goja.FunctionCall) (goja.Value, error) {
	const function = "crypto.subtle.exportKey"
	k := m.keyOf(function, c.Argument(1))
	if format := webidl.Text(c.Argument(0)); format != "raw" {
		return nil, refuse("NotSupportedError", function+": the format "+format+" is not supported; there is raw")
	}
	if !k.extractable {
		return nil, refuse("InvalidAccessError", function+": the key is not extractable")
	}
	return webidl.ArrayBuffer(m.s, bytes.Clone(k.secret)), nil
}

// mac computes the code of data under the key in argument 1.
func (m *instance) mac(function, usage string, c goja.FunctionCall, data int) ([]byte, error) {
	name, _ := m.algorithm(function, c.Argument(0), "hash")
	if err := onlyHMAC(function, name); err != nil {
		return nil, err
	}
	k := m.keyOf(function, c.Argument(1))
	if !slices.Contains(k.usages, usage) {
		return nil, refuse("InvalidAccessError", function+": the key is not for "+usage)
	}
	h := hmac.New(k.hash.make, k.secret)
	h.Write(m.data(function, "the data", c.Argument(data)))
	return h.Sum(nil), nil
}

func (m *instance) sign(c goja.FunctionCall) (goja.Value, error) {
	code, err := m.mac("crypto.subtle.sign", "sign", c, 2)
	if err != nil {
		return nil, err
	}
	return webidl.ArrayBuffer(m.s, code), nil
}

func (m *instance) verify(c goja.FunctionCall) (goja.Value, error) {
	code, err := m.mac("crypto.subtle.verify", "verify", c, 3)
	if err != nil {
		return nil, err
	}
	return m.s.VM().ToValue(hmac.Equal(code, m.data("crypto.subtle.verify", "the signature", c.Argument(2)))), nil
}

func (m *instance) cryptoKey() *goja.Object {
	if m.keyClass != nil {
		return m.keyClass
	}
	vm := m.s.VM()
	attribute := func(name string, get func(*key) any) webidl.Member {
		return webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(get(webidl.Receiver[*key](m.s, c, "CryptoKey."+name)))
		}}
	}
	m.keyClass = webidl.Define(m.s, webidl.Class{Name: "CryptoKey", Members: []webidl.Member{
		attribute("type", func(*key) any { return "secret" }),
		attribute("extractable", func(k *key) any { return k.extractable }),
		attribute("algorithm", func(k *key) any {
			inner, outer := vm.NewObject(), vm.NewObject()
			webidl.AddFields(vm, inner, webidl.Field{Name: "name", Value: k.hash.name})
			webidl.AddFields(vm, outer, webidl.Field{Name: "name", Value: "HMAC"}, webidl.Field{Name: "hash", Value: inner}, webidl.Field{Name: "length", Value: len(k.secret) * 8})
			return outer
		}),
		attribute("usages", func(k *key) any {
			list := make([]any, len(k.usages))
			for i, u := range k.usages {
				list[i] = u
			}
			return vm.NewArray(list...)
		}),
	}})
	return m.keyClass
}
