package websocket_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	ws "github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// A server that floods is read at the pace of the script: nothing is lost and nothing piles up.
func TestFlood(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	k.Config.Limits.Callback = time.Minute
	const messages, size = 3000, 8 << 10
	ahead := make(chan int, 4*messages)
	url := serve(t, func(c *ws.Conn, _ *http.Request) {
		data := make([]byte, size)
		for i := range messages {
			copy(data, fmt.Sprintf("%06d", i))
			if c.WriteMessage(ws.BinaryMessage, data) != nil {
				return
			}
			ahead <- i
		}
		_ = c.WriteControl(ws.CloseMessage, ws.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		_, _, _ = c.ReadMessage()
	})
	for name, script := range map[string]string{
		"iteration": `const s = new WebSocket(URL); let n = 0, wrong = 0; for await (const m of s) { if (Number(String.fromCharCode(...new Uint8Array(m, 0, 6))) !== n++) wrong++ } return [n, wrong]`,
		"events":    `const s = new WebSocket(URL); let n = 0, wrong = 0; s.onmessage = e => { if (Number(String.fromCharCode(...new Uint8Array(e.data, 0, 6))) !== n++) wrong++ }; await once(s, 'close'); return [n, wrong]`,
	} {
		if got := eval(t, k, url, script); got != "[3000,0]" {
			t.Errorf("%s: %s", name, got)
		}
	}
	// Who takes one message and rests lets the server wait.
	for len(ahead) > 0 {
		<-ahead
	}
	s := k.Session(map[string]string{"main.js": `let s, it; exports.main = async () => { s = new WebSocket('` + url + `'); it = s[Symbol.asyncIterator](); return (await it.next()).value.byteLength }`})
	if v, err := runtimetest.Call(t.Context(), s, "main"); err != nil || v != int64(size) {
		t.Fatal(v, err)
	}
	for quiet := false; !quiet; {
		n := len(ahead)
		select {
		case <-time.After(200 * time.Millisecond):
			quiet = n == len(ahead)
		}
	}
	if n := len(ahead); n >= messages {
		t.Errorf("the server could send all of its %d messages", n)
	}
}

// A socket that nobody listens to keeps what is newest, and goes on.
func TestNobodyListens(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, func(c *ws.Conn, _ *http.Request) {
		for i := range 1000 {
			_ = c.WriteMessage(ws.TextMessage, []byte(fmt.Sprint(i)))
		}
		_, _, _ = c.ReadMessage()
		_ = c.WriteControl(ws.CloseMessage, ws.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
		_, _, _ = c.ReadMessage()
	})
	got := eval(t, k, url, `const s = await new WebSocket(URL).opened; s.send('x'); const e = await once(s, 'close'); const kept = []
		for await (const m of s) kept.push(m); return [e.code, kept.length, kept[0], kept.at(-1)]`)
	if got != `[1000,256,"744","999"]` {
		t.Error(got)
	}
	if j := journal(t, k); len(j) != 2 || j[1]["dropped"] != 744.0 {
		t.Errorf("%v", j)
	}
}

// A server that does not read: send says so, bufferedAmount tells, and in the end the socket is given up.
func TestSlowReader(t *testing.T) {
	k := newKit(t, websocket.Options{Stuck: 2 * time.Second}, outbound.Options{})
	stop := make(chan struct{})
	url := serve(t, func(*ws.Conn, *http.Request) { <-stop })
	defer close(stop)
	got := eval(t, k, url, `const s = await new WebSocket(URL).opened, chunk = new Uint8Array(1 << 20); let sent = 0
		const full = await failing(async () => { for (;;) { s.send(chunk); sent++; if (sent % 4 === 0) await new Promise(f => setTimeout(f, 20)); if (sent > 200) return } })
		const waiting = s.bufferedAmount
		let why; s.onerror = e => why = e.error.code + ' ' + e.message.replace(/.*: /, ''); const e = await once(s, 'close')
		return [full.replace(/\d{7}/, 'N'), waiting > 3 << 20 && waiting <= 4 << 20, why, e.code]`)
	if got != `["QuotaExceededError: WebSocket.send: the server is too slow: N bytes wait for it and the limit is 4194304; look at bufferedAmount before you send",true,"ETIMEDOUT the server took nothing for 2s",1006]` {
		t.Error(got)
	}
}

// A server that neither says anything nor answers a ping is given up; one that answers is not.
func TestPing(t *testing.T) {
	k := newKit(t, websocket.Options{Ping: 200 * time.Millisecond}, outbound.Options{})
	pings := make(chan struct{}, 100)
	url := serve(t, func(c *ws.Conn, r *http.Request) {
		c.SetPingHandler(func(data string) error {
			pings <- struct{}{}
			if r.URL.Path == "/dead" {
				return nil
			}
			return c.WriteControl(ws.PongMessage, []byte(data), time.Now().Add(time.Second))
		})
		_, _, _ = c.ReadMessage()
	})
	if got := eval(t, k, url+"/dead", `const s = await new WebSocket(URL).opened; let why; s.onerror = e => why = e.message; await once(s, 'close'); return why`); !strings.Contains(got, "no sign of life for 450ms") {
		t.Error(got)
	}
	for len(pings) > 0 {
		<-pings
	}
	if got := eval(t, k, url, `const s = await new WebSocket(URL).opened; await new Promise(f => setTimeout(f, 1200)); return s.readyState`); got != "1" || len(pings) < 3 {
		t.Errorf("%s after %d pings", got, len(pings))
	}
}

// A server that does not answer the closing.
func TestClosingTakesNoLonger(t *testing.T) {
	k := newKit(t, websocket.Options{Closing: 100 * time.Millisecond}, outbound.Options{})
	stop := make(chan struct{})
	url := serve(t, func(c *ws.Conn, _ *http.Request) { <-stop })
	defer close(stop)
	if got := eval(t, k, url, `const s = await new WebSocket(URL).opened; s.close(1000); const e = await once(s, 'close'); return [e.code, e.wasClean]`); got != "[1006,false]" {
		t.Error(got)
	}
}
