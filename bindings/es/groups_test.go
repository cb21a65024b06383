package es

import (
	"testing"

	"github.com/dop251/goja"
)

// BenchmarkGroups measures what each group costs a session that gets it.
func BenchmarkGroups(b *testing.B) {
	b.Run("newborn", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			goja.New()
		}
	})
	for _, g := range groups {
		b.Run(g.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := g.install(goja.New()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
