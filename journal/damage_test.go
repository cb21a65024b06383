package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/journal"
)

// lastBlock returns the newest file of a stream's messages.
func lastBlock(t *testing.T, dir, stream string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "jetstream", "jetstream", "*", "streams", stream, "msgs", "*.blk"))
	if err != nil || len(found) == 0 {
		t.Fatalf("no blocks of %s: %v", stream, err)
	}
	slices.Sort(found)
	return found[len(found)-1]
}

// TestDamage harms the end of what is on disk: the journal opens, has all that came before, takes more, and says
// that something is lost.
func TestDamage(t *testing.T) {
	harms := map[string]func(t *testing.T, dir, block string){
		"cut within a record": func(t *testing.T, _, block string) {
			info, err := os.Stat(block)
			if err == nil {
				err = os.Truncate(block, info.Size()-40)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"garbage in the last record": func(t *testing.T, _, block string) {
			data, err := os.ReadFile(block)
			if err == nil {
				for i := len(data) - 30; i < len(data); i++ {
					data[i] ^= 0x5a
				}
				err = os.WriteFile(block, data, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		},
		"cut, and no index as after a kill": func(t *testing.T, _, block string) {
			info, err := os.Stat(block)
			if err == nil {
				err = os.Truncate(block, info.Size()-40)
			}
			if err == nil {
				err = os.Remove(filepath.Join(filepath.Dir(block), "index.db"))
			}
			if err != nil {
				t.Fatal(err)
			}
		},
	}
	for name, harm := range harms {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			j := open(t, journal.Options{Dir: dir})
			const calls = 20
			for i := range calls {
				appendTurn(t, j, "support", fmt.Sprint("c", i), turn(1, 2))
				r := &call.CDR{App: "support", CallID: fmt.Sprint("c", i), Raw: []byte(`{"some":"content, so that a record is not tiny"}`)}
				if _, err := j.Inbox().AcceptCDR(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			closeJournal(t, j)
			harm(t, dir, lastBlock(t, dir, "calls"))
			harm(t, dir, lastBlock(t, dir, "inbox_main"))

			j = open(t, journal.Options{Dir: dir})
			said := strings.Join(j.Losses(), "\n")
			t.Logf("said:\n%s", said)
			for _, stream := range []string{"calls", "inbox_main"} {
				if !strings.Contains(said, stream) {
					t.Errorf("the loss in %s is not named: %q", stream, said)
				}
			}
			for i := range calls - 1 {
				if got, _, err := j.Entries(t.Context(), fmt.Sprint("c", i)); err != nil || numbers(got) != "1,2" {
					t.Errorf("c%d: %s, %v", i, numbers(got), err)
				}
			}
			if n, _ := j.Inbox().Waiting(); n != calls-1 {
				t.Errorf("%d wait for delivery, want %d", n, calls-1)
			}
			appendTurn(t, j, "support", "after", turn(1, 1))
			if _, _, err := j.Entries(t.Context(), "after"); err != nil {
				t.Error(err)
			}
			if fresh, err := j.Inbox().AcceptCDR(t.Context(), &call.CDR{App: "support", CallID: "c19"}); err != nil || !fresh {
				t.Errorf("the lost record is refused when it comes again: %v, %v", fresh, err)
			}
		})
	}
}
