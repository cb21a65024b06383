package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// wantedStream is what a media stream may add between a packet in and a frame out.
const wantedStream = 5 * time.Millisecond

// listener is somebody's WebSocket server, which notes when frames come and whose they are.
type listener struct {
	url  string
	http http.Server

	mu      sync.Mutex
	streams []*streamHeard
}

// streamHeard is what came over one stream.
type streamHeard struct {
	party  int // -1 until it is known
	frames []frameHeard
}

// frameHeard is when a frame came; -1 is one without a stamp.
type frameHeard struct {
	frame int
	at    time.Time
}

func newListener() (*listener, error) {
	l := &listener{}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.url = "ws://" + tcp.Addr().String() + "/agent"
	l.http.Handler = http.HandlerFunc(l.serve)
	go func() { _ = l.http.Serve(tcp) }()
	return l, nil
}

func (l *listener) serve(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stream := &streamHeard{party: -1}
	l.mu.Lock()
	l.streams = append(l.streams, stream)
	l.mu.Unlock()
	for {
		kind, data, err := conn.ReadMessage()
		at := time.Now()
		if err != nil {
			return
		}
		if kind != websocket.BinaryMessage {
			continue
		}
		from, frame, ok := readStampPCM(data)
		l.mu.Lock()
		stream.note(from, frame, ok, at)
		l.mu.Unlock()
	}
}

func (s *streamHeard) note(from, frame int, ok bool, at time.Time) {
	if ok {
		s.party = from
	} else {
		frame = -1
	}
	s.frames = append(s.frames, frameHeard{frame, at})
}

// between returns the frames that came in a span of time.
func (s *streamHeard) between(began, ended time.Time) []frameHeard {
	return slices.DeleteFunc(slices.Clone(s.frames), func(h frameHeard) bool { return h.at.Before(began) || h.at.After(ended) })
}

// ticks are when packets that the engine sent to each party came: one leaves in each tick of a call's clock, the same that
// hands a frame to the stream.
type ticks map[int][]time.Time

func (t ticks) note(p *party, _ []byte, at time.Time) { t[p.id] = append(t[p.id], at) }

// mediaStreams measures how long sound takes from a phone to a WebSocket server.
func (b *bench) mediaStreams(ctx context.Context) error {
	if !hasSIPp("media streams") {
		return nil
	}
	server, err := newListener()
	if err != nil {
		return err
	}
	defer func() { _ = server.http.Close() }()
	s, err := b.startEngine(ctx, map[string]map[string]string{"stream": {"URL": server.url}})
	if err != nil {
		return err
	}
	defer s.stop()
	far, err := newSound(false)
	if err != nil {
		return err
	}
	defer far.close()
	clock := ticks{} // owned by far until it is ignored
	far.tell(clock.note)
	length := time.Duration(b.rounds) * b.length
	p, err := b.startSIPp(ctx, calling{
		scenario: "uac", to: s.sip, app: "stream", calls: b.streams, rate: max(1, b.streams/2), sound: far.port, hold: length + 8*time.Second,
	})
	if err != nil {
		return err
	}
	defer p.stop()
	hush := far.speaking(ctx)
	var cpu time.Duration
	var began time.Time
	err = far.await(ctx, b.streams, 10*time.Second)
	if err == nil {
		pause(ctx, 4*time.Second) // the jitter buffers find their depth
		began = time.Now()
		if cpu, err = s.cpu(); err == nil {
			pause(ctx, length)
			var after time.Duration
			after, err = s.cpu()
			cpu = after - cpu
		}
	}
	ended := time.Now()
	hush()
	far.ignore()
	if err != nil {
		return err
	}

	var whole, added distribution
	server.mu.Lock()
	defer server.mu.Unlock()
	damaged := 0
	for _, stream := range server.streams {
		list := stream.between(began, ended)
		for _, h := range list {
			if h.frame < 0 {
				damaged++
			} else if sent, ok := far.sentAt(stream.party, h.frame); ok {
				whole = append(whole, h.at.Sub(sent))
			}
		}
		added = append(added, sinceTick(list, clock[stream.party])...)
	}
	if len(whole) == 0 {
		return fmt.Errorf("no sound of the callers reached the WebSocket server")
	}
	slices.Sort(whole)
	slices.Sort(added)
	fmt.Printf("\nMedia streams: %d at a time, %d frames, %d of them damaged\n", b.streams, len(whole)+damaged, damaged)
	fmt.Printf("  from the phone's send to the server's read: p50 %.1f ms, p99 %.1f ms, jitter buffer and clock included; CPU %.3f %% of a core a call\n",
		whole.at(0.5), whole.at(0.99), 100*cpu.Seconds()/ended.Sub(began).Seconds()/float64(b.streams))
	verdict(fmt.Sprintf("what the stream adds after the call's clock: p50 %.2f ms, p99 %.2f ms", added.at(0.5), added.at(0.99)),
		fmt.Sprint(wantedStream), added.at(0.99) <= float64(wantedStream.Milliseconds()))
	return nil
}

// sinceTick returns how long after their tick frames arrived. Frames and ticks follow each other one by one; which
// belong together, the middle of all frames says.
func sinceTick(list []frameHeard, ticks []time.Time) (added []time.Duration) {
	if len(list) == 0 || len(ticks) == 0 {
		return nil
	}
	offsets := make([]int, len(list))
	for i, h := range list {
		last, _ := slices.BinarySearchFunc(ticks, h.at, func(t, at time.Time) int { return t.Compare(at) })
		offsets[i] = last - 1 - i
	}
	slices.Sort(offsets)
	offset := offsets[len(offsets)/2]
	for i, h := range list {
		if at := i + offset; at >= 0 && at < len(ticks) {
			added = append(added, h.at.Sub(ticks[at]))
		}
	}
	return added
}
