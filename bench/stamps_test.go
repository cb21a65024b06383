package main

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// TestStamps holds stamps against the engine's own G.711: as PCM and as PCMU they name the frame.
func TestStamps(t *testing.T) {
	wav := make([]byte, frameSamples)
	for _, want := range [][2]int{{0, 0}, {1, 63}, {99, 64}, {4095, 4095}, {800, 1234}} {
		writeStamp(wav, want[0], want[1])
		if party, frame, ok := readStampPCMU(wav); !ok || party != want[0] || frame != want[1] {
			t.Errorf("PCMU: %d, %d, %v, want %v", party, frame, ok, want)
		}
		samples := media.PCMU.Decode(nil, wav)
		var pcm []byte
		for _, v := range samples {
			pcm = binary.LittleEndian.AppendUint16(pcm, uint16(v))
		}
		if party, frame, ok := readStampPCM(pcm); !ok || party != want[0] || frame != want[1] {
			t.Errorf("PCM: %d, %d, %v, want %v", party, frame, ok, want)
		}
	}
	if _, _, ok := readStampPCM(make([]byte, 2*frameSamples)); ok {
		t.Error("silence is a stamp")
	}
	if _, _, ok := readStampPCMU(slices.Repeat([]byte{0xFF}, frameSamples)); ok {
		t.Error("silence is a stamp")
	}
}

func TestSinceTick(t *testing.T) {
	start := time.Now()
	var ticks []time.Time
	var list []frameHeard
	for i := range 100 {
		at := start.Add(time.Duration(i) * frameTime)
		ticks = append(ticks, at)
		delay := time.Millisecond
		if i == 50 {
			delay = 30 * time.Millisecond // longer than a tick
		}
		if i >= 10 {
			list = append(list, frameHeard{i, at.Add(delay)})
		}
	}
	got := distribution(sinceTick(list, ticks))
	slices.Sort(got)
	if len(got) != 90 || got.at(0.5) != 1 || got.at(1) != 30 {
		t.Errorf("%d, p50 %g, longest %g", len(got), got.at(0.5), got.at(1))
	}
}

func TestSippTime(t *testing.T) {
	if got := sippTime("2026-11-22\t12:45:36.773128\t1795351536.773128"); got != 1795351536.773128 {
		t.Errorf("%f", got)
	}
	if got := sippTime("12:45"); got != 0 {
		t.Errorf("%f", got)
	}
}
