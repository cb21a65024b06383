package media_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// TestJitterDrift lets a sender whose clock differs from ours talk for ten minutes, over a network that delays its
// packets: the time that sound waits stays within bounds, nearly all of it is heard, and no more frames are dropped
// or stretched than the clocks differ by.
func TestJitterDrift(t *testing.T) {
	for _, ppm := range []int{-200, -50, 0, 50, 200} {
		for _, jitter := range []time.Duration{0, 8 * time.Millisecond, 25 * time.Millisecond} {
			t.Run(fmt.Sprintf("%d ppm, %v", ppm, jitter), func(t *testing.T) {
				const ticks = 10 * 60 * 50
				random := rand.New(rand.NewPCG(3, uint64(ppm+1000)))
				sendEvery := float64(media.FrameTime) * (1 - float64(ppm)/1e6)
				start := time.Unix(1000, 0)
				var j media.Jitter
				j.Reset(media.PCMU)
				f := media.NewFrame(media.Rate)
				type flight struct {
					seq int
					at  time.Duration
				}
				var air []flight
				sent, played, heard, worst, waits := 0, 0, 0, 0, 0
				for tick := range ticks {
					now := time.Duration(tick) * media.FrameTime
					for time.Duration(float64(sent)*sendEvery) <= now {
						delay := 10 * time.Millisecond
						if jitter > 0 {
							delay += time.Duration(random.Int64N(int64(jitter)))
						}
						air = append(air, flight{sent, time.Duration(float64(sent)*sendEvery) + delay})
						sent++
					}
					rest := air[:0]
					for _, p := range air {
						if p.at > now {
							rest = append(rest, p)
							continue
						}
						j.Put(media.Packet{Sequence: uint16(p.seq), Timestamp: uint32(p.seq * 160), Payload: make([]byte, 160)}, start.Add(p.at))
					}
					air = rest
					if j.ReadFrame(f) {
						heard++
					}
					// What was sent and has not been played, dropped or lost waits, on the way or here.
					s := j.Stats()
					played = heard - int(s.Stretched) + int(s.Dropped) + int(s.Lost)
					if tick > 100 {
						wait := sent - played
						worst = max(worst, wait)
						waits += wait
					}
				}
				s := j.Stats()
				if mean := float64(waits) / (ticks - 101); worst > 10 || mean > 6 {
					t.Errorf("%.1f frames wait on average, %d at worst: %+v", mean, worst, s)
				}
				drift := ticks * max(ppm, -ppm) / 1e6
				if n := int(s.Dropped + s.Stretched); jitter == 0 && (n > drift+2 || s.Concealed > 3) {
					t.Errorf("%d frames were dropped or stretched, the clocks differ by %d: %+v", n, drift, s)
				}
				if heard < ticks*995/1000 || s.Concealed > ticks/200 {
					t.Errorf("%d of %d frames were heard: %+v", heard, ticks, s)
				}
			})
		}
	}
}

// TestJitterSilence lets the sender save packets: comfort noise is heard at its level, and nothing counts as lost.
func TestJitterSilence(t *testing.T) {
	var j media.Jitter
	f := media.NewFrame(media.Rate)
	loud := media.PCMU.Encode(nil, media.Tone(440, media.FrameTime))
	seq, stamp, loudest := uint16(0), uint32(0), 0
	for tick := range 600 {
		at := time.Unix(0, int64(tick)*2e7)
		stamp += 160
		switch talking := tick%200 < 100; {
		case talking:
			j.Put(media.Packet{Sequence: seq, Timestamp: stamp, Payload: loud}, at)
			seq++
		case tick%200 == 100, tick%200 == 150:
			j.Silence(seq, 50)
			seq++
		}
		j.ReadFrame(f)
		if n := tick % 200; n > 110 && n < 200 {
			for _, v := range f {
				loudest = max(loudest, abs(int(v)))
			}
		}
	}
	if s := j.Stats(); s.Lost != 0 || s.Late != 0 || s.Concealed > 0 || s.Dropped > 0 {
		t.Errorf("%+v", s)
	}
	if loudest < 120 || loudest > 190 { // -50 dBov, evenly distributed: 179
		t.Errorf("the noise has peaks of %d", loudest)
	}
}

// TestJitterStretchesWithoutClicks has a slow sender talk in a steady tone: where a frame is played twice nothing jumps.
func TestJitterStretchesWithoutClicks(t *testing.T) {
	var j media.Jitter
	f := media.NewFrame(media.Rate)
	tone := media.Tone(200, 40*time.Second)[800:]
	sent, last, steepest := 0, int16(0), 0
	for tick := range 1500 {
		for float64(sent)*20.1 <= float64(tick)*20 {
			j.Put(media.Packet{Sequence: uint16(sent), Timestamp: uint32(sent * 160), Payload: media.PCMU.Encode(nil, tone[sent*160:sent*160+160])}, time.Unix(0, int64(float64(sent)*20.1e6)))
			sent++
		}
		if j.ReadFrame(f) && tick > 5 {
			for _, v := range f {
				steepest = max(steepest, abs(int(v)-int(last)))
				last = v
			}
		}
	}
	s := j.Stats()
	if s.Stretched < 5 || s.Concealed > 0 {
		t.Errorf("%+v", s)
	}
	// The tone itself rises by 1287 from sample to sample.
	if steepest > 1800 {
		t.Errorf("the sound jumps by %d", steepest)
	}
}
