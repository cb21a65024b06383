package speech_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

func TestCommand(t *testing.T) {
	wav := filepath.Join(t.TempDir(), "a.wav")
	if err := os.WriteFile(wav, media.EncodeWAV(media.Tone(440, 100*time.Millisecond)), 0o600); err != nil {
		t.Fatal(err)
	}
	r := speech.Request{Text: "-q --help", Speed: 1, Language: "en-IN", Voice: "amy"}
	tests := []struct {
		name  string
		args  []string
		r     speech.Request
		fails string
	}{
		{name: "standard output", args: []string{"sh", "-c", "grep -qx -- '-q --help' && cat " + wav}},
		{name: "files", args: []string{"sh", "-c", `grep -q -- '-q --help' "$1" && cp ` + wav + ` "$2"`, "-", "{in}", "{out}"}},
		{name: "names", args: []string{"sh", "-c", `test "$*" = "en-IN en amy 1.5" && cat ` + wav, "-", "{language}", "{lang}", "{voice}", "{speed}"}, r: speech.Request{Text: "a", Language: "en-IN", Voice: "amy", Speed: 1.5}},
		{name: "markup", args: []string{"sh", "-c", "grep -qx 'Hello there' && cat " + wav}, r: speech.Request{Text: "<speak>Hello <b>there</b></speak>", SSML: true}},
		{name: "a failure", args: []string{"sh", "-c", "echo no voice data >&2; exit 3"}, fails: "sh: exit status 3: no voice data"},
		{name: "a failure that repeats the text", args: []string{"sh", "-c", "echo cannot say: PIN 4711 ok >&2; exit 3"}, r: speech.Request{Text: "Your pin is 4711."}, fails: "cannot say: … … ok"},
		{name: "nothing", args: []string{"true"}, fails: "wrote nothing"},
		{name: "no file", args: []string{"true", "{out}"}, fails: "wrote no file"},
		{name: "no program", args: []string{"/does/not/exist"}, fails: "no such file"},
		{name: "no command", fails: "no command"},
		{name: "a voice that is an option", args: []string{"cat", "{voice}"}, r: speech.Request{Text: "a", Voice: "--version"}, fails: "voice's name"},
		{name: "a voice that is a path", args: []string{"cat", "{voice}"}, r: speech.Request{Text: "a", Voice: "../../etc/passwd"}, fails: "voice's name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.r.Text == "" {
				tt.r = r
			}
			data, err := speech.Command{Args: tt.args}.Say(t.Context(), tt.r)
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
	if name := (speech.Command{Args: []string{"/opt/say", "--key", "s3cret"}}).Name(); strings.Contains(name, "s3cret") || !strings.Contains(name, "say") {
		t.Errorf("the name is %s", name)
	}
}

// The end of the context ends all that a command has started.
func TestCommandIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	pids := filepath.Join(t.TempDir(), "pid")
	done := make(chan error)
	go func() {
		_, err := speech.Command{Args: []string{"sh", "-c", "sleep 600 & echo $! > " + pids + "; wait"}}.Say(ctx, speech.Request{Text: "a"})
		done <- err
	}()
	var child int
	for child == 0 {
		b, _ := os.ReadFile(pids)
		child, _ = strconv.Atoi(strings.TrimSpace(string(b)))
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for running(child) {
		if time.Now().After(deadline) {
			t.Fatal("what the command has started is still running")
		}
	}
}

// running says whether a process is there, and is no zombie that nobody has buried.
func running(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !bytes.Contains(stat, []byte(") Z "))
}

func TestPrograms(t *testing.T) {
	for _, provider := range []string{speech.ESpeakNG, speech.Flite} {
		if _, err := exec.LookPath(provider); err != nil {
			t.Logf("SKIPPED: %s is not installed", provider)
			continue
		}
		t.Run(provider, func(t *testing.T) {
			s, err := speech.New(speech.Options{Provider: provider})
			if err != nil {
				t.Fatal(err)
			}
			say := func(r speech.Request) time.Duration {
				t.Helper()
				wav, err := s.Say(t.Context(), r)
				if err != nil {
					t.Fatalf("%+v: %v", r, err)
				}
				d, loud := length(t, wav)
				if loud < 300 {
					t.Errorf("%+v: loudness %.0f", r, loud)
				}
				return d
			}
			normal := say(speech.Request{Text: "Welcome to support. Press one."})
			if normal < time.Second || normal > 5*time.Second {
				t.Errorf("%v long", normal)
			}
			if fast := say(speech.Request{Text: "Welcome to support. Press one.", Speed: 2}); fast > normal*3/4 {
				t.Errorf("%v long, twice as fast %v", normal, fast)
			}
			if d := say(speech.Request{Text: "Welcome to <b>support</b>. Press one.", SSML: true}); d < normal*8/10 || d > normal*12/10 {
				t.Errorf("with markup %v long, without %v", d, normal)
			}
			if d := say(speech.Request{Text: "Welcome to support. Press one.", Voice: "Joanna"}); d != normal {
				t.Errorf("with a voice that there is not %v long, else %v", d, normal)
			}
			if d := say(speech.Request{Text: "Welcome to support. Press one.", Voice: "--version"}); d != normal {
				t.Errorf("with a voice that is an option %v long, else %v", d, normal)
			}
		})
	}
}

func TestESpeak(t *testing.T) {
	if _, err := exec.LookPath("espeak-ng"); err != nil {
		t.Skip("SKIPPED: espeak-ng is not installed")
	}
	s, err := speech.New(speech.Options{Provider: speech.ESpeakNG, Language: "de-DE"})
	if err != nil {
		t.Fatal(err)
	}
	say := func(r speech.Request) []byte {
		t.Helper()
		wav, err := s.Say(t.Context(), r)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		return wav
	}
	german := say(speech.Request{Text: "Hundert"})
	if bytes.Equal(german, say(speech.Request{Text: "Hundert", Language: "en-GB"})) {
		t.Error("the language changes nothing")
	}
	if bytes.Equal(german, say(speech.Request{Text: "Hundert", Voice: "de+f3"})) {
		t.Error("the voice changes nothing")
	}
	say(speech.Request{Text: "Hola", Language: "es-PE"}) // a country that espeak-ng may not know
	short, _ := length(t, say(speech.Request{Text: "eins zwei", SSML: true}))
	long, _ := length(t, say(speech.Request{Text: `eins <break time="2s"/> zwei`, SSML: true}))
	if long < short+1500*time.Millisecond {
		t.Errorf("%v long, with a pause of 2 s %v", short, long)
	}
	if _, err := s.Say(t.Context(), speech.Request{Text: "geheim", Language: "tlh"}); err == nil || !strings.Contains(err.Error(), "espeak-ng cannot say tlh") || strings.Contains(err.Error(), "geheim") {
		t.Errorf("a language that there is not: %v", err)
	}
}
