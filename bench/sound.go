package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	wantedCall     = 0.11 // % of a core, G.711 both ways
	wantedRecorded = 0.15 // the same, recorded
	wantedMemory   = 60.0 // KiB a call
	onTime         = 5 * time.Millisecond
)

// sound measures calls with sound both ways: a prompt is played to each, and its phone sends every packet back.
func (b *bench) sound(ctx context.Context) error {
	if !hasSIPp("calls with sound") {
		return nil
	}
	s, err := b.startEngine(ctx, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	fmt.Printf("\nSound: %d calls at a time, G.711 both ways, journal and RTCP on (%d windows of %v)\n", b.held, b.rounds, b.length)
	if _, err := b.hold(ctx, s, "recorded", min(b.held, 20), 1); err != nil { // warm-up
		return err
	}
	for _, one := range []struct {
		app    string
		wanted float64
		memory bool
	}{{"play", wantedCall, true}, {"recorded", wantedRecorded, false}} {
		h, err := b.hold(ctx, s, one.app, b.held, b.rounds)
		if err != nil {
			return err
		}
		title := map[string]string{"play": "a call", "recorded": "a recorded call"}[one.app]
		verdict(fmt.Sprintf("%s: %.3f %% of a core (%.3f-%.3f)", title, median(h.cpu), slices.Min(h.cpu), slices.Max(h.cpu)),
			fmt.Sprintf("%.2f %%", one.wanted), median(h.cpu) <= one.wanted)
		verdict(fmt.Sprintf("%s: %.2f %% of %d packets within %v of their time, %d missing", title, 100*h.within, h.packets, onTime, h.missing), "99 %", h.within >= 0.99)
		if one.memory {
			fmt.Printf("  after a collection: %.1f KiB of live heap, %.1f KiB of stacks and %.1f goroutines a call; %.0f sessions are alive\n", h.heap, h.stacks, h.goroutines, h.sessions)
			verdict(fmt.Sprintf("memory of %s: %.1f KiB resident", title, h.memory), fmt.Sprintf("%.0f KiB", wantedMemory), h.memory <= wantedMemory)
		}
	}
	return nil
}

// held is what calls cost while they are there.
type held struct {
	cpu                  []float64 // of a call, in % of a core, by window
	within               float64   // share of the packets that came in time
	packets, missing     int
	memory, heap, stacks float64 // KiB a call, after a collection
	goroutines           float64 // a call
	sessions             float64 // in all
}

var memoryMetrics = [...]string{"go_memstats_heap_alloc_bytes", "go_memstats_stack_inuse_bytes", "go_goroutines"}

func (s *engine) metrics(names [len(memoryMetrics)]string) (values [len(memoryMetrics)]float64, err error) {
	for i, name := range names {
		if values[i], err = metric(s.addr, name); err != nil {
			return values, err
		}
	}
	return values, nil
}

// hold sets calls up, measures them and tears them down.
func (b *bench) hold(ctx context.Context, s *engine, app string, calls, windows int) (h held, err error) {
	if err := s.settle(ctx); err != nil {
		return h, err
	}
	if err := collect(s.server); err != nil {
		return h, err
	}
	rss, err := s.rss()
	if err != nil {
		return h, err
	}
	var before, with [len(memoryMetrics)]float64
	if before, err = s.metrics(memoryMetrics); err != nil {
		return h, err
	}
	far, err := newSound(true)
	if err != nil {
		return h, err
	}
	defer far.close()
	const rampUp = 5 * time.Second
	rate := max(1, calls*int(time.Second)/int(rampUp))
	p, err := b.startSIPp(ctx, calling{
		scenario: "uac", to: s.sip, app: app, calls: calls, rate: rate, sound: far.port, hold: rampUp + time.Duration(windows)*b.length + 6*time.Second,
	})
	if err != nil {
		return h, err
	}
	defer p.stop()
	if err := far.await(ctx, calls, 2*rampUp); err != nil {
		return h, err
	}
	pause(ctx, time.Second)
	far.begin()
	for range windows {
		before, err := s.cpu()
		if err != nil {
			return h, err
		}
		began := time.Now()
		pause(ctx, b.length)
		after, err := s.cpu()
		if err != nil {
			return h, err
		}
		h.cpu = append(h.cpu, 100*(after-before).Seconds()/time.Since(began).Seconds()/float64(calls))
	}
	h.within, h.packets, h.missing = far.end(onTime)
	if h.sessions, err = metric(s.addr, "piopiyd_sessions"); err != nil {
		return h, err
	}
	if err := collect(s.server); err != nil {
		return h, err
	}
	rssWith, err := s.rss()
	if err != nil {
		return h, err
	}
	if with, err = s.metrics(memoryMetrics); err != nil {
		return h, err
	}
	each := func(i int) float64 { return (with[i] - before[i]) / float64(calls) }
	h.memory, h.heap, h.stacks, h.goroutines = float64(rssWith-rss)/1024/float64(calls), each(0)/1024, each(1)/1024, each(2)
	c, err := p.wait()
	if err == nil && c.failed > 0 {
		err = fmt.Errorf("%d of %d calls failed", c.failed, calls)
	}
	return h, err
}

// await waits until so many parties have sound.
func (s *sound) await(ctx context.Context, parties int, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; pause(ctx, 20*time.Millisecond) {
		s.mu.Lock()
		n := len(s.order)
		s.mu.Unlock()
		switch {
		case n >= parties:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d calls have sound after %v", n, parties, patience)
		}
	}
}

// begin begins to measure when packets come.
func (s *sound) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure, s.missing, s.errors = true, 0, s.errors[:0]
}

// end returns the share of packets that came in time after the one before.
func (s *sound) end(tolerance time.Duration) (within float64, packets, missing int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.measure = false
	good := 0
	for _, e := range s.errors {
		if d := time.Duration(e) * time.Microsecond; d >= -tolerance && d <= tolerance {
			good++
		}
	}
	return float64(good) / float64(max(len(s.errors), 1)), len(s.errors), s.missing
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
