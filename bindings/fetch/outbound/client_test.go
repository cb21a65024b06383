package outbound_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
)

// raw is a server that answers every connection as it likes.
func raw(t testing.TB, answer func(c net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c)
			c.Close()
		}
	}()
	return "http://" + l.Addr().String()
}

// afterRequest reads the request before it answers.
func afterRequest(answer func(c net.Conn)) func(net.Conn) {
	return func(c net.Conn) {
		if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
			r.Body.Close()
		}
		answer(c)
	}
}

func say(text string) func(net.Conn) {
	return afterRequest(func(c net.Conn) { fmt.Fprint(c, text) })
}

func TestFailures(t *testing.T) {
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	plain := serve(t, func(http.ResponseWriter, *http.Request) {})
	c := newClient(t, outbound.Options{Allow: append(local, "localhost"), Resolver: names{"no.address": nil}.resolver(t)})
	for name, test := range map[string]struct{ url, want string }{
		"nothing listens":  {"http://" + gone.Addr().String(), "ECONNREFUSED"},
		"no such name":     {"http://nowhere.example/", "ENOTFOUND"},
		"no address":       {"http://no.address/", "ENOTFOUND"},
		"closes at once":   {raw(t, func(net.Conn) {}), "ECONNRESET"},
		"closes after":     {raw(t, say("")), "ECONNRESET"},
		"not HTTP":         {raw(t, say("SSH-2.0-OpenSSH\r\n\r\n")), "EPROTO"},
		"endless header":   {raw(t, say("HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 300<<10)+"\r\n\r\n")), "EPROTO"},
		"TLS to plain":     {strings.Replace(plain.URL, "http:", "https:", 1), "EPROTO"},
		"unknown issuer":   {secure.URL, "UNABLE_TO_VERIFY_LEAF_SIGNATURE"},
		"body breaks off":  {raw(t, say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")), "ECONNRESET"},
		"chunk breaks off": {raw(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal")), "ECONNRESET"},
		"chunk is wrong":   {raw(t, say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")), "EPROTO"},
	} {
		_, _, err := get(t, c, test.url)
		if code(err) != test.want {
			t.Errorf("%s: %s (%v); want %s", name, code(err), err, test.want)
		}
		t.Logf("%s: %v", name, err)
	}
}

func TestTLS(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	c := newClient(t, outbound.Options{Allow: local, TLS: &tls.Config{RootCAs: roots}})
	if _, body, err := get(t, c, s.URL); err != nil || body != "HTTP/1.1" {
		t.Errorf("%q, %v", body, err)
	}
	_, _, err := get(t, newClient(t, outbound.Options{Allow: local, TLS: &tls.Config{RootCAs: roots, ServerName: "other.example"}}), s.URL)
	wantCode(t, err, "ERR_TLS_CERT_ALTNAME_INVALID")
}

func TestTimeouts(t *testing.T) {
	quiet := raw(t, drain)
	slow := raw(t, afterRequest(func(c net.Conn) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX: y") // and never another byte
		drain(c)
	}))
	for _, url := range []string{quiet, slow} {
		c := newClient(t, outbound.Options{Allow: local, Timeout: 30 * time.Millisecond})
		_, _, err := get(t, c, url)
		wantCode(t, err, "ETIMEDOUT")
		if err == nil || !strings.Contains(err.Error(), "30ms") || !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		c = newClient(t, outbound.Options{Allow: local, HeaderTimeout: 30 * time.Millisecond})
		_, _, err = get(t, c, url)
		wantCode(t, err, "ETIMEDOUT")

		c = newClient(t, outbound.Options{Allow: local})
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("hung up")
		time.AfterFunc(10*time.Millisecond, func() { cancel(reason) })
		_, err = c.Do(ctx, request(t, "GET", url))
		if !errors.Is(err, reason) {
			t.Errorf("%v; want the context's cause", err)
		}
		cancel(nil)
	}
}

// drain reads until the other side is gone.
func drain(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

// A name server that never answers holds a fetch no longer than the time to connect.
func TestSlowNames(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	over, end := context.WithCancel(context.Background())
	defer end() // the resolver itself waits for many seconds
	r := &net.Resolver{PreferGo: true, Dial: func(_ context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(over, "udp", silent.LocalAddr().String())
		if err == nil {
			context.AfterFunc(over, func() { conn.Close() })
		}
		return conn, err
	}}
	c := newClient(t, outbound.Options{ConnectTimeout: 30 * time.Millisecond, Resolver: r})
	_, _, err = get(t, c, "http://slow.example/")
	wantCode(t, err, "ETIMEDOUT")
}

func TestConnectionsAreSharedAndReused(t *testing.T) {
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "x") }))
	opened := make(chan struct{}, 100)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened <- struct{}{}
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	c := newClient(t, outbound.Options{Allow: local})
	for range 20 {
		res, err := c.Do(t.Context(), request(t, "POST", s.URL))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.ReadAhead(100, time.Minute) // nobody reads the body, and the connection is free all the same
	}
	if n := len(opened); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

func TestRequestsThatCannotBe(t *testing.T) {
	c := newClient(t, outbound.Options{})
	for _, r := range []*outbound.Request{
		{},
		{URL: &url.URL{Scheme: "ftp", Host: "example.com"}},
		{URL: &url.URL{Scheme: "http", Host: "example.com", User: url.User("u")}},
		{URL: &url.URL{Scheme: "http"}},
	} {
		_, err := c.Do(t.Context(), r)
		wantCode(t, err, "EURL")
	}
}

func TestDialContext(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = newClient(t, outbound.Options{}).DialContext(t.Context(), "tcp", l.Addr().String())
	wantCode(t, err, "EBLOCKED")
	if _, err = newClient(t, outbound.Options{Allow: local}).DialContext(t.Context(), "udp", l.Addr().String()); err == nil {
		t.Error("UDP passed")
	}
	conn, err := newClient(t, outbound.Options{Allow: local}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}
