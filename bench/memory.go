package main

import (
	"context"
	"fmt"
	"time"
)

// memory measures what a resting session costs: its answer was given, and it waits for digits.
func (b *bench) memory(ctx context.Context) error {
	binary, env, err := b.instrumented(ctx)
	if err != nil {
		return err
	}
	s, err := b.piopiyd(ctx, binary, b.scripts(), "", env...)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := load(ctx, s.addr, &wholeDesk, b.conns, time.Minute, 2000); err != nil { // warm-up, so that the daemon itself does not count
		return err
	}
	if err := s.settle(ctx); err != nil {
		return err
	}
	if err := collect(s); err != nil {
		return err
	}
	before, err := s.rss()
	if err != nil {
		return err
	}
	resting := dialogue{app: "desk"}
	m, err := load(ctx, s.addr, &resting, b.conns, 5*time.Minute, int64(b.sessions))
	if err != nil {
		return err
	}
	alive, err := metric(s.addr, "piopiyd_sessions")
	if err != nil {
		return err
	}
	if int(alive) != m.calls {
		return fmt.Errorf("%d calls were answered, but %.0f sessions are alive", m.calls, alive)
	}
	at, err := s.rss()
	if err != nil {
		return err
	}
	if err := collect(s); err != nil {
		return err
	}
	after, err := s.rss()
	if err != nil {
		return err
	}
	heap, err := metric(s.addr, "go_memstats_heap_alloc_bytes")
	if err != nil {
		return err
	}
	per := func(bytes int64) float64 { return float64(bytes) / 1024 / alive }
	fmt.Printf("\nMemory: %.0f resting sessions of a %d-line script\n", alive, b.lines())
	fmt.Printf("  resident before %d MiB, with them %d MiB, after a collection %d MiB; live heap then %.0f MiB\n", before>>20, at>>20, after>>20, heap/(1<<20))
	fmt.Printf("  per session, garbage of their births included: %.1f KiB resident\n", per(at-before))
	verdict(fmt.Sprintf("per session, after a collection: %.1f KiB resident", per(after-before)), "80 KiB", per(after-before) <= 80)
	return nil
}

var wholeDesk = dialogue{app: "desk", whole: true}
