package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"testing/fstest"
	"time"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
)

// wantedReplay is how many times as fast as it was a recorded call has to be run again.
const wantedReplay = 2000.0

// menu is a call of some minutes: what people build, less the parts that nobody can hear.
const menu = `
export async function answer(call) {
  const calls = await kv.increment('calls of ' + call.from)
  await call.say('Thank you for calling Acme. You are our caller number ' + calls + ' today.')
  for (let round = 0; round < 3; round++) {
    const { digits } = await call.gather({ say: 'For sales, press 1. For support, press 2. To hear this again, press 3.', maxDigits: 1, timeout: '5s', retries: 2 })
    console.log('chose', digits)
    await kv.set('last', { digits, at: Date.now() })
    await call.say('One moment, please. We look for somebody who is free.')
    await call.pause('10s')
  }
  const leg = await call.dial(['14155550101', '14155550102'], { strategy: 'group', timeout: '20s' })
  console.log('the agent', leg.status, leg.duration)
  await call.record({ say: 'Please tell us what you think of us.', maxLength: '30s' })
  await call.say('Thank you. Goodbye.')
}
export function event(e) { console.log(e.status) }
export function cdr(r) { console.log(r.status, r.duration) }
`

// replay measures how fast recorded calls are run again, beside the same call in the simulator.
func (b *bench) replay(ctx context.Context) error {
	d, err := newDesk(menu)
	if err != nil {
		return err
	}
	defer d.rt.Close()
	id, err := d.call(ctx)
	if err != nil {
		return err
	}
	entries := d.journal.Entries(id)
	const times = 200
	var again, simulated []float64
	var lasted time.Duration
	for range b.rounds + 1 {
		began := time.Now()
		for range times {
			r, err := d.handler.Replay(ctx, entries)
			switch {
			case err != nil:
				return err
			case r.Difference != nil:
				return fmt.Errorf("the replay differs: %w", r.Difference)
			}
			lasted = r.Lasted
		}
		again = append(again, float64(lasted*times)/float64(time.Since(began)))
		began = time.Now()
		for range times / 10 {
			if _, err := d.call(ctx); err != nil {
				return err
			}
		}
		simulated = append(simulated, float64(lasted*times/10)/float64(time.Since(began)))
	}
	again, simulated = again[1:], simulated[1:] // the first does not count
	fmt.Printf("\nRecorded calls run again (%d rounds of %d replays of a call of %v, %d entries; times as fast as it was)\n", b.rounds, times, lasted.Round(time.Second), len(entries))
	fmt.Printf("  the call in the simulator, with everybody in it  %8.0f (%.0f-%.0f)\n", median(simulated), slices.Min(simulated), slices.Max(simulated))
	fmt.Printf("  its replay, compared step by step                %8.0f (%.0f-%.0f)\n", median(again), slices.Min(again), slices.Max(again))
	verdict(fmt.Sprintf("a replay is %.0f × as fast as the call was", median(again)), fmt.Sprintf("%.0f ×", wantedReplay), median(again) >= wantedReplay)
	return nil
}

// desk answers simulated calls within this process.
type desk struct {
	rt      *runtime.Runtime
	handler *bindcall.Handler
	journal *runtime.MemoryJournal
	clock   *sim.Clock
	live    *call.Live
}

func newDesk(script string) (*desk, error) {
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		return nil, err
	}
	d := &desk{journal: runtime.NewMemoryJournal(0), clock: sim.NewClock(time.Time{}), live: &call.Live{}}
	quiet := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 1}))
	if d.rt, err = runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Journal: d.journal, Clock: d.clock, Logger: quiet,
	}); err != nil {
		return nil, err
	}
	if _, err := d.rt.Load(context.Background(), "app", runtime.FS(fstest.MapFS{"main.js": {Data: []byte(script)}}), "main.js"); err != nil {
		d.rt.Close()
		return nil, err
	}
	d.handler = bindcall.NewHandler(bindcall.Options{Runtime: d.rt, Live: d.live, Logger: quiet})
	return d, nil
}

// call has a caller go through the menu, and returns the call's id.
func (d *desk) call(ctx context.Context) (id string, err error) {
	press := sim.Caller{App: "app", From: "15550001111", To: "15550002222", Press: []sim.Press{{}, {Keys: "1"}, {Keys: "3"}, {Keys: "2"}}}
	if _, err := sim.New(sim.Options{Clock: d.clock, Live: d.live}).Call(ctx, d.handler, press); err != nil {
		return "", err
	}
	sessions := d.journal.Sessions()
	return sessions[len(sessions)-1], nil
}
