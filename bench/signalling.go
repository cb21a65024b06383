package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"time"
)

const (
	// wantedRate and wantedCPU are what is wanted of set-up and tear-down: clean calls a second, and the processor time
	// of one beside its session's birth.
	wantedRate = 2400
	wantedCPU  = 0.35 // ms
)

// signalling measures calls that are set up and torn down without sound, a script answering each: how many a second stay
// clean, what one costs, and whether anything grows over all of them.
func (b *bench) signalling(ctx context.Context) error {
	if !hasSIPp("set-up and tear-down of calls") {
		return nil
	}
	s, err := b.startEngine(ctx, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	birth := &dialogue{app: "play"}
	each := b.calls / b.rounds
	if _, err := b.setUp(ctx, s, each, wantedRate); err != nil { // warm-up: what is held once, whatever the number of calls
		return err
	}
	warm := time.Now()
	if _, err := round(ctx, s.server, birth, b.conns, b.length/2); err != nil {
		return err
	}
	floor := b.floorOfCalls(ctx, each)
	before, err := s.standing(ctx, warm)
	if err != nil {
		return err
	}
	var cpu, births, rates, beside []float64
	var sum counted
	left := 0
	for range b.rounds {
		o, err := round(ctx, s.server, birth, b.conns, b.length/2)
		if err != nil {
			return err
		}
		births = append(births, float64(o.cpu.Microseconds())/float64(o.callbacks)/1000)
		c, err := b.setUp(ctx, s, each, wantedRate)
		if err != nil {
			return err
		}
		cpu = append(cpu, c.cpu.Seconds()*1000/float64(each))
		beside = append(beside, cpu[len(cpu)-1]-births[len(births)-1])
		rates = append(rates, float64(c.good)/c.elapsed.Seconds())
		sum.good += c.good
		sum.failed += c.failed
		sum.retransmissions += c.retransmissions
		left += c.left
	}
	fmt.Printf("\nSet-up and tear-down without sound: a script answers, SIPp calls and hangs up at once (%d rounds of %d calls, %d a second)\n", b.rounds, each, wantedRate)
	fmt.Printf("  %d calls: %d failed, %d retransmissions, %d that the engine gave up after 32 s\n", sum.good+sum.failed, sum.failed, sum.retransmissions, left)
	fmt.Printf("  CPU a call %.3f ms (%.3f-%.3f); one answer over HTTP, which bears the same session, %.3f ms (%.3f-%.3f)\n",
		median(cpu), slices.Min(cpu), slices.Max(cpu), median(births), slices.Min(births), slices.Max(births))
	clean := sum.failed == 0 && sum.retransmissions*1000 <= sum.good
	verdict(fmt.Sprintf("%.0f calls a second (%.0f-%.0f), clean: %v", median(rates), slices.Min(rates), slices.Max(rates), clean),
		fmt.Sprint(wantedRate), clean && median(rates) >= 0.97*wantedRate)
	verdict(fmt.Sprintf("CPU a call beside that answer: %.3f ms", median(beside)), fmt.Sprintf("%.2f ms", wantedCPU), median(beside) <= wantedCPU)
	if floor > 0 {
		fmt.Printf("  the floor, SIPp answering SIPp without a script: %.3f ms a call; piopiyd costs %.1f × that\n", floor, median(cpu)/floor)
	}
	higher, err := b.ceiling(ctx, s, each)
	if err != nil {
		return err
	}
	after, err := s.standing(ctx, time.Now())
	if err != nil {
		return err
	}
	after.compare(before, sum.good+sum.failed+higher)
	return nil
}

// ceiling looks for the highest rate that stays clean, and returns how many calls that took.
func (b *bench) ceiling(ctx context.Context, s *engine, calls int) (tried int, err error) {
	best := 0
	for rate := wantedRate + 600; rate <= 6000; rate += 600 {
		c, err := b.setUp(ctx, s, calls/2, rate)
		if err != nil {
			return tried, err
		}
		tried += c.good + c.failed
		if c.failed > 0 || c.retransmissions*1000 > c.good || float64(c.good)/c.elapsed.Seconds() < 0.95*float64(rate) {
			break
		}
		best = rate
	}
	if best == 0 {
		fmt.Println("  no higher rate that was tried stays clean")
	} else {
		fmt.Printf("  the highest rate that was tried and stays clean: %d a second\n", best)
	}
	return tried, nil
}

// setUpOutcome is what a round of calls gave.
type setUpOutcome struct {
	counted
	cpu  time.Duration
	left int // calls that the engine had to give up
}

func (b *bench) setUp(ctx context.Context, s *engine, calls, rate int) (o setUpOutcome, err error) {
	// Somebody must have the port of the phones' sound, or the engine may get it for sound of its own.
	sound, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return o, err
	}
	defer func() { _ = sound.Close() }()
	before, err := s.cpu()
	if err != nil {
		return o, err
	}
	p, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: "play", calls: calls, rate: rate, sound: sound.LocalAddr().(*net.UDPAddr).Port})
	if err != nil {
		return o, err
	}
	if o.counted, err = p.wait(); err != nil {
		return o, err
	}
	if err := s.settle(ctx); err != nil {
		return o, err
	}
	after, err := s.cpu()
	if err != nil {
		return o, err
	}
	o.cpu = after - before
	o.left, err = s.forgotten(ctx)
	return o, err
}

// forgotten returns how many calls the engine still has although SIPp has ended all of its own, and waits until it gives
// them up: neither ACK nor BYE has come, which happens when messages are lost. They speak until then, so the wait keeps
// them out of the next round.
func (s *engine) forgotten(ctx context.Context) (calls int, err error) {
	const late = 2 * time.Second // others are ending just now
	for began := time.Now(); ; pause(ctx, 100*time.Millisecond) {
		n, err := metric(s.addr, "piopiyd_sip_calls")
		if time.Since(began) > late {
			calls = max(calls, int(n))
		}
		switch {
		case err != nil || n == 0:
			return calls, err
		case ctx.Err() != nil:
			return calls, ctx.Err()
		case time.Since(began) > startTimeout:
			return calls, fmt.Errorf("%.0f calls do not end", n)
		}
	}
}

// floorOfCalls lets SIPp call SIPp and returns the processor time of answering one, in ms: that of a program without
// scripts, journal and sound. It is 0 where that did not work.
func (b *bench) floorOfCalls(ctx context.Context, calls int) float64 {
	port, err := freeUDPPort()
	if err != nil {
		return 0
	}
	callee, err := b.startSIPp(ctx, calling{scenario: "uas", calls: calls + 1, port: port})
	if err != nil {
		return 0
	}
	defer callee.stop()
	p, err := b.startSIPp(ctx, calling{scenario: "uac", to: fmt.Sprintf("127.0.0.1:%d", port), app: "floor", calls: calls, rate: wantedRate})
	if err != nil {
		return 0
	}
	c, err := p.wait()
	if err != nil || c.good == 0 {
		return 0
	}
	used, err := (&server{cmd: callee.cmd}).cpu()
	if err != nil {
		return 0
	}
	return used.Seconds() * 1000 / float64(c.good)
}

// standing is what a daemon holds while nothing is going on.
type standing struct {
	heap, rss, goroutines, files float64
}

// standing tells it when the last call is forgotten: since is when that ended, and transactions are remembered for
// 32 s (RFC 3261 timers J and L).
func (s *engine) standing(ctx context.Context, since time.Time) (st standing, err error) {
	timer := time.NewTimer(time.Until(since.Add(34 * time.Second)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return st, ctx.Err()
	}
	if err := collect(s.server); err != nil {
		return st, err
	}
	rss, err := s.rss()
	if err != nil {
		return st, err
	}
	st.rss = float64(rss)
	for name, to := range map[string]*float64{"go_memstats_heap_alloc_bytes": &st.heap, "go_goroutines": &st.goroutines, "process_open_fds": &st.files} {
		if *to, err = metric(s.addr, name); err != nil {
			return st, err
		}
	}
	return st, nil
}

// compare prints what has grown over calls.
func (st standing) compare(before standing, calls int) {
	fmt.Printf("  before and after %d calls: heap %.1f and %.1f MiB, resident %.0f and %.0f MiB, goroutines %.0f and %.0f, open files %.0f and %.0f\n",
		calls, before.heap/(1<<20), st.heap/(1<<20), before.rss/(1<<20), st.rss/(1<<20), before.goroutines, st.goroutines, before.files, st.files)
	grown := (st.heap - before.heap) / float64(calls)
	verdict(fmt.Sprintf("what a call leaves on the heap, the journal's index of it included: %.0f octets", grown), "1 KiB", grown < 1024)
	verdict(fmt.Sprintf("goroutines and open files that are left: %+.0f, %+.0f", st.goroutines-before.goroutines, st.files-before.files), "0",
		st.goroutines-before.goroutines < 10 && st.files-before.files < 10)
}
