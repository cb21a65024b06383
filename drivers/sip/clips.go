package sip

import (
	"container/list"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// clips are the sounds of prompts, ready to be sent. Those used last are kept in memory and shared by all calls; one
// that several calls ask for at once is made once.
type clips struct {
	voice    *speech.Cache
	mediaDir string
	client   *http.Client  // nil: no web server can be reached
	urlLife  time.Duration // see urlLife

	mu      sync.Mutex
	kept    map[string]*list.Element
	order   *list.List // of *clip, used last first
	size    int
	pending map[string]*making
}

// clip is one sound.
type clip struct {
	key     string
	sound   media.Sound
	made    time.Time
	changed time.Time // the file's
	version version   // the web server's
}

// making is a sound on its way.
type making struct {
	done  chan struct{}
	sound media.Sound
	err   error
}

func newMaking() *making { return &making{done: make(chan struct{})} }

const (
	// maxKept bounds the memory for sounds, in samples: about an hour and a half of sound.
	maxKept = 40 << 20
	// urlLife is how long a sound of a web server is played before the server is asked whether it has changed.
	urlLife = time.Minute
	// urlTime bounds a download.
	urlTime = 15 * time.Second
	// makeTime bounds all that it takes to make a sound.
	makeTime = 45 * time.Second
)

func newClips(o Options) *clips {
	c := &clips{
		voice: speech.NewCache(o.Voice, o.SpeechDir), mediaDir: o.MediaDir, kept: map[string]*list.Element{}, order: list.New(),
		pending: map[string]*making{}, urlLife: urlLife,
	}
	if o.SpeechDir == "" {
		c.voice = speech.NewCache(o.Voice, filepath.Join(os.TempDir(), "piopiyd-speech"))
	}
	if o.Dial != nil {
		c.client = &http.Client{Timeout: urlTime, Transport: &http.Transport{DialContext: o.Dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}}
	}
	return c
}

// get returns the sound of a prompt at a rate; an empty one for silence.
func (c *clips) get(ctx context.Context, p call.Prompt, rate int) (media.Sound, error) {
	at := " " + strconv.Itoa(rate)
	if hz, length, ok := p.IsTone(); ok {
		return media.Sound{Samples: audio.Tone(hz, length, rate), Rate: rate}, nil
	}
	switch {
	case p.Say != "":
		key := fmt.Sprintf("say%s %q %q %g %s", at, p.Language, p.Voice, p.Speed, p.Say)
		return c.cached(ctx, key, time.Time{}, 0, func(ctx context.Context, _ *clip) (*clip, error) {
			data, err := c.voice.Say(ctx, speech.Request{
				Text: p.Say, SSML: strings.HasPrefix(strings.TrimSpace(p.Say), "<speak"), Language: p.Language, Voice: p.Voice, Speed: p.Speed,
			})
			if err != nil {
				return nil, err
			}
			sound, err := media.Decode(ctx, data, rate)
			if err != nil {
				return nil, fmt.Errorf("speech: %s made no sound that can be played: %w", c.voice.Name(), err)
			}
			return &clip{sound: sound}, nil
		})
	case p.File != "":
		return c.file(ctx, p.File, rate)
	case p.URL != "":
		return c.cached(ctx, "url"+at+" "+p.URL, time.Time{}, c.urlLife, func(ctx context.Context, old *clip) (*clip, error) {
			return c.download(ctx, p.URL, rate, old)
		})
	}
	return media.Sound{Rate: rate}, nil
}

// file returns the sound of a file in the media folder. A file that was changed is read again.
func (c *clips) file(ctx context.Context, name string, rate int) (media.Sound, error) {
	none := media.Sound{Rate: rate}
	if c.mediaDir == "" {
		return none, fmt.Errorf("play %q: no folder for audio files is set", name)
	}
	root, err := os.OpenRoot(c.mediaDir) // nothing outside of it can be opened
	if err != nil {
		return none, fmt.Errorf("play %q: the folder for audio files: %w", name, err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(name)
	switch {
	case err != nil:
		return none, fmt.Errorf("play %q: 404, no such file in the folder for audio files", name)
	case !info.Mode().IsRegular():
		return none, fmt.Errorf("play %q: it is no file but a %s", name, kindOf(info.Mode()))
	case info.Size() > media.MaxAudioSize:
		return none, fmt.Errorf("play %q: %d MiB: %w", name, info.Size()>>20, media.ErrTooLarge)
	}
	return c.cached(ctx, "file "+strconv.Itoa(rate)+" "+name, info.ModTime(), 0, func(ctx context.Context, _ *clip) (*clip, error) {
		root, err := os.OpenRoot(c.mediaDir)
		if err != nil {
			return nil, fmt.Errorf("play %q: %w", name, err)
		}
		defer func() { _ = root.Close() }()
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("play %q: %w", name, err)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, media.MaxAudioSize+1))
		if err != nil {
			return nil, fmt.Errorf("play %q: %w", name, err)
		}
		return decode(ctx, name, data, rate)
	})
}

func kindOf(mode os.FileMode) string {
	if mode.IsDir() {
		return "folder"
	}
	return "device"
}

func decode(ctx context.Context, name string, data []byte, rate int) (*clip, error) {
	sound, err := media.Decode(ctx, data, rate)
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	return &clip{sound: sound}, nil
}

// cached returns what is kept under a key, when it is not older than life (0: any age) and the file has not
// changed, or makes it. produce gets what was kept before, which may be nil. The first who asks starts it; it goes on
// when he hangs up, for those who ask next.
func (c *clips) cached(ctx context.Context, key string, changed time.Time, life time.Duration, produce func(context.Context, *clip) (*clip, error)) (media.Sound, error) {
	c.mu.Lock()
	var old *clip
	if e, ok := c.kept[key]; ok {
		if k := e.Value.(*clip); k.changed.Equal(changed) {
			if life == 0 || time.Since(k.made) < life {
				c.order.MoveToFront(e)
				c.mu.Unlock()
				return k.sound, nil
			}
			old = k
		}
	}
	m, under := c.pending[key]
	if !under {
		m = newMaking()
		c.pending[key] = m
		go c.produce(context.WithoutCancel(ctx), key, changed, m, old, produce)
	}
	c.mu.Unlock()
	select {
	case <-m.done:
		return m.sound, m.err
	case <-ctx.Done():
		return media.Sound{}, context.Cause(ctx)
	}
}

func (c *clips) produce(ctx context.Context, key string, changed time.Time, m *making, old *clip, produce func(context.Context, *clip) (*clip, error)) {
	defer close(m.done)
	ctx, cancel := context.WithTimeout(ctx, makeTime)
	defer cancel()
	made, err := produce(ctx, old)
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, key)
	if m.err = err; err != nil {
		return
	}
	m.sound = made.sound
	if e, ok := c.kept[key]; ok {
		c.drop(e)
	}
	made.key, made.made, made.changed = key, time.Now(), changed
	c.kept[key] = c.order.PushFront(made)
	for c.size += len(made.sound.Samples); c.size > maxKept && c.order.Len() > 1; {
		c.drop(c.order.Back())
	}
}

func (c *clips) drop(e *list.Element) {
	k := c.order.Remove(e).(*clip)
	delete(c.kept, k.key)
	c.size -= len(k.sound.Samples)
}
