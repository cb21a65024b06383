package journal

import (
	"errors"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/runtime"
)

// What was stored by a version to come, or was damaged, cannot be recalled, however often one tries.
func TestRecallOfWhatCannotBeRead(t *testing.T) {
	j, err := Open(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = j.Close(t.Context()) }()
	for name, message := range map[string][]byte{"unknown": {99}, "cut": {formatEntries, 1, 1}} {
		if _, err := j.js.Publish(t.Context(), callSubject("app", name), message); err != nil {
			t.Fatal(err)
		}
		if entries, err := j.Recall(t.Context(), "app", name); !errors.Is(err, runtime.ErrNoRecording) || !strings.Contains(err.Error(), "message") {
			t.Errorf("%s: %v, error %v", name, entries, err)
		}
	}
}
