package media_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

var (
	rows    = [4]float64{697, 770, 852, 941}
	columns = [4]float64{1209, 1336, 1477, 1633}
)

// keyTone is the tone of a key: each of its two sines has an amplitude of its own, and both are off pitch.
func keyTone(key byte, length time.Duration, rate int, row, column, offPitch float64) []int16 {
	i := strings.IndexByte("123A456B789C*0#D", key)
	low, high := rows[i/4]*(1+offPitch), columns[i%4]*(1+offPitch)
	out := make([]int16, int(length*time.Duration(rate)/time.Second))
	for n := range out {
		w := 2 * math.Pi * float64(n) / float64(rate)
		out[n] = int16(row*math.Sin(low*w) + column*math.Sin(high*w))
	}
	return out
}

// keysIn plays sound to a session without telephone events, coded as codec, and returns the keys that it hears.
func keysIn(t *testing.T, sound []int16, codec media.Codec) string {
	t.Helper()
	conn, us := open(t), open(t)
	defer func() { _ = conn.Close() }()
	var mu sync.Mutex
	var keys []byte
	s := media.NewSession(us, media.SessionOptions{NoRTCP: true, OnDigit: func(d byte) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, d)
	}})
	s.Start(media.Format{Remote: addr(conn), Codec: codec, PayloadType: codec.PayloadType(), Send: true, Receive: true})
	n, enc := codec.SampleRate()/50, codec.NewEncoder()
	sound = append(sound, make([]int16, 10*n)...)
	f := media.NewFrame(codec.SampleRate())
	for i := range len(sound) / n {
		p := media.Packet{PayloadType: codec.PayloadType(), Sequence: uint16(i), Timestamp: uint32(i * 160), SSRC: 5, Payload: enc.Encode(nil, sound[i*n:(i+1)*n])}
		if _, err := conn.WriteToUDPAddrPort(p.Append(nil), addr(us)); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the packet has come", func() bool { return s.Stats().Received == uint64(i+1) })
		s.ReadFrame(f)
	}
	s.Close() // waits until all keys are told
	return string(keys)
}

func TestKeysInSound(t *testing.T) {
	const all = "1234567890*#ABCD"
	random := rand.New(rand.NewPCG(5, 6))
	tests := []struct {
		name        string
		codec       media.Codec
		length, gap time.Duration
		row, column float64
		offPitch    float64
		noise       float64 // standard deviation
		keys        string
	}{
		{name: "plain", length: 100 * time.Millisecond, gap: 100 * time.Millisecond, row: 6000, column: 6000, keys: all},
		{name: "A-law", codec: media.PCMA, length: 100 * time.Millisecond, gap: 100 * time.Millisecond, row: 6000, column: 6000, keys: all},
		{name: "wideband", codec: media.G722, length: 100 * time.Millisecond, gap: 100 * time.Millisecond, row: 6000, column: 6000, keys: all},
		{name: "as short as may be", length: 41 * time.Millisecond, gap: 40 * time.Millisecond, row: 6000, column: 6000, keys: all},
		{name: "faint", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 200, column: 200, keys: all},
		{name: "loud", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 15000, column: 15000, keys: all},
		{name: "high tones 6 dB stronger", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 4000, column: 8000, keys: all},
		{name: "low tones 3 dB stronger", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 8000, column: 5700, keys: all},
		{name: "1.5 % too high", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 6000, column: 6000, offPitch: 0.015, keys: all},
		{name: "1.5 % too low", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 6000, column: 6000, offPitch: -0.015, keys: all},
		{name: "15 dB over noise", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 6000, column: 6000, noise: 1060, keys: all},
		{name: "one key again and again", length: 80 * time.Millisecond, gap: 60 * time.Millisecond, row: 6000, column: 6000, keys: "1111222"},
		{name: "too short", length: 20 * time.Millisecond, gap: 80 * time.Millisecond, row: 6000, column: 6000, keys: ""},
		{name: "too faint", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 20, column: 20, keys: ""},
		{name: "one tone", length: 80 * time.Millisecond, gap: 80 * time.Millisecond, row: 6000, column: 0, keys: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			press, rate := tt.keys, tt.codec.SampleRate()
			if press == "" {
				press = all
			}
			var sound []int16
			for i := range len(press) {
				sound = append(sound, keyTone(press[i], tt.length, rate, tt.row, tt.column, tt.offPitch)...)
				sound = append(sound, make([]int16, int(tt.gap*time.Duration(rate)/time.Second)+i*7)...) // at every phase
			}
			for i := range sound {
				sound[i] += int16(random.NormFloat64() * tt.noise)
			}
			if got := keysIn(t, sound, tt.codec); got != tt.keys {
				t.Errorf("heard %q, want %q", got, tt.keys)
			}
		})
	}
}

// TestKeysElsewhere has a phone that tells of its keys by SIP, too: none is told twice.
func TestKeysElsewhere(t *testing.T) {
	conn, us := open(t), open(t)
	defer func() { _ = conn.Close() }()
	digits := make(chan byte, 10)
	s := media.NewSession(us, media.SessionOptions{NoRTCP: true, OnDigit: func(d byte) { digits <- d }})
	defer s.Close()
	s.Start(media.Format{Remote: addr(conn), Send: true, Receive: true})
	f, sent := media.NewFrame(media.Rate), 0
	press := func(key byte) {
		for sound := append(keyTone(key, 100*time.Millisecond, media.Rate, 6000, 6000, 0), make([]int16, 800)...); len(sound) > 0; sound = sound[160:] {
			p := media.Packet{Sequence: uint16(sent), Timestamp: uint32(sent * 160), SSRC: 5, Payload: media.PCMU.Encode(nil, sound[:160])}
			if _, err := conn.WriteToUDPAddrPort(p.Append(nil), addr(us)); err != nil {
				t.Fatal(err)
			}
			sent++
			eventually(t, "the packet has come", func() bool { return s.Stats().Received == uint64(sent) })
			s.ReadFrame(f)
		}
	}
	press('7')
	if d := <-digits; d != '7' {
		t.Errorf("heard %q", d)
	}
	if !s.KeysElsewhere('7') {
		t.Error("the key is told once more")
	}
	if s.KeysElsewhere('7') {
		t.Error("the next press of the key is not told")
	}
	press('8')
	s.Start(s.Format())
	press('9')
	s.Close()
	select {
	case d := <-digits:
		t.Errorf("heard %q", d)
	default:
	}
}

// spoken is what people say on the telephone: sounds with every vowel, at some length.
const spoken = `Thanks for calling. Your call is important to us. For sales, press one; for support, press two; to hear this
again, press nine. The quick brown fox jumps over the lazy dog. She sells sea shells by the sea shore. How much wood would a
woodchuck chuck if a woodchuck could chuck wood? Please leave your name, number and a short message after the tone. My number is
four one five, five five five, zero one nine nine. We apologise for the inconvenience. Beep, boop, bee, doo, ooh, aah, eee.
Peter Piper picked a peck of pickled peppers. Red lorry, yellow lorry. Eleven benevolent elephants. Good morning, good evening.`

// TestNoKeysInSpeech has voices of both programs, high and low, fast and slow, talk for minutes: nobody presses a key.
func TestNoKeysInSpeech(t *testing.T) {
	var commands [][]string
	dir := t.TempDir()
	if _, err := exec.LookPath("espeak-ng"); err == nil {
		for i, pitch := range []string{"10", "40", "70", "99"} {
			speed := []string{"120", "200"}[i%2]
			commands = append(commands, []string{"espeak-ng", "-p", pitch, "-s", speed, "-w", "{out}", spoken})
		}
	}
	if _, err := exec.LookPath("flite"); err == nil {
		for _, voice := range []string{"slt", "rms", "kal", "awb"} {
			commands = append(commands, []string{"flite", "-voice", voice, "-t", spoken, "-o", "{out}"})
		}
	}
	if len(commands) == 0 {
		t.Skip("SKIPPED: neither espeak-ng nor flite is installed")
	}
	total := time.Duration(0)
	for i, args := range commands {
		path := filepath.Join(dir, fmt.Sprint(i, ".wav"))
		for k := range args {
			args[k] = strings.ReplaceAll(args[k], "{out}", path)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
		cancel()
		if err != nil {
			t.Fatalf("%q: %v\n%s", args[0], err, out)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		codecs := []media.Codec{media.PCMU}
		if i%4 == 0 {
			codecs = append(codecs, media.G722)
		}
		for _, codec := range codecs {
			s, err := media.Decode(t.Context(), data, codec.SampleRate())
			if err != nil {
				t.Fatal(err)
			}
			total += s.Duration()
			if keys := keysIn(t, s.Samples, codec); keys != "" {
				t.Errorf("%q in %s: heard the keys %q", args[:6], codec, keys)
			}
		}
	}
	t.Logf("%v of speech", total.Round(time.Second))
}
