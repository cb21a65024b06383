package bindings_test

import (
	"testing"
	"testing/fstest"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/audio"
	"github.com/piopiy/piopiyd/bindings/clone"
	"github.com/piopiy/piopiyd/bindings/console"
	"github.com/piopiy/piopiyd/bindings/crypto"
	"github.com/piopiy/piopiyd/bindings/encoding"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// BenchmarkFirstTouch measures a whole session, from birth to end, that touches one thing; "nothing" is what
// they are compared with.
func BenchmarkFirstTouch(b *testing.B) {
	client, err := outbound.NewClient(outbound.Options{})
	if err != nil {
		b.Fatal(err)
	}
	modules := []runtime.Module{audio.New(), websocket.New(client, websocket.Options{}), console.New(), timers.New(), url.New(), encoding.New(), crypto.New(), clone.New(), abort.New()}
	for _, touch := range []string{
		"nothing: 0", "console: console", "console.log: console.log('call %s', 1)", "setTimeout: setTimeout", "URL: URL", "new URL: new URL('https://h/p?a=1').pathname",
		"URLSearchParams: new URLSearchParams('a=1').get('a')", "TextEncoder: new TextEncoder().encode('x')", "TextDecoder: TextDecoder", "btoa: btoa('x')",
		"crypto: crypto.randomUUID()", "subtle: crypto.subtle", "structuredClone: structuredClone({ a: 1 })", "AbortController: new AbortController().signal", "DOMException: DOMException", "Event: Event",
		"WebSocket: WebSocket", "piopiy/audio: require('piopiy/audio')", "Resampler: require('piopiy/audio').Resampler",
	} {
		for i := range touch {
			if touch[i] != ':' {
				continue
			}
			b.Run(touch[:i], func(b *testing.B) {
				kit := runtimetest.New(b, modules...)
				files := fstest.MapFS{"main.js": {Data: []byte("exports.main = () => {" + touch[i+1:] + "}")}}
				app, err := kit.Runtime().Load(b.Context(), "bench", runtime.FS(files), "main.js")
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
			break
		}
	}
}
