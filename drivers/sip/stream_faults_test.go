package sip_test

import (
	"bytes"
	"context"
	"crypto/sha1"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// upgrade takes the request of a WebSocket client and agrees, as a server does that is about to send what it wants.
func upgrade(conn net.Conn) bool {
	var request []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(request, []byte("\r\n\r\n")) {
		n, err := conn.Read(buf)
		if err != nil {
			return false
		}
		request = append(request, buf[:n]...)
	}
	_, rest, _ := strings.Cut(string(request), "Sec-WebSocket-Key: ")
	key, _, _ := strings.Cut(rest, "\r\n")
	_, err := fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", acceptKey(key))
	return err == nil
}

// acceptKey answers a client's key (RFC 6455 section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return b64(sum[:])
}

// TestStreamsToBrokenServers opens streams to servers that do not do their part: each ends in an event, and the next
// action runs.
func TestStreamsToBrokenServers(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	noise := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	closing := func(code int, reason string) string {
		return streamServer(t, func(conn *websocket.Conn) {
			_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, reason), time.Now().Add(time.Second))
			_, _, _ = conn.ReadMessage()
		})
	}
	for name, c := range map[string]struct {
		url  string
		want []string
	}{
		"nobody listens": {"ws://127.0.0.1:1/agent", []string{"stream_error", "refused"}},
		"no WebSocket server": {silent(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
			_, _ = io.Copy(io.Discard, conn)
		}), []string{"stream_error", "the server answers 200 OK"}},
		"no HTTP server": {silent(t, func(conn net.Conn) { _, _ = conn.Write(noise(2000)) }), []string{"stream_error", "cannot be opened"}},
		"an endless reply": {silent(t, func(conn net.Conn) {
			_, err := io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\n")
			for err == nil {
				_, err = io.WriteString(conn, "X-More: "+strings.Repeat("more ", 200)+"\r\n")
			}
		}), []string{"stream_error", "65536 octets"}},
		"it closes": {closing(4001, "no credit"), []string{"stream_disconnected", `"code":4001`, "no credit"}},
		"it breaks off": {silent(t, func(conn net.Conn) {
			if upgrade(conn) {
				_, _ = io.CopyN(io.Discard, conn, 1000)
			}
		}), []string{"stream_disconnected", `"code":1006`, "broke off"}},
		"frames that are none": {silent(t, func(conn net.Conn) {
			if upgrade(conn) {
				_, _ = conn.Write(append([]byte{0xFF, 0xFF}, noise(5000)...))
				_, _ = io.Copy(io.Discard, conn)
			}
		}), []string{"stream_disconnected", `"code":1002`}},
		"a message without end": {streamServer(t, func(conn *websocket.Conn) {
			_ = conn.WriteMessage(websocket.BinaryMessage, make([]byte, 17<<20))
			_, _, _ = conn.ReadMessage()
		}), []string{"stream_disconnected", `"code":1009`}},
	} {
		t.Run(name, func(t *testing.T) {
			x, reported := openWithEvents(t, streams(c.url, "", `, { action: 'speak', text: 'hz 640' }`))
			p := called(t, x)
			p.hears(640)
			reported.has(c.want...)
			p.ends()
		})
	}
}

// TestStreamHandshakeThatHangs calls an app whose server takes the connection and says nothing.
func TestStreamHandshakeThatHangs(t *testing.T) {
	t.Parallel()
	url := silent(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	x, reported := openWithEvents(t, streams(url, "", `, { action: 'speak', text: 'hz 640' }`), sip.Hurry(0.3))
	began := time.Now()
	p, impatient := called(t, x), newPhone(t, nil)
	if err := impatient.call(t.Context(), x, "ai"); err != nil {
		t.Fatal(err)
	}
	impatient.hangUp()
	x.has("a cdr answered NORMAL_CLEARING") // without waiting for the server
	if waited := time.Since(began); waited > 2*time.Second {
		t.Errorf("the caller hung up, and the call was over after %v", waited)
	}
	p.hears(640)
	if waited := time.Since(began); waited < 3*time.Second || waited > 5*time.Second {
		t.Errorf("the next action ran after %v", waited)
	}
	reported.has("stream_error", "has not answered within 3s")
	p.ends()
}

// TestStreamThatIsStuck has a server that reads nothing: the call goes on as if nothing were, and the stream is closed
// with 1011.
func TestStreamThatIsStuck(t *testing.T) {
	t.Parallel()
	a := newAgent(t, func(a *agent, server *httptest.Server) {
		a.deaf = true
		server.Listener = smallBuffers{server.Listener}
	})
	x, reported := openWithEvents(t, streams(a.url, ", voice_quality: '16000'", `, { action: 'play', file_name: 'long.wav' }, { action: 'speak', text: 'hz 640' }`), sip.Hurry(0.4))
	x.file("long.wav", 700, 12*time.Second)
	p := called(t, x)
	p.talk.Loop(tone(1100, time.Second))
	reported.has("stream_disconnected", `"code":1011`, "took nothing for 2s")
	p.hears(700)
	p.hangUp()
	if s := p.session.Stats(); s.Lost > 0 || s.Received < 50 {
		t.Errorf("the phone: %+v", s)
	}
	if f := x.faults(); !strings.Contains(f, "too slow") {
		t.Errorf("faults: %s", f)
	}
}

// smallBuffers lets the system keep little of what a server does not read.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	return conn, err
}

// TestStreamFlood has a server send whatever it can: the call goes on, and so does the stream.
func TestStreamFlood(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	x := open(t, streams(a.url, ", events: true", ""))
	p, other := called(t, x), newPhone(t, nil)
	if err := other.call(t.Context(), x, "ai2"); err == nil {
		t.Fatal("there is no ai2")
	}
	p.talk.Loop(tone(1100, time.Second))
	conn := a.connected()
	flood := [][]byte{
		nil, []byte("garbage"), []byte("{"), []byte("[}"), []byte(`{"type":"streamAudio"}`), []byte(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"%"}}`),
		[]byte(`{"type":"streamAudio","data":{"audioDataType":"flac","sampleRate":8000,"audioData":""}}`), []byte(`{"type":"streamAudio","data":{"audioDataType":"mp3","sampleRate":8000,"audioData":"AAAAAAAA"}}`),
		[]byte(`{"type":"streamAudio","data":{"audioDataType":"ogg","sampleRate":-1,"audioData":"T2dnUwAA"}}`), []byte(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":44100,"audioData":""}}`),
		[]byte(`[{"action":"fly"}]`), []byte(`{"action":7}`), []byte(`{"type":"mark","name":"x"}`), {0xFF, 0xFE, 0}, []byte(strings.Repeat("[", 10_000)), []byte(`{"data":` + strings.Repeat(`{"data":`, 5000)),
	}
	loudPiece := octets(media.Tone(2000, 10*time.Second))
	begin := time.Now()
	sent := 0
	for ; time.Since(begin) < 2*time.Second; sent++ {
		_ = conn.SetWriteDeadline(time.Now().Add(patience))
		if err := conn.WriteMessage(websocket.TextMessage, flood[sent%len(flood)]); err != nil {
			t.Fatalf("after %d frames: %v", sent, err)
		}
		if sent%10 == 0 {
			_ = conn.WriteMessage(websocket.BinaryMessage, loudPiece)
			_ = conn.WriteControl(websocket.PingMessage, []byte("ping"), time.Now().Add(time.Second))
		}
	}
	t.Logf("%d frames were sent", sent)
	a.note(func() { a.heard = nil })
	a.hears(1100, 8000)
	a.send(`{"action":"break"}`)
	a.gets("cleared")
	a.plays("raw", 8000, octets(media.Tone(2500, time.Second)))
	p.hears(2500)
	p.hangUp()
	if s := p.session.Stats(); s.Lost > 0 {
		t.Errorf("the phone: %+v", s)
	}
	if f := x.faults(); !strings.Contains(f, "wait to be heard: what is too much is dropped") || !strings.Contains(f, "no JSON object and no array") {
		t.Errorf("faults: %s", f)
	}
}

// TestStreamOverTLS opens streams to wss servers: the system decides whom it trusts.
func TestStreamOverTLS(t *testing.T) {
	t.Parallel()
	if path := os.Getenv("STREAM_TEST_URL"); path != "" {
		x, reported := openWithEvents(t, streams(path, "", ""))
		p := called(t, x)
		p.hears(800)
		reported.has("stream_connected")
		p.hangUp()
		return
	}
	a := newAgent(t, func(_ *agent, server *httptest.Server) {
		server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains of who does not trust it
	})
	x, reported := openWithEvents(t, streams(a.url, "", `, { action: 'speak', text: 'hz 640' }`))
	p := called(t, x)
	p.hears(640)
	reported.has("stream_error", "certificate")
	p.ends()

	// The same server, in a process whose system trusts the certificate.
	trusted := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(trusted, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate}), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStreamOverTLS$", "-test.v")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+trusted, "STREAM_TEST_URL="+a.url)
	done := make(chan []byte, 1)
	go func() {
		out, err := cmd.CombinedOutput()
		if err != nil {
			out = append(out, err.Error()...)
		} else {
			out = nil
		}
		done <- out
	}()
	a.connected()
	a.plays("raw", 8000, octets(media.Tone(800, 5*time.Second)))
	if out := <-done; out != nil {
		t.Errorf("where the certificate is trusted:\n%s", tail(string(out), 3000))
	}
}

// TestStreamWhoseCallEnds hangs up while the server floods: the close frame arrives all the same.
func TestStreamWhoseCallEnds(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	x := open(t, streams(a.url, "", ""))
	p := called(t, x)
	conn := a.connected()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for range 2000 {
			if conn.WriteMessage(websocket.BinaryMessage, make([]byte, 640)) != nil {
				return
			}
		}
	}()
	p.talk.Loop(tone(1100, time.Second))
	a.hears(1100, 8000)
	p.hangUp()
	if code := a.ends(); code != 1000 {
		t.Errorf("closed with %d", code)
	}
	<-stopped
	x.reported("a in_answered", "b stream_connected", "b stream_disconnected", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}
