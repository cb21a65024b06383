package es_test

import (
	"testing"
	"testing/fstest"

	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// BenchmarkInstall measures what a session pays for the additions, beside the birth of a session without.
func BenchmarkInstall(b *testing.B) {
	for name, modules := range map[string][]runtime.Module{"without": nil, "with": {es.New()}} {
		b.Run(name, func(b *testing.B) {
			kit := runtimetest.New(b, modules...)
			app, err := kit.Runtime().Load(b.Context(), "bench", runtime.FS(fstest.MapFS{"main.js": {Data: []byte(`exports.main = () => 1`)}}), "main.js")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				s, err := app.NewSession(runtime.SessionConfig{ID: "bench"})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Call(b.Context(), "main", nil, nil); err != nil {
					b.Fatal(err)
				}
				s.Close("done")
				<-s.Done()
			}
		})
	}
}
