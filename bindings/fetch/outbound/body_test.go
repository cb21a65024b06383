package outbound_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

func compress(t testing.TB, how string, data []byte) []byte {
	var b bytes.Buffer
	var w io.WriteCloser
	switch how {
	case "gzip":
		w = gzip.NewWriter(&b)
	case "deflate":
		w = zlib.NewWriter(&b)
	case "bare":
		w, _ = flate.NewWriter(&b, flate.BestCompression)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

func TestContentCodings(t *testing.T) {
	text := []byte(strings.Repeat("hello ", 1000))
	gz := compress(t, "gzip", text)
	bodies := map[string]struct {
		coding string
		data   []byte
		want   string
	}{
		"gzip":     {"gzip", gz, string(text)},
		"x-gzip":   {"X-GZIP", gz, string(text)},
		"zlib":     {"deflate", compress(t, "deflate", text), string(text)},
		"bare":     {"deflate", compress(t, "bare", text), string(text)},
		"both":     {"deflate, gzip", compress(t, "gzip", compress(t, "deflate", text)), string(text)},
		"identity": {"identity", text, string(text)},
		"empty":    {"gzip", nil, ""},
		"brotli":   {"br", text, "EENCODING"},
		"damaged":  {"gzip", append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0}, "nonsense"...), "EENCODING"},
		"no gzip":  {"gzip", text, "EENCODING"},
		"cut off":  {"gzip", gz[:len(gz)/2], "ECONNRESET"},
		"sum":      {"gzip", append(append([]byte{}, gz[:len(gz)-8]...), 1, 2, 3, 4, 5, 6, 7, 8), "EENCODING"},
	}
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b := bodies[r.URL.Query().Get("is")]
		w.Header().Set("Content-Encoding", b.coding)
		_, _ = w.Write(b.data)
	})
	c := newClient(t, outbound.Options{Allow: local})
	for name, b := range bodies {
		for _, ahead := range []bool{false, true} {
			r := request(t, "GET", s.URL)
			r.URL.RawQuery = "is=" + strings.ReplaceAll(name, " ", "+")
			res, err := c.Do(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			if ahead {
				res.Body.ReadAhead(64<<10, time.Minute)
			}
			body, err := res.Body.ReadAll()
			got := string(body)
			if err != nil {
				got = code(err)
			}
			if got != b.want {
				t.Errorf("%s (ahead %v): %.60s (%v); want %.60s", name, ahead, got, err, b.want)
			}
			if res.Header.Get("Content-Encoding") != b.coding {
				t.Errorf("%s: the header is gone", name)
			}
			res.Body.Close()
		}
	}
}

func TestBodiesOverTheLimit(t *testing.T) {
	bomb := compress(t, "gzip", make([]byte, 4<<20))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/announced":
			w.Header().Set("Content-Length", "1001")
			_, _ = w.Write(make([]byte, 1001))
		case "/chunked":
			for range 11 {
				_, _ = w.Write(make([]byte, 100))
				w.(http.Flusher).Flush()
			}
		case "/bomb":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb)
		case "/exact":
			_, _ = w.Write(make([]byte, 1000))
		}
	})
	ended := make(chan outbound.Exchange, 1)
	c := newClient(t, outbound.Options{Allow: local, MaxBody: 1000, Observer: func(x outbound.Exchange) { ended <- x }})
	for _, path := range []string{"/announced", "/chunked", "/bomb"} {
		res, body, err := get(t, c, s.URL+path)
		wantCode(t, err, "ETOOBIG")
		if len(body) > 1000 || res.Status != 200 {
			t.Errorf("%s: %d bytes, status %d", path, len(body), res.Status)
		}
		if x := <-ended; code(x.Err) != "ETOOBIG" || x.Bytes > 1000 || x.Status != 200 {
			t.Errorf("%s: the observer saw %+v", path, x)
		}
	}
	if _, body, err := get(t, c, s.URL+"/exact"); err != nil || len(body) != 1000 {
		t.Errorf("%d bytes, %v", len(body), err)
	}
	if x := <-ended; x.Err != nil || x.Bytes != 1000 {
		t.Errorf("the observer saw %+v", x)
	}
	r := request(t, "HEAD", s.URL+"/announced")
	res, err := c.Do(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(res.Body); err != nil || len(b) != 0 {
		t.Errorf("HEAD: %d bytes, %v", len(b), err)
	}
	<-ended
}

func TestReadAheadAndStreaming(t *testing.T) {
	whole := make([]byte, 300<<10)
	_, _ = rand.Read(whole)
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(whole) })
	c := newClient(t, outbound.Options{Allow: local})
	for _, ahead := range []int{1, 1000, 64 << 10, 1 << 20} {
		res, err := c.Do(t.Context(), request(t, "GET", s.URL))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.ReadAhead(ahead, 0)
		got, err := io.ReadAll(res.Body)
		if err != nil || !bytes.Equal(got, whole) {
			t.Errorf("ahead %d: %d bytes, %v", ahead, len(got), err)
		}
		res.Body.Close()
	}
	res, err := c.Do(t.Context(), request(t, "GET", s.URL))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.ReadAhead(1<<20, time.Minute)
	if n, all := res.Body.Seen(); n != int64(len(whole)) || !all {
		t.Errorf("seen %d, %v", n, all)
	}
	got, ok := res.Body.Buffered()
	if !ok || !bytes.Equal(got, whole) {
		t.Errorf("buffered %d, %v", len(got), ok)
	}
	if _, ok := res.Body.Buffered(); ok {
		t.Error("a body was handed out twice")
	}
}

// A body that stands still: the piece that came is delivered, and the rest ends with whatever comes first.
func TestHalfOpenBodies(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		fmt.Fprint(w, "first")
		w.(http.Flusher).Flush()
		<-release
	})
	t.Cleanup(func() { close(release) })
	reason := errors.New("the call is over")
	for name, test := range map[string]struct {
		timeout time.Duration
		end     func(cancel context.CancelCauseFunc, b *outbound.Body)
		want    string
	}{
		"time is up":     {50 * time.Millisecond, nil, "ETIMEDOUT"},
		"caller leaves":  {0, func(cancel context.CancelCauseFunc, _ *outbound.Body) { cancel(reason) }, reason.Error()},
		"body is closed": {0, func(_ context.CancelCauseFunc, b *outbound.Body) { b.Close() }, "the body was closed"},
	} {
		for _, ahead := range []bool{true, false} {
			ended := make(chan outbound.Exchange, 1)
			c := newClient(t, outbound.Options{Allow: local, Observer: func(x outbound.Exchange) { ended <- x }})
			ctx, cancel := context.WithCancelCause(t.Context())
			r := request(t, "GET", s.URL)
			r.Timeout = test.timeout
			res, err := c.Do(ctx, r)
			if err != nil {
				t.Fatal(err)
			}
			if ahead {
				res.Body.ReadAhead(1000, 0)
			}
			buf := make([]byte, 100)
			if n, err := res.Body.Read(buf); string(buf[:n]) != "first" || err != nil {
				t.Errorf("%s: %q, %v", name, buf[:n], err)
			}
			if test.end != nil {
				go test.end(cancel, res.Body)
			}
			_, err = res.Body.Read(buf)
			wantCode(t, err, test.want)
			if x := <-ended; x.Bytes != 5 {
				t.Errorf("%s: the observer saw %+v", name, x)
			}
			cancel(nil)
		}
	}
}

// Short bodies that arrive while somebody asks for them must arrive whole.
func TestReadAheadAgainstItsReader(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "first,")
		if r.URL.RawQuery != "" {
			w.(http.Flusher).Flush()
		}
		fmt.Fprint(w, "second")
	})
	c := newClient(t, outbound.Options{Allow: local})
	for i := range 600 {
		r := request(t, "GET", s.URL)
		if i%2 == 0 {
			r.URL.RawQuery = "flush"
		}
		res, err := c.Do(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.ReadAhead(100, 0)
		var got []byte
		if i%3 == 0 {
			got, err = io.ReadAll(res.Body)
		} else {
			got, err = res.Body.ReadAll()
		}
		if string(got) != "first,second" || err != nil {
			t.Fatalf("round %d: %q, %v", i, got, err)
		}
		res.Body.Close()
	}
}
