package main

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// wantedVerb is the processor time that awaiting a verb may take beside what the verb does, in µs.
const wantedVerb = 50.0

// verb measures what it costs to await a verb that has nothing to do: on a SIP call of the engine, and on a call whose
// platform gets documents.
func (b *bench) verb(ctx context.Context) error {
	if err := b.liveVerbs(ctx); err != nil {
		return err
	}
	return b.hostedVerbs(ctx)
}

const (
	verbCalls = 8   // at a time: a daemon has more than one, and a lone one would pay for waking threads
	verbTimes = 250 // in each call and round: a session may journal so much and no more
)

func (b *bench) liveVerbs(ctx context.Context) error {
	if !hasSIPp("verbs of the engine's calls") {
		return nil
	}
	crew, err := newCrew()
	if err != nil {
		return err
	}
	defer crew.close()
	s, err := b.startEngine(ctx, map[string]map[string]string{"verbs": {"ORDERS": crew.url}})
	if err != nil {
		return err
	}
	defer s.stop()
	p, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: "verbs", calls: verbCalls, rate: verbCalls, hold: time.Hour})
	if err != nil {
		return err
	}
	defer p.stop()
	if err := crew.gather(ctx, verbCalls); err != nil {
		return err
	}
	steps := []string{"nothing", "timer", "answer", "unmute"}
	cost := map[string][]float64{}
	for i := range b.rounds + 1 {
		for _, step := range steps {
			before, err := s.cpuTime()
			if err != nil {
				return err
			}
			if err := crew.do(ctx, verbCalls, order{step, verbTimes}); err != nil {
				return fmt.Errorf("%s: %w", step, err)
			}
			after, err := s.cpuTime()
			if err != nil {
				return err
			}
			if i > 0 { // the first does not count
				cost[step] = append(cost[step], float64((after-before).Nanoseconds())/1000/verbCalls/verbTimes)
			}
		}
	}
	var channel []float64
	for range b.rounds {
		channel = append(channel, channelRoundTrip(100_000))
	}
	fmt.Printf("\nVerbs that have nothing to do, on %d SIP calls at a time with journal and sound (%d rounds of %d each, CPU µs)\n", verbCalls, b.rounds, verbCalls*verbTimes)
	row := func(title string, list []float64) {
		fmt.Printf("  %-58s %7.2f (%.2f-%.2f)\n", title, median(list), slices.Min(list), slices.Max(list))
	}
	row("the floor: there and back over a Go channel", channel)
	row("the floor: await null in the script", cost["nothing"])
	row("await a timer of 0 ms: a turn of the event loop", cost["timer"])
	row("await call.answer(), which waits for its turn on the line", cost["answer"])
	row("await call.unmute(), which waits for nobody", cost["unmute"])
	dearest := max(median(cost["answer"]), median(cost["unmute"]))
	verdict(fmt.Sprintf("an awaited verb of a live call: %.1f µs of CPU, %.1f × a turn", dearest, dearest/median(cost["timer"])), fmt.Sprintf("%.0f µs", wantedVerb), dearest <= wantedVerb)
	return nil
}

// hostedVerbs holds scripts with verbs against scripts that return the same documents.
func (b *bench) hostedVerbs(ctx context.Context) error {
	s, err := b.startEngine(ctx, nil)
	if err != nil {
		return err
	}
	defer s.stop()
	const actions, keys = 50, 20
	apps := []struct {
		name string
		dialogue
	}{
		{"says", dialogue{app: "says"}}, {"speaks", dialogue{app: "speaks"}},
		{"gathers", dialogue{app: "gathers", whole: true, keys: keys}}, {"inputs", dialogue{app: "inputs", whole: true, keys: keys}},
	}
	cost := map[string][]float64{} // µs of a call
	for i := range b.rounds + 1 {
		for _, app := range apps {
			o, err := round(ctx, s.server, &app.dialogue, b.conns, b.length)
			if err != nil {
				return fmt.Errorf("%s: %w", app.name, err)
			}
			if i > 0 {
				cost[app.name] = append(cost[app.name], float64(o.cpu.Microseconds())/float64(o.calls))
			}
		}
	}
	fmt.Printf("\nVerbs of calls on the platform, beside the same documents by hand (%d rounds of %v each, CPU µs)\n", b.rounds, b.length)
	queued := differences(cost["says"], cost["speaks"], actions)
	fmt.Printf("  an answer of %d actions by say %.0f, by hand %.0f\n", actions, median(cost["says"]), median(cost["speaks"]))
	verdict(fmt.Sprintf("an awaited say: %.1f µs of CPU (%.1f-%.1f)", median(queued), slices.Min(queued), slices.Max(queued)), fmt.Sprintf("%.0f µs", wantedVerb), median(queued) <= wantedVerb)
	resting := differences(cost["gathers"], cost["inputs"], keys)
	fmt.Printf("  a call of %d keys, HTTP and journal included, by gather %.0f, by hand %.0f\n", keys, median(cost["gathers"]), median(cost["inputs"]))
	verdict(fmt.Sprintf("an awaited gather, beside its webhook: %.1f µs of CPU (%.1f-%.1f)", median(resting), slices.Min(resting), slices.Max(resting)), fmt.Sprintf("%.0f µs", wantedVerb), median(resting) <= wantedVerb)
	return nil
}

// differences are those of rounds that stood next to each other, for each of n.
func differences(a, b []float64, n float64) []float64 {
	list := make([]float64, len(a))
	for i := range a {
		list[i] = (a[i] - b[i]) / n
	}
	return list
}

// channelRoundTrip is the processor time of handing something to another goroutine and back, in µs.
func channelRoundTrip(times int) float64 {
	there, back := make(chan int), make(chan int)
	go func() {
		for v := range there {
			back <- v
		}
	}()
	defer close(there)
	before := ownCPU()
	for i := range times {
		there <- i
		<-back
	}
	return float64((ownCPU() - before).Nanoseconds()) / 1000 / float64(times)
}
