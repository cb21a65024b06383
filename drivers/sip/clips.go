package sip

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// clips are the sounds of prompts, ready to be sent. Those used last are kept in memory and shared by all calls.
type clips struct {
	voice    *speech.Cache
	mediaDir string
	client   *http.Client // nil: no web server can be reached

	mu    sync.Mutex
	kept  map[string]*list.Element
	order *list.List // of *clip, used last first
	size  int
}

// clip is one sound.
type clip struct {
	key     string
	samples []int16
	made    time.Time
	changed time.Time // the file's
}

const (
	// maxKept bounds the memory for sounds, in samples: about an hour and a half of sound.
	maxKept = 40 << 20
	// urlLife is how long a sound of a web server is played before it is asked again.
	urlLife = time.Minute
	// urlTime bounds a download.
	urlTime = 15 * time.Second
	// maxLength bounds one sound.
	maxLength = 30 * time.Minute
)

func newClips(o Options) *clips {
	c := &clips{voice: speech.NewCache(o.Voice, o.SpeechDir), mediaDir: o.MediaDir, kept: map[string]*list.Element{}, order: list.New()}
	if o.SpeechDir == "" {
		c.voice = speech.NewCache(o.Voice, filepath.Join(os.TempDir(), "piopiyd-speech"))
	}
	if o.Dial != nil {
		c.client = &http.Client{Timeout: urlTime, Transport: &http.Transport{DialContext: o.Dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}}
	}
	return c
}

// get returns the sound of a prompt; nil for silence.
func (c *clips) get(ctx context.Context, p call.Prompt) ([]int16, error) {
	switch {
	case p.Say != "":
		return c.cached("say "+p.Say, time.Time{}, 0, func() ([]int16, error) { return c.voice.Speak(ctx, p.Say) })
	case p.File != "":
		return c.file(p.File)
	case p.URL != "":
		return c.cached("url "+p.URL, time.Time{}, urlLife, func() ([]int16, error) { return c.download(ctx, p.URL) })
	}
	return nil, nil
}

// file returns the sound of a file in the media folder. A file that was changed is read again.
func (c *clips) file(name string) ([]int16, error) {
	if c.mediaDir == "" {
		return nil, fmt.Errorf("play %q: no folder for audio files is set", name)
	}
	root, err := os.OpenRoot(c.mediaDir) // nothing outside of it can be opened
	if err != nil {
		return nil, fmt.Errorf("play %q: the folder for audio files: %w", name, err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("play %q: 404, no such file in the folder for audio files", name)
	}
	if !info.Mode().IsRegular() || info.Size() > media.MaxAudioSize {
		return nil, fmt.Errorf("play %q: no audio file of at most %d MiB", name, media.MaxAudioSize>>20)
	}
	return c.cached("file "+name, info.ModTime(), 0, func() ([]int16, error) {
		f, err := root.Open(name)
		if err != nil {
			return nil, fmt.Errorf("play %q: %w", name, err)
		}
		defer func() { _ = f.Close() }()
		data, err := io.ReadAll(io.LimitReader(f, media.MaxAudioSize))
		if err != nil {
			return nil, fmt.Errorf("play %q: %w", name, err)
		}
		return decode(name, data)
	})
}

func decode(name string, data []byte) ([]int16, error) {
	samples, err := media.DecodeWAV(data)
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	if length := media.Duration(len(samples)); length > maxLength {
		return nil, fmt.Errorf("play %q: %v long, at most %v are played", name, length.Round(time.Second), maxLength)
	}
	return samples, nil
}

var errNoWeb = errors.New("no web server can be reached: none is allowed")

func (c *clips) download(ctx context.Context, address string) ([]int16, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("play %q: no http or https URL", address)
	}
	name := u.Redacted()
	if c.client == nil {
		return nil, fmt.Errorf("play %q: %w", name, errNoWeb)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	res, err := c.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("play %q: the web server answers %s", name, res.Status)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, media.MaxAudioSize+1))
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	if len(data) > media.MaxAudioSize {
		return nil, fmt.Errorf("play %q: more than %d MiB", name, media.MaxAudioSize>>20)
	}
	return decode(name, data)
}

// cached returns what is kept under a key, when it is not older than life (0: any age) and the file has not
// changed, or makes it.
func (c *clips) cached(key string, changed time.Time, life time.Duration, make func() ([]int16, error)) ([]int16, error) {
	c.mu.Lock()
	if e, ok := c.kept[key]; ok {
		if k := e.Value.(*clip); k.changed.Equal(changed) && (life == 0 || time.Since(k.made) < life) {
			c.order.MoveToFront(e)
			c.mu.Unlock()
			return k.samples, nil
		}
	}
	c.mu.Unlock()
	samples, err := make()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if e, ok := c.kept[key]; ok {
		c.drop(e)
	}
	c.kept[key] = c.order.PushFront(&clip{key: key, samples: samples, made: time.Now(), changed: changed})
	for c.size += len(samples); c.size > maxKept && c.order.Len() > 1; {
		c.drop(c.order.Back())
	}
	return samples, nil
}

func (c *clips) drop(e *list.Element) {
	k := c.order.Remove(e).(*clip)
	delete(c.kept, k.key)
	c.size -= len(k.samples)
}
