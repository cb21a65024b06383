package speech_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// length returns how long a WAV file is, and how loud.
func length(t *testing.T, wav []byte) (time.Duration, float64) {
	t.Helper()
	samples, err := media.DecodeWAV(wav)
	if err != nil {
		t.Fatal(err)
	}
	return media.Duration(len(samples)), rms(samples)
}

func rms(samples []int16) float64 {
	sum := 0.0
	for _, v := range samples {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(max(1, len(samples))))
}

func embedded(t *testing.T) speech.Synth {
	t.Helper()
	s, err := speech.New(speech.Options{Provider: speech.Embedded})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEmbeddedVoice(t *testing.T) {
	s := embedded(t)
	tests := []struct {
		name     string
		r        speech.Request
		from, to time.Duration
	}{
		{"a sentence", speech.Request{Text: "Thanks for calling Acme. For sales, press 1. For support, press 2."}, 4 * time.Second, 7 * time.Second},
		{"the same, fast", speech.Request{Text: "Thanks for calling Acme. For sales, press 1. For support, press 2.", Speed: 2}, 2 * time.Second, 3500 * time.Millisecond},
		{"the same, slow", speech.Request{Text: "Thanks for calling Acme. For sales, press 1. For support, press 2.", Speed: 0.5}, 8 * time.Second, 14 * time.Second},
		{"a word", speech.Request{Text: "Hello"}, 300 * time.Millisecond, 1500 * time.Millisecond},
		{"a digit", speech.Request{Text: "7"}, 200 * time.Millisecond, 1500 * time.Millisecond},
		{"money and a date", speech.Request{Text: "Your balance of $12.50 is due on 3/4/2026."}, 3 * time.Second, 8 * time.Second},
		{"signs of the web", speech.Request{Text: "“Café” — that’s €5 … and ½ kilo 👍"}, 1500 * time.Millisecond, 6 * time.Second},
		{"what looks like an option", speech.Request{Text: "-voice kal"}, 500 * time.Millisecond, 3 * time.Second},
		{"another's voice", speech.Request{Text: "Hello", Voice: "en-US-Neural2-F"}, 300 * time.Millisecond, 1500 * time.Millisecond},
		{"Indian English", speech.Request{Text: "Hello", Language: "en-IN"}, 300 * time.Millisecond, 1500 * time.Millisecond},
		{"markup", speech.Request{Text: "<speak>Hello <emphasis>there</emphasis></speak>", SSML: true}, 500 * time.Millisecond, 2 * time.Second},
		{"a pause", speech.Request{Text: `Hello <break time="3s"/> there`, SSML: true}, 3500 * time.Millisecond, 5500 * time.Millisecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			wav, err := s.Say(t.Context(), tt.r)
			if err != nil {
				t.Fatal(err)
			}
			if d, loud := length(t, wav); d < tt.from || d > tt.to || loud < 500 || loud > 12000 {
				t.Errorf("%v long, loudness %.0f", d, loud)
			}
			if again, err := embedded(t).Say(t.Context(), tt.r); err != nil || !bytes.Equal(wav, again) {
				t.Errorf("said again, it is another sound: %v", err)
			}
		})
	}
	wav, err := s.Say(t.Context(), speech.Request{Text: "Hello."})
	if err != nil {
		t.Fatal(err)
	}
	if samples, err := media.DecodeWAV(wav); err != nil || rms(samples[:media.Rate/8]) < 50 {
		t.Errorf("the voice does not begin within an eighth of a second: %v", err)
	}
	a, _ := s.Say(t.Context(), speech.Request{Text: "Hello there"})
	b, _ := s.Say(t.Context(), speech.Request{Text: "<speak>Hello <b>there</b></speak>", SSML: true})
	if !bytes.Equal(a, b) {
		t.Error("markup is heard")
	}
}

func TestEmbeddedVoiceRefuses(t *testing.T) {
	s := embedded(t)
	for text, want := range map[string]string{"नमस्ते, secret": "Devanagari", "Привет": "Cyrillic"} {
		if _, err := s.Say(t.Context(), speech.Request{Text: text}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := s.Say(t.Context(), speech.Request{Text: "Bonjour", Language: "fr-FR"}); err == nil || !strings.Contains(err.Error(), "espeak-ng") {
		t.Errorf("French: %v", err)
	}
	if _, err := s.Say(t.Context(), speech.Request{Text: "👍"}); !errors.Is(err, speech.ErrSilence) {
		t.Errorf("a picture: %v", err)
	}
}

// A long text ends with its context, and soon.
func TestEmbeddedVoiceObeysItsContext(t *testing.T) {
	s := embedded(t)
	if _, err := s.Say(t.Context(), speech.Request{Text: "Warm up."}); err != nil {
		t.Fatal(err)
	}
	impatient, err := speech.New(speech.Options{Provider: speech.Embedded, Timeout: 30 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	_, err = impatient.Say(context.Background(), speech.Request{Text: strings.Repeat("and so on and so forth ", 170)})
	if took := time.Since(began); err == nil || !strings.Contains(err.Error(), "longer than 30ms") || took > time.Second {
		t.Errorf("after %v: %v", took, err)
	}
}

// English has the embedded voice, everything else espeak-ng.
func TestAuto(t *testing.T) {
	auto, err := speech.New(speech.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, err := auto.Say(t.Context(), speech.Request{Text: "Good morning."})
	b, err2 := embedded(t).Say(t.Context(), speech.Request{Text: "Good morning."})
	if err != nil || err2 != nil || !bytes.Equal(a, b) {
		t.Errorf("English is not said by the embedded voice: %v, %v", err, err2)
	}
	others := []speech.Request{
		{Text: "Bonjour tout le monde", Language: "fr-FR"}, {Text: "नमस्ते, आपका स्वागत है"}, {Text: "வணக்கம் நண்பரே"},
		{Text: "<speak>Guten <break/> Morgen</speak>", SSML: true, Language: "de"},
	}
	_, missing := exec.LookPath("espeak-ng")
	for _, r := range others {
		wav, err := auto.Say(t.Context(), r)
		if missing != nil {
			t.Log("SKIPPED: espeak-ng is not installed")
			if err == nil || !strings.Contains(err.Error(), "install espeak-ng") {
				t.Errorf("%+v: %v", r, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%+v: %v", r, err)
			continue
		}
		if d, loud := length(t, wav); d < 500*time.Millisecond || d > 5*time.Second || loud < 300 {
			t.Errorf("%+v: %v long, loudness %.0f", r, d, loud)
		}
	}
	t.Setenv("PATH", t.TempDir()) // a fresh machine
	if wav, err := auto.Say(t.Context(), speech.Request{Text: "Nothing is installed here."}); err != nil || len(wav) < 10_000 {
		t.Errorf("%d bytes, %v", len(wav), err)
	}
	if _, err := auto.Say(t.Context(), speech.Request{Text: "Hola", Language: "es"}); err == nil || !strings.Contains(err.Error(), "install espeak-ng") {
		t.Errorf("Spanish without espeak-ng: %v", err)
	}
}

// What is read is ASCII, whatever comes.
func FuzzASCII(f *testing.F) {
	f.Add("“Café” — ½ €5")
	f.Add("नमस्ते")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := speech.ASCII(text)
		for _, b := range []byte(got) {
			if b >= 0x7f || b < ' ' && b != '\n' {
				t.Fatalf("%q: %q, %v", text, got, err)
			}
		}
	})
}
