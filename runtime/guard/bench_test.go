package guard_test

import (
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// BenchmarkBirth compares a plain newborn runtime with a guarded one, and with guarded ones that touch things.
func BenchmarkBirth(b *testing.B) {
	program := func(source string) *goja.Program { return goja.MustCompile("", source, false) }
	for _, bench := range []struct {
		name    string
		guarded bool
		touch   *goja.Program
	}{
		{"plain", false, nil},
		{"guarded", true, nil},
		{"plain+strings", false, program("'a,b'.split(',').map(x => x.padStart(3)).join('')")},
		{"guarded+strings", true, program("'a,b'.split(',').map(x => x.padStart(3)).join('')")},
		{"plain+regexp", false, program("/a/.test('a')")},
		{"guarded+regexp", true, program("RegExp; /a/.test('a')")},
		{"plain+buffers", false, program("new Uint8Array(10)")},
		{"guarded+buffers", true, program("new Uint8Array(10)")},
		{"plain+json", false, program("JSON")},
		{"guarded+json", true, program("JSON")},
	} {
		b.Run(bench.name, func(b *testing.B) {
			var stop guard.Stop
			b.ReportAllocs()
			for b.Loop() {
				vm := goja.New()
				if bench.guarded {
					if _, err := guard.Install(vm, guard.Limits{}, &stop); err != nil {
						b.Fatal(err)
					}
				}
				if bench.touch != nil {
					if _, err := vm.RunProgram(bench.touch); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// BenchmarkUse compares built-ins in use.
func BenchmarkUse(b *testing.B) {
	guard.SetRegexpTimeout(100 * time.Millisecond)
	setup := `
		const list = Array.from({length: 100}, (_, i) => i), words = list.map(i => 'word' + i)
		const body = JSON.stringify({from: '919999999999', to: '918888888888', cmiuuid: 'a-b-c', app_id: 1, digits: '1',
			live: true, score: 1.5, tags: words.slice(0, 5), extra_params: {name: 'Amit', lang: 'hi', vip: null}})
		const value = JSON.parse(body), big = Array.from({length: 200}, () => value), bigText = JSON.stringify(big)
	`
	for _, use := range []struct{ name, source string }{
		{"map+filter+join", "() => list.map(x => x * 2).filter(x => x % 3).join(',')"},
		{"join", "() => words.join(',')"},
		{"repeat", "() => 'ab'.repeat(10)"},
		{"replace", "() => 'hello world'.replace('world', 'there')"},
		{"test", "() => /^\\+?\\d{10,15}$/.test('+919999999999')"},
		{"replace-regexp", "() => 'a-b-c'.replace(/-/g, '+')"},
		{"parse", "() => JSON.parse(body)"},
		{"stringify", "() => JSON.stringify(value)"},
		{"parse-50KB", "() => JSON.parse(bigText)"},
		{"stringify-50KB", "() => JSON.stringify(big)"},
		{"apply", "() => Math.max.apply(null, list)"},
	} {
		program := goja.MustCompile("", setup+"\n;("+use.source+")", false)
		for _, guarded := range []bool{false, true} {
			name := use.name + "/plain"
			if guarded {
				name = use.name + "/guarded"
			}
			b.Run(name, func(b *testing.B) {
				vm := goja.New()
				if guarded {
					guard.Install(vm, guard.Limits{}, nil)
				}
				v, err := vm.RunProgram(program)
				if err != nil {
					b.Fatal(err)
				}
				f, _ := goja.AssertFunction(v)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := f(goja.Undefined()); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
