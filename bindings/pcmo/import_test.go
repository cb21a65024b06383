package pcmo_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// Every way to import, in newborn and in frozen VMs, and what people do with the classes.
func TestImports(t *testing.T) {
	scripts := map[string]string{
		"require":     `const { PiopiyAction } = require('piopiy'); exports.main = () => make(PiopiyAction)`,
		"import":      `import { PiopiyAction } from 'piopiy'; export const main = () => make(PiopiyAction)`,
		"namespace":   `import * as sdk from 'piopiy'; export const main = () => make(sdk.PiopiyAction)`,
		"default":     `import sdk from 'piopiy'; export const main = () => make(sdk.PiopiyAction)`,
		"re-export":   `import { PiopiyAction } from './sdk'; export const main = () => make(PiopiyAction)`,
		"spread":      `const sdk = { ...require('piopiy') }; exports.main = () => make(sdk.PiopiyAction)`,
		"fluent":      `import { pcmo } from 'piopiy'; export const main = () => JSON.stringify(pcmo().speak('hi').hangup())`,
		"fluent only": `import { pcmo } from 'piopiy/pcmo'; export const main = () => JSON.stringify(pcmo().speak('hi').hangup())`,
		"subclass": `const { PiopiyAction } = require('piopiy');
			class Mine extends PiopiyAction { greet() { this.speak('hi') } hangup() { super.hangup() } }
			exports.main = () => { const m = new Mine(); m.greet(); m.hangup(); return JSON.stringify(m.PCMO()) }`,
		"patched prototype": `const { PiopiyAction } = require('piopiy');
			PiopiyAction.prototype.greet = function () { this.speak('hi'); this.hangup() };
			exports.main = () => { const m = new PiopiyAction(); m.greet(); return JSON.stringify(m.PCMO()) }`,
		"own method": `const { PiopiyAction } = require('piopiy');
			exports.main = () => { const m = new PiopiyAction(); const speak = m.speak; m.speak = t => speak.call(m, t); m.speak('hi'); m.hangup(); return JSON.stringify(m.PCMO()) }`,
	}
	const tail = "\nfunction make(C) { const a = new C(); a.speak('hi'); a.hangup(); if (!(a instanceof C)) throw new Error('instanceof'); return JSON.stringify(a.PCMO()) }"
	for _, isolation := range []runtime.Isolation{runtime.Newborn, runtime.Frozen} {
		for name, script := range scripts {
			kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
			kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: isolation}}
			s := kit.Session(map[string]string{"main.js": script + tail, "sdk.js": `export * from 'piopiy'`})
			got, err := runtimetest.Call(t.Context(), s, "main")
			if err != nil {
				t.Errorf("%v %s: %v", isolation, name, err)
			} else if got != `[{"action":"speak","text":"hi"},{"action":"hangup"}]` {
				t.Errorf("%v %s: %v", isolation, name, got)
			}
		}
	}
}

// A prototype that one session has changed is another session's no more.
func TestSessionsDoNotShare(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	kit.Config.Settings = map[string]runtime.Settings{"test": {Isolation: runtime.Frozen}}
	files := map[string]string{"main.js": `const { PiopiyAction } = require('piopiy');
		exports.main = () => { const seen = typeof PiopiyAction.prototype.mine; PiopiyAction.prototype.mine = () => 1; return seen }`}
	var got []any
	for range 2 {
		s := kit.Session(files)
		v, err := runtimetest.Call(t.Context(), s, "main")
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, v)
		s.Close("over")
		<-s.Done()
	}
	if diff := cmp.Diff([]any{"undefined", "undefined"}, got); diff != "" {
		t.Error(diff)
	}
}

// An error of a constructor is at the author's line.
func TestConstructorErrorLine(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	f := kit.Fault("const { Piopiy } = require('piopiy')\n\nnew Piopiy('1', 's')")
	if f.Position.Line != 4 || f.Name != "Error" {
		t.Errorf("%v at %v", f, f.Position)
	}
}
