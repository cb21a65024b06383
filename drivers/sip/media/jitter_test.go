package media_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// arrival is a packet: the number of the frame that it holds, and when it comes after it was sent.
type arrival struct {
	frame int
	delay time.Duration
}

// listen plays a stream to its end and returns which frames were heard, in order. -1 is a concealed frame.
func listen(j *media.Jitter, arrivals []arrival, ticks int, drift time.Duration) []int {
	start := time.Unix(1000, 0)
	var heard []int
	due := map[int][]arrival{}
	for _, a := range arrivals {
		at := time.Duration(a.frame)*(media.FrameTime+drift) + a.delay
		tick := int(at/media.FrameTime) + 1
		due[tick] = append(due[tick], a)
	}
	for tick := range ticks {
		for _, a := range due[tick] {
			level := int16(8 * (a.frame%100 + 1))
			samples := make([]int16, media.FrameSamples)
			for i := range samples {
				samples[i] = level
			}
			j.Put(media.Packet{
				Sequence: uint16(65500 + a.frame), Timestamp: uint32(a.frame * media.FrameSamples), Payload: media.PCMA.Encode(nil, samples),
			}, start.Add(time.Duration(a.frame)*(media.FrameTime+drift)+a.delay))
		}
		f := media.NewFrame(media.Rate)
		if j.ReadFrame(f) {
			heard = append(heard, int(f[100]))
		} else {
			heard = append(heard, -1)
		}
	}
	return heard
}

func steady(n int, delay func(int) time.Duration) (out []arrival) {
	for i := range n {
		out = append(out, arrival{i, delay(i)})
	}
	return out
}

func TestJitter(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name                 string
		arrivals             []arrival
		drift                time.Duration
		heard, lost, dropped [2]int // at least, at most
		late                 int
	}{
		{name: "in time", arrivals: steady(500, func(int) time.Duration { return 0 }), heard: [2]int{500, 500}},
		{name: "swapped", arrivals: steady(500, func(i int) time.Duration { return time.Duration(i%2) * -25 * time.Millisecond }), heard: [2]int{498, 500}, lost: [2]int{0, 1}, late: 1},
		{name: "jitter of 30 ms", arrivals: steady(500, func(int) time.Duration { return time.Duration(random.IntN(30)) * time.Millisecond }), heard: [2]int{490, 500}, lost: [2]int{0, 5}, dropped: [2]int{0, 5}, late: 5},
		{name: "every tenth lost", arrivals: lose(steady(500, func(int) time.Duration { return 0 }), 10), heard: [2]int{450, 450}, lost: [2]int{49, 50}},
		{name: "the sender's clock is 1 % fast", arrivals: steady(3000, func(int) time.Duration { return 0 }), drift: -200 * time.Microsecond, heard: [2]int{2960, 2999}, dropped: [2]int{10, 40}},
		{name: "the sender's clock is 1 % slow", arrivals: steady(3000, func(int) time.Duration { return 0 }), drift: 200 * time.Microsecond, heard: [2]int{2990, 3000}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var j media.Jitter
			j.Reset(media.PCMA)
			heard := 0
			for _, level := range listen(&j, tt.arrivals, len(tt.arrivals)+100, tt.drift) {
				if level > 0 {
					heard++
				}
			}
			s := j.Stats()
			for what, check := range map[string]struct {
				got   int
				bound [2]int
			}{"heard": {heard - int(s.Stretched), tt.heard}, "lost": {int(s.Lost), tt.lost}, "dropped": {int(s.Dropped), tt.dropped}, "late": {int(s.Late), [2]int{0, tt.late}}} {
				if check.got < check.bound[0] || check.got > check.bound[1] {
					t.Errorf("%s %d, want %d to %d (%+v)", what, check.got, check.bound[0], check.bound[1], s)
				}
			}
		})
	}
}

// TestJitterAfterAStall holds a stream back for half a second, and lets all of it come at once: what is heard from then
// on is as old as the buffer may be, and not half a second older.
func TestJitterAfterAStall(t *testing.T) {
	const stalled, stall = 100, 25
	for _, length := range []int{1, 2, 3, 6} { // packets of so many frames
		var j media.Jitter
		j.Reset(media.PCMU)
		loud := map[int]bool{60: true, stalled + stall + 12: true, 300: true} // frames
		heard := map[int]int{}                                                // how late
		frame := media.NewFrame(media.Rate)
		sent := 0
		for tick := range 400 {
			for ; (tick < stalled || tick >= stalled+stall) && (sent+1)*length <= tick+1; sent++ {
				samples := make([]int16, length*media.FrameSamples)
				for f := range length {
					if loud[sent*length+f] {
						copy(samples[f*media.FrameSamples:], media.Tone(1000, media.FrameTime))
					}
				}
				j.Put(media.Packet{Sequence: uint16(sent), Timestamp: uint32(sent * length * media.FrameSamples), Payload: media.PCMU.Encode(nil, samples)},
					time.Unix(1000, 0).Add(time.Duration(tick)*media.FrameTime))
			}
			if !j.ReadFrame(frame) || slices.Max(frame) < 2000 {
				continue
			}
			for f := range loud {
				if _, known := heard[f]; !known && tick >= f && tick < f+40 {
					heard[f] = tick - f
				}
			}
		}
		s := j.Stats()
		for f := range loud {
			if late, ok := heard[f]; !ok || late > 6+2*length {
				t.Errorf("packets of %d: frame %d is heard %d frames late (%v): %+v", length, f, late, ok, s)
			}
		}
		if n := uint64(2 * length); s.Lost != 0 || s.Late != 0 || s.Dropped+n+6 < stall || s.Dropped > stall+n {
			t.Errorf("packets of %d: %+v", length, s)
		}
	}
}

func lose(all []arrival, every int) (out []arrival) {
	for i, a := range all {
		if i%every != every-1 {
			out = append(out, a)
		}
	}
	return out
}

// faint is the loudest sample of the noise that stands for silence.
const faint = 40

func TestJitterFadesAway(t *testing.T) {
	var j media.Jitter
	loud := make([]int16, media.FrameSamples)
	for i := range loud {
		loud[i] = 8000
	}
	for i := range 5 {
		j.Put(media.Packet{Sequence: uint16(i), Timestamp: uint32(i * 160), Payload: media.PCMU.Encode(nil, loud)}, time.Unix(0, int64(i)*2e7))
	}
	f := media.NewFrame(media.Rate)
	last := int16(32767)
	for tick := range 12 {
		j.ReadFrame(f)
		if f[80] > max(last, faint) {
			t.Errorf("tick %d is louder than the one before: %d after %d", tick, f[80], last)
		}
		last = f[80]
	}
	if last > faint {
		t.Errorf("it ends at %d", last)
	}
	if slices.Max(f) == 0 || slices.Max(f) > faint {
		t.Errorf("the line is not faintly noisy but %v", f)
	}
}

// TestJitterBesideEvents presses keys in the middle of speech: what comes after them is neither late nor lost.
func TestJitterBesideEvents(t *testing.T) {
	var j media.Jitter
	seq, heard := uint16(0), 0
	f := media.NewFrame(media.Rate)
	for tick := range 1000 {
		if tick%100 >= 50 && tick%100 < 55 { // five packets of a key, the last one thrice
			j.Skip(seq)
			seq++
			if tick%100 == 54 {
				j.Skip(seq)
				j.Skip(seq + 1)
				seq += 2
			}
		} else {
			j.Put(media.Packet{Sequence: seq, Timestamp: uint32(tick * 160), Payload: make([]byte, 160)}, time.Unix(0, int64(tick)*2e7))
			seq++
		}
		if j.ReadFrame(f) {
			heard++
		}
	}
	if s := j.Stats(); s.Lost != 0 || s.Late != 0 || s.Dropped != 0 || heard < 930 {
		t.Errorf("heard %d of 950 frames: %+v", heard, s)
	}
}

func TestJitterPacketsOfOtherLengths(t *testing.T) {
	for _, n := range []int{80, 160, 240, 480} {
		var j media.Jitter
		sent, heard := 0, 0
		f := media.NewFrame(media.Rate)
		for tick := range 400 {
			for sent*n < (tick+1)*media.FrameSamples && sent*n < 300*media.FrameSamples {
				j.Put(media.Packet{Sequence: uint16(sent), Timestamp: uint32(sent * n), Payload: make([]byte, n)}, time.Unix(0, int64(sent*n)*125e3))
				sent++
			}
			if j.ReadFrame(f) {
				heard++
			}
		}
		if s := j.Stats(); heard < 298 || heard > 300 || s.Lost > 0 {
			t.Errorf("packets of %d: heard %d of 300 frames, %+v", n, heard, s)
		}
	}
}

func FuzzJitter(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 255, 9, 9, 9})
	f.Fuzz(func(t *testing.T, data []byte) {
		var j media.Jitter
		frame := media.NewFrame(media.Rate)
		now := time.Unix(0, 0)
		for len(data) >= 4 {
			now = now.Add(time.Duration(data[3]) * time.Millisecond)
			if data[2] == 7 {
				j.Skip(uint16(data[0])<<8 | uint16(data[1]))
			}
			j.Put(media.Packet{Sequence: uint16(data[0])<<8 | uint16(data[1]), Timestamp: uint32(data[2]) * 1000, Payload: make([]byte, int(data[3])*4)}, now)
			if data[3]%2 == 0 {
				j.ReadFrame(frame)
			}
			data = data[4:]
		}
	})
}
