package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func newTestClips(t *testing.T, dir string) *clips {
	return newClips(Options{MediaDir: dir, SpeechDir: t.TempDir(), Dial: (&net.Dialer{}).DialContext})
}

func testdata(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("media", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestClipsOfEveryKind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string][]byte{
		"a.wav": media.EncodeWAV(media.Tone(600, time.Second)), "b.mp3": testdata(t, "stereo44100.mp3"), "c.ogg": testdata(t, "mono22050.ogg"),
		"an mp3 that says it is a wav.wav": testdata(t, "mono22050.mp3"),
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	c := newTestClips(t, dir)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, p := range []call.Prompt{{File: name}, {URL: server.URL + "/" + strings.ReplaceAll(name, " ", "%20")}} {
			for _, rate := range []int{media.Rate, media.WideRate} {
				s, err := c.get(t.Context(), p, rate)
				if err != nil {
					t.Errorf("%+v: %v", p, err)
					continue
				}
				if s.Rate != rate || s.Duration() < 900*time.Millisecond || s.Duration() > 1200*time.Millisecond {
					t.Errorf("%+v: %v at %d", p, s.Duration(), s.Rate)
				}
				if level := audio.Level(s.Samples[rate/4:rate/2], 600, rate); level < 7000 {
					t.Errorf("%+v at %d: the tone has a level of %.0f", p, rate, level)
				}
			}
		}
	}
	if s, err := c.get(t.Context(), call.Prompt{}, media.Rate); err != nil || !s.Empty() {
		t.Errorf("silence: %v, %v", s, err)
	}
}

// TestClipsOfTones makes the tone before a message, which is no file.
func TestClipsOfTones(t *testing.T) {
	c := newClips(Options{SpeechDir: t.TempDir()})
	for _, rate := range []int{media.Rate, 2 * media.Rate} {
		s, err := c.get(t.Context(), call.Prompt{File: "tone:1000/400"}, rate)
		if err != nil || s.Rate != rate || s.Duration() != 400*time.Millisecond || s.Empty() {
			t.Errorf("at %d Hz: %v of sound at %d Hz, %v", rate, s.Duration(), s.Rate, err)
		}
	}
}

func TestClipsTellWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	large := filepath.Join(dir, "large.wav")
	for name, data := range map[string][]byte{
		"page.wav": []byte("<html>welcome</html>"), "empty.mp3": {}, "cut.mp3": testdata(t, "stereo44100.mp3")[:40], "cut.ogg": testdata(t, "mono22050.ogg")[:900],
		"large.wav": nil,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Truncate(large, media.MaxAudioSize+1), os.Mkdir(filepath.Join(dir, "folder"), 0o700)); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/secret.wav":
			w.WriteHeader(http.StatusForbidden)
		case "/short.wav":
			w.Header().Set("Content-Length", "5000")
			_, _ = w.Write(media.EncodeWAV(make([]int16, 100)))
		case "/page":
			_, _ = fmt.Fprint(w, "<!DOCTYPE html>")
		case "/large":
			w.Header().Set("Content-Length", fmt.Sprint(media.MaxAudioSize+1))
		case "/endless":
			for block := make([]byte, 1<<20); r.Context().Err() == nil; {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	c := newTestClips(t, dir)
	for want, p := range map[string]call.Prompt{
		`play "gone.wav": 404`:                        {File: "gone.wav"},
		`play "page.wav": no audio`:                   {File: "page.wav"},
		`play "empty.mp3": no audio`:                  {File: "empty.mp3"},
		`play "cut.mp3": mp3: the audio is truncated`: {File: "cut.mp3"},
		`play "cut.ogg": ogg: the audio is truncated`: {File: "cut.ogg"},
		`play "large.wav": 64 MiB: the audio is larg`: {File: "large.wav"},
		`play "folder": it is no file but a folder`:   {File: "folder"},
		`/gone.wav": the web server answers 404`:      {URL: server.URL + "/gone.wav"},
		`/secret.wav": the web server answers 403`:    {URL: server.URL + "/secret.wav"},
		`/short.wav": truncated: the web server sent`: {URL: server.URL + "/short.wav"},
		`/page": no audio that can be played`:         {URL: server.URL + "/page"},
		`/large": 64 MiB: the audio is larger`:        {URL: server.URL + "/large"},
		`/endless": the audio is larger`:              {URL: server.URL + "/endless"},
		`xxxxx@127.0.0.1:1/x.wav`:                     {URL: "http://u:password@127.0.0.1:1/x.wav"},
		`no http or https URL`:                        {URL: "file:///etc/passwd"},
	} {
		_, err := c.get(t.Context(), p, media.Rate)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "password") {
			t.Errorf("%+v: %v, want %s", p, err, want)
		}
	}
	if _, err := newClips(Options{SpeechDir: t.TempDir()}).get(t.Context(), call.Prompt{URL: server.URL}, media.Rate); !errors.Is(err, errNoWeb) {
		t.Errorf("without the web: %v", err)
	}
}

// TestClipsAreMadeOnce has many calls ask for one sound, the first of which gives up.
func TestClipsAreMadeOnce(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	begun, goOn := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			close(begun)
		}
		<-goOn
		_, _ = w.Write(media.EncodeWAV(media.Tone(600, time.Second)))
	}))
	defer server.Close()
	c := newTestClips(t, "")
	p := call.Prompt{URL: server.URL + "/a.wav"}
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	calls.Go(func() {
		if _, err := c.get(ctx, p, media.Rate); !errors.Is(err, context.Canceled) {
			t.Errorf("the first got %v", err)
		}
	})
	<-begun
	for range 20 {
		calls.Go(func() {
			if s, err := c.get(t.Context(), p, media.Rate); err != nil || s.Duration() != time.Second {
				t.Errorf("got %v, %v", s.Duration(), err)
			}
		})
	}
	cancel()
	close(goOn)
	calls.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("the web server was asked %d times", n)
	}
}

// TestClipsAskAgain has a web server's sound grow old: it is asked whether it has changed, and is not missed when it
// fails.
func TestClipsAskAgain(t *testing.T) {
	t.Parallel()
	var whole, same atomic.Int64
	var state atomic.Value
	state.Store("one")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := state.Load().(string)
		w.Header().Set("ETag", `"`+now+`"`)
		switch {
		case now == "down":
			w.WriteHeader(http.StatusBadGateway)
		case r.Header.Get("If-None-Match") == `"`+now+`"`:
			same.Add(1)
			w.WriteHeader(http.StatusNotModified)
		default:
			whole.Add(1)
			_, _ = w.Write(media.EncodeWAV(media.Tone(600, time.Duration(len(now))*100*time.Millisecond)))
		}
	}))
	defer server.Close()
	c := newTestClips(t, "")
	c.urlLife = time.Nanosecond
	for i, step := range []struct {
		state       string
		length      time.Duration
		whole, same int64
	}{
		{"one", 300 * time.Millisecond, 1, 0}, {"one", 300 * time.Millisecond, 1, 1}, {"three", 500 * time.Millisecond, 2, 1},
		{"down", 500 * time.Millisecond, 2, 1}, {"three", 500 * time.Millisecond, 2, 2},
	} {
		state.Store(step.state)
		s, err := c.get(t.Context(), call.Prompt{URL: server.URL + "/a.wav"}, media.Rate)
		if err != nil || s.Duration() != step.length || whole.Load() != step.whole || same.Load() != step.same {
			t.Errorf("step %d: %v, %v; sent whole %d times, the same %d times", i, s.Duration(), err, whole.Load(), same.Load())
		}
	}
}

// TestClipsOfAFileThatChanges reads it again.
func TestClipsOfAFileThatChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := newTestClips(t, dir)
	for i, length := range []time.Duration{time.Second, 2 * time.Second} {
		path := filepath.Join(dir, "a.wav")
		at := time.Now().Add(time.Duration(i) * time.Hour)
		if err := errors.Join(os.WriteFile(path, media.EncodeWAV(media.Tone(600, length)), 0o600), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if s, err := c.get(t.Context(), call.Prompt{File: "a.wav"}, media.Rate); err != nil || s.Duration() != length {
				t.Errorf("%v, %v", s.Duration(), err)
			}
		}
	}
}
