package speech

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

const (
	defaultTimeout = 30 * time.Second
	// audible is the least peak of a sound that can be heard: 54 dB below full scale.
	audible = 64
	// maxSayings bounds the texts that are made into sound, or wait for it, at a time.
	maxSayings = 64
)

// Cache is a Synth that keeps what another has said, on disk, and says each text only once however many ask for it.
// It checks requests and what comes of them: a sound in which nothing can be heard is an error.
type Cache struct {
	synth    Synth
	disk     *disk
	defaults Request
	maxChars int
	timeout  time.Duration
	slots    chan struct{}

	mu      sync.Mutex
	pending map[string]*saying
}

// saying is a text on its way.
type saying struct {
	done chan struct{}
	data []byte
	err  error
}

// NewCache returns a cache in a folder, which is made when it is needed; with no folder, nothing is kept. synth may be
// nil: then nothing can be said. A Cache that keeps something already is returned as it is.
func NewCache(synth Synth, dir string) *Cache {
	o := Options{CacheDir: dir}
	if c, ok := synth.(*Cache); ok {
		if c.disk.dir != "" {
			return c
		}
		o = Options{CacheDir: dir, MaxCacheBytes: c.disk.limit, MaxChars: c.maxChars, Timeout: c.timeout, Language: c.defaults.Language, Voice: c.defaults.Voice, Speed: c.defaults.Speed}
		synth = c.synth
	}
	return newCache(synth, o)
}

func newCache(synth Synth, o Options) *Cache {
	c := &Cache{
		synth: synth, disk: newDisk(o.CacheDir, o.MaxCacheBytes), defaults: Request{Language: o.Language, Voice: o.Voice, Speed: o.Speed},
		maxChars: o.MaxChars, timeout: o.Timeout, slots: make(chan struct{}, maxSayings), pending: map[string]*saying{},
	}
	if c.maxChars <= 0 {
		c.maxChars = defaultMaxChars
	}
	if c.timeout <= 0 {
		c.timeout = defaultTimeout
	}
	return c
}

// Name implements Synth.
func (c *Cache) Name() string {
	if c.synth == nil {
		return "none"
	}
	return c.synth.Name()
}

// Say implements Synth. The sound has the provider's rate.
func (c *Cache) Say(ctx context.Context, r Request) ([]byte, error) {
	if c.synth == nil {
		return nil, ErrNoVoice
	}
	r, err := r.clean(c.defaults, c.maxChars)
	if err != nil {
		return nil, err
	}
	key := c.key(r)
	if data, ok := c.disk.get(key); ok {
		return data, nil
	}
	return c.say(ctx, key, r)
}

// Speak says a plain text and returns its samples at the rate of calls, [media.Rate].
func (c *Cache) Speak(ctx context.Context, text string) ([]int16, error) {
	data, err := c.Say(ctx, Request{Text: text})
	if err != nil {
		return nil, err
	}
	sound, err := media.Decode(ctx, data, media.Rate)
	return sound.Samples, err
}

// key names a request together with the provider.
func (c *Cache) key(r Request) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %q %t %q %q %g", c.synth.Name(), r.Text, r.SSML, r.Language, r.Voice, r.Speed))
	return hex.EncodeToString(sum[:16])
}

// say has a text made into sound. The first who asks starts it; it goes on when he hangs up, for those who ask next.
func (c *Cache) say(ctx context.Context, key string, r Request) ([]byte, error) {
	c.mu.Lock()
	s, under := c.pending[key]
	if !under {
		s = &saying{done: make(chan struct{})}
		c.pending[key] = s
		go func() {
			defer close(s.done)
			work, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), c.timeout, fmt.Errorf("the text took longer than %v to be made into sound", c.timeout))
			defer cancel()
			s.data, s.err = c.make(work, r)
			if s.err == nil {
				// A full disk is no reason to stay silent.
				_ = c.disk.put(key, s.data)
			}
			c.mu.Lock()
			delete(c.pending, key)
			c.mu.Unlock()
		}()
	}
	c.mu.Unlock()
	select {
	case <-s.done:
		return s.data, s.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// make has the provider say a text and listens to the result.
func (c *Cache) make(ctx context.Context, r Request) ([]byte, error) {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("speech: %w", context.Cause(ctx))
	}
	data, err := c.synth.Say(ctx, r)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, fmt.Errorf("speech: %s: %w", c.synth.Name(), context.Cause(ctx))
	case err != nil:
		return nil, prefixed(err)
	}
	sound, err := media.Decode(ctx, data, media.Rate)
	if err != nil && !errors.Is(err, media.ErrTruncated) {
		return nil, fmt.Errorf("speech: %s made no sound that can be played: %w", c.synth.Name(), err)
	}
	for _, s := range sound.Samples {
		if s >= audible || s <= -audible {
			return data, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", ErrSilence, c.synth.Name())
}

// prefixed says of an error that it is of this package, once.
func prefixed(err error) error {
	if s := err.Error(); len(s) > 8 && s[:8] == "speech: " || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("speech: %w", err)
}
