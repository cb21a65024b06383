package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// instrumented builds the daemon once more, with a probe that lets the bench take profiles and ask for collections.
// The probe is laid over the package while it is built; the daemon that people run does not hold it.
func (b *bench) instrumented(ctx context.Context) (binary string, env []string, err error) {
	binary = filepath.Join(b.work, "piopiyd-probe")
	env = []string{"PIOPIYD_BENCH_PROBE=" + b.profilePath()}
	if _, err := os.Stat(binary); err == nil {
		return binary, env, nil
	}
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {
		filepath.Join(b.root, "cmd", "piopiyd", "bench_probe.go"): filepath.Join(b.root, "bench", "probe", "probe.go.txt"),
	}})
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(b.work, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", nil, err
	}
	return binary, env, b.build(ctx, binary, "-overlay", file)
}

func (b *bench) profilePath() string { return filepath.Join(b.work, "cpu.pprof") }

// collect lets the daemon collect its garbage and give memory back.
func collect(s *server) error { return signalled(s, syscall.SIGWINCH, ".collected") }

// signalled sends a signal to the probe and waits until it says that the work is done.
func signalled(s *server, sig syscall.Signal, mark string) error {
	path := ""
	for _, e := range s.cmd.Env {
		if value, ok := strings.CutPrefix(e, "PIOPIYD_BENCH_PROBE="); ok {
			path = value + mark
		}
	}
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		return err
	}
	for began := time.Now(); time.Since(began) < startTimeout; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the daemon did not react to %v", sig)
}

// profile shows where the daemon's processor time goes under whole calls, and under answers of newborn sessions.
func (b *bench) profile(ctx context.Context) error {
	for _, one := range []struct {
		title string
		dialogue
		keep bool
	}{
		{"whole calls", wholeDesk, true},
		{"one answer only, newborn", dialogue{app: "straight"}, false},
		{"one answer only, frozen", dialogue{app: "frozen"}, false},
	} {
		if err := b.profileOf(ctx, one.title, &one.dialogue); err != nil {
			return err
		}
		if b.options.profile != "" && one.keep {
			if err := keep(b.profilePath(), b.options.profile); err != nil {
				return err
			}
		}
	}
	return nil
}

func keep(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

func (b *bench) profileOf(ctx context.Context, title string, d *dialogue) error {
	binary, env, err := b.instrumented(ctx)
	if err != nil {
		return err
	}
	s, err := b.piopiyd(ctx, binary, b.scripts(), "", env...)
	if err != nil {
		return err
	}
	defer s.stop()
	if _, err := round(ctx, s, d, b.conns, b.length); err != nil { // warm-up
		return err
	}
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return err
	}
	o, err := round(ctx, s, d, b.conns, 4*b.length)
	if err != nil {
		return err
	}
	if err := signalled(s, syscall.SIGUSR2, ".written"); err != nil {
		return err
	}
	traces, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-traces", "-unit=us", binary, b.profilePath()).Output()
	if err != nil {
		return fmt.Errorf("go tool pprof: %w", err)
	}
	shares, total, err := group(bytes.NewReader(traces))
	if err != nil {
		return err
	}
	fmt.Printf("\nWhere the time goes: %s (%.1f µs of CPU a callback)\n", title, float64(o.cpu.Microseconds())/float64(o.callbacks))
	for _, s := range shares {
		fmt.Printf("  %5.1f %%  %s\n", 100*float64(s.time)/float64(total), s.name)
	}
	return nil
}

// work is one kind of work, known by functions on the stack. Of several kinds the first in kinds counts.
type work struct {
	name      string
	functions []string
}

const module = "github.com/piopiy/piopiyd/"

var kinds = []work{
	{"garbage collection", []string{"runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.(*mspan).sweep"}},
	{"journal and inbox (NATS included)", []string{module + "journal.", "github.com/nats-io/"}},
	{"metrics and log", []string{"log/slog.", "github.com/prometheus/"}},
	{"session birth: VM, bindings, the script's top level", []string{module + "runtime.(*Session).start"}},
	{"script: callbacks, and the PCMO they return", []string{"github.com/dop251/goja."}},
	{"JSON outside scripts", []string{"encoding/json."}},
	{"HTTP write", []string{"net.(*conn).Write", "internal/poll.(*FD).Write"}},
	{"HTTP read", []string{"net.(*conn).Read", "internal/poll.(*FD).Read"}},
	{"session life: mailbox, timers, turns, finding the call", []string{module + "runtime.", module + "bindings/", module + "call.", module + "drivers/", module + "server."}},
	{"HTTP server around them", []string{"net/http.", "net/textproto."}},
	{"goroutines and scheduler", []string{"runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.morestack", "runtime.newproc", "runtime.goready", "runtime.sysmon", "runtime.mstart"}},
	{"everything else", []string{""}},
}

// share is how much time a kind of work took.
type share struct {
	name string
	time time.Duration
}

// group reads what pprof prints with -traces and adds up the kinds.
func group(traces io.Reader) (shares []share, total time.Duration, err error) {
	sums := make([]time.Duration, len(kinds))
	var stack []string
	var value time.Duration
	finish := func() {
		if len(stack) > 0 {
			sums[kindOf(stack)] += value
			total += value
		}
		stack, value = stack[:0], 0
	}
	started := false
	for lines := bufio.NewScanner(traces); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "-----------+") {
			finish()
			started = true
			continue
		}
		if !started {
			continue
		}
		left, function, ok := strings.Cut(strings.TrimSpace(line), " ")
		if d, problem := time.ParseDuration(left); ok && problem == nil {
			value = d
			stack = append(stack, strings.TrimSpace(function))
			continue
		}
		if text := strings.TrimSpace(line); text != "" {
			stack = append(stack, text)
		}
	}
	finish()
	if total == 0 {
		return nil, 0, fmt.Errorf("the profile is empty")
	}
	for i, sum := range sums {
		shares = append(shares, share{kinds[i].name, sum})
	}
	slices.SortFunc(shares, func(a, b share) int { return int(b.time - a.time) })
	return shares, total, nil
}

func kindOf(stack []string) int {
	for i, kind := range kinds {
		for _, function := range kind.functions {
			if slices.ContainsFunc(stack, func(frame string) bool { return strings.HasPrefix(frame, function) }) {
				return i
			}
		}
	}
	return len(kinds) - 1
}

// lines counts the lines of the measured script.
func (b *bench) lines() int {
	text, _ := os.ReadFile(filepath.Join(b.scripts(), "desk", "main.js"))
	return bytes.Count(text, []byte{'\n'})
}
