package outbound_test

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serve starts a server that ends with the test.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// newClient makes a client that ends with the test.
func newClient(t testing.TB, o outbound.Options) *outbound.Client {
	t.Helper()
	c, err := outbound.NewClient(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

var local = []string{"127.0.0.1"}

func request(t testing.TB, method, url string) *outbound.Request {
	t.Helper()
	u, err := outbound.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return &outbound.Request{Method: method, URL: u, Header: http.Header{}}
}

// get fetches a URL and returns the whole body.
func get(t testing.TB, c *outbound.Client, url string) (*outbound.Response, string, error) {
	t.Helper()
	res, err := c.Do(t.Context(), request(t, "GET", url))
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res, string(b), err
}

// code returns the code of an error.
func code(err error) string {
	var e *outbound.Error
	if errors.As(err, &e) {
		return e.Code
	}
	if err == nil {
		return "no error"
	}
	return err.Error()
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("the error is %s (%v); want %s", got, err, want)
	}
}

// names is a DNS server in the test: it answers questions for A and AAAA records from a table.
type names map[string][]netip.Addr

func (n names) resolver(t testing.TB) *net.Resolver {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			k, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.answer(buf[:k]), from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answer writes a DNS reply (RFC 1035, section 4.1) to a query with one question.
func (n names) answer(query []byte) []byte {
	var labels []string
	at := 12
	for query[at] != 0 {
		labels = append(labels, string(query[at+1:at+1+int(query[at])]))
		at += 1 + int(query[at])
	}
	kind, end := binary.BigEndian.Uint16(query[at+1:]), at+5
	reply := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, query[12:end]...)
	addrs, known := n[strings.ToLower(strings.Join(labels, "."))]
	if !known {
		reply[3] |= 3 // no such name
		return reply
	}
	for _, a := range addrs {
		if want := map[bool]uint16{true: 1, false: 28}[a.Is4()]; want != kind {
			continue
		}
		data := a.AsSlice()
		reply = append(reply, 0xc0, 12, 0, byte(kind), 0, 1, 0, 0, 0, 60, 0, byte(len(data)))
		reply = append(reply, data...)
		reply[7]++
	}
	return reply
}
