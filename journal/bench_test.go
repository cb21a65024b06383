package journal_test

import (
	"context"
	"fmt"
	goruntime "runtime"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/journal"
)

// perOp reports the process's processor time for each of n operations: what the client and the server cost together.
func perOp(b *testing.B, n int, run func()) {
	b.Helper()
	b.ResetTimer()
	before := cpuTime()
	run()
	used := cpuTime() - before
	b.StopTimer()
	b.ReportMetric(float64(used.Microseconds())/float64(n), "cpu-µs/op")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "ops/s")
}

// BenchmarkAppend appends turns of four entries over many calls, as fast as the queue takes them and at a steady
// 10,000 a second.
func BenchmarkAppend(b *testing.B) {
	entries := turn(1, 4)
	for i := range entries {
		entries[i].Data = []byte(`{"from":"919999000001","to":"918888000001","text":"Thanks for calling Acme. Sales, press 1. Support, press 2."}`)
	}
	for _, pace := range []int{0, 10_000} {
		for _, calls := range []int{10_000, 200_000} {
			name := fmt.Sprintf("calls=%d/pace=%d", calls, pace)
			b.Run(name, func(b *testing.B) {
				j := open(b, journal.Options{})
				ids := make([]string, calls)
				for i := range ids {
					ids[i] = fmt.Sprintf("6f1c2f0e-%08d", i)
				}
				perOp(b, b.N, func() {
					begin := time.Now()
					for i := range b.N {
						for j.Append("support", ids[i%calls], entries) != nil {
							time.Sleep(time.Millisecond) // what the benchmark measures is not the dropping
						}
						if pace > 0 && i%100 == 99 {
							time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(pace))))
						}
					}
					if _, _, err := j.Entries(context.Background(), ids[0]); err != nil { // waits until all is stored
						b.Fatal(err)
					}
				})
			})
		}
	}
}

// BenchmarkManyCalls reports the memory that a stored call keeps.
func BenchmarkManyCalls(b *testing.B) {
	const calls = 200_000
	j := open(b, journal.Options{})
	before := heap()
	for b.Loop() {
		for i := range calls {
			for j.Append("support", fmt.Sprintf("6f1c2f0e-%08d", i), turn(1, 1)) != nil {
				time.Sleep(time.Millisecond)
			}
		}
		if _, _, err := j.Entries(context.Background(), "6f1c2f0e-00000000"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(heap()-before)/calls, "B/call")
}

func heap() int64 {
	goruntime.GC()
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkInbox accepts records and delivers them, until the last is marked as done.
func BenchmarkInbox(b *testing.B) {
	for _, pace := range []int{0, 10_000} {
		for name, open := range map[string]func(b *testing.B) call.Inbox{
			"memory":  func(*testing.B) call.Inbox { return call.NewMemoryInbox(call.InboxOptions{MaxPending: 1 << 30}) },
			"journal": func(b *testing.B) call.Inbox { return open(b, journal.Options{}).Inbox() },
		} {
			b.Run(fmt.Sprintf("%s/pace=%d", name, pace), func(b *testing.B) { benchInbox(b, open(b), pace) })
		}
	}
}

func benchInbox(b *testing.B, in call.Inbox, pace int) {
	const senders = 100
	var delivered sync.WaitGroup
	delivered.Add(b.N)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- in.Deliver(ctx, inboxtest.Handler{OnCDR: func(context.Context, *call.CDR) error { delivered.Done(); return nil }})
	}()
	raw := []byte(`{"appid":1000,"leg":"a","cmiuuid":"6f1c2f0e","from":"919999000001","to":"918888000001","status":"answered","duration":59,"time":1773500000000}`)
	work := make(chan int, senders)
	perOp(b, b.N, func() {
		var sending sync.WaitGroup
		for range senders {
			sending.Go(func() {
				for i := range work {
					r := &call.CDR{App: "support", CallID: fmt.Sprint("c", i), LegID: fmt.Sprint("c", i), Leg: call.LegA, Status: call.StatusAnswered, Raw: raw}
					if fresh, err := in.AcceptCDR(ctx, r); err != nil || !fresh {
						b.Error(fresh, err)
					}
				}
			})
		}
		begin := time.Now()
		for i := range b.N {
			work <- i
			if pace > 0 && i%20 == 19 {
				time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(pace))))
			}
		}
		close(work)
		sending.Wait()
		delivered.Wait()
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	})
}

func BenchmarkKV(b *testing.B) {
	for name, open := range map[string]func(b *testing.B) kv.Store{
		"memory":  func(*testing.B) kv.Store { return kv.NewMemoryStore() },
		"journal": func(b *testing.B) kv.Store { return open(b, journal.Options{}).KV() },
	} {
		s := func(b *testing.B) kv.Store {
			s := open(b)
			for i := range 1000 {
				if _, err := s.Set(context.Background(), "support", fmt.Sprint("key", i), []byte(`{"n":1}`), 0); err != nil {
					b.Fatal(err)
				}
			}
			return s
		}
		ops := map[string]func(s kv.Store, key string) error{
			"get": func(s kv.Store, key string) error {
				_, _, err := s.Get(context.Background(), "support", key)
				return err
			},
			"set": func(s kv.Store, key string) error {
				_, err := s.Set(context.Background(), "support", key, []byte(`{"n":2}`), time.Hour)
				return err
			},
			"increment": func(s kv.Store, key string) error {
				_, err := s.Increment(context.Background(), "sales", key, 1)
				return err
			},
		}
		for op, run := range ops {
			b.Run(op+"/"+name, func(b *testing.B) {
				s := s(b)
				perOp(b, b.N, func() {
					for i := range b.N {
						if err := run(s, fmt.Sprint("key", i%1000)); err != nil {
							b.Fatal(err)
						}
					}
				})
			})
		}
	}
}

// BenchmarkOpen opens and closes a journal with 10,000 calls and as many records that wait for delivery.
func BenchmarkOpen(b *testing.B) {
	ctx, dir := context.Background(), b.TempDir()
	reopen := func(fill func(j *journal.Journal)) {
		j, err := journal.Open(ctx, journal.Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		fill(j)
		closeJournal(b, j)
	}
	reopen(func(j *journal.Journal) {
		for i := range 10_000 {
			id := fmt.Sprint("c", i)
			if _, err := j.Inbox().AcceptCDR(ctx, &call.CDR{App: "support", CallID: id, Raw: []byte(`{}`)}); err != nil {
				b.Fatal(err)
			}
			for j.Append("support", id, turn(1, 2)) != nil {
				time.Sleep(time.Millisecond)
			}
		}
	})
	for b.Loop() {
		reopen(func(*journal.Journal) {})
	}
}

// BenchmarkUnderway is what a call of the engine costs more because it is known to be under way: its beginning, answer and
// end.
func BenchmarkUnderway(b *testing.B) {
	j := open(b, journal.Options{})
	u := j.Underway()
	perOp(b, b.N, func() {
		for i := range b.N {
			id := fmt.Sprintf("01234567-89ab-cdef-%d", i)
			u.Began(carriedCall(id))
			u.Event(legEvent(id, call.LegA, id, call.StatusAnswered, time.Second))
			u.Ended(legRecord(id, call.LegA, id))
		}
	})
}
