package main

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"time"
)

// setup says on which cores things run; "" is wherever the system puts them.
type setup struct{ name, server, load string }

// scenario is one comparison.
type scenario struct {
	title string
	unit  string
	// rows are the servers in the order of the table.
	rows func(b *bench, clustered bool) []row
	// wanted are the ratios aimed for, by row, against Express and against the cluster.
	wanted map[string][2]float64
}

// row is one server in one scenario.
type row struct {
	name string
	kind string // which server: piopiyd, express, cluster, floor
	dialogue
}

var wholeCalls = scenario{
	title: "Whole calls: answer, digits, event, CDR",
	unit:  "callbacks/s",
	rows: func(b *bench, clustered bool) []row {
		return b.withPeers(clustered, dialogue{app: "desk", whole: true},
			row{"piopiyd", "piopiyd", dialogue{app: "desk", whole: true}})
	},
	wanted: map[string][2]float64{"piopiyd": {3, 2}},
}

var oneAnswers = scenario{
	title: "Calls of one answer only, a new call each time",
	unit:  "answers/s",
	rows: func(b *bench, clustered bool) []row {
		return b.withPeers(clustered, dialogue{app: "straight"},
			row{"piopiyd, newborn", "piopiyd", dialogue{app: "straight"}},
			row{"piopiyd, frozen", "piopiyd", dialogue{app: "frozen"}})
	},
	wanted: map[string][2]float64{"piopiyd, newborn": {1.8, 0}, "piopiyd, frozen": {2.5, 0}},
}

// withPeers adds the peers that are there to the daemon's rows.
func (b *bench) withPeers(clustered bool, d dialogue, rows ...row) []row {
	if b.node != "" {
		rows = append(rows, row{"Express", "express", d})
		if clustered {
			rows = append(rows, row{fmt.Sprintf("Express, %d processes", runtime.NumCPU()), "cluster", d})
		}
	}
	return append(rows, row{"Go handler", "floor", d})
}

// result is a row's rounds.
type result struct {
	row
	rate, cpu, load []float64 // per second; microseconds per callback; share of one core
	p50, p99        []float64 // microseconds
}

func (b *bench) compare(ctx context.Context, s setup, c scenario) error {
	clustered := s.server == "" && runtime.NumCPU() > 1
	rows := c.rows(b, clustered)
	servers, err := b.startAll(ctx, s, rows)
	for _, server := range servers {
		defer server.stop()
	}
	if err != nil {
		return err
	}
	if err := agree(rows, servers); err != nil {
		return err
	}
	if s.load != "" {
		if err := pin(s.load); err != nil {
			return err
		}
		defer func() { _ = pin(fmt.Sprintf("0-%d", runtime.NumCPU()-1)) }()
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}

	results := make([]*result, len(rows))
	for i, r := range rows {
		results[i] = &result{row: r}
		if _, err := round(ctx, servers[r.kind], &r.dialogue, b.conns, b.length); err != nil { // warm-up
			return fmt.Errorf("%s: %w", r.name, err)
		}
	}
	for range b.rounds {
		for i, r := range rows {
			m, err := round(ctx, servers[r.kind], &r.dialogue, b.conns, b.length)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			results[i].add(m)
		}
	}
	b.print(s, c, results)
	return nil
}

func (b *bench) startAll(ctx context.Context, s setup, rows []row) (map[string]*server, error) {
	servers := map[string]*server{}
	for _, r := range rows {
		if servers[r.kind] != nil {
			continue
		}
		var one *server
		var err error
		switch r.kind {
		case "piopiyd":
			one, err = b.piopiyd(ctx, b.binary, b.scripts(), s.server)
		case "express":
			one, err = b.express(ctx, r.name, 0, s.server)
		case "cluster":
			one, err = b.express(ctx, r.name, runtime.NumCPU(), s.server)
		default:
			one, err = b.floor(ctx, s.server)
		}
		if err != nil {
			return servers, err
		}
		servers[r.kind] = one
	}
	return servers, nil
}

// outcome is a round and what the server spent in it.
type outcome struct {
	*measure
	cpu time.Duration
}

// round measures a server from the first callback until the last session has ended: what it puts off counts too.
func round(ctx context.Context, s *server, d *dialogue, conns int, length time.Duration) (*outcome, error) {
	before, err := s.cpu()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	m, err := load(ctx, s.addr, d, conns, length, 0)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx); err != nil {
		return nil, err
	}
	m.elapsed = time.Since(began)
	after, err := s.cpu()
	return &outcome{m, after - before}, err
}

func (r *result) add(o *outcome) {
	n := float64(o.callbacks)
	r.rate = append(r.rate, n/o.elapsed.Seconds())
	r.cpu = append(r.cpu, float64(o.cpu.Microseconds())/n)
	r.load = append(r.load, o.load.Seconds()/o.elapsed.Seconds())
	r.p50 = append(r.p50, float64(o.percentile(0.50).Microseconds()))
	r.p99 = append(r.p99, float64(o.percentile(0.99).Microseconds()))
}

func median(list []float64) float64 {
	if len(list) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(list))
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// against is the median of the ratios of rounds that stood next to each other.
func (r *result) against(peer *result) float64 {
	if peer == nil {
		return 0
	}
	ratios := make([]float64, len(r.rate))
	for i := range r.rate {
		ratios[i] = r.rate[i] / peer.rate[i]
	}
	return median(ratios)
}

func (b *bench) print(s setup, c scenario, results []*result) {
	var express, cluster *result
	for _, r := range results {
		switch r.kind {
		case "express":
			express = r
		case "cluster":
			cluster = r
		}
	}
	fmt.Printf("\n%s (%s; %d connections, %d rounds of %s)\n", c.title, s.name, b.conns, b.rounds, b.length)
	fmt.Printf("%-22s %11s %15s %8s %8s %10s %10s %10s %6s\n", "", c.unit, "min-max", "p50 ms", "p99 ms", "CPU µs", "× Express", "× cluster", "load")
	for _, r := range results {
		fmt.Printf("%-22s %11.0f %7.0f-%-7.0f %8.2f %8.2f %10.1f %10s %10s %5.0f%%\n", r.name, median(r.rate), slices.Min(r.rate), slices.Max(r.rate),
			median(r.p50)/1000, median(r.p99)/1000, median(r.cpu), times(r.against(express)), times(r.against(cluster)), 100*median(r.load))
	}
	for _, r := range results {
		for i, peer := range []*result{express, cluster} {
			want := c.wanted[r.name][i]
			if want == 0 || peer == nil {
				continue
			}
			verdict(fmt.Sprintf("%s: %.2f × %s by rate, %.2f × by CPU", r.name, r.against(peer), peer.name, median(peer.cpu)/median(r.cpu)), fmt.Sprintf("%.1f ×", want), r.against(peer) >= want)
			verdict(fmt.Sprintf("%s: p99 %.2f ms, %s %.2f ms", r.name, median(r.p99)/1000, peer.name, median(peer.p99)/1000), "below", median(r.p99) < median(peer.p99))
		}
	}
}

func times(ratio float64) string {
	if ratio == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", ratio)
}

// verdict prints a figure beside what was wanted of it.
func verdict(figure, wanted string, met bool) {
	mark := "met"
	if !met {
		mark = "MISSED"
	}
	fmt.Printf("  %-78s wanted %-10s %s\n", figure, wanted, mark)
}

// agree asks every server for the same documents and fails when one differs: they must do the same work.
func agree(rows []row, servers map[string]*server) error {
	type question struct {
		from   string
		digits string
		at     int64
	}
	var questions []question
	for _, from := range []string{caller, "442071234567", "15551234567"} {
		for _, hours := range []int64{0, 12, 48} { // noon, midnight, Sunday
			for _, digits := range []string{"1", "2", "3", "", "9"} {
				questions = append(questions, question{from, digits, callTime + hours*3_600_000})
			}
		}
	}
	for _, q := range questions {
		var want [2]any
		first := ""
		for _, r := range rows {
			got, err := documents(servers[r.kind].addr, r.app, r.whole, q.from, q.digits, q.at)
			if err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
			if first == "" {
				want, first = got, r.name
			} else if !reflect.DeepEqual(got, want) {
				return fmt.Errorf("%s and %s give different documents for a call from %s, digits %q:\n%v\n%v", first, r.name, q.from, q.digits, want, got)
			}
		}
	}
	return nil
}

// documents plays a call and returns the documents of its answer and of its digits, addresses left out.
func documents(addr, app string, whole bool, from, digits string, at int64) (docs [2]any, err error) {
	c, err := dial(addr)
	if err != nil {
		return docs, err
	}
	defer c.close()
	id := fmt.Sprintf("00000000-0000-4000-8000-%d", uint64(1e11)+nextCall.Add(1))
	reply, err := c.do(post(addr, "/hooks/"+app+"/answer", answerBody(id, from, at)))
	if err != nil {
		return docs, err
	}
	if docs[0], err = plain(reply); err != nil || !whole {
		return docs, err
	}
	path, err := actionPath(reply)
	if err != nil {
		return docs, err
	}
	if reply, err = c.do(post(addr, string(path), inputBody(id, from, digits, at))); err != nil {
		return docs, err
	}
	if docs[1], err = plain(reply); err != nil {
		return docs, err
	}
	p := (&dialogue{app: app, whole: true}).player(addr)
	if _, err = c.do(p.event.with([]byte(id))); err != nil {
		return docs, err
	}
	_, err = c.do(p.cdr.with([]byte(id)))
	return docs, err
}

func plain(document []byte) (any, error) {
	var actions []map[string]any
	if err := json.Unmarshal(document, &actions); err != nil {
		return nil, fmt.Errorf("%w: %s", err, document)
	}
	for _, a := range actions {
		if _, ok := a["action_url"]; ok {
			a["action_url"] = "…"
		}
	}
	return actions, nil
}
