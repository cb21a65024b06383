package runtime_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/piopiy/piopiyd/runtime"
)

// What a session that failed wrote last may be stored after the beginning of the call's next one.
func TestRecordingsThatOverlap(t *testing.T) {
	start := json.RawMessage(`{"app":"app","version":"v","seed":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`)
	entry := func(seq uint64, kind string) runtime.Entry { return runtime.Entry{Seq: seq, Kind: kind, Data: start} }
	list, err := runtime.Recordings([]runtime.Entry{
		entry(0, "driver"), entry(1, "start"), entry(2, "answer"), entry(3, "fault"), entry(1, "start"), entry(4, "policy"),
		entry(2, "event"), entry(5, "end"), entry(3, "end"),
	})
	if err != nil || len(list) != 2 {
		t.Fatalf("%d recordings, error %v", len(list), err)
	}
	for i, want := range [][]string{{"start", "answer", "fault", "policy", "end"}, {"start", "event", "end"}} {
		var got []string
		for _, e := range list[i].Entries {
			got = append(got, e.Kind)
		}
		if !slices.Equal(got, want) {
			t.Errorf("recording %d holds %v, want %v", i, got, want)
		}
	}
}
