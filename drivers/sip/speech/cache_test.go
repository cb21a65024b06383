package speech_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// voice says everything as a beep, and "nothing" as silence.
type voice struct {
	said atomic.Int32
	last atomic.Pointer[speech.Request]
	wait chan struct{}
	err  error
}

func (v *voice) Name() string { return "beep" }
func (v *voice) Say(ctx context.Context, r speech.Request) ([]byte, error) {
	v.said.Add(1)
	v.last.Store(&r)
	if v.wait != nil {
		select {
		case <-v.wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	switch r.Text {
	case "nothing":
		return audio.EncodeWAV(make([]int16, 8000), 8000), v.err
	case "no samples":
		return audio.EncodeWAV(nil, 8000), v.err
	case "garbage":
		return []byte("<html>"), v.err
	}
	return media.EncodeWAV(media.Tone(440, 100*time.Millisecond)), v.err
}

func TestCacheSaysATextOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "speech")
	v := &voice{wait: make(chan struct{})}
	cache := speech.NewCache(v, dir)
	impatient, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := cache.Speak(impatient, "hello"); !errors.Is(err, gone) {
		t.Errorf("the impatient got %v", err)
	}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			if samples, err := cache.Speak(t.Context(), " hello "); err != nil || len(samples) != 800 {
				t.Errorf("%d samples, %v", len(samples), err)
			}
		})
	}
	close(v.wait)
	all.Wait()
	if _, err := speech.NewCache(v, dir).Speak(t.Context(), "hello"); err != nil || v.said.Load() != 1 {
		t.Errorf("said %d times, %v", v.said.Load(), err)
	}
	files, _ := os.ReadDir(dir)
	if len(files) != 1 {
		t.Errorf("%d files", len(files))
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.Name()), []byte("RIFF"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if samples, err := cache.Speak(t.Context(), "hello"); err != nil || len(samples) != 800 || v.said.Load() != 2 {
		t.Errorf("a file cut short: %d samples, %v, said %d times", len(samples), err, v.said.Load())
	}
	v.err = errors.New("hoarse")
	for range 2 { // failures are not kept
		if _, err := cache.Speak(t.Context(), "again"); !errors.Is(err, v.err) {
			t.Errorf("got %v", err)
		}
	}
}

// Whatever changes the sound makes another one.
func TestCacheTellsRequestsApart(t *testing.T) {
	v := &voice{}
	cache := speech.NewCache(v, t.TempDir())
	for i, r := range []speech.Request{
		{Text: "hello"}, {Text: "hello!"}, {Text: "hello", SSML: true}, {Text: "hello", Language: "hi-IN"},
		{Text: "hello", Voice: "amy"}, {Text: "hello", Speed: 1.5},
	} {
		for range 2 {
			if _, err := cache.Say(t.Context(), r); err != nil || int(v.said.Load()) != i+1 {
				t.Errorf("%+v: said %d times, %v", r, v.said.Load(), err)
			}
		}
	}
}

func TestNeverSilence(t *testing.T) {
	cache := speech.NewCache(&voice{}, t.TempDir())
	tests := []struct {
		name string
		r    speech.Request
		want string
		is   error
	}{
		{name: "no text", is: speech.ErrEmpty},
		{name: "spaces", r: speech.Request{Text: " \n\t"}, is: speech.ErrEmpty},
		{name: "punctuation", r: speech.Request{Text: "... !"}, is: speech.ErrEmpty},
		{name: "only markup", r: speech.Request{Text: `<speak><break time="2s"/></speak>`, SSML: true}, is: speech.ErrEmpty},
		{name: "silence", r: speech.Request{Text: "nothing"}, is: speech.ErrSilence},
		{name: "no samples", r: speech.Request{Text: "no samples"}, is: speech.ErrSilence},
		{name: "garbage", r: speech.Request{Text: "garbage"}, want: "beep made no sound that can be played"},
		{name: "long", r: speech.Request{Text: strings.Repeat("ä", 4097)}, want: "4097 characters, at most 4096"},
		{name: "language", r: speech.Request{Text: "a", Language: "Klingon!"}, want: "BCP 47"},
		{name: "speed", r: speech.Request{Text: "a", Speed: 9}, want: "0.25 to 4"},
		{name: "voice", r: speech.Request{Text: "a", Voice: "a\x00b"}, want: "control characters"},
		{name: "broken markup", r: speech.Request{Text: "<speak>\n1 < 2</speak>", SSML: true}, want: "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := cache.Say(t.Context(), tt.r)
			switch {
			case err == nil:
				t.Errorf("got %d bytes", len(data))
			case tt.is != nil && !errors.Is(err, tt.is), !strings.Contains(err.Error(), tt.want):
				t.Errorf("got %v", err)
			case !strings.HasPrefix(err.Error(), "speech: ") || strings.Contains(err.Error()[8:], "speech: "):
				t.Errorf("%v: not said once that it is about speech", err)
			}
		})
	}
	if _, err := speech.NewCache(nil, "").Speak(t.Context(), "hello"); !errors.Is(err, speech.ErrNoVoice) {
		t.Errorf("without a voice: %v", err)
	}
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	inner, err := speech.New(speech.Options{Provider: speech.Embedded, CacheDir: dir, MaxCacheBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	if again := speech.NewCache(inner, t.TempDir()); speech.Synth(again) != inner {
		t.Error("a cache in a cache")
	}
	// The files of another run count.
	for i := range 60 {
		age := time.Now().Add(-time.Hour * time.Duration(60-i))
		name := filepath.Join(dir, fmt.Sprintf("%032d.wav", i))
		if err := errors.Join(os.WriteFile(name, media.EncodeWAV(media.Tone(440, 100*time.Millisecond)), 0o600), os.Chtimes(name, age, age)); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Now().Add(-2 * time.Hour)
	left := filepath.Join(dir, ".speech-left")
	_ = errors.Join(os.WriteFile(left, nil, 0o600), os.Chtimes(left, old, old))
	if _, err := inner.Say(t.Context(), speech.Request{Text: "Hi."}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	size, oldest := int64(0), ""
	for _, e := range entries {
		info, _ := e.Info()
		size += info.Size()
		if oldest == "" {
			oldest = e.Name()
		}
	}
	if size > 75_000 || size < 30_000 || oldest <= "00000000000000000000000000000020" {
		t.Errorf("%d bytes in %d files, the first %s", size, len(entries), oldest)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("a file that was never finished is still there")
	}
}

// A folder that cannot be written is no reason to stay silent.
func TestCacheWithoutAFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"", file} {
		v := &voice{}
		cache := speech.NewCache(v, dir)
		for i := range 2 {
			if samples, err := cache.Speak(t.Context(), "hello"); err != nil || len(samples) != 800 || int(v.said.Load()) != i+1 {
				t.Errorf("%q: %d samples, %v, said %d times", dir, len(samples), err, v.said.Load())
			}
		}
	}
}

func TestCacheTimeout(t *testing.T) {
	v := &voice{wait: make(chan struct{})}
	cache := speech.NewCacheWithTimeout(v, 10*time.Millisecond)
	if _, err := cache.Speak(t.Context(), "hello"); err == nil || !strings.Contains(err.Error(), "longer than 10ms") {
		t.Errorf("got %v", err)
	}
}
