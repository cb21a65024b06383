package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/call/inboxtest"
	"github.com/piopiy/piopiyd/journal"
)

// victimDir names the data folder to a copy of this test that is there to be killed.
const victimDir = "JOURNAL_TEST_VICTIM"

func TestMain(m *testing.M) {
	if dir := os.Getenv(victimDir); dir != "" {
		if err := victim(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

const victimConcurrency = 8

// victim accepts and delivers records until it is killed. In the folder it notes, each with one write that a kill
// cannot take back: what was accepted once Accept has returned, and what was delivered as the handler's last act.
func victim(dir string) error {
	run := os.Getenv("JOURNAL_TEST_RUN")
	accepted, err := os.OpenFile(filepath.Join(dir, "accepted"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	delivered, err := os.OpenFile(filepath.Join(dir, "delivered"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	ctx := context.Background()
	j, err := journal.Open(ctx, journal.Options{Dir: dir, Inbox: call.InboxOptions{
		Concurrency: victimConcurrency, Backoff: []time.Duration{time.Millisecond, 20 * time.Millisecond},
	}})
	if err != nil {
		return err
	}
	if l := j.Losses(); len(l) > 0 {
		return fmt.Errorf("losses after a kill: %q", l)
	}
	failed := make(chan error, 8)
	go func() {
		failed <- j.Inbox().Deliver(ctx, inboxtest.Handler{OnCDR: func(_ context.Context, r *call.CDR) error {
			if rand.IntN(10) == 0 {
				return errors.New("try again")
			}
			_, err := fmt.Fprintf(delivered, "%s %s\n", r.LegID, run)
			return err
		}})
	}()
	for sender := range 4 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%s.%d.%d", run, sender, n)
				r := &call.CDR{App: "support", CallID: callOf(id), LegID: id, Raw: []byte(`{}`)}
				if _, err := j.Inbox().AcceptCDR(ctx, r); err != nil {
					failed <- err
				}
				if _, err := fmt.Fprintln(accepted, id); err != nil {
					failed <- err
				}
				if fresh, err := j.Inbox().AcceptCDR(ctx, r); err != nil || fresh {
					failed <- fmt.Errorf("%s accepted again: %v, %w", id, fresh, err)
				}
				if err := j.Append("support", id, turn(1, 2)); err != nil && !errors.Is(err, journal.ErrLagging) {
					failed <- err
				}
			}
		}()
	}
	return <-failed
}

// TestKill kills a process at random moments while it accepts and delivers. Every accepted record must reach the
// handler, and none twice, except one whose process was killed between the handler's return and the mark.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	dir := t.TempDir()
	const kills = 20
	for run := range kills {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), victimDir+"="+dir, fmt.Sprintf("JOURNAL_TEST_RUN=%d", run))
		var stderr strings.Builder
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		awaitRun(t, dir, run)
		<-time.After(time.Duration(rand.IntN(200)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") || stderr.Len() > 0 {
			t.Fatalf("run %d ended by itself: %v\n%s", run, err, stderr.String())
		}
	}

	accepted := map[string]bool{}
	lines(t, filepath.Join(dir, "accepted"), func(line string) { accepted[line] = true })
	deliverRest(t, dir)

	type delivery struct{ id, run string }
	var all []delivery
	times := map[string]int{}
	byCall := map[string][]delivery{}
	lines(t, filepath.Join(dir, "delivered"), func(line string) {
		id, run, _ := strings.Cut(line, " ")
		d := delivery{id, run}
		all = append(all, d)
		times[id]++
		call := callOf(id)
		byCall[call] = append(byCall[call], d)
	})
	missing := 0
	for id := range accepted {
		if times[id] == 0 {
			missing++
		}
	}
	if missing > 0 {
		t.Errorf("%d of %d accepted records never reached the handler", missing, len(accepted))
	}
	// A call's next record is delivered only once the one before it is marked as done. So only the last record
	// that a call had delivered before a kill may come again, as the first one after it.
	again := 0
	for call, ds := range byCall {
		seen := map[string]bool{}
		for i, d := range ds {
			if seen[d.id] {
				again++
				if before := ds[i-1]; before.id != d.id || before.run == d.run {
					t.Errorf("call %s: %s was delivered again after it had been marked: %v", call, d.id, ds)
				}
			}
			seen[d.id] = true
		}
	}
	if limit := kills * victimConcurrency; again > limit {
		t.Errorf("%d delivered again, at most %d can have been under way at the kills", again, limit)
	}
	t.Logf("%d accepted, %d deliveries, %d kills, %d delivered again because the kill came between handler and mark",
		len(accepted), len(all), kills, again)
}

// callOf is the call of a record "run.sender.n".
func callOf(id string) string {
	parts := strings.Split(id, ".")
	n, err := strconv.Atoi(parts[len(parts)-1])
	if err != nil {
		panic(err) // the victim writes numbers
	}
	return fmt.Sprintf("%s.%d", parts[0], n/2)
}

// awaitRun returns once a run has had a record delivered.
func awaitRun(t *testing.T, dir string, run int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	want := fmt.Sprintf("\n%d.", run)
	for {
		data, err := os.ReadFile(filepath.Join(dir, "accepted"))
		if err == nil && strings.Contains("\n"+string(data), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("run %d never accepted anything", run)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// deliverRest delivers what the last kill left.
func deliverRest(t *testing.T, dir string) {
	t.Helper()
	delivered, err := os.OpenFile(filepath.Join(dir, "delivered"), os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer delivered.Close()
	j := open(t, journal.Options{Dir: dir})
	if l := j.Losses(); len(l) > 0 {
		t.Errorf("losses: %q", l)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	left, _ := j.Inbox().Waiting()
	if left == 0 {
		return
	}
	err = j.Inbox().Deliver(ctx, inboxtest.Handler{OnCDR: func(_ context.Context, r *call.CDR) error {
		mu.Lock()
		defer mu.Unlock()
		if left--; left == 0 {
			cancel()
		}
		_, err := fmt.Fprintf(delivered, "%s rest\n", r.LegID)
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if n, _ := j.Inbox().Waiting(); n > 0 {
		t.Errorf("%d still wait", n)
	}
	calls, err := j.Calls(t.Context(), journal.CallFilter{Limit: 50})
	if err != nil || len(calls) != 50 {
		t.Fatalf("%d calls, %v", len(calls), err)
	}
	for _, c := range calls {
		if got, _, err := j.Entries(t.Context(), c.ID); err != nil || numbers(got) != "1,2" {
			t.Errorf("call %s: %s, %v", c.ID, numbers(got), err)
		}
	}
}

func lines(t *testing.T, path string, fn func(string)) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		fn(s.Text())
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
}

// TestLock shows that the folder is free again after a kill, and not before.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), victimDir+"="+dir, "JOURNAL_TEST_RUN=0")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	awaitRun(t, dir, 0)
	_, err := journal.Open(t.Context(), journal.Options{Dir: dir})
	if !errors.Is(err, journal.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprintf("process %d", cmd.Process.Pid)) {
		t.Errorf("a folder in use: %v", err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the killed process ended well")
	}
	open(t, journal.Options{Dir: dir})
}
