package audio_test

import (
	"math"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// utterance is what an Endpointer found.
type utterance struct {
	start, end time.Duration
	cut        bool
}

// found feeds sound to an Endpointer.
func found(t *testing.T, o audio.EndpointerOptions, sound []int16) []utterance {
	t.Helper()
	e, err := audio.NewEndpointer(o)
	if err != nil {
		t.Fatal(err)
	}
	var all []utterance
	n := o.Rate / 50
	for at := 0; at+n <= len(sound); at += n {
		activity, err := e.Push(sound[at : at+n])
		if err != nil {
			t.Fatal(err)
		}
		now := time.Duration(at/n+1) * 20 * time.Millisecond
		switch activity {
		case audio.Began:
			if e.Start() >= now || !e.Speaking() {
				t.Errorf("at %v: began at %v, speaking %t", now, e.Start(), e.Speaking())
			}
		case audio.Ended, audio.Cut:
			if e.End() > now || e.End() <= e.Start() || e.Speaking() {
				t.Errorf("at %v: from %v to %v, speaking %t", now, e.Start(), e.End(), e.Speaking())
			}
			all = append(all, utterance{e.Start(), e.End(), activity == audio.Cut})
		}
	}
	if e.Speaking() {
		all = append(all, utterance{start: e.Start(), end: -1})
	}
	return all
}

// spoken returns a text's sound at a rate, without the silence around it, at a level of -26 dB.
func spoken(t *testing.T, s speech.Synth, text string, rate int) []int16 {
	t.Helper()
	wav, err := s.Say(t.Context(), speech.Request{Text: text, Speed: 1})
	if err != nil {
		t.Fatal(err)
	}
	samples, err := media.DecodeWAV(wav)
	if err != nil {
		t.Fatal(err)
	}
	samples = audio.Resample(samples, media.Rate, rate)
	peak := 0.0
	for _, v := range samples {
		peak = max(peak, math.Abs(float64(v)))
	}
	first, last := -1, 0
	for i, v := range samples {
		if math.Abs(float64(v)) > peak/30 {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	samples = append([]int16(nil), samples[first:last+1]...)
	gain := math.Pow(10, -26.0/20) * 32768 / rms(samples)
	for i, v := range samples {
		samples[i] = int16(max(-32768, min(32767, float64(v)*gain)))
	}
	return samples
}

func rms(samples []int16) float64 {
	sum := 0.0
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(samples))))
}

// line lays sounds and silences (durations) one after the other, with noise at a level in dB over all of it.
func line(rate int, noise float64, parts ...any) []int16 {
	var out []int16
	for _, p := range parts {
		switch p := p.(type) {
		case time.Duration:
			out = append(out, make([]int16, int(p*time.Duration(rate)/time.Second))...)
		case []int16:
			out = append(out, p...)
		}
	}
	r := rand.New(rand.NewPCG(1, uint64(len(out))))
	amplitude := math.Pow(10, noise/20) * 32768
	for i, v := range out {
		out[i] = int16(max(-32768, min(32767, float64(v)+r.NormFloat64()*amplitude)))
	}
	return out
}

// Real speech is found where it is, in quiet and in noise, at both rates, and once.
func TestEndpointerFindsSpeech(t *testing.T) {
	const before, after = 700 * time.Millisecond, 2 * time.Second
	voices := map[string]speech.Synth{"embedded": speech.Find()}
	for name, program := range map[string]string{"espeak-ng": speech.ESpeakNG, "flite": speech.Flite} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("SKIPPED: %s is not installed", name)
			continue
		}
		s, err := speech.New(speech.Options{Provider: program})
		if err != nil {
			t.Fatal(err)
		}
		voices[name] = s
	}
	for name, voice := range voices {
		for _, text := range []string{"Yes.", "I would like to speak to somebody about my last bill, please.", "Four one five, five five five, zero one nine nine."} {
			for _, rate := range []int{8000, 16000} {
				said := spoken(t, voice, text, rate)
				length := time.Duration(len(said)) * time.Second / time.Duration(rate)
				for _, noise := range []float64{-90, -60, -50, -42} {
					all := found(t, audio.EndpointerOptions{Rate: rate}, line(rate, noise, before, said, after))
					late := 200 * time.Millisecond // soft sounds at the edges drown in the noise
					if len(all) != 1 || all[0].cut || all[0].end < 0 ||
						all[0].start < before-260*time.Millisecond || all[0].start > before+late ||
						all[0].end < before+length-400*time.Millisecond || all[0].end > before+length+100*time.Millisecond {
						t.Errorf("%s, %q at %d Hz, noise %g dB: from %v to %v, found %v", name, text, rate, noise, before, before+length, all)
					}
				}
			}
		}
	}
}

// Who speaks before anything else is heard is no noise.
func TestEndpointerFromTheFirstFrame(t *testing.T) {
	said := spoken(t, speech.Find(), "Agent, please, I have waited long enough.", 8000)
	for _, noise := range []float64{-90, -55} {
		if all := found(t, audio.EndpointerOptions{Rate: 8000}, line(8000, noise, said, 2*time.Second)); len(all) != 1 || all[0].start > 100*time.Millisecond {
			t.Errorf("noise %g dB: found %v", noise, all)
		}
	}
}

// Noise of any level, from the first frame on or with a step, is no speech; or no more than once, at the step.
func TestEndpointerIgnoresNoise(t *testing.T) {
	for noise := -96.0; noise <= -30; noise += 3 {
		if all := found(t, audio.EndpointerOptions{Rate: 8000}, line(8000, noise, 10*time.Second)); noise <= -40 && len(all) != 0 || len(all) > 1 {
			t.Errorf("noise of %g dB is %v", noise, all)
		}
	}
	quiet, noisy := line(8000, -70, 5*time.Second), line(8000, -38, 15*time.Second)
	if all := found(t, audio.EndpointerOptions{Rate: 8000}, append(quiet, noisy...)); len(all) > 1 || len(all) == 1 && (all[0].end < 0 || all[0].end > 10*time.Second) {
		t.Errorf("noise that begins is %v", all)
	}
	for i := range 20 { // clicks
		sound := line(8000, -65, 5*time.Second)
		for at := 4000 + i*13; at < len(sound); at += 6000 {
			for k := range 200 {
				sound[at+k] = 20000
			}
		}
		if all := found(t, audio.EndpointerOptions{Rate: 8000}, sound); len(all) != 0 {
			t.Errorf("clicks are %v", all)
		}
	}
}

func TestEndpointerBounds(t *testing.T) {
	tone := func(d time.Duration) []int16 { return media.Tone(300, d) }
	second := time.Second
	tests := []struct {
		name string
		o    audio.EndpointerOptions
		in   []any
		want []utterance
	}{
		{name: "silence", in: []any{5 * second}},
		{name: "one", in: []any{second, tone(second), 2 * second}, want: []utterance{{start: 800 * time.Millisecond, end: 2 * second}}},
		{name: "a gap shorter than the silence", in: []any{second, tone(second), 700 * time.Millisecond, tone(second), second}, want: []utterance{{start: 800 * time.Millisecond, end: 3700 * time.Millisecond}}},
		{name: "a gap longer than the silence", in: []any{second, tone(second), second, tone(second), second}, want: []utterance{{start: 800 * time.Millisecond, end: 2 * second}, {start: 2800 * time.Millisecond, end: 4 * second}}},
		{name: "shorter than the onset", in: []any{second, tone(60 * time.Millisecond), 2 * second}},
		{name: "own silence", o: audio.EndpointerOptions{Silence: 300 * time.Millisecond, Lead: 20 * time.Millisecond}, in: []any{second, tone(second), 400 * time.Millisecond, tone(second), second},
			want: []utterance{{start: 980 * time.Millisecond, end: 2 * second}, {start: 2380 * time.Millisecond, end: 3400 * time.Millisecond}}},
		{name: "too long", o: audio.EndpointerOptions{MaxLength: 500 * time.Millisecond}, in: []any{second, tone(400 * time.Millisecond), 100 * time.Millisecond, tone(300 * time.Millisecond), 2 * second},
			want: []utterance{{start: 800 * time.Millisecond, end: 1300 * time.Millisecond, cut: true}, {start: 1300 * time.Millisecond, end: 1800 * time.Millisecond, cut: true}}},
		{name: "without an end", in: []any{second, tone(second)}, want: []utterance{{start: 800 * time.Millisecond, end: -1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.o.Rate = 8000
			got := found(t, tt.o, line(8000, -75, tt.in...))
			if len(got) != len(tt.want) {
				t.Fatalf("found %v, want %v", got, tt.want)
			}
			for i := range got {
				if got[i] != tt.want[i] {
					t.Errorf("found %v, want %v", got, tt.want)
				}
			}
		})
	}
}

// Whatever it hears: utterances are in order, apart, within the sound and no longer than allowed.
func FuzzEndpointer(f *testing.F) {
	f.Add([]byte{0, 1, 255, 30, 2}, false)
	f.Fuzz(func(t *testing.T, levels []byte, wide bool) {
		o := audio.EndpointerOptions{Rate: 8000, MaxLength: 2 * time.Second}
		if wide {
			o.Rate = 16000
		}
		r := rand.New(rand.NewPCG(3, 4))
		var sound []int16
		for _, l := range levels {
			for range o.Rate / 50 {
				sound = append(sound, int16(r.IntN(int(l)*128+1)-int(l)*64))
			}
		}
		last := time.Duration(0)
		for _, u := range found(t, o, sound) {
			if u.start < last {
				t.Errorf("%v begins before %v", u, last)
			}
			if u.end >= 0 && (u.end-u.start > o.MaxLength || u.end > time.Duration(len(levels))*20*time.Millisecond) {
				t.Errorf("%v is too long, or beyond the end", u)
			}
			last = u.end
		}
	})
}

func TestEndpointerRefuses(t *testing.T) {
	for _, o := range []audio.EndpointerOptions{{}, {Rate: 44100}, {Rate: 8000, Silence: -1}, {Rate: 8000, MaxLength: -1}} {
		if _, err := audio.NewEndpointer(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	e, _ := audio.NewEndpointer(audio.EndpointerOptions{Rate: 16000})
	if _, err := e.Push(make([]int16, 160)); err == nil {
		t.Error("half a frame is taken")
	}
}
