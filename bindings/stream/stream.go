// Package stream gives scripts the call's media WebSocket: what the platform sends arrives as PCM frames, and
// what the script plays goes back as the platform's streamAudio messages (protocol page, section 4).
//
//	export async function stream(socket, call) {
//		for await (const frame of socket) socket.play(frame)   // an echo
//	}
package stream

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"sync"
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
	// maxUnsent bounds what a script may send ahead of a peer that does not read.
	maxUnsent = 256
	// maxAudio bounds one piece of audio, in bytes.
	maxAudio = 8 << 20
)

// New returns what a script sees of a stream. It reads from the stream until that ends, or the session does. On
// the session's goroutine.
func New(s *runtime.Session, from call.Stream) goja.Value {
	k := &socket{session: s, from: from, outbox: make(chan outgoing, maxUnsent), over: make(chan struct{})}
	object := s.VM().CreateObject(prototype(s))
	k.object = object
	_ = object.DefineDataPropertySymbol(symbolFor(s), s.VM().ToValue(k), goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	promise, resolve, _ := s.VM().NewPromise()
	k.ended = s.VM().ToValue(promise)
	k.resolveEnded = resolve
	if s.DryRun() {
		return object
	}
	ctx, cancel := context.WithCancel(s.Context())
	k.cancel = cancel
	release := s.Hold()
	go k.read(ctx, release)
	go k.send(ctx)
	return object
}

// socket is one stream bound to a session.
type socket struct {
	session *runtime.Session
	from    call.Stream
	object  *goja.Object
	cancel  context.CancelFunc
	outbox  chan outgoing
	over    chan struct{} // closed when reading has ended

	mu      sync.Mutex
	queue   [][]byte
	dropped int
	closed  bool
	deaf    bool // nobody sends any more

	// Owned by the session's goroutine.
	waiter       func(outcome func() (goja.Value, error))
	onText       []goja.Callable
	ended        goja.Value
	resolveEnded func(any) error
	array        goja.Value // the Int16Array constructor
}

type outgoing struct {
	text bool
	data []byte
	sent func()
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
			k.session.Post(func() error { return k.deliverText(string(data)) })
			continue
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
		return k.resolveEnded(goja.Undefined())
	})
}

// send writes what the script sends, in order.
func (k *socket) send(ctx context.Context) {
	defer k.cancel()
	defer k.discard()
	for {
		select {
		case <-ctx.Done():
			_ = k.from.Close(1001, "the script has ended")
			return
		case <-k.over:
			return
		case out := <-k.outbox:
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
}

// discard drops what was not sent and takes nothing more.
func (k *socket) discard() {
	k.mu.Lock()
	k.deaf = true
	k.mu.Unlock()
	for {
		select {
		case out := <-k.outbox:
			out.sent()
		default:
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

func (k *socket) deliverText(text string) error {
	for _, f := range k.onText {
		if _, err := f(k.object, k.session.VM().ToValue(text)); err != nil {
			return err
		}
	}
	return nil
}

// put queues a message for the peer; a peer that does not read is reported, never waited for.
func (k *socket) put(a runtime.Args, out outgoing) {
	if k.session.DryRun() {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.deaf || k.closed {
		return
	}
	out.sent = k.session.Work()
	select {
	case k.outbox <- out:
	default:
		out.sent()
		a.Throw("the peer does not read; too much is waiting to be sent")
	}
}

// streamAudio is the platform's message for audio (protocol page, section 4.4).
type streamAudio struct {
	Type string `json:"type"`
	Data struct {
		AudioDataType string `json:"audioDataType"`
		SampleRate    int    `json:"sampleRate"`
		AudioData     string `json:"audioData"`
	} `json:"data"`
}

// play sends audio: samples, bytes, or base64 text.
func (k *socket) play(a runtime.Args) {
	options := a.Options(1, "type", "rate")
	kind := options.String("type", "raw")
	switch kind {
	case "raw", "mp3", "wav", "ogg":
	default:
		a.Throw("option \"type\" must be raw, mp3, wav or ogg, not %q", kind)
	}
	rate := options.Int("rate", 8000, 8000, 16000)
	if rate != 8000 && rate != 16000 {
		a.Throw("option \"rate\" must be 8000 or 16000 Hz, not %d", rate)
	}
	var m streamAudio
	m.Type = "streamAudio"
	m.Data.AudioDataType, m.Data.SampleRate = kind, rate
	switch audio := a.Value(0).Export().(type) {
	case string:
		if _, err := base64.StdEncoding.DecodeString(audio); err != nil {
			a.Throw("audio given as text must be base64: %v", err)
		}
		m.Data.AudioData = audio
	case []byte:
		m.Data.AudioData = base64.StdEncoding.EncodeToString(audio)
	case goja.ArrayBuffer:
		m.Data.AudioData = base64.StdEncoding.EncodeToString(audio.Bytes())
	case []int16:
		bytes := make([]byte, 0, 2*len(audio))
		for _, sample := range audio {
			bytes = binary.LittleEndian.AppendUint16(bytes, uint16(sample))
		}
		m.Data.AudioData = base64.StdEncoding.EncodeToString(bytes)
	default:
		a.Throw("audio must be an Int16Array of samples, a Uint8Array, an ArrayBuffer or base64 text, not %s", runtime.Describe(a.Value(0)))
	}
	if len(m.Data.AudioData) > maxAudio {
		a.Throw("one piece of audio may have %d bytes; send it in smaller ones", maxAudio*3/4)
	}
	text, _ := json.Marshal(m)
	k.put(a, outgoing{text: true, data: text})
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
