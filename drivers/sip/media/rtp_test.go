package media_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func TestParseRTP(t *testing.T) {
	p := media.Packet{PayloadType: 101, Marker: true, Sequence: 65535, Timestamp: 4e9, SSRC: 0xDEADBEEF, Payload: []byte{1, 2, 3}}
	wire := p.Append(nil)
	got, err := media.ParseRTP(wire)
	if diff := cmp.Diff(p, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	padded := append(append([]byte{0xA0}, wire[1:]...), 0, 0, 3)
	if got, err := media.ParseRTP(padded); err != nil || len(got.Payload) != 3 {
		t.Errorf("padded: %v %v", got, err)
	}
	for name, bad := range map[string][]byte{
		"empty": {}, "short": wire[:11], "version 1": append([]byte{0x40}, wire[1:]...), "RTCP": {0x80, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"padding longer than the packet": append(append([]byte{0xA0}, wire[1:]...), 200), "no padding": append([]byte{0xA0}, wire[1:12]...),
	} {
		if _, err := media.ParseRTP(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzParseRTP(f *testing.F) {
	f.Add(media.Packet{Payload: []byte{1}}.Append(nil))
	f.Add([]byte{0xBF, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := media.ParseRTP(data)
		if err != nil {
			return
		}
		again, err := media.ParseRTP(p.Append(nil))
		if diff := cmp.Diff(p, again, cmp.Transformer("", func(b []byte) string { return string(b) })); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestEventReceiver(t *testing.T) {
	var r media.EventReceiver
	heard := ""
	put := func(timestamp uint32, code uint8, end bool, duration uint16) {
		if d, ok := r.Put(timestamp, media.Event{Code: code, End: end, Duration: duration}.Append(nil)); ok {
			heard += string(d)
		}
	}
	for i, code := range []uint8{1, 1, 11} {
		start := uint32(4294967000 + i*2000) // wraps around
		for d := range 5 {
			put(start, code, d > 2, uint16(160*d))
		}
		put(start-2000, 9, true, 800) // the last key's end, late
	}
	put(20000, 16, false, 160) // a hook flash
	if heard != "11#" {
		t.Errorf("heard %q", heard)
	}
	if _, ok := r.Put(99999, []byte{1, 2, 3}); ok {
		t.Error("a short event is one")
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add([]byte{1, 0x8A, 0, 160})
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := media.ParseEvent(data)
		if err != nil {
			return
		}
		if again, err := media.ParseEvent(e.Append(nil)); err != nil || again != e {
			t.Errorf("%+v is %+v, %v", e, again, err)
		}
	})
}
