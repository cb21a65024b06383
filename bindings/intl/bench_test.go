package intl_test

import (
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/intl"
)

func BenchmarkRepair(b *testing.B) {
	m, err := intl.New(intl.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Run("bare VM", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			goja.New()
		}
	})
	b.Run("repaired VM", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := m.Repair(goja.New()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkBuild(b *testing.B) {
	m, err := intl.New(intl.Options{})
	if err != nil {
		b.Fatal(err)
	}
	vm := goja.New()
	b.ReportAllocs()
	for b.Loop() {
		m.Build(vm, time.Now)
	}
}

func BenchmarkScript(b *testing.B) {
	for _, c := range []struct{ name, code string }{
		{"toLocaleString with timeZone", "d.toLocaleString('en-GB', { timeZone: 'Asia/Kolkata', weekday: 'short', hour: '2-digit', minute: '2-digit' })"},
		{"toLocaleString without options", "d.toLocaleString()"},
		{"new DateTimeFormat and formatToParts", "new Intl.DateTimeFormat('en-US', { timeZone: 'America/New_York', hour: 'numeric', hour12: false }).formatToParts(d)"},
		{"format of a kept DateTimeFormat", "f.format(d)"},
		{"toLocaleString of a number", "n.toLocaleString('en-IN')"},
		{"toLocaleString of an amount", "n.toLocaleString('en-IN', { style: 'currency', currency: 'INR' })"},
		{"localeCompare", "'résumé'.localeCompare('resume')"},
	} {
		b.Run(c.name, func(b *testing.B) {
			vm := newVM(b, intl.Options{})
			v, err := vm.RunString("const d = new Date(1772600767000), n = 1234567.5, f = new Intl.DateTimeFormat('en-IN', { timeZone: 'Asia/Kolkata', dateStyle: 'medium', timeStyle: 'short' }); () => " + c.code)
			if err != nil {
				b.Fatal(err)
			}
			call, _ := goja.AssertFunction(v)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := call(goja.Undefined()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
