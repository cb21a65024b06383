package main

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/dop251/goja"
)

const (
	waitingSessions = 5000
	wantedResident  = 500.0 // MB, of the daemon with all of them
)

// gather measures what scripts take that wait in gather: of calls on the platform, and of SIP calls whose phones send no
// sound, so that the script and the call count but not the sound.
func (b *bench) gather(ctx context.Context) error {
	fmt.Printf("\nSessions that wait in gather, %d of them\n", waitingSessions)
	vm := bareVMs(waitingSessions / 10)
	fmt.Printf("  the floor: a bare goja.Runtime with a promise pending: %.1f KiB of heap\n", vm/1024)
	s, err := b.startEngine(ctx, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	err = b.waiting(ctx, s, "calls on the platform", func() error {
		_, err := load(ctx, s.addr, &dialogue{app: "gathers"}, b.conns, 5*time.Minute, waitingSessions)
		return err
	})
	s.stop()
	if err != nil || !hasSIPp("waiting SIP calls") {
		return err
	}
	if s, err = b.startEngine(ctx, nil); err != nil {
		return err
	}
	defer s.stop()
	return b.waiting(ctx, s, "SIP calls without sound", func() error {
		const rate = 500
		p, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: "gathers", calls: waitingSessions, rate: rate, hold: time.Hour, silent: true})
		if err != nil {
			return err
		}
		go func() { _, _ = p.wait() }() // it ends with ctx
		return nil
	})
}

// waiting lets calls begin and measures the daemon before and after.
func (b *bench) waiting(ctx context.Context, s *engine, title string, begin func() error) error {
	if err := collect(s.server); err != nil {
		return err
	}
	empty, err := s.rss()
	if err != nil {
		return err
	}
	var before, with [len(memoryMetrics)]float64
	if before, err = s.metrics(memoryMetrics); err != nil {
		return err
	}
	if err := begin(); err != nil {
		return err
	}
	if err := s.awaitSessions(ctx, waitingSessions, time.Minute); err != nil {
		return err
	}
	born, err := s.rss()
	if err != nil {
		return err
	}
	if err := collect(s.server); err != nil {
		return err
	}
	after, err := s.rss()
	if err != nil {
		return err
	}
	if with, err = s.metrics(memoryMetrics); err != nil {
		return err
	}
	const mega = 1e6
	each := func(i int) float64 { return (with[i] - before[i]) / waitingSessions }
	fmt.Printf("  %s: resident %.0f MB empty, %.0f MB with them; a session %.1f KiB resident after a collection, %.1f KiB of it heap, %.1f KiB stacks, %.1f goroutines\n",
		title, float64(empty)/mega, float64(born)/mega, float64(after-empty)/1024/waitingSessions, each(0)/1024, each(1)/1024, each(2))
	verdict(fmt.Sprintf("%s: %.0f MB resident, %.0f MB after a collection", title, float64(born)/mega, float64(after)/mega), fmt.Sprintf("%.0f MB", wantedResident), float64(born)/mega <= wantedResident)
	return nil
}

// awaitSessions waits until so many sessions are alive.
func (s *engine) awaitSessions(ctx context.Context, sessions int, patience time.Duration) error {
	for deadline := time.Now().Add(patience); ; pause(ctx, 100*time.Millisecond) {
		alive, err := metric(s.addr, "piopiyd_sessions")
		switch {
		case err != nil || int(alive) == sessions:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Now().After(deadline):
			return fmt.Errorf("%.0f of %d sessions are alive after %v", alive, sessions, patience)
		}
	}
}

// bareVMs is the heap of one of n JavaScript runtimes that wait for a promise, without anything of ours.
func bareVMs(n int) float64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	list := make([]*goja.Runtime, n)
	for i := range list {
		list[i] = goja.New()
		if _, err := list[i].RunString(`(async () => { await new Promise(() => {}) })()`); err != nil {
			return 0
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(list)
	return float64(after.HeapAlloc-before.HeapAlloc) / float64(n)
}
