package pcmo_test

import (
	"testing"

	"github.com/piopiy/piopiyd/pcmo"
)

var fiveActions = []byte(`[{"action":"speak","text":"Thanks for calling Acme."},{"action":"play","file_url":"https://cdn.example/welcome.wav"},{"action":"param","text":"order=A1&lang=en"},{"action":"play_get_input","file_name":"menu.wav","action_url":"https://hooks.example/dtmf","max_digit":1,"max_retry":2,"timeout":5},{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101},{"type":"pstn","number":14155550102}],"duration":5400,"timeout":40,"loop":1,"ring_type":"group"}]`)

func BenchmarkFiveActions(b *testing.B) {
	doc, err := pcmo.Decode(fiveActions)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := pcmo.Decode(fiveActions); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("validate", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := doc.Validate(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			buf = doc.AppendJSON(buf[:0])
		}
	})
	b.Run("all", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 1024)
		for b.Loop() {
			doc, err := pcmo.Decode(fiveActions)
			if err != nil {
				b.Fatal(err)
			}
			if err := doc.Validate(); err != nil {
				b.Fatal(err)
			}
			buf = doc.AppendJSON(buf[:0])
		}
	})
}
