// Package speech turns text into sound. What says it is a [Synth]: a program on the machine, or a server. What has
// been said once is kept on disk.
package speech

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Synth says texts.
type Synth interface {
	// Name tells the provider and everything that changes how it sounds: texts are kept under it.
	Name() string
	// Speak returns a WAV file.
	Speak(ctx context.Context, text string) ([]byte, error)
}

// ErrNoVoice says that nothing is set up that could speak.
var ErrNoVoice = errors.New("no voice: install espeak-ng or flite, or set sip.speech to a command or a server")

const (
	// maxText bounds a text, in bytes.
	maxText = 8 << 10
	// maxTime bounds how long a text may take to be made into sound.
	maxTime = 30 * time.Second
)

// Find returns the voice of a program on the machine: espeak-ng, else flite. It is nil when there is neither.
func Find() Synth {
	if _, err := exec.LookPath("espeak-ng"); err == nil {
		return Command{Args: []string{"espeak-ng", "--stdout", "-s", "160", "--stdin"}}
	}
	if _, err := exec.LookPath("flite"); err == nil {
		return Command{Args: []string{"flite", "-voice", "slt", "-f", "{in}", "-o", "{out}"}}
	}
	return nil
}

// Cache keeps what a Synth has said, on disk, and says each text only once however many ask for it.
type Cache struct {
	synth Synth
	dir   string

	mu      sync.Mutex
	pending map[string]*saying
}

// saying is a text on its way.
type saying struct {
	done chan struct{}
	data []byte
	err  error
}

// NewCache returns a cache in a folder, which is made when it is needed. synth may be nil: then nothing can be said.
func NewCache(synth Synth, dir string) *Cache {
	return &Cache{synth: synth, dir: dir, pending: map[string]*saying{}}
}

// Speak returns the sound of a text, at the rate of calls.
func (c *Cache) Speak(ctx context.Context, text string) ([]int16, error) {
	text = strings.TrimSpace(text)
	switch {
	case c.synth == nil:
		return nil, ErrNoVoice
	case text == "":
		return nil, nil
	case len(text) > maxText:
		return nil, fmt.Errorf("speech: a text of %d bytes, at most %d can be said at once", len(text), maxText)
	}
	sum := sha256.Sum256([]byte(c.synth.Name() + "\x00" + text))
	path := filepath.Join(c.dir, hex.EncodeToString(sum[:16])+".wav")
	data, err := os.ReadFile(path)
	if err != nil {
		if data, err = c.say(ctx, path, text); err != nil {
			return nil, err
		}
	}
	samples, err := media.DecodeWAV(data)
	if err != nil {
		return nil, fmt.Errorf("speech: %s made no sound that can be played: %w", c.synth.Name(), err)
	}
	return samples, nil
}

// say makes the file at path. The first who asks starts it; it goes on when he hangs up, for those who ask next.
func (c *Cache) say(ctx context.Context, path, text string) ([]byte, error) {
	c.mu.Lock()
	s, under := c.pending[path]
	if !under {
		s = &saying{done: make(chan struct{})}
		c.pending[path] = s
		go func() {
			defer close(s.done)
			work, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxTime)
			defer cancel()
			s.data, s.err = c.synth.Speak(work, text)
			if s.err == nil {
				// A full disk is no reason to stay silent.
				_ = keep(path, s.data)
			}
			c.mu.Lock()
			delete(c.pending, path)
			c.mu.Unlock()
		}()
	}
	c.mu.Unlock()
	select {
	case <-s.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if s.err != nil {
		return nil, fmt.Errorf("speech: %w", s.err)
	}
	return s.data, nil
}

// keep writes a file whole or not at all.
func keep(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".speech-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
	}
	return err
}
