package call_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	goruntime "runtime"
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
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// lives are calls, each cut short in the middle of something. by says who does that: the caller after some seconds, or the
// web server that the script has asked something ("server").
var lives = []struct {
	name, script string
	by           string
	who          sim.Caller
}{
	{name: "say", script: `await call.say('a long text. '.repeat(100))`},
	{name: "play", script: `await call.play('music.wav', { loop: 1000 })`},
	{name: "ring", script: `await call.ring('1m')`},
	{name: "pause", script: `await call.pause('1h')`},
	{name: "gather", script: `await call.gather({ say: 'code?', timeout: '1m', retries: 9 })`},
	{name: "gather, words", script: `await call.gather({ say: 'city?', speech: true, digits: false, timeout: '1m' })`},
	{name: "a validator that never decides", script: `await call.gather({ say: 'code?', validate: () => new Promise(() => {}) })`, who: sim.Caller{Press: []sim.Press{{Keys: "1"}}}},
	{name: "record", script: `await call.record({ say: 'speak', maxLength: '10m' })`},
	{name: "dial that rings", script: `await call.dial(['14155550101', '14155550102'], { strategy: 'group' })`, who: sim.Caller{Callee: sim.Callee{Outcome: sim.NoAnswer}}},
	{name: "dial that talks", script: `await call.dial('14155550101', { record: true, whisper: 'hello' })`, who: sim.Caller{Callee: sim.Callee{Talk: time.Hour}}},
	{name: "transfer", script: `await call.say('x'); await call.transfer('14155550101', { warm: true })`, who: sim.Caller{Callee: sim.Callee{Outcome: sim.NoAnswer}}},
	{name: "blind transfer", script: `await call.transfer('14155550101')`, who: sim.Caller{Callee: sim.Callee{Talk: time.Hour}}},
	{name: "conference", script: `await call.conference('weekly')`},
	{name: "announce", script: `await call.answer(); await call.announce('a long text. '.repeat(100))`},
	{name: "hold", script: `await call.answer(); await call.hold({ music: 'a.wav' }); await call.mute(); await call.sendDigits('123'); await call.pause('1h')`},
	{name: "many at once", script: `await Promise.all([call.say('a. '.repeat(500)), call.gather({}), call.dial('14155550101'), call.pause('1h'), call.conference('x')])`},
	{name: "nobody awaits", script: `call.say('a. '.repeat(500)); call.gather({}); call.pause('1h'); await new Promise(done => setTimeout(done, 3600_000))`},
	{name: "a stream here", script: `const s = await call.stream(); for await (const frame of s) s.play(frame)`},
	{name: "a stream to the callback", script: `await call.stream(call.streamUrl); await call.pause('1h')`},
	{name: "a document", script: `return [{ action: 'stream', ws_url: call.streamUrl }, { action: 'play', file_name: 'music.wav' }, { action: 'input', action_url: 'http://nobody.invalid/' }]`},
	{name: "events", script: `for await (const e of call.events()) console.log(e.status); for await (const e of call.events()) break; await call.pause('1h')`},
	{name: "listeners", script: `call.on('*', () => {}); call.events(); const a = call.events(); a.next(); a.next(); await a.return(); await call.pause('1h')`},
	{name: "timers", script: `setInterval(() => {}, 1000); for (let i = 0; i < 100; i++) setTimeout(() => {}, 3600_000 + i); await call.pause('1h')`},
	{name: "a microtask loop of timers", script: `const again = () => setTimeout(again, 1000); again(); await call.pause('1h')`},
	{name: "a signal", script: `AbortSignal.timeout(3600_000); new AbortController(); await call.pause('1h')`},
	{name: "finally", script: `try { await call.pause('1h') } finally { await new Promise(done => setTimeout(done, 1000)); try { await call.say('x') } catch (e) { if (e.name !== 'HangupError') throw e } }`},
	{name: "finally that takes for ever", script: `try { await call.pause('1h') } finally { await new Promise(done => setTimeout(done, 3600_000)) }`},
	{name: "finally that begins anew", script: `for (;;) try { await call.pause('1h') } catch { await new Promise(done => setTimeout(done, 100)) }`},
	{name: "an exception", script: `setTimeout(() => { throw new Error('no') }, 3000); await call.pause('1h')`},
	{name: "a fetch beside", script: `fetch(env.SERVER + '/wait?' + call.id); await call.pause('1h')`, by: "server"},
	{name: "a fetch that is awaited", script: `await fetch(env.SERVER + '/late?' + call.id)`, by: "server"},
	{name: "a body that is not read", script: `const r = await fetch(env.SERVER + '/flood'); await call.pause('1h')`},
	{name: "a body that is read", script: `const r = await fetch(env.SERVER + '/flood'); const reader = r.body.getReader(); await reader.read(); await call.pause('1h')`},
	{name: "a fetch in finally", script: `try { await call.pause('1h') } finally { await fetch(env.SERVER + '/quick') }`},
	{name: "a socket", script: `const s = new WebSocket(env.SOCKETS + '/echo'); await s.opened; s.send(call.id); await call.pause('1h')`, by: "server"},
	{name: "a socket that connects", script: `new WebSocket(env.SOCKETS + '/wait?' + call.id); await call.pause('1h')`, by: "server"},
	{name: "a socket that floods", script: `const s = new WebSocket(env.SOCKETS + '/sockets/flood?' + call.id); s.onmessage = () => {}; await call.pause('1h')`, by: "server"},
	{name: "a socket that floods a loop", script: `const s = new WebSocket(env.SOCKETS + '/sockets/flood?' + call.id); (async () => { for await (const m of s); })().catch(() => {}); await call.pause('1h')`, by: "server"},
}

// street is a web server that hangs calls up.
type street struct {
	*httptest.Server
	live  func(worker string) *call.Live
	open  atomic.Int64 // requests and sockets under way
	asked atomic.Int64
}

func newStreet(t *testing.T) *street {
	s := &street{}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP does what the path says. The query, or the first message, is the id of the call that is to be hung up.
func (s *street) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.open.Add(1)
	defer s.open.Add(-1)
	s.asked.Add(1)
	switch r.URL.Path {
	case "/quick":
	case "/wait": // answers nothing
		s.hangUp(r.URL.RawQuery)
		<-r.Context().Done()
	case "/late": // answers when the call is over
		<-s.hangUp(r.URL.RawQuery)
	case "/flood":
		out := bufio.NewWriterSize(w, 64<<10)
		for r.Context().Err() == nil {
			if _, err := out.WriteString(strings.Repeat("x", 32<<10)); err != nil {
				return
			}
		}
	case "/echo", "/sockets/flood":
		up := websocket.Upgrader{}
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		if r.URL.Path == "/echo" {
			for {
				_, id, err := c.ReadMessage()
				if err != nil {
					return
				}
				s.hangUp(string(id))
			}
		}
		for i := 0; ; i++ {
			if err := c.WriteMessage(websocket.BinaryMessage, make([]byte, 1000)); err != nil {
				return
			}
			if i == 10 {
				s.hangUp(r.URL.RawQuery)
			}
		}
	}
}

// hangUp hangs a call up and returns what is closed when it is over.
func (s *street) hangUp(id string) <-chan struct{} {
	worker, _, _ := strings.Cut(id, "-")
	if c, ok := s.live(worker).Find(id); ok {
		_ = c.Hangup(call.Ending{By: call.SideCaller, Cause: call.CauseNormal})
		return c.Done()
	}
	over := make(chan struct{})
	close(over)
	return over
}

// world is a runtime with a clock of its own, in which calls follow each other.
type world struct {
	name   string
	rt     *runtime.Runtime
	clock  *sim.Clock
	live   *call.Live
	driver *sim.Driver
	h      *bindcall.Handler
	ids    int
}

func newWorld(t *testing.T, name string, s *street) *world {
	t.Helper()
	w := &world{name: name, clock: sim.NewClock(time.Time{}), live: &call.Live{}}
	modules, err := bindings.Standard(bindings.Options{Fetch: outbound.Options{Allow: []string{"127.0.0.1"}}})
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]runtime.Settings{}
	env := map[string]string{"SERVER": s.URL, "SOCKETS": "ws" + strings.TrimPrefix(s.URL, "http")}
	for i := range lives {
		settings[fmt.Sprint("app", i)] = runtime.Settings{Env: env}
	}
	w.rt, err = runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: w.live})),
		Clock: w.clock, Logger: slog.New(slog.DiscardHandler), Settings: settings, Journal: runtime.NewMemoryJournal(1000),
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, life := range lives {
		source := `exports.answer = async call => {` + life.script + `}
			exports.stream = async (socket, call) => { for await (const frame of socket) socket.play(frame) }
			exports.event = e => {}; exports.cdr = r => {}`
		if _, err := w.rt.Load(t.Context(), fmt.Sprint("app", i), runtime.FS(fstest.MapFS{"main.js": {Data: []byte(source)}}), "main.js"); err != nil {
			t.Fatalf("%s: %v", life.name, err)
		}
	}
	w.h = bindcall.NewHandler(bindcall.Options{Runtime: w.rt, Stream: stream.New, Live: w.live, Logger: slog.New(slog.DiscardHandler)})
	w.driver = sim.New(sim.Options{Clock: w.clock, Live: w.live, NewID: func() string { w.ids++; return fmt.Sprintf("%s-%d", w.name, w.ids) }})
	return w
}

// grace is what a script that does not end may still take: for its cleaning up, and for the records of other legs.
const grace = 40 * time.Second

// lives makes one call and checks how it ended.
func (w *world) lives(ctx context.Context, n int) error {
	life := lives[n]
	who := life.who
	who.App = fmt.Sprint("app", n)
	if life.by == "" {
		who.HangupAfter = 5 * time.Second
	}
	got, err := w.driver.Call(ctx, w.h, who)
	w.clock.Advance(grace)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w\n%s", life.name, err, got)
	case len(w.rt.Sessions()) != 0 || w.clock.Timers() != 0:
		return fmt.Errorf("%s: %d sessions and %d timers have outlived it\n%s", life.name, len(w.rt.Sessions()), w.clock.Timers(), got)
	case life.name == "an exception":
		return nil
	case got.Ending.By != call.SideCaller || got.Ending.Err != nil || got.Length > 5*time.Second || w.live.Len() != 0:
		return fmt.Errorf("%s: ended after %v by %s, %d calls are left\n%s", life.name, got.Length, got.Ending.By, w.live.Len(), got)
	}
	return nil
}

// leftovers are what could outlive a call.
type leftovers struct{ goroutines, files int }

func count(t *testing.T) leftovers {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("what is open cannot be counted here:", err)
	}
	return leftovers{len(goroutines()), len(files)}
}

// goroutines are the stacks of all goroutines but those that the runtime keeps for the next session.
func goroutines() []string {
	stacks := make([]byte, 4<<20)
	all := strings.Split(string(stacks[:goruntime.Stack(stacks, true)]), "\n\n")
	return slices.DeleteFunc(all, func(stack string) bool { return strings.Contains(stack, "(*workers).work(") })
}

// settle waits until nothing more ends: at best until no more than allowed is left.
func (s *street) settle(t *testing.T, allowed leftovers, left func() (leftovers, int, int)) leftovers {
	t.Helper()
	var now leftovers
	deadline := time.Now().Add(5 * time.Second)
	for same, before := 0, allowed; same < 3; before = now {
		s.CloseClientConnections() // those that clients keep for later
		goruntime.GC()
		var sessions, timers int
		now, sessions, timers = left()
		done := sessions+timers == 0 && s.open.Load() == 0
		if same++; !done && time.Now().Before(deadline) || now != before {
			same = 0
		}
		if done && now.goroutines <= allowed.goroutines && now.files <= allowed.files || time.Now().After(deadline) {
			break
		}
		<-time.After(20 * time.Millisecond)
	}
	return now
}

// Nothing outlives a call, whatever it was doing when it ended.
func TestNothingOutlivesTheCall(t *testing.T) {
	total, workers := 10_000, 4
	if testing.Short() || raceDetector {
		total = 500
	}
	s := newStreet(t)
	worlds := make([]*world, workers)
	for i := range worlds {
		worlds[i] = newWorld(t, fmt.Sprint("w", i), s)
	}
	s.live = func(worker string) *call.Live {
		var i int
		_, _ = fmt.Sscanf(worker, "w%d", &i)
		return worlds[i].live
	}
	play := func(calls int) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		var all sync.WaitGroup
		for _, w := range worlds {
			all.Go(func() {
				for i := range calls / workers {
					n := i % len(lives)
					if lives[n].by == "server" && i/len(lives)%3 != 0 { // they take real time: every third is enough
						n = i % 20
					}
					if err := w.lives(ctx, n); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	left := func() (counted leftovers, sessions, timers int) {
		for _, w := range worlds {
			sessions += len(w.rt.Sessions())
			timers += w.clock.Timers()
		}
		return count(t), sessions, timers
	}
	play(2 * workers * len(lives)) // what is made once is made
	before := s.settle(t, leftovers{}, left)
	began := time.Now()
	play(total)
	took := time.Since(began)
	after := s.settle(t, before, left)
	_, sessions, timers := left()
	t.Logf("%d calls in %v, %d requests; before %+v, after %+v", total, took.Round(time.Millisecond), s.asked.Load(), before, after)
	if sessions != 0 || timers != 0 || s.open.Load() != 0 {
		t.Errorf("%d sessions, %d timers and %d requests or sockets are left", sessions, timers, s.open.Load())
	}
	if after.goroutines > before.goroutines || after.files > before.files {
		t.Errorf("before %+v, after %+v\n%s", before, after, strings.Join(goroutines(), "\n\n"))
	}
	for _, w := range worlds {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := w.h.Drain(ctx); err != nil {
			t.Error(err)
		}
		cancel()
		w.rt.Close()
	}
}
