package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/dop251/goja"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/audio"
	bindaudio "github.com/piopiy/piopiyd/bindings/audio"
	"github.com/piopiy/piopiyd/bindings/clone"
	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type frame struct {
	text bool
	data []byte
}

// peer is the other end of a stream.
type peer struct {
	toScript, fromScript chan frame
	closing              sync.Once
	gone                 chan struct{}
	code                 int
}

func newPeer() *peer {
	return &peer{toScript: make(chan frame, 1000), fromScript: make(chan frame, 1000), gone: make(chan struct{})}
}

var _ call.Stream = (*peer)(nil)

func (p *peer) Read(ctx context.Context) (bool, []byte, error) {
	select {
	case f := <-p.toScript:
		return f.text, f.data, nil
	default:
	}
	select {
	case f := <-p.toScript:
		return f.text, f.data, nil
	case <-p.gone:
		return false, nil, io.EOF
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

func (p *peer) Write(ctx context.Context, text bool, data []byte) error {
	select {
	case p.fromScript <- frame{text, bytes.Clone(data)}:
		return nil
	case <-p.gone:
		return io.EOF
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *peer) Close(code int, _ string) error {
	p.closing.Do(func() { p.code = code; close(p.gone) })
	return nil
}

func (p *peer) say(text string) { p.toScript <- frame{true, []byte(text)} }

func (p *peer) sound(samples ...int16) { p.toScript <- frame{false, audio.AppendPCM(nil, samples)} }

// got returns the next frame that the script sent, as text: JSON, or samples.
func (p *peer) got(t testing.TB) string {
	t.Helper()
	select {
	case f := <-p.fromScript:
		if f.text {
			return string(f.data)
		}
		return fmt.Sprint(audio.FromPCM(nil, f.data))
	case <-time.After(10 * time.Second):
		t.Fatal("the script sent nothing in 10 s")
		return ""
	}
}

// engine is a peer that tells how much was heard, as the call engine does.
type engine struct {
	*peer
	heard time.Duration
}

func (e engine) Played() time.Duration { return e.heard }

// modules are what the scripts of these tests use.
func newKit(t testing.TB) *runtimetest.Kit {
	k := runtimetest.New(t, es.New(), timers.New(), clone.New(), bindaudio.New())
	k.Config.Limits.JournalSize = 1 << 40
	return k
}

// serve runs a script's stream callback on a stream; done has its result as JSON.
func serve(t testing.TB, k *runtimetest.Kit, clock runtime.Clock, from call.Stream, body string) (done chan string) {
	t.Helper()
	return run(t, load(k, body), clock, from)
}

// load loads a script's stream callback.
func load(k *runtimetest.Kit, body string) *runtime.App {
	k.Session(map[string]string{"main.js": "exports.stream = async socket => JSON.stringify(await (async () => {" + body + "\n})())"}).Close("only loaded")
	app, _ := k.Runtime().App("test")
	return app
}

func run(t testing.TB, app *runtime.App, clock runtime.Clock, from call.Stream) (done chan string) {
	t.Helper()
	s, err := app.NewSession(runtime.SessionConfig{ID: t.Name(), Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close("over"); <-s.Done() })
	done = make(chan string, 1)
	if c, ok := clock.(*sim.Clock); ok {
		c.Begin()
	}
	go func() {
		err := s.RunLong(context.Background(), "stream", func() (goja.Value, error) {
			f, _ := s.Export("stream")
			socket, _ := stream.New(s, from)
			return f(goja.Undefined(), socket)
		}, func(_ *goja.Runtime, v goja.Value) error { done <- v.String(); return nil })
		if err != nil {
			done <- err.Error()
		}
		if c, ok := clock.(*sim.Clock); ok {
			c.End()
		}
	}()
	return done
}

func result(t testing.TB, done chan string) string {
	t.Helper()
	select {
	case got := <-done:
		return got
	case <-time.After(10 * time.Second):
		t.Fatal("the script is not done in 10 s")
		return ""
	}
}
