package speech

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Command is a program that writes WAV. The text, without markup, is its standard input, or, where its arguments hold
// "{in}", the file named there. The sound is its standard output, or, where they hold "{out}", that file. "{language}",
// "{voice}" and "{speed}" are replaced by the request's; "{lang}" by the language's first part, such as en. A text is never an argument: one that begins with a dash would
// be an option, and other people of the machine can read arguments.
type Command struct {
	Args []string
}

// Name implements Synth.
func (c Command) Name() string {
	if len(c.Args) == 0 {
		return "command"
	}
	// Arguments may hold a secret.
	sum := sha256.Sum256([]byte(strings.Join(c.Args, "\x00")))
	return fmt.Sprintf("command %s %x", filepath.Base(c.Args[0]), sum[:8])
}

// Say implements Synth.
func (c Command) Say(ctx context.Context, r Request) ([]byte, error) {
	text, err := r.words()
	if err != nil {
		return nil, err
	}
	for _, name := range []string{r.Language, r.Voice} {
		if !safeArgument(name) && (slices.ContainsFunc(c.Args, func(a string) bool { return strings.Contains(a, "{voice}") || strings.Contains(a, "{language}") })) {
			return nil, errors.New("speech: the voice's name may hold letters, digits and _.+- only, and begins with a letter or digit")
		}
	}
	args := slices.Clone(c.Args)
	for i, a := range args {
		args[i] = strings.NewReplacer("{language}", r.tongue(), "{lang}", base(r.tongue()), "{voice}", r.Voice, "{speed}", strconv.FormatFloat(r.Speed, 'g', 4, 64)).Replace(a)
	}
	return run(ctx, job{args: args, input: []byte(text), in: "text.txt", out: "sound.wav", hide: text})
}

// safeArgument says whether a request's name can be handed to a program: it is no option and no path.
func safeArgument(name string) bool {
	return !strings.HasPrefix(name, "-") && !strings.HasPrefix(name, ".") && !strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("_.+- ", r)
	})
}

// programs bounds how many programs run at a time: each would take a whole processor.
var programs = make(chan struct{}, max(2, runtime.GOMAXPROCS(0)))

// job is a program to be run once.
type job struct {
	args  []string
	input []byte
	// in and out are the names of the files that stand for {in} and {out}.
	in, out string
	// hide is what must not be told of the program's complaints; silent tells nothing of them.
	hide   string
	silent bool
}

// run runs a program and returns what it made.
func run(ctx context.Context, j job) ([]byte, error) {
	if len(j.args) == 0 {
		return nil, errors.New("no command")
	}
	select {
	case programs <- struct{}{}:
		defer func() { <-programs }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	name := filepath.Base(j.args[0])
	args, out, remove, err := j.withFiles()
	if err != nil {
		return nil, err
	}
	defer remove()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	endWhole(cmd)
	cmd.WaitDelay = 2 * time.Second
	cmd.Stdin = bytes.NewReader(j.input)
	var written, complaint limited
	written.limit, complaint.limit = media.MaxAudioSize, 1<<10
	cmd.Stdout, cmd.Stderr = &written, &complaint
	why := func() string {
		if j.silent {
			return ""
		}
		return complaint.without(j.hide)
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", name, context.Cause(ctx))
		}
		return nil, fmt.Errorf("%s: %w%s", name, err, why())
	}
	if out == "" {
		if written.Len() == 0 {
			return nil, fmt.Errorf("%s %w%s", name, errWroteNothing, why())
		}
		return written.Bytes(), nil
	}
	f, err := os.Open(out)
	if err != nil {
		return nil, fmt.Errorf("%s wrote no file%s", name, why())
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, media.MaxAudioSize))
}

var errWroteNothing = errors.New("wrote nothing")

// withFiles puts a folder's files in the place of {in} and {out}; out is empty where there is no {out}.
func (j job) withFiles() (args []string, out string, remove func(), err error) {
	if !slices.ContainsFunc(j.args[1:], func(a string) bool { return strings.Contains(a, "{in}") || strings.Contains(a, "{out}") }) {
		return j.args, "", func() {}, nil
	}
	dir, err := os.MkdirTemp("", "piopiyd-speech-")
	if err != nil {
		return nil, "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	in, made := filepath.Join(dir, j.in), filepath.Join(dir, j.out)
	if err := os.WriteFile(in, j.input, 0o600); err != nil {
		remove()
		return nil, "", nil, err
	}
	args = slices.Clone(j.args)
	for i, a := range args[1:] {
		if strings.Contains(a, "{out}") {
			out = made
		}
		args[i+1] = strings.NewReplacer("{in}", in, "{out}", made).Replace(a)
	}
	return args, out, remove, nil
}

// limited is a buffer that forgets what goes beyond its limit.
type limited struct {
	bytes.Buffer
	limit int
}

func (l *limited) Write(p []byte) (int, error) {
	room := max(l.limit-l.Len(), 0)
	l.Buffer.Write(p[:min(room, len(p))])
	return len(p), nil
}

// without returns a program's complaint for an error, without the words of the text that it was given.
func (l *limited) without(text string) string {
	said := map[string]bool{}
	word := func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }
	for _, w := range strings.FieldsFunc(strings.ToLower(text), word) {
		said[w] = true
	}
	var b strings.Builder
	complaint := strings.Join(strings.Fields(strings.ToValidUTF8(l.String(), "")), " ")
	for start, rest := 0, complaint; start < len(rest); {
		end := start + strings.IndexFunc(rest[start:]+" ", word)
		if w := rest[start:end]; said[strings.ToLower(w)] {
			b.WriteString("…")
		} else {
			b.WriteString(w)
		}
		for start = end; start < len(rest) && word(runeAt(rest, start)); {
			r := runeAt(rest, start)
			b.WriteRune(r)
			start += len(string(r))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return ": " + b.String()
}

func runeAt(s string, i int) rune {
	for _, r := range s[i:] {
		return r
	}
	return 0
}
