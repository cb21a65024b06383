package journal

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// The fuzz targets read what a damaged disk could hold: a decoder returns an error or what encodes and decodes to
// the same again, and takes memory in proportion to its input.

func FuzzEntries(f *testing.F) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 5, time.UTC)
	f.Add(appendEntries(nil, nil))
	f.Add(appendEntries(nil, []runtime.Entry{{Seq: 1, Time: at, Kind: "answer", Version: "v", Data: []byte(`{}`)}, {Seq: 2, Kind: "log"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := decodeEntries(data)
		if err != nil {
			return
		}
		again, err := decodeEntries(appendEntries(nil, entries))
		if d := cmp.Diff(entries, again); d != "" || err != nil {
			t.Errorf("%v\n%s", err, d)
		}
	})
}

func FuzzAccepted(f *testing.F) {
	f.Add(appendAccepted([]byte{formatAccepted}, &call.Accepted{Event: &call.Event{CallID: "c", Raw: []byte(`{}`)}}))
	f.Add(appendAccepted([]byte{formatAccepted}, &call.Accepted{CDR: &call.CDR{CallID: "c", Duration: time.Second}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := decodeAccepted(data)
		if err != nil {
			return
		}
		stored := []byte{formatAccepted}
		for _, a := range all {
			stored = appendAccepted(stored, a)
		}
		again, err := decodeAccepted(stored)
		if len(again) != len(all) || err != nil {
			t.Fatalf("%d of %d, %v", len(again), len(all), err)
		}
		for i := range all {
			if d := cmp.Diff(all[i].Event, again[i].Event) + cmp.Diff(all[i].CDR, again[i].CDR); d != "" {
				t.Error(d)
			}
		}
	})
}

func FuzzDone(f *testing.F) {
	f.Add(append([]byte{formatDone}, bytes.Repeat([]byte{7}, 32)...))
	f.Fuzz(func(t *testing.T, data []byte) {
		keys, err := decodeDone(data)
		if err == nil && len(keys)*16+1 != len(data) {
			t.Errorf("%d keys of %d bytes", len(keys), len(data))
		}
	})
}

func FuzzToken(f *testing.F) {
	for _, id := range []string{"", "a", "a.b", "=", "\x00*>", "ü"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		tok := token(id)
		for _, c := range []byte(tok) {
			if !isPlain(c) && c != '=' {
				t.Fatalf("token %q of %q", tok, id)
			}
		}
		if back, err := untoken(tok); err != nil || back != id || tok == "" {
			t.Errorf("%q became %q became %q, %v", id, tok, back, err)
		}
		_, _ = untoken(id) // any input ends in a string or an error, without a panic
	})
}

func FuzzUnderway(f *testing.F) {
	at := time.Date(2026, 3, 14, 12, 0, 0, 5, time.UTC)
	leg := &call.CDR{App: "a", Driver: "sip", CallID: "c", LegID: "l", Leg: call.LegB, Start: at}
	f.Add(appendAlive([]byte{formatUnderway}, at))
	f.Add(appendLegOver(appendLeg([]byte{formatUnderway}, at, leg), at, callName{"a", "c"}, call.LegB, "l"))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := &trace{calls: map[callName][]*call.CDR{}}
		if decodeUnderway(data, once) != nil {
			return
		}
		stored, want := []byte{formatUnderway}, 0
		for _, legs := range once.calls {
			for _, leg := range legs {
				stored = appendLeg(stored, once.alive, leg)
				want++
			}
		}
		again := &trace{calls: map[callName][]*call.CDR{}}
		if err := decodeUnderway(stored, again); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(once.calls, again.calls); d != "" {
			t.Errorf("of %d legs (-once +again):\n%s", want, d)
		}
	})
}
