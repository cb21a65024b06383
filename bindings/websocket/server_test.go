package websocket_test

import (
	"context"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/bindings/fetch"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// bothWays runs a test with a server that echoes: over the network, and in its place.
func bothWays(t *testing.T, f func(t *testing.T, k *runtimetest.Kit, url string)) {
	t.Run("network", func(t *testing.T) {
		f(t, newKit(t, websocket.Options{}, outbound.Options{}), serve(t, echo))
	})
	t.Run("server", func(t *testing.T) {
		f(t, serverKit(t, func(p *peer, text bool, data []byte) { p.conn.Send(text, data) }), "ws://server.example")
	})
}

// serverKit returns a kit whose sockets a peer serves.
func serverKit(t testing.TB, message func(p *peer, text bool, data []byte)) *runtimetest.Kit {
	t.Helper()
	client, err := outbound.NewClient(outbound.Options{MaxBody: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	sockets := websocket.New(client, websocket.Options{}).Through(accepting(func(_ context.Context, r websocket.Request) (websocket.Peer, error) {
		p := &peer{request: r, message: message}
		for _, offered := range r.Protocols {
			if offered == "chat.v2" {
				p.protocol = offered
			}
		}
		switch {
		case strings.HasSuffix(r.URL, "/secret"):
			return nil, &websocket.Refusal{Status: 401}
		case strings.HasSuffix(r.URL, "/down"):
			return nil, &outbound.Error{Code: "ECONNREFUSED", Message: "nobody is there"}
		case strings.HasSuffix(r.URL, "/pushy"):
			p.protocol = "unasked"
		}
		return p, nil
	}))
	return runtimetest.New(t, sockets, fetch.New(client), abort.New(), timers.New(), es.New())
}

type accepting func(context.Context, websocket.Request) (websocket.Peer, error)

func (f accepting) Accept(ctx context.Context, r websocket.Request) (websocket.Peer, error) {
	return f(ctx, r)
}

// peer is a far end that does what its message function says, and keeps what it was told.
type peer struct {
	request  websocket.Request
	protocol string
	message  func(p *peer, text bool, data []byte)
	conn     *websocket.Conn

	closed []any
	told   chan struct{} // closed when it is told of the session's end
}

func (p *peer) Protocol() string               { return p.protocol }
func (p *peer) Opened(c *websocket.Conn)       { p.conn = c }
func (p *peer) Message(text bool, data []byte) { p.message(p, text, data) }

func (p *peer) Closed(code int, reason string) {
	p.closed = append(p.closed, code, reason)
	if code == 1001 && p.told != nil {
		close(p.told)
	}
}

func TestServer(t *testing.T) {
	k := serverKit(t, func(p *peer, _ bool, data []byte) {
		switch what, _, _ := strings.Cut(string(data), " "); what {
		case "flood":
			for range 1000 {
				p.conn.Send(true, []byte(strings.Repeat("x", 10_000)))
			}
			p.conn.Close(4000, "enough")
			p.conn.Send(true, []byte("never"))
			p.conn.Close(4001, "twice")
		case "echo":
			p.conn.Send(true, data)
		case "drop":
			p.conn.Drop()
		case "large":
			p.conn.Send(false, make([]byte, 1<<20+1))
		case "header":
			p.conn.Send(true, []byte(p.request.Header.Get("X-Key")+" "+strings.Join(p.request.Protocols, " ")))
		}
	})
	for script, want := range map[string]string{
		// A flood waits for the script, as it would in the network, and the goodbye waits behind it.
		`const s = await new WebSocket('ws://h/').opened, it = s[Symbol.asyncIterator](), closed = once(s, 'close'); s.send('flood'); let n = 0
		 for await (const m of { [Symbol.asyncIterator]: () => it }) n++; const e = await closed; return [n, e.code, e.reason, e.wasClean]`: `[1000,4000,"enough",true]`,
		// What nobody takes gives way, the oldest first.
		`const s = await new WebSocket('ws://h/').opened; s.send('flood'); const e = await once(s, 'close'); let n = 0; for await (const m of s) n++; return [e.code, n > 50 && n < 300]`: `[4000,true]`,
		`const s = await new WebSocket('ws://h/').opened; s.send('drop'); s.onerror = e => s.why = e.error.code; const e = await once(s, 'close'); return [e.code, e.wasClean, s.why]`:    `[1006,false,"ECONNRESET"]`,
		`const s = await new WebSocket('ws://h/').opened; s.send('large'); return failing(async () => { for await (const m of s); })`:                                                     `"ETOOBIG: WebSocket: h: the server sent a message larger than the limit of 1048576 bytes (fetch.max_body in the configuration)"`,
		`const s = await new WebSocket('ws://h/', { headers: { 'x-key': 'k' }, protocols: ['a', 'b'] }).opened; s.send('header'); return (await once(s, 'message')).data`:                 `"k a b"`,
		`return failing(() => new WebSocket('ws://h/secret').opened)`:       `"EHANDSHAKE: WebSocket: h: the server answered 401 Unauthorized instead of opening a WebSocket; does the option \"headers\" hold what it asks for?"`,
		`return failing(() => new WebSocket('ws://h/down').opened)`:         `"ECONNREFUSED: WebSocket: h: nobody is there"`,
		`return failing(() => new WebSocket('ws://h/pushy', ['a']).opened)`: `"EPROTO: WebSocket: h: the server chose a protocol that was not offered; name it in the option \"protocols\""`,
		`const s = await new WebSocket('ws://h/').opened; s.send('echo 1'); s.close(3000, 'bye'); const e = await once(s, 'close'); return [e.code, e.reason, e.wasClean]`:                          `[3000,"",true]`,
		`const s = await new WebSocket('ws://h/').opened; s.onmessage = () => {}; s.send('flood'); s.close(3000, 'bye'); const e = await once(s, 'close'); return [e.code, e.reason, s.readyState]`: `[4000,"enough",3]`,
	} {
		if got := eval(t, k, "", script); got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

// The end of a session is told to the far ends.
func TestServerLearnsOfTheEnd(t *testing.T) {
	told := make(chan struct{})
	k := serverKit(t, func(p *peer, _ bool, _ []byte) { p.told = told })
	if got := eval(t, k, "", `const s = await new WebSocket('ws://h/').opened; s.send('hello'); return 1`); got != "1" {
		t.Fatal(got)
	}
	within(t, "the end", told)
}
