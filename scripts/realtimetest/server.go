// Package realtimetest is a stand-in for an AI server that speaks OpenAI's Realtime protocol over WebSocket: it hears
// where speech begins and ends by its energy, answers with a tone that goes on for long, takes truncations, and calls a
// function on request. Scripts that talk with such servers are tested against it.
package realtimetest

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// Options say how a [Server] talks.
type Options struct {
	// Key is what clients must authorize themselves with; "" takes any.
	Key string
	// Tone is the frequency of its voice in Hz (default 600).
	Tone float64
	// Answer is how long each answer is (default 20 s); it is sent at once, faster than it can be heard.
	Answer time.Duration
	// Silence is how much silence ends what the caller says (default 500 ms).
	Silence time.Duration
	// Human is after which of the caller's utterances it calls the function transfer_to_human (0: never). Before, it says
	// a last second of its tone.
	Human int
	// Beta uses the names of events that the protocol had before: response.audio.delta.
	Beta bool
}

// Server is a running server. It ends with its test.
type Server struct {
	// URL is its address: ws://127.0.0.1:port/v1/realtime.
	URL string

	t       testing.TB
	options Options

	mu       sync.Mutex
	changed  chan struct{}
	sessions []*session
	events   []Event
}

// Event is something that happened, as the server saw it.
type Event struct {
	At time.Time
	// Type is the protocol's, of either side.
	Type string
	// Item and Heard are those of a truncation: which answer was cut, and how much of it was heard.
	Item  string
	Heard time.Duration
}

// Start starts a server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.Tone == 0 {
		o.Tone = 600
	}
	if o.Answer == 0 {
		o.Answer = 20 * time.Second
	}
	if o.Silence == 0 {
		o.Silence = 500 * time.Millisecond
	}
	s := &Server{t: t, options: o, changed: make(chan struct{})}
	web := httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = "ws" + strings.TrimPrefix(web.URL, "http") + "/v1/realtime"
	t.Cleanup(func() {
		s.mu.Lock()
		sessions := s.sessions
		s.mu.Unlock()
		for _, c := range sessions {
			_ = c.conn.Close()
		}
		web.Close()
		for _, c := range sessions {
			<-c.done
		}
	})
	return s
}

// Port is the server's port.
func (s *Server) Port() string {
	port, _, _ := strings.Cut(s.URL[strings.LastIndex(s.URL, ":")+1:], "/")
	return port
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.options.Key != "" && r.Header.Get("Authorization") != "Bearer "+s.options.Key {
		http.Error(w, `{"error":{"type":"invalid_request_error","code":"invalid_api_key"}}`, http.StatusUnauthorized)
		return
	}
	conn, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return // it was told
	}
	c := newSession(s, conn)
	s.mu.Lock()
	s.sessions = append(s.sessions, c)
	s.mu.Unlock()
	c.run()
}

func (s *Server) note(e Event) {
	e.At = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	close(s.changed)
	s.changed = make(chan struct{})
}

// Events returns what happened, but for the sound.
func (s *Server) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Event(nil), s.events...)
}

// Await waits until something has happened n times, and returns the last of them.
func (s *Server) Await(kind string, n int) Event {
	s.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		events, changed := s.events, s.changed
		s.mu.Unlock()
		left := n
		for _, e := range events {
			if e.Type == kind {
				if left--; left == 0 {
					return e
				}
			}
		}
		select {
		case <-changed:
		case <-deadline:
			s.t.Fatalf("there were not %d of %s, but %v", n, kind, Types(events))
		}
	}
}

// Types are the types of events, in order.
func Types(events []Event) []string {
	types := make([]string, len(events))
	for i, e := range events {
		types[i] = e.Type
	}
	return types
}
