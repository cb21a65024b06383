package websocket_test

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ws "github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/bindings/fetch"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newKit returns a kit whose scripts may connect to this machine.
func newKit(t testing.TB, o websocket.Options, reach outbound.Options) *runtimetest.Kit {
	t.Helper()
	if reach.Allow == nil {
		reach.Allow = []string{"127.0.0.1"}
	}
	client, err := outbound.NewClient(reach)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return runtimetest.New(t, websocket.New(client, o), fetch.New(client), abort.New(), timers.New(), es.New())
}

// serve returns the address of a server that upgrades and hands the connection over. It ends with the test.
func serve(t testing.TB, f func(c *ws.Conn, r *http.Request)) string {
	t.Helper()
	upgrader := ws.Upgrader{Subprotocols: []string{"chat.v2"}}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		f(c, r)
	}))
	t.Cleanup(s.Close)
	return strings.Replace(s.URL, "http", "ws", 1)
}

// echo sends back what comes.
func echo(c *ws.Conn, _ *http.Request) {
	for {
		kind, data, err := c.ReadMessage()
		if err != nil || c.WriteMessage(kind, data) != nil {
			return
		}
	}
}

// answer serves one raw TCP connection after the other with what f does.
func answer(t testing.TB, f func(c net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f(c)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-over })
	return "ws://" + l.Addr().String()
}

// eval runs a script in which URL is the server's address, and returns its result as JSON.
func eval(t testing.TB, k *runtimetest.Kit, url, body string) string {
	t.Helper()
	v := k.Eval(`const URL = '` + url + `'
		const once = (target, type) => new Promise(f => target.addEventListener(type, f, { once: true }))
		const failing = async f => { try { return await f() ?? 'nothing' } catch (e) { return (e.code && typeof e.code === 'string' ? e.code : e.name) + ': ' + e.message } }
		return JSON.stringify(await (async () => {` + body + "\n})())")
	text, _ := v.(string)
	return text
}

// journal returns the entries of a kind, without what differs from run to run.
func journal(t testing.TB, k *runtimetest.Kit) (entries []map[string]any) {
	t.Helper()
	for _, e := range k.Journal.Entries(t.Name()) {
		if e.Kind != "websocket" {
			continue
		}
		m := map[string]any{}
		if err := json.Unmarshal(e.Data, &m); err != nil {
			t.Fatal(err)
		}
		delete(m, "ms")
		entries = append(entries, m)
	}
	return entries
}

// within waits for something that must come.
func within(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: nothing in 10 s", what)
	}
}

// accept is what a server answers to a key (RFC 6455 section 4.2.2).
func accept(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}
