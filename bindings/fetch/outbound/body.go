package outbound

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// errClosed is how a body ends that its reader has closed.
var errClosed = errors.New("the body was closed")

// Body is a response's body: decompressed, bounded, and with a reader of its own that keeps ahead of the script.
// Read, Buffered and Close may be called from different goroutines; Read from one at a time.
type Body struct {
	x       *exchange
	raw     io.ReadCloser
	src     io.Reader // decoded; nil until the first read
	limit   int64
	length  int64 // as announced, -1 when unknown
	codings []string
	n       int64 // decoded bytes read from src

	mu      sync.Mutex
	ahead   []byte // read and not yet taken
	err     error  // how src ended
	reading bool   // readAhead is at work
	more    chan struct{}
	closed  bool
	taken   bool // something was taken out of ahead
}

func newBody(x *exchange, method string, res *http.Response) *Body {
	b := &Body{x: x, raw: res.Body, limit: x.client.options.MaxBody, length: res.ContentLength}
	empty := method == http.MethodHead || res.StatusCode == http.StatusNoContent || res.StatusCode == http.StatusNotModified
	if !empty {
		for _, v := range res.Header.Values("Content-Encoding") {
			for c := range strings.SplitSeq(v, ",") {
				if c = strings.ToLower(strings.TrimSpace(c)); c != "" && c != "identity" {
					b.codings = append(b.codings, c)
				}
			}
		}
	}
	if empty || res.Body == http.NoBody {
		b.length = 0
		b.err = b.end(io.EOF)
	}
	return b
}

// Length returns the announced length of the decompressed body, or -1 when it is not known.
func (b *Body) Length() int64 {
	if len(b.codings) > 0 {
		return -1
	}
	return b.length
}

// ReadAhead begins to read up to n bytes on a goroutine of its own, so that short bodies are there when they are
// asked for and their connections are free again. It returns when that is done, at the latest after wait. Call it
// at most once, before Read. The goroutine ends with the body, its limits or its context.
func (b *Body) ReadAhead(n int, wait time.Duration) {
	b.mu.Lock()
	if b.err != nil || b.closed {
		b.mu.Unlock()
		return
	}
	b.reading, b.more = true, make(chan struct{})
	b.mu.Unlock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.readAhead(n)
	}()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-done:
	case <-late.C:
	}
}

func (b *Body) readAhead(n int) {
	size := n
	if b.length >= 0 && len(b.codings) == 0 {
		size = int(min(int64(n), b.length+1)) // room to meet the end
	}
	chunk := make([]byte, min(max(size, 512), 16<<10))
	for {
		k, err := b.pull(chunk)
		b.mu.Lock()
		b.ahead = append(b.ahead, chunk[:k]...)
		b.err = err // not before the bytes: who sees the end has seen them all
		stop := err != nil || b.closed || len(b.ahead) >= n
		if stop {
			b.reading = false
		}
		close(b.more)
		b.more = make(chan struct{})
		b.mu.Unlock()
		if stop {
			return
		}
	}
}

// Read implements io.Reader.
func (b *Body) Read(p []byte) (int, error) {
	for {
		b.mu.Lock()
		switch {
		case b.closed:
			b.mu.Unlock()
			return 0, errClosed
		case len(b.ahead) > 0:
			n := copy(p, b.ahead)
			b.ahead, b.taken = b.ahead[n:], true
			b.mu.Unlock()
			return n, nil
		case b.err != nil:
			err := b.err
			b.mu.Unlock()
			return 0, err
		case !b.reading:
			b.mu.Unlock()
			n, err := b.pull(p)
			b.mu.Lock()
			b.err = err
			b.taken = b.taken || n > 0
			b.mu.Unlock()
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		more := b.more
		b.mu.Unlock()
		<-more // readAhead ends when the exchange's context does
	}
}

// Buffered returns the whole body without waiting, if all of it has been read ahead and none taken. The body is
// then at its end.
func (b *Body) Buffered() ([]byte, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != io.EOF || b.taken || b.closed {
		return nil, false
	}
	whole := b.ahead
	b.ahead, b.taken = nil, true
	return whole, true
}

// Seen returns how many bytes the server has sent so far, after decompression, and whether that is all of them.
func (b *Body) Seen() (n int64, all bool) {
	b.x.mu.Lock()
	n = b.x.seen.Bytes
	b.x.mu.Unlock()
	b.mu.Lock()
	defer b.mu.Unlock()
	return n, b.err == io.EOF
}

// ReadAll returns the rest of the body.
func (b *Body) ReadAll() ([]byte, error) {
	if whole, ok := b.Buffered(); ok {
		return whole, nil
	}
	size := 512
	if n := b.Length(); n > 0 && n <= b.limit {
		size = int(n) + 1
	}
	buf := make([]byte, 0, size)
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := b.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// Close ends the body, also while it is being read. A connection whose body was not read to its end is closed.
func (b *Body) Close() error {
	b.mu.Lock()
	b.closed, b.ahead = true, nil
	b.mu.Unlock()
	b.x.finish(errClosed)
	return b.raw.Close()
}

// pull reads from the wire, until it returns an error; the caller notes the error in b.err.
func (b *Body) pull(p []byte) (int, error) {
	if b.src == nil {
		if b.Length() > b.limit {
			return 0, b.end(b.tooBig())
		}
		src, err := decoded(b.raw, b.codings)
		if err != nil {
			return 0, b.end(err)
		}
		b.src = src
	}
	n, err := b.src.Read(p)
	if int64(n) > b.limit-b.n {
		n, err = int(b.limit-b.n), b.tooBig()
	}
	b.n += int64(n)
	b.x.count(n)
	if err != nil {
		err = b.end(err)
	}
	return n, err
}

func (b *Body) tooBig() error {
	return &Error{Code: "ETOOBIG", Message: fmt.Sprintf("the body is larger than the limit of %d bytes (fetch.max_body in the configuration)", b.limit)}
}

// end explains how the body ended and frees the connection.
func (b *Body) end(err error) error {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	switch {
	case closed:
		err = errClosed
	case err != io.EOF:
		var damaged flate.CorruptInputError
		switch {
		case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader), errors.Is(err, zlib.ErrChecksum), errors.Is(err, zlib.ErrHeader), errors.As(err, &damaged):
			err = &Error{Code: "EENCODING", Message: "the body's compression is damaged", Err: err}
		default:
			err = b.x.explain(err, "the body did not end")
		}
	}
	_ = b.raw.Close()
	if err == io.EOF {
		b.x.finish(nil)
	} else {
		b.x.finish(err)
	}
	return err
}

// decoded undoes the content codings, the last applied first.
func decoded(raw io.Reader, codings []string) (io.Reader, error) {
	for i := len(codings) - 1; i >= 0; i-- {
		in := bufio.NewReader(raw)
		head, err := in.Peek(2)
		if err == io.EOF && len(head) == 0 {
			return in, nil // an empty body has no compression either
		}
		switch c := codings[i]; c {
		case "gzip", "x-gzip":
			raw, err = gzip.NewReader(in)
		case "deflate":
			// The standard means zlib; some servers send the bare stream.
			if len(head) == 2 && head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
				raw, err = zlib.NewReader(in)
			} else {
				raw, err = flate.NewReader(in), nil
			}
		default:
			return nil, &Error{Code: "EENCODING", Message: fmt.Sprintf("the body is in the encoding %q, which was not asked for", c)}
		}
		if err != nil {
			return nil, err
		}
	}
	return raw, nil
}
