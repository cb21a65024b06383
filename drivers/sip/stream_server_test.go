package sip_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// agent is somebody's media WebSocket server, and the one stream it has at a time.
type agent struct {
	t    testing.TB
	url  string
	deaf bool // it reads nothing

	certificate []byte

	mu    siptest.Watched
	conn  *websocket.Conn
	heard []int16
	sizes map[int]int // of binary frames
	texts []string
	end   error // why reading ended
}

// newAgent starts a server. change may set it up.
func newAgent(t testing.TB, change ...func(*agent, *httptest.Server)) *agent {
	a := &agent{t: t, sizes: map[int]int{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(a.serve))
	for _, c := range change {
		c(a, server)
	}
	if server.TLS == nil {
		server.Start()
	} else {
		server.StartTLS()
		a.certificate = server.Certificate().Raw
	}
	a.url = strings.Replace(server.URL, "http", "ws", 1) + "/agent?token=1"
	t.Cleanup(func() {
		a.mu.Lock()
		conn := a.conn
		a.mu.Unlock()
		if conn != nil {
			_ = conn.Close()
		}
		server.Close()
	})
	return a
}

func (a *agent) serve(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		a.t.Error(err)
		return
	}
	a.note(func() { a.conn = conn })
	if a.deaf {
		return
	}
	for {
		kind, data, err := conn.ReadMessage()
		a.note(func() {
			switch {
			case err != nil:
				a.end = err
			case kind == websocket.TextMessage:
				a.texts = append(a.texts, string(data))
			default:
				a.sizes[len(data)]++
				for i := 0; i+1 < len(data); i += 2 {
					a.heard = append(a.heard, int16(binary.LittleEndian.Uint16(data[i:])))
				}
			}
		})
		if err != nil {
			_ = conn.Close()
			return
		}
	}
}

func (a *agent) note(f func()) { a.mu.Change(f) }

// until waits until ok, which is called with a.mu held, is.
func (a *agent) until(what string, ok func() bool) {
	a.t.Helper()
	if !a.mu.Until(patience, ok) {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.t.Fatalf("the server waits in vain for %s; it got %q", what, a.texts)
	}
}

// connected waits for the stream.
func (a *agent) connected() *websocket.Conn {
	a.t.Helper()
	a.until("a stream", func() bool { return a.conn != nil })
	return a.conn
}

// hears waits until the server has heard 100 ms of a tone, at the stream's rate, in what came since the last time.
func (a *agent) hears(hz float64, rate int) {
	a.t.Helper()
	a.until(fmt.Sprintf("%g Hz", hz), func() bool {
		n := len(a.heard)
		if n < rate/10 || audio.Level(a.heard[n-rate/10:], hz, rate) < 2500 {
			return false
		}
		a.heard = nil
		return true
	})
}

// gets waits for a text frame that has an event, and takes it and those before away.
func (a *agent) gets(event string) (fields map[string]any) {
	a.t.Helper()
	a.until("the event "+event, func() bool {
		for i, text := range a.texts {
			if json.Unmarshal([]byte(text), &fields) == nil && fields["event"] == event {
				a.texts = a.texts[i+1:]
				return true
			}
		}
		return false
	})
	return fields
}

// ends waits until the stream has ended, and returns the close code.
func (a *agent) ends() int {
	a.t.Helper()
	a.until("the end", func() bool { return a.end != nil })
	var end *websocket.CloseError
	if e, ok := a.end.(*websocket.CloseError); ok {
		end = e
	} else {
		a.t.Fatalf("the stream ended with %v", a.end)
	}
	return end.Code
}

func (a *agent) send(text string) {
	a.t.Helper()
	if err := a.connected().WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
		a.t.Error(err)
	}
}

func (a *agent) sendBinary(data []byte) {
	a.t.Helper()
	if err := a.connected().WriteMessage(websocket.BinaryMessage, data); err != nil {
		a.t.Error(err)
	}
}

// plays sends a piece of sound.
func (a *agent) plays(kind string, rate int, data []byte) {
	a.t.Helper()
	a.send(fmt.Sprintf(`{"type":"streamAudio","data":{"audioDataType":%q,"sampleRate":%d,"audioData":%q}}`, kind, rate, base64.StdEncoding.EncodeToString(data)))
}

// octets are samples as raw sound.
func octets(samples []int16) (raw []byte) {
	for _, s := range samples {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(s))
	}
	return raw
}

// sine is a tone at any rate.
func sine(hz float64, length time.Duration, rate int) media.Sound {
	return media.Sound{Samples: audio.Resample(media.Tone(hz, length), media.Rate, rate), Rate: rate}
}

// events keeps what is reported of streams, beside what an exchange does.
type events struct {
	to   *exchange
	mu   siptest.Watched
	list []string // ws_status of each
}

func (e *events) AcceptEvent(ctx context.Context, ev *call.Event) (bool, error) {
	if status := textOf(ev.Raw, "ws_status"); status != "" {
		e.mu.Change(func() { e.list = append(e.list, string(ev.Status)+" "+status) })
	}
	return e.to.AcceptEvent(ctx, ev)
}
func (e *events) AcceptCDR(ctx context.Context, r *call.CDR) (bool, error) {
	return e.to.AcceptCDR(ctx, r)
}
func (e *events) Deliver(context.Context, call.Handler) error { return nil }

func textOf(raw []byte, key string) string {
	var fields map[string]any
	_ = json.Unmarshal(raw, &fields)
	text, _ := fields[key].(string)
	return text
}

// has waits until a stream's event with all of these texts was reported.
func (e *events) has(texts ...string) {
	e.to.t.Helper()
	e.within(patience, texts...)
}

func (e *events) within(patience time.Duration, texts ...string) {
	e.to.t.Helper()
	if !e.mu.Until(patience, func() bool {
		return slices.ContainsFunc(e.list, func(one string) bool {
			return !slices.ContainsFunc(texts, func(t string) bool { return !strings.Contains(one, t) })
		})
	}) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.to.t.Fatalf("reported %q, want one with %q", e.list, texts)
	}
}

// openWithEvents is open, and what is reported of streams.
func openWithEvents(t *testing.T, scripts map[string]string, change ...func(*sip.Options)) (*exchange, *events) {
	e := &events{}
	x := open(t, scripts, append(change, func(o *sip.Options) {
		e.to, o.Inbox = o.Inbox.(*exchange), e
	})...)
	return x, e
}

// streams is an app that opens a stream, with fields added to the action, and performs what follows.
func streams(url, fields, rest string) map[string]string {
	return map[string]string{"ai": `exports.answer = () => [{ action: 'stream', ws_url: '` + url + `'` + fields + ` }` + rest + `]`}
}

// called is a phone in a call with the app.
func called(t *testing.T, x *exchange) *phone {
	t.Helper()
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "ai"); err != nil {
		t.Fatal(err)
	}
	return p
}

// silent is a TCP server that takes connections and says nothing.
func silent(t *testing.T, take func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				defer func() { _ = conn.Close() }()
				take(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		conns.Wait()
	})
	return "ws://" + l.Addr().String() + "/agent"
}
