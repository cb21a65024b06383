package websocket_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
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
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// told is what a script hears of a socket that does not come about, or breaks off.
const told = `const s = new WebSocket(URL, { timeout: '300ms' }), seen = []
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
		"silence":     {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, []string{`["ETIMEDOUT"`, "did not answer the handshake within 300ms", "1006,false"}},
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
	k := newKit(t, websocket.Options{Stuck: 300 * time.Millisecond}, outbound.Options{})
	stop := make(chan struct{})
	url := serve(t, func(*ws.Conn, *http.Request) { <-stop })
	defer close(stop)
	got := eval(t, k, url, `const s = await new WebSocket(URL).opened, chunk = new Uint8Array(1 << 20); let sent = 0
		const full = await failing(async () => { for (;;) { s.send(chunk); sent++; if (sent % 4 === 0) await new Promise(f => setTimeout(f, 20)); if (sent > 200) return } })
		const waiting = s.bufferedAmount
		let why; s.onerror = e => why = e.error.code + ' ' + e.message.replace(/.*: /, ''); const e = await once(s, 'close')
		return [full.replace(/\d{7}/, 'N'), waiting > 3 << 20 && waiting <= 4 << 20, why, e.code]`)
	if got != `["QuotaExceededError: WebSocket.send: the server is too slow: N bytes wait for it and the limit is 4194304; look at bufferedAmount before you send",true,"ETIMEDOUT the server took nothing for 300ms",1006]` {
		t.Error(got)
	}
}

// A server that neither says anything nor answers a ping is given up; one that answers is not.
func TestPing(t *testing.T) {
	k := newKit(t, websocket.Options{Ping: 50 * time.Millisecond}, outbound.Options{})
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
	if got := eval(t, k, url+"/dead", `const s = await new WebSocket(URL).opened; let why; s.onerror = e => why = e.message; await once(s, 'close'); return why`); !strings.Contains(got, "no sign of life for 112.5ms") {
		t.Error(got)
	}
	for len(pings) > 0 {
		<-pings
	}
	if got := eval(t, k, url, `const s = await new WebSocket(URL).opened; await new Promise(f => setTimeout(f, 400)); return s.readyState`); got != "1" || len(pings) < 3 {
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

// The session's end sends what waits, says goodbye and leaves nothing behind.
func TestTheSessionEnds(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	ended := make(chan string, 10)
	url := serve(t, func(c *ws.Conn, _ *http.Request) {
		got := ""
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				var end *ws.CloseError
				if errors.As(err, &end) {
					got += fmt.Sprint(" ", end.Code)
				}
				ended <- got
				return
			}
			got += string(data)
		}
	})
	s := k.Session(map[string]string{"main.js": `exports.main = async () => { const s = await new WebSocket('` + url + `').opened; s.send('last '); s.send('words') }
		exports.dialling = () => { new WebSocket('` + answer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) + `') }
		exports.waiting = async () => { for await (const m of new WebSocket('` + url + `')) {} }`})
	if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := runtimetest.Call(t.Context(), s, "dialling"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { _, err := runtimetest.Call(context.Background(), s, "waiting"); waiting <- err }()
	for journalled := 0; journalled < 2; {
		journalled = len(journal(t, k))
		time.Sleep(time.Millisecond)
	}
	s.Close("hung up")
	<-s.Done()
	var f *runtime.Fault
	if err := <-waiting; !errors.As(err, &f) || f.Kind != runtime.FaultClosed {
		t.Error(err)
	}
	for range 2 {
		select {
		case got := <-ended:
			if got != "last words 1001" && got != " 1001" {
				t.Errorf("the server got %q", got)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the socket outlived its session")
		}
	}
}

func TestDryRun(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	asked := make(chan struct{}, 10)
	url := answer(t, func(net.Conn) { asked <- struct{}{} })
	k.Session(map[string]string{"main.js": `const s = new WebSocket('` + url + `'); s.onopen = () => {}; s.opened; s[Symbol.asyncIterator]().next(); s.close(); exports.main = () => {}`})
	if len(asked) > 0 {
		t.Error("checking a version connected to a server")
	}
}

// In simulated time, answers come before time limits run out, and a silent server holds nothing up.
func TestSimulatedTime(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, func(c *ws.Conn, r *http.Request) {
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			if string(data) == "slow" {
				<-time.After(150 * time.Millisecond)
			}
			if string(data) != "silence" {
				_ = c.WriteMessage(ws.TextMessage, data)
			}
		}
	})
	k.Config.Limits.Callback = 2 * time.Hour
	files := map[string]string{"main.js": `const after = (ms, v) => new Promise(f => setTimeout(f, ms, v))
		const message = s => new Promise(f => { s.onmessage = e => f(e.data) })
		exports.main = async () => {
			const began = Date.now(), s = await new WebSocket('` + url + `').opened, seen = [Date.now() - began]
			s.send('slow'); seen.push(await Promise.race([message(s), after(5000, 'late')]))
			s.send('silence'); seen.push(await Promise.race([message(s), after(300, 'nothing')]))
			s.close(); await new Promise(f => s.onclose = f)
			await after(3600_000)
			return seen.join()
		}`}
	warm := k.Session(files)
	warm.Close("only loaded")
	app, _ := k.Runtime().App("test")
	clock := sim.NewClock(time.Time{})
	s, err := app.NewSession(runtime.SessionConfig{ID: "simulated", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	moving, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-moving:
				return
			default:
				clock.Advance(10 * time.Second)
			}
		}
	}()
	began := time.Now()
	clock.Begin() // who calls is at work
	got, err := runtimetest.Call(t.Context(), s, "main")
	clock.End()
	if err != nil || got != "0,slow,nothing" {
		t.Errorf("%v, %v", got, err)
	}
	if took := time.Since(began); took < 400*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if passed := clock.Now().Sub(sim.Epoch); passed < time.Hour {
		t.Errorf("only %v have passed", passed)
	}
	close(moving)
	s.Close("over")
	within(t, "the clock", stopped)
}

// Calls come and go, each with a socket; nothing of them stays, as the check of goroutines at the end of all tests sees.
func TestManySessions(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, echo)
	k.Session(map[string]string{"main.js": `exports.main = async () => { const s = await new WebSocket('` + url + `').opened; s.onmessage = () => {}; s.send('hello'); new WebSocket('` + url + `') }`}).Close("only loaded")
	app, _ := k.Runtime().App("test")
	for range 200 {
		s, err := app.NewSession(runtime.SessionConfig{ID: "many"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
			t.Fatal(err)
		}
		s.Close("hung up")
		<-s.Done()
	}
}
