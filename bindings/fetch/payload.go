package fetch

import (
	"bytes"
	"context"
	"io"
	"sync"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// payload is the body of a request or response: bytes in memory, or a response's body on its way. Its fields
// belong to the session's goroutine; from is read by one operation at a time.
type payload struct {
	null   bool // there is no body
	data   []byte
	from   io.ReadCloser // nil when the body is in memory
	flight *flight       // the fetch it comes from, or nil
	used   bool          // somebody has begun to read it (bodyUsed)
	locked bool          // a reader or an iteration holds it
	object *goja.Object  // the stream that shows it, once there is one
	turn   <-chan struct{}
	read   int64 // bytes handed to a reader so far
}

func inMemory(data []byte) *payload { return &payload{data: data, null: data == nil} }

// usable throws unless the body can be read from its beginning.
func (p *payload) usable(in *instance, where string) {
	switch {
	case p.used:
		in.throw("TypeError", where+": the body has already been read; keep its result, or read a clone()")
	case p.locked:
		in.throw("TypeError", where+": the body is locked to a reader")
	}
}

// takeAll takes a body in memory, nil when there is none: for requests, whose bodies always are.
func (p *payload) takeAll(in *instance, where string) []byte {
	if p.null {
		return nil
	}
	p.usable(in, where)
	p.used = true
	return p.data
}

// rest reads what is left. It runs on a goroutine of its own.
func rest(src io.ReadCloser) ([]byte, error) {
	defer src.Close()
	if b, ok := src.(*outbound.Body); ok {
		return b.ReadAll()
	}
	return io.ReadAll(src)
}

// consume reads the whole body and returns a promise for what convert makes of it. convert may keep the bytes
// when they are fresh, and must copy them otherwise.
func (in *instance) consume(p *payload, where string, convert func(data []byte, fresh bool) goja.Value) goja.Value {
	if p.null {
		return convert(nil, true)
	}
	from := webidl.Here(in.s)
	p.usable(in, where)
	p.used = true
	if p.from == nil {
		return convert(p.data, false)
	}
	src := p.from
	return runtime.Operate(in.s, runtime.Operation[piece]{
		Begin: "fetch_body_begin", End: "fetch_body", Asks: p.name(),
		Do: func(context.Context) (piece, error) {
			data, err := rest(src)
			if end := p.flight.end(err); end != nil {
				return piece{}, end
			}
			return piece{Data: data, Failure: failed(err)}, nil
		},
		Note: func(got piece, err error) any { return in.read(p.flight, int64(len(got.Data)), got.Failure, err) },
		Value: func(got piece, err error) (goja.Value, error) {
			in.ended(p.flight)
			if err != nil {
				return nil, err
			}
			if got.Failure != nil {
				return nil, in.rejection(p.flight, from, got.Failure.err())
			}
			return in.attempt(func() goja.Value { return convert(got.Data, true) })
		},
	})
}

// piece is what a read of a body brought.
type piece struct {
	Data    []byte   `json:"data,omitempty"`
	End     bool     `json:"end,omitempty"`
	Failure *failure `json:"failure,omitempty"`
}

// name says in the journal which body is read.
func (p *payload) name() map[string]int {
	if p.flight == nil {
		return nil
	}
	return map[string]int{"n": p.flight.n}
}

// chunkSize is the most that one read of a stream returns.
const chunkSize = 32 << 10

// next reads the next piece of the body and returns a promise for {value, done}.
func (in *instance) next(p *payload) goja.Value {
	from := webidl.Here(in.s)
	p.used = true
	if p.from == nil {
		data := p.data
		p.data = nil
		if len(data) == 0 {
			return in.step(nil)
		}
		return in.step(bytes.Clone(data))
	}
	// Reads begun together happen one after the other, each when the one before it is over.
	src, before, mine := p.from, p.turn, make(chan struct{})
	p.turn = mine
	return runtime.Operate(in.s, runtime.Operation[piece]{
		Begin: "fetch_body_begin", End: "fetch_body", Asks: p.name(),
		Do: func(ctx context.Context) (piece, error) {
			defer close(mine)
			if before != nil {
				select {
				case <-before:
				case <-ctx.Done():
				}
			}
			data, err := readPiece(src)
			switch end := p.flight.end(err); {
			case err == io.EOF:
				return piece{End: true}, nil
			case end != nil:
				return piece{}, end
			}
			return piece{Data: data, Failure: failed(err)}, nil
		},
		Note: func(got piece, err error) any {
			return in.read(p.flight, p.read+int64(len(got.Data)), got.Failure, err)
		},
		Value: func(got piece, err error) (goja.Value, error) {
			p.read += int64(len(got.Data))
			switch {
			case err != nil:
				in.ended(p.flight)
				return nil, err
			case len(got.Data) > 0:
				return in.attempt(func() goja.Value { return in.step(got.Data) })
			case got.End:
				in.ended(p.flight)
				return in.step(nil), nil
			}
			in.ended(p.flight)
			return nil, in.rejection(p.flight, from, got.Failure.err())
		},
	})
}

// readPiece reads until there is something.
func readPiece(src io.Reader) ([]byte, error) {
	buf := make([]byte, chunkSize)
	n, err := src.Read(buf)
	for n == 0 && err == nil {
		n, err = src.Read(buf)
	}
	switch {
	case n == 0:
		return nil, err
	case n < chunkSize/2:
		return bytes.Clone(buf[:n]), nil
	}
	return buf[:n:n], nil
}

// step makes an iterator's result: the end when there are no bytes.
func (in *instance) step(chunk []byte) goja.Value {
	o := in.s.VM().NewObject()
	if len(chunk) == 0 {
		_ = o.Set("value", goja.Undefined())
		_ = o.Set("done", true)
		return o
	}
	_ = o.Set("value", webidl.Uint8Array(in.s, chunk))
	_ = o.Set("done", false)
	return o
}

// cancel gives the body up. The exchange ends unless a clone of the body goes on.
func (in *instance) cancel(p *payload) {
	p.used = true
	p.data = nil
	if p.from == nil {
		return
	}
	_ = p.from.Close()
	p.from = nil
	if p.flight.clones == 0 {
		if !p.flight.told {
			in.s.Record("fetch_body", in.read(p.flight, p.read, nil, nil))
		}
		in.ended(p.flight)
		return
	}
	p.flight.clones--
}

// clone splits the body into two that can be read independently.
func (p *payload) clone(in *instance, where string) *payload {
	if p.null {
		return &payload{null: true}
	}
	p.usable(in, where)
	if p.from == nil {
		return inMemory(p.data)
	}
	t := &tee{src: p.from, open: 2}
	p.flight.clones++
	p.from = &branch{tee: t}
	return &payload{from: &branch{tee: t}, flight: p.flight}
}

// tee keeps what was read from a body until both its branches have seen it. The client's limit for bodies bounds
// it.
type tee struct {
	mu   sync.Mutex
	src  io.ReadCloser
	data []byte
	err  error
	open int
}

type branch struct {
	tee    *tee
	at     int
	closed bool
}

// Read implements io.Reader.
func (b *branch) Read(p []byte) (int, error) {
	b.tee.mu.Lock()
	defer b.tee.mu.Unlock()
	t := b.tee
	if b.at == len(t.data) && t.err == nil {
		n, err := t.src.Read(p)
		t.data = append(t.data, p[:n]...)
		t.err = err
	}
	if b.at < len(t.data) {
		n := copy(p, t.data[b.at:])
		b.at += n
		return n, nil
	}
	return 0, t.err
}

// Close implements io.Closer: the last branch closes the body.
func (b *branch) Close() error {
	b.tee.mu.Lock()
	defer b.tee.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	if b.tee.open--; b.tee.open == 0 {
		return b.tee.src.Close()
	}
	return nil
}
