package main

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// wantedEcho is what a script that echoes may add to a frame, at p99 with 100 streams.
const wantedEcho = 2 * time.Millisecond

// echo measures what a script adds to a frame that it sends back: over the media WebSocket that a platform opens, and
// through the call engine. The floor of each is an echo server written in Go.
func (b *bench) echo(ctx context.Context) error {
	if err := b.echoOverSockets(ctx); err != nil {
		return err
	}
	return b.echoThroughEngine(ctx)
}

// echoOverSockets is the platform: it opens streams and sends a frame every 20 ms over each. An answer is a frame too, as
// the platform takes them.
func (b *bench) echoOverSockets(ctx context.Context) error {
	s, err := b.startEngine(ctx, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	floor, err := b.floor(ctx, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	peers := []struct {
		name  string
		sides *echoSides
		added []float64 // p99 of rounds, in ms
		cpu   []float64 // µs a frame
		all   distribution
		*server
	}{{name: "the floor, an echo server in Go", server: floor}, {name: "piopiyd, a script's stream callback", server: s.server}}
	for i := range peers {
		p := &peers[i]
		if p.sides, err = openEchoes(ctx, "ws://"+p.addr+"/hooks/echo/stream", b.streams); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		defer p.sides.close()
	}
	var added []float64
	for round := range b.rounds + 1 {
		for i := range peers {
			p := &peers[i]
			before, err := p.cpuTime()
			if err != nil {
				return err
			}
			d, err := p.sides.run(ctx, b.length)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			after, err := p.cpuTime()
			if err != nil {
				return err
			}
			if round > 0 { // the first does not count
				p.added = append(p.added, d.at(0.99))
				p.cpu = append(p.cpu, float64((after-before).Nanoseconds())/1000/float64(len(d)))
				p.all = append(p.all, d...)
			}
		}
		if round > 0 {
			added = append(added, peers[1].added[round-1]-peers[0].added[round-1])
		}
	}
	fmt.Printf("\nA frame echoed over a media WebSocket: %d streams, a frame of 20 ms each (%d rounds of %v, in turns)\n", b.streams, b.rounds, b.length)
	for _, p := range peers {
		slices.Sort(p.all)
		fmt.Printf("  %-40s p50 %.2f ms, p99 %.2f ms (%.2f-%.2f), p99.9 %.2f ms; CPU %.1f µs a frame\n", p.name, p.all.at(0.5), median(p.added), slices.Min(p.added), slices.Max(p.added), p.all.at(0.999), median(p.cpu))
	}
	verdict(fmt.Sprintf("what the script adds at p99: %.2f ms (%.2f-%.2f)", median(added), slices.Min(added), slices.Max(added)), fmt.Sprint(wantedEcho), median(added) <= float64(wantedEcho.Milliseconds()))
	return nil
}

// echoSides are the platform's ends of streams.
type echoSides struct {
	conns   []*websocket.Conn
	readers sync.WaitGroup

	mu       sync.Mutex
	sent     [][]time.Time // by stream and frame
	took     distribution
	problem  error
	answered int
}

func openEchoes(ctx context.Context, url string, n int) (*echoSides, error) {
	e := &echoSides{sent: make([][]time.Time, n)}
	for i := range n {
		conn, reply, err := websocket.DefaultDialer.DialContext(ctx, fmt.Sprintf("%s?call=00000000-0000-4000-8000-%012d", url, uint64(1e11)+nextCall.Add(1)), nil)
		if err != nil {
			e.close()
			return nil, err
		}
		_ = reply.Body.Close()
		e.conns = append(e.conns, conn)
		e.readers.Go(func() { e.read(conn, i) })
	}
	return e, nil
}

func (e *echoSides) close() {
	for _, conn := range e.conns {
		_ = conn.Close()
	}
	e.readers.Wait()
}

// read takes answers. A frame's first four octets are its number.
func (e *echoSides) read(conn *websocket.Conn, stream int) {
	for {
		_, data, err := conn.ReadMessage()
		at := time.Now()
		if err != nil {
			if !errors.Is(err, websocket.ErrCloseSent) {
				e.note(func() { e.problem = errors.Join(e.problem, fmt.Errorf("stream %d: %w", stream, err)) })
			}
			return
		}
		frame, ok := echoed(data)
		e.note(func() {
			if !ok || frame >= len(e.sent[stream]) {
				e.problem = fmt.Errorf("stream %d: an answer that was not asked for: %.80q", stream, data)
				return
			}
			e.answered++
			e.took = append(e.took, at.Sub(e.sent[stream][frame]))
		})
	}
}

func (e *echoSides) note(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f()
}

// echoed returns the number of the frame in an answer.
func echoed(data []byte) (frame int, ok bool) {
	const key = `"audioData":"`
	_, rest, found := strings.Cut(string(data), key)
	text, _, closed := strings.Cut(rest, `"`)
	if !found || !closed {
		return 0, false
	}
	samples, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(samples) != 2*frameSamples {
		return 0, false
	}
	return int(binary.LittleEndian.Uint32(samples)), true
}

// run sends frames for a time, the streams' moments spread evenly, and returns how long their answers took.
func (e *echoSides) run(ctx context.Context, length time.Duration) (distribution, error) {
	e.note(func() { e.took, e.answered = nil, 0 })
	sent, packet := 0, make([]byte, 2*frameSamples)
	next := time.Now()
	for slot, until := 0, next.Add(length); time.Now().Before(until) && ctx.Err() == nil; slot++ {
		for i := slot % 20; i < len(e.conns); i += 20 {
			e.note(func() {
				binary.LittleEndian.PutUint32(packet, uint32(len(e.sent[i])))
				e.sent[i] = append(e.sent[i], time.Now())
			})
			if err := e.conns[i].WriteMessage(websocket.BinaryMessage, packet); err != nil {
				return nil, err
			}
			sent++
		}
		next = next.Add(time.Millisecond)
		if wait := time.Until(next); wait > 0 {
			time.Sleep(wait)
		} else if wait < -5*time.Millisecond { // this machine is busy: a platform would not make up for it by a burst
			next = time.Now()
		}
	}
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		e.mu.Lock()
		answered, took, err := e.answered, e.took, e.problem
		e.mu.Unlock()
		switch {
		case err != nil:
			return nil, err
		case answered == sent:
			slices.Sort(took)
			return took, ctx.Err()
		case time.Since(began) > 5*time.Second:
			return nil, fmt.Errorf("%d of %d frames did not come back", sent-answered, sent)
		}
	}
}

// serveEcho is the floor: it answers every frame as a script on piopiyd does, or with the frame itself.
func serveEcho(w http.ResponseWriter, r *http.Request, asJSON bool) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	for {
		kind, data, err := conn.ReadMessage()
		if err != nil {
			return
		}
		if kind != websocket.BinaryMessage {
			continue
		}
		if asJSON {
			kind, data = websocket.TextMessage, []byte(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"`+base64.StdEncoding.EncodeToString(data)+`"}}`)
		}
		if conn.WriteMessage(kind, data) != nil {
			return
		}
	}
}
