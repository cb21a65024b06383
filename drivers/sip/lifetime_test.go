package sip_test

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	runtimes "runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/runtime"
)

// lives are scripts whose calls are hung up in the middle. NOBODY is a phone that rings, SOMEBODY one that answers.
var lives = map[string]string{
	"say":        `await call.say('hz 440 long')`,
	"ring":       `await call.ring('1m')`,
	"pause":      `await call.pause('1h')`,
	"gather":     `await call.gather({ say: 'hz 440 long', timeout: '1m', retries: 9 })`,
	"record":     `await call.record({ say: 'hz 440', maxLength: '10m' })`,
	"dial":       `await call.dial(env.NOBODY, { timeout: '1m', music: 'music.wav' })`,
	"talk":       `await call.dial(env.SOMEBODY, { record: true })`,
	"whisper":    `await call.dial(env.SOMEBODY, { whisper: 'hz 440 long', accept: '1' })`,
	"transfer":   `await call.transfer(env.NOBODY, { warm: true })`,
	"connect":    `await call.transfer(env.SOMEBODY)`,
	"room":       `await call.conference('weekly')`,
	"hold":       `await call.answer(); await call.hold({ music: 'music.wav' }); await call.pause('1h')`,
	"bridge":     `const other = calls.list().find(c => c.id !== call.id && c.status !== 'bridged'); if (other) await call.bridge(other.id).catch(e => { if (e.name !== 'StateError') throw e }); await call.pause('1h')`,
	"stream":     `const s = await call.stream(); for await (const frame of s) s.play(frame)`,
	"callback":   `await call.stream(call.streamUrl); await call.pause('1h')`,
	"server":     `await call.stream(env.SOCKETS); await call.pause('1h')`,
	"socket":     `const s = new WebSocket(env.SOCKETS); await s.opened; for await (const m of s) s.send(m)`,
	"fetch":      `fetch(env.SERVER).catch(() => {}); await call.pause('1h')`,
	"awaited":    `await fetch(env.SERVER)`,
	"events":     `setInterval(() => {}, 10); for await (const e of call.events());`,
	"finally":    `try { await call.pause('1h') } finally { await new Promise(done => setTimeout(done, 50)) }`,
	"many":       `await Promise.all([call.say('hz 440 long'), call.gather({}), call.dial(env.SOMEBODY), call.pause('1h')])`,
	"goes on":    `for (;;) try { await call.pause('1h') } catch { await new Promise(done => setTimeout(done, 50)) }`,
	"a document": `return [{ action: 'stream', ws_url: env.SOCKETS }, { action: 'speak', text: 'hz 440 long' }, { action: 'record' }]`,
}

// keeper is a web server that answers nothing, and speaks without end over a WebSocket.
type keeper struct {
	*httptest.Server
	open atomic.Int64
}

func newKeeper(t *testing.T) *keeper {
	k := &keeper{}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.open.Add(1)
		defer k.open.Add(-1)
		if r.Header.Get("Upgrade") == "" {
			<-r.Context().Done()
			return
		}
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		for {
			kind, data, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, data) != nil {
				return
			}
		}
	}))
	t.Cleanup(k.Close)
	return k
}

// leftovers are what could outlive a call.
type leftovers struct{ calls, sessions, goroutines, files int }

// Nothing outlives a call on real lines, whatever it was doing when its caller hung up.
func TestNothingOutlivesTheCall(t *testing.T) {
	rounds, lines := 20, 16
	if testing.Short() || raceDetector {
		rounds = 4
	}
	web := newKeeper(t)
	nobody := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		<-i.Cancelled
	})
	somebody := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
	enough := make(chan struct{})
	go func() {
		for {
			select {
			case <-somebody.over:
			case <-enough:
				return
			}
		}
	}()
	t.Cleanup(func() { close(enough) })
	env := map[string]string{"SERVER": web.URL, "SOCKETS": "ws" + strings.TrimPrefix(web.URL, "http"), "NOBODY": nobody.uri(), "SOMEBODY": somebody.uri()}
	live, quiet := &call.Live{}, slog.New(slog.DiscardHandler)
	modules, err := bindings.Standard(bindings.Options{Fetch: outbound.Options{Allow: []string{"127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]runtime.Settings{}
	names := make([]string, 0, len(lives))
	for name := range lives {
		names = append(names, name)
		settings[app(name)] = runtime.Settings{Env: env}
	}
	slices.Sort(names)
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: live})), Logger: quiet, Settings: settings,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	for name, script := range lives {
		source := `const { calls } = require('piopiy/calls')
			exports.answer = async call => {` + script + `}
			exports.stream = async socket => { for await (const frame of socket) socket.play(frame) }
			exports.event = e => {}; exports.cdr = r => {}`
		if _, err := rt.Load(t.Context(), app(name), runtime.FS(fstest.MapFS{"main.js": {Data: []byte(source)}}), "main.js"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	h := bindcall.NewHandler(bindcall.Options{Runtime: rt, Stream: stream.New, Live: live, Logger: quiet, LegGrace: time.Second})
	inbox := call.NewMemoryInbox(call.InboxOptions{})
	x := serve(t, quiet, h, func(o *sip.Options) { o.Live, o.Inbox = live, inbox })
	x.file("music.wav", 500, time.Second)
	deliveries, stop := context.WithCancel(context.Background())
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		_ = inbox.Deliver(deliveries, h)
	}()
	t.Cleanup(func() { stop(); <-delivered })

	var asked atomic.Int64
	play := func(rounds int) {
		t.Run("calls", func(t *testing.T) {
			var all sync.WaitGroup
			for line := range lines {
				phones := make([]*phone, rounds)
				for i := range phones {
					phones[i] = newPhone(t, nil)
				}
				all.Go(func() {
					for i, p := range phones {
						name := names[(line*rounds+i)%len(names)]
						if err := p.hangsUpOn(x, app(name)); err != nil {
							t.Errorf("%s: %v", name, err)
						}
						asked.Add(1)
					}
				})
			}
			all.Wait()
		})
	}
	left := func() leftovers {
		files, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("what is open cannot be counted here:", err)
		}
		stacks := make([]byte, 8<<20)
		all := strings.Split(string(stacks[:runtimes.Stack(stacks, true)]), "\n\n")
		all = slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "(*workers).work(") })
		return leftovers{live.Len() + x.Calls(), len(rt.Sessions()), len(all), len(files)}
	}
	settle := func(enough func(leftovers) bool) (now leftovers) {
		for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(50 * time.Millisecond) {
			web.CloseClientConnections() // those that clients keep for later
			if now = left(); now.calls+now.sessions+int(web.open.Load()) == 0 && enough(now) {
				break
			}
		}
		return now
	}
	play(2) // what is made once is made
	var last leftovers
	same := 0
	before := settle(func(now leftovers) bool {
		if same++; now != last {
			same = 0
		}
		last = now
		return same > 20
	})
	asked.Store(0)
	began := time.Now()
	play(rounds)
	took := time.Since(began)
	after := settle(func(now leftovers) bool { return now.goroutines <= before.goroutines && now.files <= before.files })
	t.Logf("%d calls in %v; before %+v, after %+v", asked.Load(), took.Round(time.Millisecond), before, after)
	if after.calls+after.sessions != 0 || after.goroutines > before.goroutines || after.files > before.files || web.open.Load() != 0 {
		stacks := make([]byte, 1<<20)
		t.Errorf("before %+v, after %+v, %d requests or sockets\n%s", before, after, web.open.Load(), stacks[:runtimes.Stack(stacks, true)])
	}
}

// app is the app of a life.
func app(name string) string { return strings.ReplaceAll(name, " ", "-") }

// hangsUpOn calls an app and hangs up, at some moment in the first fifth of a second.
func (p *phone) hangsUpOn(x *exchange, app string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	moment := time.Duration(rand.IntN(200)) * time.Millisecond
	giveUp := time.AfterFunc(moment, cancel)
	err := p.call(ctx, x, app)
	if err == nil && !giveUp.Stop() {
		<-ctx.Done()
	}
	switch {
	case err == nil:
		left := time.NewTimer(moment)
		defer left.Stop()
		select {
		case <-left.C:
			p.hangUp()
		case <-p.over:
			return errors.New("the app hung up")
		}
	case ctx.Err() == nil:
		return err
	}
	return nil
}
