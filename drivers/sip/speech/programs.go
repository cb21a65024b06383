package speech

import (
	"context"
	"fmt"
	"math"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"github.com/piopiy/piopiyd/drivers/sip/speech/flite"
)

// espeak is the program espeak-ng (https://github.com/espeak-ng/espeak-ng). It knows SSML.
type espeak struct {
	path string
	// voices are the names of its voices, in lower case.
	voices func() map[string]bool
}

// findESpeak looks for espeak-ng each time, so that it may be installed while piopiyd runs.
func findESpeak() (espeak, error) {
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return espeak{}, err
	}
	return espeak{path: path, voices: espeakVoices}, nil
}

// espeakVoices asks espeak-ng for its voices, once.
var espeakVoices = sync.OnceValue(func() map[string]bool {
	voices := map[string]bool{}
	path, err := exec.LookPath("espeak-ng")
	if err != nil {
		return voices
	}
	ctx, cancel := context.WithTimeout(context.Background(), defaultTimeout)
	defer cancel()
	list, err := exec.CommandContext(ctx, path, "--voices").Output()
	if err != nil {
		return voices
	}
	for line := range strings.Lines(string(list)) {
		if f := strings.Fields(line); len(f) >= 4 {
			voices[strings.ToLower(f[1])] = true
			voices[strings.ToLower(f[3])] = true
		}
	}
	return voices
})

// Name implements Synth.
func (espeak) Name() string { return "espeak-ng" }

// espeakPace is the pace of espeak-ng at speed 1, in words a minute; its own default is hasty for a telephone.
const espeakPace = 160

// Say implements Synth. A voice that espeak-ng lacks gives the language's own.
func (e espeak) Say(ctx context.Context, r Request) ([]byte, error) {
	args := []string{e.path, "--stdout", "--stdin", "-b", "1", "-s", strconv.Itoa(int(math.Round(max(80, min(450, espeakPace*r.Speed)))))}
	text := r.Text
	if r.SSML {
		var err error
		if text, err = cleanSSML(text); err != nil {
			return nil, err
		}
		args = append(args, "-m")
	}
	// A variant, such as en-us+f3, is checked by its base.
	if name, _, _ := strings.Cut(strings.ToLower(r.Voice), "+"); name != "" && safeArgument(r.Voice) && e.voices()[name] {
		return run(ctx, job{args: append(args, "-v", r.Voice), input: []byte(text), hide: text})
	}
	sound, err := run(ctx, job{args: append(args, "-v", r.tongue()), input: []byte(text), hide: text})
	if err != nil && ctx.Err() == nil && base(r.tongue()) != r.tongue() {
		sound, err = run(ctx, job{args: append(args, "-v", base(r.tongue())), input: []byte(text), hide: text})
	}
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("speech: espeak-ng cannot say %s: %w", r.tongue(), err)
	}
	return sound, err
}

// fliteProgram is the program flite (http://www.festvox.org/flite/). It speaks English only.
type fliteProgram struct{ path string }

// Name implements Synth.
func (fliteProgram) Name() string { return "flite program" }

// fliteVoices are the voices that the program is built with.
var fliteVoices = map[string]bool{"slt": true, "rms": true, "awb": true, "kal": true, "kal16": true, "awb_time": true}

// Say implements Synth. A voice that flite lacks gives slt.
func (f fliteProgram) Say(ctx context.Context, r Request) ([]byte, error) {
	if !english(r.tongue()) {
		return nil, onlyEnglish("flite", r.tongue())
	}
	words, err := r.words()
	if err != nil {
		return nil, err
	}
	text, err := ascii(words)
	if err != nil {
		return nil, err
	}
	voice := "slt"
	if fliteVoices[r.Voice] {
		voice = r.Voice
	}
	stretch := strconv.FormatFloat(1/r.Speed, 'f', 3, 64)
	text = flite.Tame(text)
	args := []string{f.path, "-voice", voice, "--setf", "duration_stretch=" + stretch, "-f", "{in}", "-o", "{out}"}
	return run(ctx, job{args: args, input: []byte(text), in: "text.txt", out: "sound.wav", hide: text})
}
