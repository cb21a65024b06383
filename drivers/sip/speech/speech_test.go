package speech_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// voice says everything as a beep.
type voice struct {
	said atomic.Int32
	wait chan struct{}
	err  error
}

func (v *voice) Name() string { return "beep" }
func (v *voice) Speak(ctx context.Context, _ string) ([]byte, error) {
	v.said.Add(1)
	if v.wait != nil {
		<-v.wait
	}
	return media.EncodeWAV(media.Tone(440, 100*time.Millisecond)), v.err
}

func TestCache(t *testing.T) {
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
	if _, err := speech.NewCache(nil, dir).Speak(t.Context(), "hello"); !errors.Is(err, speech.ErrNoVoice) {
		t.Errorf("without a voice: %v", err)
	}
	if _, err := cache.Speak(t.Context(), strings.Repeat("a", 10_000)); err == nil {
		t.Error("a text without end can be said")
	}
	v.err = errors.New("hoarse")
	for range 2 { // failures are not kept
		if _, err := cache.Speak(t.Context(), "again"); !errors.Is(err, v.err) {
			t.Errorf("got %v", err)
		}
	}
}

func TestCommand(t *testing.T) {
	wav := filepath.Join(t.TempDir(), "a.wav")
	if err := os.WriteFile(wav, media.EncodeWAV(media.Tone(440, 100*time.Millisecond)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		args  []string
		fails string
	}{
		{name: "standard output", args: []string{"sh", "-c", "grep -q -- '-q --help' && cat " + wav}},
		{name: "files", args: []string{"sh", "-c", `grep -q -- '-q --help' "$1" && cp ` + wav + ` "$2"`, "-", "{in}", "{out}"}},
		{name: "a failure", args: []string{"sh", "-c", "echo no voice data >&2; exit 3"}, fails: "no voice data"},
		{name: "nothing", args: []string{"true"}, fails: "wrote nothing"},
		{name: "no program", args: []string{"/does/not/exist"}, fails: "no such file"},
		{name: "no command", fails: "no command"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := speech.Command{Args: tt.args}.Speak(t.Context(), "-q --help")
			if tt.fails != "" {
				if err == nil || !strings.Contains(err.Error(), tt.fails) {
					t.Errorf("got %v, want %q", err, tt.fails)
				}
				return
			}
			if samples, wrong := media.DecodeWAV(data); err != nil || wrong != nil || len(samples) != 800 {
				t.Errorf("%d samples, %v, %v", len(samples), err, wrong)
			}
		})
	}
}

func TestPrograms(t *testing.T) {
	for name, args := range map[string][]string{"espeak-ng": {"espeak-ng", "--stdout", "--stdin"}, "flite": {"flite", "-f", "{in}", "-o", "{out}"}} {
		if _, err := exec.LookPath(name); err != nil {
			t.Logf("SKIPPED: %s is not installed", name)
			continue
		}
		samples, err := speech.NewCache(speech.Command{Args: args}, t.TempDir()).Speak(t.Context(), "Welcome to support. Press one.")
		if err != nil || len(samples) < media.Rate || len(samples) > 6*media.Rate {
			t.Errorf("%s: %d samples, %v", name, len(samples), err)
		}
	}
}

func TestServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		if r.URL.Path != "/v1/audio/speech" || r.Header.Get("Authorization") != "Bearer k" || body["voice"] != "amy" || body["model"] != "tts-1" || body["response_format"] != "wav" {
			http.Error(w, "what is this?", http.StatusBadRequest)
			return
		}
		_, _ = w.Write(media.EncodeWAV(media.Tone(440, 100*time.Millisecond)))
	}))
	defer server.Close()
	defer server.Client().CloseIdleConnections()
	s := speech.Server{URL: server.URL + "/v1/", Key: "k", Model: "tts-1", Voice: "amy", Client: server.Client()}
	if data, err := s.Speak(t.Context(), "hello"); err != nil || len(data) < 1000 {
		t.Errorf("%d bytes, %v", len(data), err)
	}
	s.Voice = "nobody"
	if _, err := s.Speak(t.Context(), "hello"); err == nil || !strings.Contains(err.Error(), "what is this?") {
		t.Errorf("got %v", err)
	}
}
