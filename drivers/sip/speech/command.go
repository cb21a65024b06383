package speech

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Command is a program that writes WAV. The text is its standard input, or, where its arguments hold "{in}", the
// file named there. The sound is its standard output, or, where they hold "{out}", that file. A text is never an
// argument: one that begins with a dash would be an option.
type Command struct {
	Args []string
}

// Name implements Synth.
func (c Command) Name() string { return "command " + strings.Join(c.Args, " ") }

// Speak implements Synth.
func (c Command) Speak(ctx context.Context, text string) ([]byte, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("no command")
	}
	args, out := slices.Clone(c.Args[1:]), ""
	if i := slices.IndexFunc(args, func(a string) bool { return strings.Contains(a, "{in}") || strings.Contains(a, "{out}") }); i >= 0 {
		dir, err := os.MkdirTemp("", "piopiyd-speech-")
		if err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		in := filepath.Join(dir, "text.txt")
		if err := os.WriteFile(in, []byte(text), 0o600); err != nil {
			return nil, err
		}
		for i, a := range args {
			if strings.Contains(a, "{out}") {
				out = filepath.Join(dir, "sound.wav")
			}
			args[i] = strings.NewReplacer("{in}", in, "{out}", filepath.Join(dir, "sound.wav")).Replace(a)
		}
	}
	cmd := exec.CommandContext(ctx, c.Args[0], args...)
	cmd.WaitDelay = 2 * time.Second
	cmd.Stdin = strings.NewReader(text)
	var sound, complaint limited
	sound.limit, complaint.limit = media.MaxAudioSize, 1<<10
	cmd.Stdout, cmd.Stderr = &sound, &complaint
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s: %w: %s", c.Args[0], err, strings.TrimSpace(complaint.String()))
	}
	if out != "" {
		return os.ReadFile(out)
	}
	if sound.Len() == 0 {
		return nil, fmt.Errorf("%s wrote nothing: %s", c.Args[0], strings.TrimSpace(complaint.String()))
	}
	return sound.Bytes(), nil
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
