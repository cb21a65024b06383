// Bench measures piopiyd beside its peers on this machine, in one run, and prints the ratios:
//
//	go run ./bench              everything, nothing pinned
//	go run ./bench -pin         and again with the servers on one core and the load on another
//	go run ./bench -only calls  one part: calls, answers, memory, saves, profile; of the call engine, with SIPp
//	                            as the phones: signalling, sound, bridge, streams; of scripts that live as long as
//	                            the call: verb, gather, echo, barge, replay
//
// The peers run the same script file behind Node with Express, alone and clustered on every core, and a plain Go
// handler gives the floor. docs/performance.md explains what is measured and how to read it.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// parts are what can be measured.
var parts = []string{"calls", "answers", "memory", "saves", "profile", "signalling", "sound", "bridge", "streams", "verb", "gather", "echo", "barge", "replay"}

// options are the command line.
type options struct {
	only     string
	pin      bool
	rounds   int
	length   time.Duration
	conns    int
	sessions int
	saves    int
	apps     int
	calls    int
	held     int
	streams  int
	profile  string
	binary   string
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "floor" {
		fail(serveFloor(os.Args[2]))
		return
	}
	var o options
	flag.StringVar(&o.only, "only", strings.Join(parts, ","), "which parts to measure")
	flag.BoolVar(&o.pin, "pin", false, "measure calls and answers also with the servers on core 0 and the load on core 1")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of each server, in turns")
	flag.DurationVar(&o.length, "time", 2*time.Second, "length of a round")
	flag.IntVar(&o.conns, "conns", 32, "connections of the load")
	flag.IntVar(&o.sessions, "sessions", 10_000, "resting sessions for the memory figure")
	flag.IntVar(&o.saves, "saves", 30, "edits for the save-to-live figure")
	flag.IntVar(&o.apps, "apps", 200, "apps of ten files each among which one is edited")
	flag.IntVar(&o.calls, "calls", 100_000, "calls that SIPp sets up and tears down")
	flag.IntVar(&o.held, "held", 800, "calls held at a time, with sound both ways")
	flag.IntVar(&o.streams, "streams", 100, "media streams at a time")
	flag.StringVar(&o.profile, "profile", "", "keep the CPU profile of the calls in this file")
	flag.StringVar(&o.binary, "piopiyd", "", "measure this binary instead of building one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE) // no server outlives the bench
	defer stop()
	fail(run(ctx, o))
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	chosen := strings.Split(o.only, ",")
	for _, p := range chosen {
		if !slices.Contains(parts, p) {
			return fmt.Errorf("-only: there is no part %q", p)
		}
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	defer b.close()
	fmt.Printf("%s, %d cores, %s; peers: %s\n", cpuModel(), runtime.NumCPU(), runtime.Version(), b.nodeVersion)

	setups := []setup{{name: "nothing pinned"}}
	if o.pin {
		setups = append(setups, setup{name: "servers on core 0, load on core 1", server: "0", load: "1"})
	}
	for _, s := range setups {
		if slices.Contains(chosen, "calls") {
			if err := b.compare(ctx, s, wholeCalls); err != nil {
				return err
			}
		}
		if slices.Contains(chosen, "answers") {
			if err := b.compare(ctx, s, oneAnswers); err != nil {
				return err
			}
		}
	}
	for _, part := range []struct {
		name    string
		measure func(context.Context) error
	}{{"memory", b.memory}, {"saves", b.saves}, {"profile", b.profile}, {"signalling", b.signalling}, {"sound", b.sound}, {"bridge", b.bridge}, {"streams", b.mediaStreams}, {"verb", b.verb}, {"gather", b.gather}, {"echo", b.echo}, {"barge", b.barge}, {"replay", b.replay}} {
		if slices.Contains(chosen, part.name) {
			if err := part.measure(ctx); err != nil {
				return fmt.Errorf("%s: %w", part.name, err)
			}
		}
	}
	return nil
}
