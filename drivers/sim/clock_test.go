package sim_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

// A Clock is what both sides of a call live by; the second is the runtime's WorkTracker.
var (
	_ call.Clock = (*sim.Clock)(nil)
	_ interface {
		Begin()
		End()
	} = (*sim.Clock)(nil)
)

func TestClockOrdersTimers(t *testing.T) {
	clock := sim.NewClock(time.Time{})
	var got []string
	note := func(s string) func() { return func() { got = append(got, s+" "+clock.Now().Sub(sim.Epoch).String()) } }
	clock.AfterFunc(2*time.Second, note("c"))
	clock.AfterFunc(time.Second, note("a"))
	clock.AfterFunc(time.Second, note("b"))
	stopped := clock.AfterFunc(time.Second, note("never"))
	clock.AfterFunc(-time.Second, func() { clock.AfterFunc(1500*time.Millisecond, note("nested")) })
	if !stopped.Stop() || stopped.Stop() {
		t.Error("Stop must report true once")
	}
	clock.AfterFunc(time.Hour, note("later"))
	if !clock.Now().Equal(sim.Epoch) {
		t.Error("time moved although nobody let it")
	}
	clock.Advance(3 * time.Second)
	if want := []string{"a 1s", "b 1s", "nested 1.5s", "c 2s"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if now := clock.Now().Sub(sim.Epoch); now != 3*time.Second {
		t.Errorf("now %s", now)
	}
}

func TestClockStandsStillUntilTheEndOfAContextIsNoticed(t *testing.T) {
	for range 100 {
		clock := sim.NewClock(time.Time{})
		ctx, cancel := context.WithCancel(t.Context())
		slept := make(chan time.Duration, 1)
		clock.AfterFunc(0, func() {
			_ = clock.Sleep(ctx, time.Hour)
			slept <- clock.Now().Sub(sim.Epoch)
		})
		clock.AfterFunc(time.Second, cancel)
		clock.Advance(2 * time.Hour)
		if got := <-slept; got != time.Second {
			t.Fatalf("it was noticed after %s", got)
		}
	}
}

func TestClockStandsStillForWork(t *testing.T) {
	clock := sim.NewClock(time.Time{})
	worked := make(chan time.Duration, 1)
	clock.AfterFunc(time.Second, func() {
		clock.Begin()
		go func() { // work that outlives the timer
			defer clock.End()
			for range 1000 {
				clock.Begin()
				clock.End()
			}
			worked <- clock.Now().Sub(sim.Epoch)
		}()
	})
	clock.AfterFunc(time.Minute, func() {})
	clock.Advance(time.Hour)
	if at := <-worked; at != time.Second {
		t.Errorf("time went on to %s during work", at)
	}
}

func TestClockEndWithoutBegin(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("End without Begin must panic")
		}
	}()
	sim.NewClock(time.Time{}).End()
}

// TestNoTimePassesWhileACancelIsHandled, also when what handles it no longer waits for it.
func TestNoTimePassesWhileACancelIsHandled(t *testing.T) {
	for range 200 {
		clock := sim.NewClock(time.Time{})
		pause := clock.Start()
		clock.Begin()
		clock.AfterFunc(time.Minute, func() {})
		ctx, cancel := context.WithCancel(t.Context())
		stopped, at := make(chan struct{}), make(chan time.Time)
		var stop func()
		stop = clock.AfterCancel(ctx, func() {
			stop()
			close(stopped)
			for range 100 {
				runtime.Gosched()
			}
			at <- clock.Now()
		})
		cancel()
		<-stopped
		clock.End()
		if now := <-at; !now.Equal(sim.Epoch) {
			t.Fatalf("it is handled %v later", now.Sub(sim.Epoch))
		}
		pause()
	}
}
