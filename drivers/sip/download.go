package sip

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// version is how a web server tells whether a file has changed (RFC 9110 section 8.8).
type version struct{ etag, modified string }

var errNoWeb = errors.New("no web server can be reached: none is allowed")

// download gets a sound from a web server. old is what it had before, or nil: that is played as long as the server
// says that nothing has changed, and when it cannot be reached.
func (c *clips) download(ctx context.Context, address string, rate int, old *clip) (*clip, error) {
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
	if old != nil && old.version != (version{}) {
		req.Header.Set("If-None-Match", old.version.etag)
		req.Header.Set("If-Modified-Since", old.version.modified)
	}
	res, err := c.client.Do(req)
	if err != nil {
		if old != nil {
			return again(old), nil
		}
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	defer func() { _ = res.Body.Close() }()
	switch {
	case res.StatusCode == http.StatusNotModified && old != nil, res.StatusCode >= 500 && old != nil:
		return again(old), nil
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("play %q: the web server answers %s", name, res.Status)
	case res.ContentLength > media.MaxAudioSize:
		return nil, fmt.Errorf("play %q: %d MiB: %w", name, res.ContentLength>>20, media.ErrTooLarge)
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, media.MaxAudioSize+1))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("play %q: truncated: the web server sent %d of %d octets", name, len(data), res.ContentLength)
	}
	if err != nil {
		return nil, fmt.Errorf("play %q: %w", name, err)
	}
	made, err := decode(ctx, name, data, rate)
	if err == nil {
		made.version = version{res.Header.Get("ETag"), res.Header.Get("Last-Modified")}
	}
	return made, err
}

// again is a sound that has not changed.
func again(old *clip) *clip { return &clip{sound: old.sound, version: old.version} }
