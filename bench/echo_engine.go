package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// echoThroughEngine is a caller who hears what they say: a frame goes through the jitter buffer, waits for the call's
// clock, and leaves with a later tick of it, because of a script in the daemon or of a Go server behind a WebSocket.
func (b *bench) echoThroughEngine(ctx context.Context) error {
	if !hasSIPp("echoes through the engine") {
		return nil
	}
	floor, err := b.floor(ctx, "")
	if err != nil {
		return err
	}
	defer floor.stop()
	s, err := b.startEngine(ctx, map[string]map[string]string{"stream": {"URL": "ws://" + floor.addr + "/echo"}})
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("\nA frame echoed through the call engine: %d calls, jitter buffer and clock included (%v each)\n", b.streams, time.Duration(b.rounds)*b.length)
	for _, peer := range []struct{ name, app string }{{"the floor, an echo server in Go", "stream"}, {"piopiyd, a script's stream callback", "echo"}} {
		e, err := b.echoedCalls(ctx, s, peer.app)
		if err != nil {
			return fmt.Errorf("%s: %w", peer.name, err)
		}
		fmt.Printf("  %-40s p50 %.1f ms, p99 %.1f ms, p99.9 %.1f ms; %.2f %% a tick late; CPU %.3f %% of a core a call\n",
			peer.name, e.whole.at(0.5), e.whole.at(0.99), e.whole.at(0.999), 100*e.late, 100*e.cpu)
	}
	return nil
}

// echoes is what came back to callers.
type echoes struct {
	whole distribution // from a phone's send to its read
	late  float64      // share of the frames that came a tick or more later than those of their call mostly do
	cpu   float64      // of a core, of a call
}

func (b *bench) echoedCalls(ctx context.Context, s *engine, app string) (e echoes, err error) {
	far, err := newSound(false)
	if err != nil {
		return e, err
	}
	defer far.close()
	type hearing struct {
		party, frame int
		at           time.Time
	}
	var heard []hearing // owned by far until it is ignored
	far.tell(func(p *party, packet []byte, at time.Time) {
		if from, frame, ok := readStampPCMU(packet[rtpHeader:]); ok && from == p.id {
			heard = append(heard, hearing{from, frame, at})
		}
	})
	length := time.Duration(b.rounds) * b.length
	p, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: app, calls: b.streams, rate: max(1, b.streams/2), sound: far.port, hold: length + 8*time.Second})
	if err != nil {
		return e, err
	}
	defer p.stop()
	hush := far.speaking(ctx)
	var cpu, after time.Duration
	var began time.Time
	if err = far.await(ctx, b.streams, 10*time.Second); err == nil {
		pause(ctx, 4*time.Second) // the jitter buffers find their depth
		began = time.Now()
		if cpu, err = s.cpuTime(); err == nil {
			pause(ctx, length)
			after, err = s.cpuTime()
		}
	}
	ended := time.Now()
	hush()
	far.ignore()
	if err != nil {
		return e, err
	}
	calls := map[int]distribution{}
	for _, h := range heard {
		if sent, ok := far.sentAt(h.party, h.frame); ok && h.at.After(began) && h.at.Before(ended) {
			calls[h.party] = append(calls[h.party], h.at.Sub(sent))
		}
	}
	late := 0
	for _, took := range calls {
		slices.Sort(took)
		e.whole = append(e.whole, took...)
		for _, t := range took {
			if t > took[len(took)/2]+frameTime/2 {
				late++
			}
		}
	}
	if len(e.whole) == 0 {
		return e, errors.New("no echo came back")
	}
	slices.Sort(e.whole)
	e.late = float64(late) / float64(len(e.whole))
	e.cpu = (after - cpu).Seconds() / ended.Sub(began).Seconds() / float64(b.streams)
	_, err = p.wait()
	return e, err
}
