package flite_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/drivers/sip/speech/flite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const prompt = "Thanks for calling Acme. For sales, press 1. For support, press 2."

func speak(t testing.TB, text string, speed float64) []byte {
	t.Helper()
	wav, err := flite.Speak(t.Context(), text, speed)
	if err != nil {
		t.Fatalf("%.40q: %v", text, err)
	}
	return wav
}

// samples checks a file's header and returns what it holds.
func samples(t testing.TB, wav []byte) []float64 {
	t.Helper()
	if len(wav) < 44 || string(wav[:4]) != "RIFF" || string(wav[36:40]) != "data" || binary.LittleEndian.Uint32(wav[24:]) != flite.Rate ||
		binary.LittleEndian.Uint16(wav[22:]) != 1 || binary.LittleEndian.Uint16(wav[34:]) != 16 || int(binary.LittleEndian.Uint32(wav[40:])) != len(wav)-44 {
		t.Fatalf("no WAV file, or a wrong header: %d bytes, % x", len(wav), wav[:min(44, len(wav))])
	}
	out := make([]float64, 0, len(wav)/2)
	for b := wav[44:]; len(b) >= 2; b = b[2:] {
		out = append(out, float64(int16(binary.LittleEndian.Uint16(b))))
	}
	return out
}

func rms(s []float64) float64 {
	sum := 0.0
	for _, v := range s {
		sum += v * v
	}
	return math.Sqrt(sum / float64(max(1, len(s))))
}

func TestSpeak(t *testing.T) {
	a, b := speak(t, prompt, 1), speak(t, prompt, 1)
	if !bytes.Equal(a, b) {
		t.Error("it sounds different the second time")
	}
	s := samples(t, a)
	if d := float64(len(s)) / flite.Rate; d < 4 || d > 7 || rms(s) < 1000 {
		t.Errorf("%.1f s long, loudness %.0f", d, rms(s))
	}
	if fast := samples(t, speak(t, prompt, 2)); len(fast) > len(s)*6/10 || len(fast) < len(s)*4/10 {
		t.Errorf("%d samples, twice as fast %d", len(s), len(fast))
	}
}

// The program inside says what flite on the machine says: leaving out the other voices has changed nothing.
func TestSameAsTheProgram(t *testing.T) {
	if _, err := exec.LookPath("flite"); err != nil {
		t.Skip("SKIPPED: flite is not installed")
	}
	for _, text := range []string{prompt, "Dr. Smith's balance of $1,234.56 is due on March 3rd, 2026!", "A B C, x y z. Is it 4:30 p.m.?"} {
		dir := t.TempDir()
		in, out := filepath.Join(dir, "in.txt"), filepath.Join(dir, "out.wav")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if b, err := exec.Command("flite", "-voice", "slt", "-f", in, "-o", out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		theirs, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		a, b := samples(t, speak(t, text, 1)), samples(t, theirs)
		if len(a) != len(b) {
			t.Errorf("%q: %d samples, the program makes %d", text, len(a), len(b))
			continue
		}
		if c := correlation(loudness(a), loudness(b)); c < 0.98 {
			t.Errorf("%q: the loudness follows the program's by %.3f", text, c)
		}
	}
}

// loudness is that of each 20 ms. Samples cannot be compared: compilers round in their own ways, which moves phases.
func loudness(s []float64) (l []float64) {
	for ; len(s) >= flite.Rate/50; s = s[flite.Rate/50:] {
		l = append(l, rms(s[:flite.Rate/50]))
	}
	return l
}

func correlation(a, b []float64) float64 {
	var sa, sb, aa, bb, ab float64
	n := float64(len(a))
	for i := range a {
		sa, sb, aa, bb, ab = sa+a[i], sb+b[i], aa+a[i]*a[i], bb+b[i]*b[i], ab+a[i]*b[i]
	}
	return (n*ab - sa*sb) / math.Sqrt((n*aa-sa*sa)*(n*bb-sb*sb))
}

// Texts that nobody foresaw are said, or refused, in bounded time and memory.
func TestStrangeTexts(t *testing.T) {
	for name, text := range map[string]string{
		"one word":      strings.Repeat("a", 250),
		"consonants":    strings.Repeat("xzqk", 60),
		"digits":        strings.Repeat("7", 120),
		"no sentence":   strings.Repeat("and so on ", 40),
		"many":          strings.Repeat("Yes. ", 60),
		"punctuation":   strings.Repeat("?!.,;:", 600),
		"brackets":      strings.Repeat("((([[[{{{", 400),
		"controls":      "a\x01\x02\x7fb\x00c",
		"not ASCII":     "\xff\xfe caf\xc3\xa9",
		"new lines":     strings.Repeat("\n\n a \r\n", 30),
		"percent signs": strings.Repeat("%s%n ", 20),
		"money":         strings.Repeat("$99999999999999999999.99 ", 3),
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		if wav, err := flite.Speak(ctx, text, 4); err == nil {
			samples(t, wav)
		} else if ctx.Err() != nil {
			t.Errorf("%s: it does not come to an end", name)
		} else if name != "punctuation" && name != "brackets" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// Whatever it is given, it comes to an end, and what it makes is a sound. That some text takes the program down is
// its own affair: it is an error.
func FuzzSpeak(f *testing.F) {
	f.Add("Hello, Mr. O'Neil: 1/2 of $3.50 at 4:30pm?!")
	f.Add("((%s \x00 \xff\n\n.")
	f.Fuzz(func(t *testing.T, text string) {
		wav, err := flite.Speak(t.Context(), text[:min(len(text), 80)], 4)
		switch {
		case err == nil:
			samples(t, wav)
		case strings.Contains(err.Error(), "\n"):
			t.Errorf("%q: %v", text, err)
		case !strings.Contains(err.Error(), "no sound") && !strings.Contains(err.Error(), "wasm error"):
			t.Errorf("%q: %v", text, err)
		}
	})
}

// A text ends soon after its context, and leaves its place to the next.
func TestContext(t *testing.T) {
	speak(t, "Hi.", 1)
	long := strings.Repeat("and so on and so forth ", 500)
	gone := errors.New("gone")
	var all sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		all.Go(func() {
			ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, gone)
			defer cancel()
			began := time.Now()
			if _, err := flite.Speak(ctx, long, 0.25); !errors.Is(err, gone) || time.Since(began) > 2*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
	all.Wait()
	speak(t, "Hi.", 1)
}

// While it speaks, garbage is collected: the program lets itself be interrupted. Without that, all calls would wait.
func TestCollectionsGoOn(t *testing.T) {
	speak(t, "Hi.", 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = flite.Speak(t.Context(), strings.Repeat(prompt+" ", 3), 1)
	}()
	collections := 0
	for {
		select {
		case <-done:
			if collections < 5 {
				t.Errorf("%d collections in the time of a long text", collections)
			}
			return
		default:
			runtime.GC()
			collections++
		}
	}
}

// BenchmarkSpeak tells what a second of speech takes.
func BenchmarkSpeak(b *testing.B) {
	speak(b, "Hi.", 1)
	b.ReportAllocs()
	length := 0.0
	for b.Loop() {
		length += float64(len(samples(b, speak(b, prompt, 1)))) / flite.Rate
	}
	b.ReportMetric(b.Elapsed().Seconds()*1000/length, "ms/s-of-speech")
}
