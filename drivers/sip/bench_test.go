package sip_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// cpu is the processor time that this process has used.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

var sippCount = regexp.MustCompile(`(?m)^\s*(Successful call|Failed call)\s*\|\s*\d+\s*\|\s*(\d+)`)

// BenchmarkCalls sets up and tears down calls, without sound, that a script answers: SIPp calls at several rates
// for five seconds each.
//
//	go test -run '^$' -bench Calls -benchtime 1x ./drivers/sip
func BenchmarkCalls(b *testing.B) {
	if _, err := exec.LookPath("sipp"); err != nil {
		b.Skip("SKIPPED: sipp is not installed")
	}
	for _, rate := range []int{500, 1000, 2000, 2500} {
		b.Run(strconv.Itoa(rate), func(b *testing.B) {
			dir := b.TempDir()
			x := bench(b)
			file := filepath.Join(dir, "call.xml")
			if err := os.WriteFile(file, []byte(sippHead+sippInvite("0")+sippAnswered+sippHangsUp+sippTail), 0o600); err != nil {
				b.Fatal(err)
			}
			n := 5 * rate
			for b.Loop() {
				used := cpu()
				cmd := exec.Command("sipp", fmt.Sprintf("127.0.0.1:%d", x.Port()), "-sf", file, "-s", "play", "-i", "127.0.0.1", "-p", "19062", "-mi", "127.0.0.1",
					"-mp", "19070", "-m", strconv.Itoa(n), "-r", strconv.Itoa(rate), "-l", "20000", "-nostdin", "-timeout", "60", "-trace_stat", "-fd", "100", "-stf", "out.csv")
				cmd.Dir = dir
				out, err := cmd.CombinedOutput()
				good, failed := 0, 0
				for _, m := range sippCount.FindAllStringSubmatch(string(out), -1) {
					v, _ := strconv.Atoi(m[2])
					if m[1] == "Failed call" {
						failed = v
					} else {
						good = v
					}
				}
				if err != nil {
					b.Logf("sipp: %v", err)
				}
				b.ReportMetric(float64(good), "good")
				b.ReportMetric(float64(failed), "failed")
				b.ReportMetric((cpu()-used).Seconds()*1000/float64(n), "cpu-ms/call")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// BenchmarkFinishedCalls makes 20,000 short calls and measures what is kept of each for the half minute in which copies
// of its messages may come, and whether everything is let go of afterwards.
//
//	go test -run '^$' -bench Finished -benchtime 1x ./drivers/sip
func BenchmarkFinishedCalls(b *testing.B) {
	if _, err := exec.LookPath("sipp"); err != nil {
		b.Skip("SKIPPED: sipp is not installed")
	}
	dir := b.TempDir()
	d := bench(b)
	file := filepath.Join(dir, "call.xml")
	if err := os.WriteFile(file, []byte(sippHead+sippInvite("0")+sippAnswered+sippHangsUp+sippTail), 0o600); err != nil {
		b.Fatal(err)
	}
	calls := func(n int) {
		cmd := exec.Command("sipp", fmt.Sprintf("127.0.0.1:%d", d.Port()), "-sf", file, "-s", "play", "-i", "127.0.0.1", "-p", "19066", "-mi", "127.0.0.1",
			"-mp", "19070", "-m", strconv.Itoa(n), "-r", "1000", "-l", "20000", "-nostdin", "-timeout", "60")
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("sipp: %v\n%s", err, out)
		}
	}
	held := func() (octets int64, goroutines int) {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc), runtime.NumGoroutine()
	}
	const n = 20_000
	for b.Loop() {
		calls(1000) // what is made once
		time.Sleep(35 * time.Second)
		before, goroutines := held()
		calls(n)
		during, _ := held()
		time.Sleep(35 * time.Second)
		after, left := held()
		perCall, kept := float64(during-before)/n/1024, float64(after-before)/n/1024
		b.ReportMetric(perCall, "KiB/call")
		b.ReportMetric(kept, "KiB/call-afterwards")
		b.ReportMetric(float64(left-goroutines), "goroutines-afterwards")
		if perCall > 25 || kept > 1 || left > goroutines+5 {
			b.Errorf("%.1f KiB are kept of a call, %.1f afterwards; %d goroutines became %d", perCall, kept, goroutines, left)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// packets is a logger that adds up what calls sent and received.
type packets struct {
	slog.Handler
	sent, received, calls atomic.Uint64
}

func (p *packets) Enabled(context.Context, slog.Level) bool { return true }
func (p *packets) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "a call ended" {
		return nil
	}
	p.calls.Add(1)
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "sent":
			p.sent.Add(a.Value.Uint64())
		case "received":
			p.received.Add(a.Value.Uint64())
		}
		return true
	})
	return nil
}

// bench is an exchange whose app plays ten seconds.
func bench(b *testing.B, log ...*packets) *sip.Driver {
	x := openFor(b, map[string]string{"play": `exports.answer = () => [{ action: 'play', file_name: 'long.wav' }, { action: 'play', file_name: 'long.wav' }]`}, func(o *sip.Options) {
		o.MaxCalls = 20_000
		o.Logger = slog.New(slog.DiscardHandler)
		for _, l := range log {
			l.Handler = o.Logger.Handler()
			o.Logger = slog.New(l)
		}
	})
	if err := os.WriteFile(filepath.Join(x.dir, "long.wav"), media.EncodeWAV(media.Tone(440, 10*time.Second)), 0o600); err != nil {
		b.Fatal(err)
	}
	return x.Driver
}

// BenchmarkPlaying holds calls that hear a prompt, and whose phone, SIPp, sends every packet back, and measures the
// processor time of five seconds.
//
//	go test -run '^$' -bench Playing -benchtime 1x ./drivers/sip
func BenchmarkPlaying(b *testing.B) {
	if _, err := exec.LookPath("sipp"); err != nil {
		b.Skip("SKIPPED: sipp is not installed")
	}
	for _, calls := range []int{50, 200, 500} {
		b.Run(strconv.Itoa(calls), func(b *testing.B) {
			var flow packets
			d := bench(b, &flow)
			dir := b.TempDir()
			file := filepath.Join(dir, "call.xml")
			if err := os.WriteFile(file, []byte(sippHead+sippInvite("0")+sippAnswered+`<pause milliseconds="8000"/>`+sippHangsUp+sippTail), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				cmd := exec.Command("sipp", fmt.Sprintf("127.0.0.1:%d", d.Port()), "-sf", file, "-s", "play", "-i", "127.0.0.1", "-p", "19064", "-mi", "127.0.0.1",
					"-mp", "19080", "-rtp_echo", "-m", strconv.Itoa(calls), "-r", strconv.Itoa(calls), "-l", "20000", "-nostdin", "-timeout", "60")
				cmd.Dir = dir
				if err := cmd.Start(); err != nil {
					b.Fatal(err)
				}
				for d.Calls() < calls {
					time.Sleep(50 * time.Millisecond)
				}
				time.Sleep(time.Second)
				used := cpu()
				time.Sleep(5 * time.Second)
				b.ReportMetric((cpu()-used).Seconds()/5*100/float64(calls), "%core/call")
				_ = cmd.Wait()
				for d.Calls() > 0 {
					time.Sleep(50 * time.Millisecond)
				}
				b.ReportMetric(float64(flow.sent.Load())/float64(flow.calls.Load())/8, "sent/s")
				b.ReportMetric(float64(flow.received.Load())/float64(flow.calls.Load())/8, "received/s")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
