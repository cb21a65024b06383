package websocket_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	ws "github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
)

// told is what a script hears of a socket that does not come about, or breaks off.
const told = `const s = new WebSocket(URL, { timeout: '2s' }), seen = []
	s.onerror = e => seen.push(e.error.code, e.message, e.error.message === e.message); s.onopen = () => seen.push('open')
	const e = await once(s, 'close'); return [...seen, e.code, e.wasClean]`

// Servers that do not keep to the protocol end the socket, and nothing else; the reason is told.
func TestBadServers(t *testing.T) {
	handshake := func(c net.Conn) *bufio.Reader {
		r := bufio.NewReader(c)
		req, err := http.ReadRequest(r)
		if err != nil {
			return nil
		}
		fmt.Fprintf(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept(req.Header.Get("Sec-Websocket-Key")))
		return r
	}
	frames := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			r := handshake(c)
			_, _ = io.WriteString(c, text)
			_ = c.SetReadDeadline(time.Now().Add(2 * time.Second))
			_, _ = io.Copy(io.Discard, r)
		}
	}
	reply := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, text)
		}
	}
	for name, server := range map[string]struct {
		f    func(net.Conn)
		want []string
	}{
		"garbage":            {frames("\xff\xff\xff\xff garbage"), []string{`"open","EPROTO"`, "RFC 6455", "1006,false"}},
		"a masked frame":     {frames("\x81\x81\x00\x00\x00\x00a"), []string{`"open","EPROTO"`, "1006,false"}},
		"a compressed frame": {frames("\xc1\x01a"), []string{`"open","EPROTO"`, "1006,false"}},
		"text that is none":  {frames("\x81\x02\xff\xfe"), []string{`"open","EPROTO"`, "not UTF-8"}},
		"a huge message":     {frames("\x82\x7f\x00\x00\x00\x7f\xff\xff\xff\xff"), []string{`"open","ETOOBIG"`, "larger than the limit of 100000 bytes (fetch.max_body"}},
		"a negative length":  {frames("\x82\x7f\xff\xff\xff\xff\xff\xff\xff\xff"), []string{`"open","E`, "1006,false"}},
		"many fragments":     {frames("\x02\x7e\xff\xff" + strings.Repeat("x", 65535) + "\x00\x7e\xff\xff" + strings.Repeat("x", 65535)), []string{`"open","ETOOBIG"`}},
		"a long ping":        {frames("\x89\x7e\x01\x00" + strings.Repeat("p", 256)), []string{`"open","EPROTO"`}},
		"a cut frame":        {func(c net.Conn) { handshake(c); _, _ = io.WriteString(c, "\x81\x05ab") }, []string{`"open","ECONNRESET"`, "without a goodbye"}},
		"gone at once":       {func(c net.Conn) { handshake(c) }, []string{`"open","ECONNRESET"`}},
		"a bad close code":   {frames("\x88\x02\x03\xed"), []string{`"open","EPROTO"`}},
		"a bad close reason": {frames("\x88\x04\x03\xe8\xff\xfe"), []string{`"open","EPROTO"`}},
		"no HTTP":            {reply("hello\r\n\r\n"), []string{`["EPROTO"`, "does not speak HTTP"}},
		"an endless reply": {func(c net.Conn) {
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, "HTTP/1.1 101 x\r\nA: "+strings.Repeat("x", 200<<10))
		}, []string{`["EPROTO"`, "more than 64 KiB"}},
		"a wrong key": {reply("HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"), []string{`["EPROTO"`, "not that of a WebSocket"}},
		"silence":     {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, []string{`["ETIMEDOUT"`, "did not answer the handshake within 2s", "1006,false"}},
		"a trickle": {func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "H"); err != nil {
					return
				}
				if c.SetReadDeadline(time.Now().Add(20*time.Millisecond)) != nil {
					return
				}
				if _, err := io.Copy(io.Discard, c); err == nil {
					return
				}
			}
		}, []string{`["E`, "1006,false"}},
		"gone":         {func(net.Conn) {}, []string{`["ECONNRESET"`}},
		"another page": {reply("HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\n\r\ns3cret"), []string{`["EHANDSHAKE"`, "the server answered 404 Not Found instead of opening a WebSocket; is the path right?"}},
		"no entry":     {reply("HTTP/1.1 401 Unauthorized\r\n\r\n"), []string{`["EHANDSHAKE"`, `does the option \"headers\" hold what it asks for?`}},
		"a redirect":   {reply("HTTP/1.1 302 Found\r\nLocation: http://192.168.0.1/s3cret\r\n\r\n"), []string{`["EREDIRECT"`, "the server redirects (302), which a WebSocket does not follow; connect to what http://192.168.0.1 stands for"}},
		"an extension": {func(c net.Conn) {
			extra(c, "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover")
		}, []string{`["EPROTO"`, "an extension that was not offered"}},
		"an unknown protocol": {func(c net.Conn) { extra(c, "Sec-WebSocket-Protocol: chat") }, []string{`["EPROTO"`, "a protocol that was not offered"}},
	} {
		t.Run(name, func(t *testing.T) {
			k := newKit(t, websocket.Options{Closing: 200 * time.Millisecond}, outbound.Options{MaxBody: 100_000})
			got := eval(t, k, answer(t, server.f), told)
			for _, want := range append(server.want, "true") {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			if strings.Contains(got, "s3cret") {
				t.Errorf("%s quotes the server", got)
			}
		})
	}
}

func extra(c net.Conn, header string) {
	req, err := http.ReadRequest(bufio.NewReader(c))
	if err == nil {
		fmt.Fprintf(c, "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n\r\n", accept(req.Header.Get("Sec-Websocket-Key")), header)
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestCloseCodes(t *testing.T) {
	for _, code := range []int{1000, 1001, 1008, 1011, 1012, 3000, 4999} {
		k := newKit(t, websocket.Options{}, outbound.Options{})
		url := serve(t, func(c *ws.Conn, _ *http.Request) {
			_ = c.WriteMessage(ws.TextMessage, []byte("last words"))
			_ = c.WriteControl(ws.CloseMessage, ws.FormatCloseMessage(code, "why é"), time.Now().Add(time.Second))
			_, _, _ = c.ReadMessage()
		})
		got := eval(t, k, url, `const s = new WebSocket(URL), seen = []; s.onmessage = e => seen.push(e.data, s.readyState); s.onerror = () => seen.push('error')
			const e = await once(s, 'close'); return [...seen, e.code, e.reason, e.wasClean]`)
		if want := fmt.Sprintf(`["last words",%d,%d,"why é",true]`, 1, code); got != want && got != strings.Replace(want, ",1,", ",3,", 1) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// Iteration ends well when the server says goodbye, and throws when it just goes.
func TestIterationTellsHowItEnded(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	for how, want := range map[string]string{"goodbye": `["a","b","end"]`, "gone": `["a","b","ECONNRESET: WebSocket: HOST: the connection broke off without a goodbye"]`} {
		url := serve(t, func(c *ws.Conn, _ *http.Request) {
			_ = c.WriteMessage(ws.TextMessage, []byte("a"))
			_ = c.WriteMessage(ws.TextMessage, []byte("b"))
			if how == "goodbye" {
				_ = c.WriteControl(ws.CloseMessage, ws.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
				_, _, _ = c.ReadMessage()
			}
		})
		got := eval(t, k, url, `const s = new WebSocket(URL), seen = []
			seen.push(await failing(async () => { for await (const m of s) seen.push(m); return 'end' })); return seen`)
		if want = strings.ReplaceAll(want, "HOST", strings.TrimPrefix(url, "ws://")); got != want {
			t.Errorf("%s: got %s, want %s", how, got, want)
		}
	}
	// A failure that nobody catches names the line at which the socket was made.
	f := k.Fault("\n\nconst s = new WebSocket('ws://127.0.0.1:1')\nfor await (const m of s) {}")
	if f.Position.Line != 4 || !strings.Contains(f.Message, "nothing listens at 127.0.0.1:1") {
		t.Errorf("%+v", f)
	}
}

func TestTheGuard(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{Allow: []string{"127.0.0.2"}})
	url := serve(t, echo)
	for _, to := range []string{url, strings.Replace(url, "127.0.0.1", "localhost", 1), strings.Replace(url, "127.0.0.1", "2130706433", 1), strings.Replace(url, "127.0.0.1", "[::ffff:7f00:1]", 1), "wss://169.254.169.254/", "ws://10.0.0.1"} {
		got := eval(t, k, to, `const s = new WebSocket(URL); return failing(() => s.opened)`)
		if !strings.Contains(got, "EBLOCKED: WebSocket: ") || !strings.Contains(got, "to fetch.allow in the configuration") {
			t.Errorf("%s: %s", to, got)
		}
	}
}

func TestTLS(t *testing.T) {
	upgrader := ws.Upgrader{}
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := upgrader.Upgrade(w, r, nil); err == nil {
			echo(c, r)
			_ = c.Close()
		}
	}))
	defer s.Close()
	url := strings.Replace(s.URL, "https", "wss", 1)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	const script = `const s = new WebSocket(URL); const failed = await failing(() => s.opened.then(() => 'opened')); if (failed !== 'opened') return failed; s.send('hi'); return (await once(s, 'message')).data`
	if got := eval(t, newKit(t, websocket.Options{}, outbound.Options{TLS: &tls.Config{RootCAs: roots}}), url, script); got != `"hi"` {
		t.Error(got)
	}
	if got := eval(t, newKit(t, websocket.Options{}, outbound.Options{}), url, script); !strings.Contains(got, "UNABLE_TO_VERIFY_LEAF_SIGNATURE") {
		t.Error(got)
	}
	if got := eval(t, newKit(t, websocket.Options{}, outbound.Options{}), strings.Replace(url, "wss", "ws", 1), script); !strings.Contains(got, "EHANDSHAKE: ") && !strings.Contains(got, "EPROTO") {
		t.Error(got)
	}
}
