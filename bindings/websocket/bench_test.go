package websocket_test

import (
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// BenchmarkMessage measures a message to a server on this machine and back, and how much of it is the wire: the script
// sends 100 at once in "pipelined", and waits for each in "one by one".
func BenchmarkMessage(b *testing.B) {
	url := serve(b, echo)
	for name, script := range map[string]string{
		"one by one, iteration": `const it = s[Symbol.asyncIterator](); for (let i = 0; i < 100; i++) { s.send(data); await it.next() } it.return()`,
		"pipelined, iteration":  `const it = s[Symbol.asyncIterator](); for (let i = 0; i < 100; i++) s.send(data); for (let i = 0; i < 100; i++) await it.next(); it.return()`,
		"pipelined, events":     `let n = 0; await new Promise(f => { s.onmessage = () => { if (++n === 100) f() }; for (let i = 0; i < 100; i++) s.send(data) }); s.onmessage = null`,
	} {
		b.Run(name, func(b *testing.B) {
			k := newKit(b, websocket.Options{}, outbound.Options{})
			k.Config.Limits.JournalSize = 1 << 40
			k.Config.Limits.Callback = time.Minute
			session := k.Session(map[string]string{"main.js": `let s; const data = new Uint8Array(1280)
				exports.open = async () => { s = await new WebSocket('` + url + `').opened }
				exports.main = async () => {` + script + `}`})
			if _, err := runtimetest.Call(b.Context(), session, "open"); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := runtimetest.Call(b.Context(), session, "main"); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/100, "µs/message")
		})
	}
}
