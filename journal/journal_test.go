package journal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/bindings/kv/kvtest"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
)

func open(t testing.TB, opts journal.Options) *journal.Journal {
	t.Helper()
	if opts.Dir == "" && opts.URL == "" {
		opts.Dir = t.TempDir()
	}
	j, err := journal.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeJournal(t, j) })
	return j
}

func closeJournal(t testing.TB, j *journal.Journal) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := j.Close(ctx); err != nil {
		t.Error(err)
	}
}

var began = time.Date(2026, 3, 14, 12, 0, 0, 123456789, time.UTC)

// turn makes n entries beginning with number first.
func turn(first, n int) []runtime.Entry {
	var all []runtime.Entry
	for i := range n {
		all = append(all, runtime.Entry{Seq: uint64(first + i), Time: began.Add(time.Duration(first+i) * time.Second),
			Kind: "log", Version: "v1", Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, first+i))})
	}
	return all
}

func appendTurn(t testing.TB, j *journal.Journal, app, id string, entries []runtime.Entry) {
	t.Helper()
	if err := j.Append(app, id, entries); err != nil {
		t.Fatal(err)
	}
}

func numbers(entries []runtime.Entry) string {
	var s []string
	for _, e := range entries {
		if e.Kind == "gap" {
			s = append(s, fmt.Sprintf("gap %d %s", e.Seq, e.Data))
			continue
		}
		s = append(s, fmt.Sprint(e.Seq))
	}
	return strings.Join(s, ",")
}

// each runs a test on an embedded journal and on one that connects to a server.
func each(t *testing.T, test func(t *testing.T, open func(t *testing.T, opts journal.Options) *journal.Journal)) {
	t.Run("embedded", func(t *testing.T) {
		test(t, func(t *testing.T, opts journal.Options) *journal.Journal { return open(t, opts) })
	})
	t.Run("server", func(t *testing.T) {
		test(t, func(t *testing.T, opts journal.Options) *journal.Journal {
			opts.URL = startServer(t).ClientURL()
			return open(t, opts)
		})
	})
}

func startServer(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server did not start")
	}
	return s
}

func TestContracts(t *testing.T) {
	each(t, func(t *testing.T, open func(*testing.T, journal.Options) *journal.Journal) {
		t.Run("inbox", func(t *testing.T) {
			inboxtest.Run(t, func(t *testing.T, opts call.InboxOptions) call.Inbox {
				return open(t, journal.Options{Inbox: opts}).Inbox()
			})
		})
		t.Run("kv", func(t *testing.T) {
			kvtest.Run(t, func(t *testing.T) kv.Store { return open(t, journal.Options{}).KV() })
		})
	})
}

func TestEntries(t *testing.T) {
	each(t, func(t *testing.T, open func(*testing.T, journal.Options) *journal.Journal) {
		j := open(t, journal.Options{})
		ids := []string{"c1", "", "a.b.c", "*", ">", "=", "\x00\xff \r\n", "ü", strings.Repeat("\xff", 200)}
		for _, id := range ids {
			appendTurn(t, j, "support", id, turn(1, 2))
			appendTurn(t, j, "support", id, turn(3, 1))
		}
		appendTurn(t, j, "a.b *", "other app", turn(1, 1))
		for _, id := range ids {
			got, app, err := j.Entries(t.Context(), id)
			if err != nil || app != "support" {
				t.Fatalf("%q: app %q, %v", id, app, err)
			}
			if want := turn(1, 3); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q:\n got %v\nwant %v", id, got, want)
			}
		}
		if _, app, err := j.Entries(t.Context(), "other app"); err != nil || app != "a.b *" {
			t.Errorf("app %q, %v", app, err)
		}
		if _, _, err := j.Entries(t.Context(), "none"); !errors.Is(err, journal.ErrNoCall) {
			t.Errorf("unknown call: %v", err)
		}
		if err := j.Append("support", strings.Repeat("x", 300), turn(1, 1)); err == nil || !strings.Contains(err.Error(), "session") {
			t.Errorf("id of 300 bytes: %v", err)
		}
		if err := j.Append("support", "empty", nil); err != nil {
			t.Error(err)
		}
	})
}

func TestLongCall(t *testing.T) {
	j := open(t, journal.Options{})
	const turns = 2000 // more than one batch of a scan
	for i := range turns {
		appendTurn(t, j, "support", "long", turn(i*2+1, 2))
		appendTurn(t, j, "support", fmt.Sprint("other", i), turn(1, 1))
	}
	got, _, err := j.Entries(t.Context(), "long")
	if err != nil || len(got) != 2*turns {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i, e := range got {
		if e.Seq != uint64(i+1) {
			t.Fatalf("entry %d has the number %d", i, e.Seq)
		}
	}
}

func TestGaps(t *testing.T) {
	j := open(t, journal.Options{})
	for _, part := range [][2]int{{3, 2}, {5, 1}, {9, 1}, {1, 2}, {4, 1}} { // the 1 is a second session
		appendTurn(t, j, "support", "c", turn(part[0], part[1]))
	}
	got, _, err := j.Entries(t.Context(), "c")
	if err != nil {
		t.Fatal(err)
	}
	if want := `gap 1 {"missing":2},3,4,5,gap 6 {"missing":3},9,1,2,gap 3 {"missing":1},4`; numbers(got) != want {
		t.Errorf("\n got %s\nwant %s", numbers(got), want)
	}
}

// TestBesideTheSession has notes of a driver between a session's entries, and behind them: they leave no gap and do not
// open a call again.
func TestBesideTheSession(t *testing.T) {
	j := open(t, journal.Options{})
	note := func(after int) []runtime.Entry {
		return []runtime.Entry{{Time: began.Add(time.Duration(after) * time.Second), Kind: "line"}}
	}
	end := turn(3, 1)
	end[0].Kind = "end"
	for _, part := range [][]runtime.Entry{note(0), turn(1, 1), note(1), turn(2, 1), end, note(4)} {
		appendTurn(t, j, "support", "c", part)
	}
	if calls, err := j.Calls(t.Context(), journal.CallFilter{}); err != nil || len(calls) != 1 || calls[0].LastKind != "end" || calls[0].Entries != 6 {
		t.Errorf("%+v, %v", calls, err)
	}
	appendTurn(t, j, "support", "c", turn(5, 1))
	appendTurn(t, j, "support", "c", note(6))
	got, _, err := j.Entries(t.Context(), "c")
	if want := `0,1,0,2,3,0,gap 4 {"missing":1},5,0`; err != nil || numbers(got) != want {
		t.Errorf("\n got %s\nwant %s, %v", numbers(got), want, err)
	}
}

// TestOversizedTurn loses one turn only, and the call's timeline says so.
func TestOversizedTurn(t *testing.T) {
	j := open(t, journal.Options{})
	appendTurn(t, j, "support", "c", turn(1, 1))
	big := turn(2, 1)
	big[0].Data = json.RawMessage(`"` + strings.Repeat("x", 9<<20) + `"`)
	if err := j.Append("support", "c", big); err == nil || !strings.Contains(err.Error(), "bytes") {
		t.Errorf("a turn of 9 MiB: %v", err)
	}
	appendTurn(t, j, "support", "other", turn(1, 1)) // ends the lagging state
	got, _, err := j.Entries(t.Context(), "c")
	if err != nil || numbers(got) != `1,gap 2 {"missing":1}` {
		t.Errorf("%s, %v", numbers(got), err)
	}
	if l := j.Lag(); l.Dropped != 1 || l.Lagging {
		t.Errorf("lag %+v", l)
	}
}

// TestLagging floods a journal whose queue is tiny: appends never wait, what is dropped is counted, and each
// call's timeline accounts for every entry.
func TestLagging(t *testing.T) {
	j := open(t, journal.Options{AppendQueue: 8})
	const calls, turns = 4, 5000
	var wg sync.WaitGroup
	var mu sync.Mutex
	refused := uint64(0)
	for c := range calls {
		wg.Go(func() {
			for i := range turns {
				if err := j.Append("support", fmt.Sprint("c", c), turn(i+1, 1)); err != nil {
					if !errors.Is(err, journal.ErrLagging) {
						t.Error(err)
					}
					mu.Lock()
					refused++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if refused == 0 {
		t.Skip("the queue never filled up on this machine")
	}
	if l := j.Lag(); l.Dropped != refused {
		t.Errorf("%d counted, %d refused", l.Dropped, refused)
	}
	for c := range calls {
		entries, _, err := j.Entries(t.Context(), fmt.Sprint("c", c))
		if err != nil {
			t.Fatal(err)
		}
		sum := uint64(0)
		for _, e := range entries {
			if e.Kind != "gap" {
				sum++
				continue
			}
			var gap struct{ Missing uint64 }
			if err := json.Unmarshal(e.Data, &gap); err != nil {
				t.Fatal(err)
			}
			sum += gap.Missing
		}
		if sum != turns {
			t.Errorf("call %d accounts for %d of %d entries", c, sum, turns)
		}
	}
	deadline := time.After(10 * time.Second)
	for l := j.Lag(); l.Lagging || l.Queued > 0; l = j.Lag() {
		select {
		case <-deadline:
			t.Fatalf("never caught up: %+v", l)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func TestFollow(t *testing.T) {
	each(t, func(t *testing.T, open func(*testing.T, journal.Options) *journal.Journal) {
		j := open(t, journal.Options{})
		appendTurn(t, j, "support", "c", turn(1, 2))
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		var got []runtime.Entry
		for e, err := range j.Follow(ctx, "c") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, e)
			switch len(got) {
			case 2:
				appendTurn(t, j, "support", "not c", turn(1, 1))
				appendTurn(t, j, "support", "c", turn(3, 2))
			case 4:
				appendTurn(t, j, "support", "c", turn(6, 1))
			}
			if len(got) == 6 {
				break
			}
		}
		if want := `1,2,3,4,gap 5 {"missing":1},6`; numbers(got) != want {
			t.Errorf("got %s, want %s", numbers(got), want)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		for e, err := range j.Follow(ended, "c") {
			t.Errorf("after its context's end: %v, %v", e, err)
		}
	})
}

func TestCalls(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, RecentCalls: 5})
	for i := range 7 {
		app := []string{"support", "sales"}[i%2]
		entries := turn(1, 2)
		for n := range entries {
			entries[n].Time = began.Add(time.Duration(i*10+n) * time.Minute)
		}
		if i == 4 {
			entries[1].Kind = "fault"
		}
		appendTurn(t, j, app, fmt.Sprint("c", i), entries)
	}
	check := func(j *journal.Journal, when string) {
		t.Helper()
		for _, c := range []struct {
			filter journal.CallFilter
			want   string
		}{
			{journal.CallFilter{}, "c6 c5 c4 c3 c2"},
			{journal.CallFilter{App: "sales"}, "c5 c3"},
			{journal.CallFilter{Limit: 2}, "c6 c5"},
			{journal.CallFilter{Since: began.Add(50 * time.Minute)}, "c6 c5"},
			{journal.CallFilter{FaultsOnly: true}, "c4"},
			{journal.CallFilter{App: "none"}, ""},
		} {
			calls, err := j.Calls(t.Context(), c.filter)
			if err != nil {
				t.Fatal(err)
			}
			var ids []string
			for _, s := range calls {
				ids = append(ids, s.ID)
			}
			if got := strings.Join(ids, " "); got != c.want {
				t.Errorf("%s, %+v: %s, want %s", when, c.filter, got, c.want)
			}
		}
		calls, err := j.Calls(t.Context(), journal.CallFilter{FaultsOnly: true})
		want := journal.CallSummary{ID: "c4", App: "support", Version: "v1", Started: began.Add(40 * time.Minute),
			Last: began.Add(41 * time.Minute), LastKind: "fault", Entries: 2, Faults: 1}
		if err != nil || len(calls) != 1 || calls[0] != want {
			t.Errorf("%s: %+v, %v\nwant %+v", when, calls, err, want)
		}
	}
	check(j, "live")
	closeJournal(t, j)
	j = open(t, journal.Options{Dir: dir, RecentCalls: 5})
	check(j, "after a restart")
}

func TestNothingIsLeft(t *testing.T) {
	defer goleak.VerifyNone(t)
	ctx := context.Background()
	j, err := journal.Open(ctx, journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	appendTurn(t, j, "support", "c", turn(1, 3))
	for range j.Follow(ctx, "c") {
		break
	}
	if _, err := j.Inbox().AcceptCDR(ctx, &call.CDR{App: "a", CallID: "c"}); err != nil {
		t.Fatal(err)
	}
	deliverOne(t, j.Inbox(), "c")
	closeJournal(t, j)
	if j.Ready() == nil {
		t.Error("ready after Close")
	}
	if err := j.Append("support", "c", turn(1, 1)); err == nil {
		t.Error("Append after Close returns no error")
	}
	if _, err := j.Inbox().AcceptCDR(ctx, &call.CDR{App: "a", CallID: "d"}); err == nil {
		t.Error("AcceptCDR after Close returns no error")
	}
	if _, _, err := j.Entries(ctx, "c"); err == nil {
		t.Error("Entries after Close returns no error")
	}
	closeJournal(t, j) // twice is no error
}

func TestOpenErrors(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	used := filepath.Join(dir, "used")
	j, err := journal.Open(context.Background(), journal.Options{Dir: used})
	if err != nil {
		t.Fatal(err)
	}
	defer closeJournal(t, j)
	cases := []struct {
		name string
		opts journal.Options
		want []string
	}{
		{"nothing given", journal.Options{}, []string{"neither a data folder nor a NATS URL"}},
		{"a file in the way", journal.Options{Dir: filepath.Join(file, "data")}, []string{file, "not a directory"}},
		{"used by another", journal.Options{Dir: used}, []string{used, "in use by another piopiyd", fmt.Sprint(os.Getpid())}},
		{"nobody at the URL", journal.Options{URL: "nats://127.0.0.1:1"}, []string{"nats://127.0.0.1:1", "no servers available"}},
		{"node name", journal.Options{Dir: dir, Node: "a.b"}, []string{`"a.b"`}},
	}
	if os.Getuid() != 0 { // root may write anywhere
		locked := filepath.Join(dir, "locked")
		if err := os.Mkdir(locked, 0o555); err != nil {
			t.Fatal(err)
		}
		cases = append(cases, struct {
			name string
			opts journal.Options
			want []string
		}{"not writable", journal.Options{Dir: locked}, []string{locked, "not writable"}})
	}
	for _, c := range cases {
		j, err := journal.Open(context.Background(), c.opts)
		if err == nil {
			closeJournal(t, j)
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", c.name, err, want)
			}
		}
	}
}
