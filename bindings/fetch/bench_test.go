package fetch_test

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// BenchmarkFetch compares one fetch of a small JSON document: by net/http alone, by the guarded client, from a
// script in a session that is already running, and as the first fetch of a newborn session.
func BenchmarkFetch(b *testing.B) {
	s := serve(b, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"id":"c-1","name":"Asha","plan":"gold","agents":["+14155550101","+14155550102"],"open":true}`)
	})
	b.Run("net/http", func(b *testing.B) {
		transport := &http.Transport{}
		defer transport.CloseIdleConnections()
		client := http.Client{Transport: transport}
		for b.Loop() {
			res, err := client.Get(s.URL)
			if err != nil {
				b.Fatal(err)
			}
			var v map[string]any
			if err := json.NewDecoder(res.Body).Decode(&v); err != nil {
				b.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
	})
	b.Run("outbound", func(b *testing.B) {
		client, err := outbound.NewClient(outbound.Options{Allow: []string{"127.0.0.1"}})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		u, _ := outbound.ParseURL(s.URL)
		for b.Loop() {
			res, err := client.Do(b.Context(), &outbound.Request{URL: u})
			if err != nil {
				b.Fatal(err)
			}
			data, err := res.Body.ReadAll()
			if err != nil {
				b.Fatal(err)
			}
			var v map[string]any
			if err := json.Unmarshal(data, &v); err != nil {
				b.Fatal(err)
			}
			res.Body.Close()
		}
	})
	script := map[string]string{"main.js": "exports.main = async () => { const r = await fetch('" + s.URL + "'); return (await r.json()).name }"}
	b.Run("script", func(b *testing.B) {
		k := newKit(b, outbound.Options{})
		k.Config.Limits.JournalSize = 1 << 30
		session := k.Session(script)
		for b.Loop() {
			if v, err := runtimetest.Call(b.Context(), session, "main"); v != "Asha" {
				b.Fatal(v, err)
			}
		}
	})
	b.Run("script, newborn session", func(b *testing.B) {
		k := newKit(b, outbound.Options{})
		k.Session(script)
		app, _ := k.Runtime().App("test")
		for b.Loop() {
			session, err := app.NewSession(sessionConfig)
			if err != nil {
				b.Fatal(err)
			}
			if v, err := runtimetest.Call(b.Context(), session, "main"); v != "Asha" {
				b.Fatal(v, err)
			}
			session.Close("done")
		}
	})
}

var sessionConfig = runtime.SessionConfig{ID: "bench"}
