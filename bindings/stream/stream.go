// Package stream gives scripts the call's media WebSocket: what the platform sends arrives as PCM frames, and
// what the script plays goes back as the platform's streamAudio messages (protocol page, section 4).
//
//	export async function stream(socket, call) {
//		for await (const frame of socket) socket.play(frame)   // an echo
//	}
package stream

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

const (
	// maxQueued is how many frames wait for a script that is slower than the call: two seconds of 20 ms frames.
	// Then the oldest are dropped, and counted.
	maxQueued = 100
	// maxAudio bounds one piece of audio, in bytes.
	maxAudio = 6 << 20
)

// New returns what a script sees of a stream. It reads from the stream until that ends, or the session does. On
// the session's goroutine. flush, which may be called from any goroutine, returns when what the script has sent so far
// was sent, or never will be.
func New(s *runtime.Session, from call.Stream) (socket goja.Value, flush func(ctx context.Context)) {
	k := newSocket(s, from)
	return k.object, k.flush
}

func newSocket(s *runtime.Session, from call.Stream) *socket {
	k := &socket{session: s, from: from, outbox: newOutbox(), over: make(chan struct{})}
	k.hearing, _ = from.(Hearing)
	k.playback.clock = s.Now
	k.rate.Store(defaultRate)
	object := s.VM().CreateObject(prototype(s))
	k.object = object
	_ = object.DefineDataPropertySymbol(symbolFor(s), s.VM().ToValue(k), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	promise, resolve, _ := s.VM().NewPromise()
	k.ended = s.VM().ToValue(promise)
	k.resolveEnded = resolve
	if s.DryRun() {
		k.outbox.close()
		return k
	}
	ctx, cancel := context.WithCancel(s.Context())
	k.cancel = cancel
	release := s.Hold()
	go k.read(ctx, release)
	go k.send(ctx)
	return k
}

// flush is what New returns.
func (k *socket) flush(ctx context.Context) {
	done := make(chan struct{})
	if !k.outbox.put(outgoing{mark: true, sent: func() { close(done) }}) {
		return // the peer does not read
	}
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// socket is one stream bound to a session.
type socket struct {
	session *runtime.Session
	from    call.Stream
	object  *goja.Object
	cancel  context.CancelFunc
	outbox  *outbox
	over    chan struct{} // closed when reading has ended
	rate    atomic.Int32  // the stream's sample rate in Hz

	mu      sync.Mutex
	queue   [][]byte
	dropped int
	closed  bool

	// Owned by the session's goroutine.
	waiter       func(outcome func() (goja.Value, error))
	listeners    map[string][]goja.Callable
	hearing      Hearing // nil where the peer does not tell
	playback     playback
	ended        goja.Value
	resolveEnded func(any) error
	array        goja.Value // the Int16Array constructor
}

// read brings frames in until the stream ends. The session does not count as stuck meanwhile.
func (k *socket) read(ctx context.Context, release func()) {
	defer release()
	var err error
	for {
		var isText bool
		var data []byte
		isText, data, err = k.from.Read(ctx)
		if err != nil {
			break
		}
		if isText {
			k.announce(data)
			k.session.Post(func() error { return k.deliverText(string(data)) })
			continue
		}
		if len(data) < 2 {
			continue // no sample
		}
		k.mu.Lock()
		k.queue = append(k.queue, data)
		if len(k.queue) > maxQueued {
			k.queue = k.queue[1:]
			k.dropped++
		}
		wake := len(k.queue) == 1
		k.mu.Unlock()
		if wake {
			k.session.Post(k.wake)
		}
	}
	if !errors.Is(err, io.EOF) && ctx.Err() == nil {
		// A peer that breaks off is an end like any other to the script, and no fault of its.
		k.session.Record("stream", map[string]string{"state": "broken", "error": err.Error()})
	}
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	close(k.over)
	k.session.Post(func() error {
		if err := k.wake(); err != nil {
			return err
		}
		k.forgetMarks()
		if err := k.tell("end"); err != nil {
			return err
		}
		return k.resolveEnded(goja.Undefined())
	})
}

// send writes what the script sends, in order.
func (k *socket) send(ctx context.Context) {
	defer k.cancel()
	defer k.outbox.close()
	for {
		out, ok := k.outbox.take()
		if !ok {
			select {
			case <-ctx.Done():
				_ = k.from.Close(1001, "the script has ended")
				return
			case <-k.over:
				return
			case <-k.outbox.wake:
			}
			continue
		}
		if out.mark {
			out.sent()
			continue
		}
		if out.data == nil {
			_ = k.from.Close(1000, "")
			out.sent()
			return
		}
		err := k.from.Write(ctx, out.text, out.data)
		out.sent()
		if err != nil {
			_ = k.from.Close(1001, "the peer does not read")
			return
		}
	}
}

// wake hands a frame to the script if it waits for one.
func (k *socket) wake() error {
	if k.waiter == nil {
		return nil
	}
	frame, done := k.take()
	if frame == nil && !done {
		return nil
	}
	settle := k.waiter
	k.waiter = nil
	settle(func() (goja.Value, error) { return k.step(frame) })
	return nil
}

// take returns the next frame, or whether there will be none.
func (k *socket) take() (frame []byte, done bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.queue) > 0 {
		frame = k.queue[0]
		k.queue = k.queue[1:]
		return frame, false
	}
	return nil, k.closed
}

// next implements the async iterator's next().
func (k *socket) next() goja.Value {
	frame, done := k.take()
	if frame == nil && !done {
		if k.waiter != nil {
			panic(k.session.NewError("TypeError", "stream: a frame is awaited already; iterate once"))
		}
		promise, settle := k.session.Promise()
		k.waiter = settle
		return promise
	}
	promise, resolve, reject := k.session.VM().NewPromise()
	v, err := k.step(frame)
	if err != nil {
		_ = reject(k.session.ErrorValue(err))
	} else {
		_ = resolve(v)
	}
	return k.session.VM().ToValue(promise)
}

// step makes an iterator result of a frame; none means the end.
func (k *socket) step(frame []byte) (goja.Value, error) {
	vm := k.session.VM()
	result := vm.NewObject()
	_ = result.Set("done", frame == nil)
	if frame == nil {
		_ = result.Set("value", goja.Undefined())
		return result, nil
	}
	samples, err := k.samples(frame)
	if err != nil {
		return nil, err
	}
	_ = result.Set("value", samples)
	return result, nil
}

// samples hands a frame to the script as Int16Array, without a copy. An odd last byte is no sample.
func (k *socket) samples(frame []byte) (goja.Value, error) {
	vm := k.session.VM()
	k.session.Guard().Buffers()
	if k.array == nil {
		k.array = vm.GlobalObject().Get("Int16Array")
	}
	return vm.New(k.array, vm.ToValue(vm.NewArrayBuffer(nativeOrder(frame[:len(frame)&^1]))))
}

// nativeOrder turns little-endian samples into the machine's order, in place.
func nativeOrder(frame []byte) []byte {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return frame
	}
	for i := 0; i+1 < len(frame); i += 2 {
		frame[i], frame[i+1] = frame[i+1], frame[i]
	}
	return frame
}

// put queues a message for the peer; a peer that does not read is reported, never waited for.
func (k *socket) put(a runtime.Args, out outgoing) {
	if k.session.DryRun() || k.isClosed() {
		return
	}
	out.sent = k.session.Work()
	if !k.outbox.put(out) {
		out.sent()
		a.Throw("the peer does not read; too much is waiting to be sent")
	}
}

// perform sends a PCMO document for the platform to perform now.
func (k *socket) perform(a runtime.Args) {
	result, err := bindpcmo.Decode(k.session, a.Value(0), noContinuations{k.session})
	if err != nil {
		panic(k.session.ErrorValue(err))
	}
	if len(result.JSON) == 0 {
		a.Throw("a PCMO document was expected, not %s", runtime.Describe(a.Value(0)))
	}
	k.session.Record("pcmo", json.RawMessage(result.JSON))
	k.put(a, outgoing{text: true, data: result.JSON})
}

// noContinuations refuses functions where nothing could bring digits back.
type noContinuations struct{ s *runtime.Session }

func (n noContinuations) Register(goja.Callable, string) string {
	panic(n.s.NewError("TypeError", "a function cannot stand for an action_url on a stream; use the address of a web server"))
}
