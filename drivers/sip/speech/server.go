package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Server is a speech server that speaks OpenAI's protocol: POST {URL}/audio/speech
// (https://platform.openai.com/docs/api-reference/audio/createSpeech). SSML is no part of it: the server gets its
// words.
type Server struct {
	// URL is the base, such as http://127.0.0.1:8880/v1.
	URL string
	// Key is the bearer token; may be empty.
	Key string
	// Model and Voice are what the server calls them. Voice is that of requests that name none, or one that the
	// server refuses.
	Model, Voice string
	// Client makes the requests; nil is http.DefaultClient.
	Client *http.Client
}

// Name implements Synth.
func (s Server) Name() string {
	address := s.URL
	if u, err := url.Parse(s.URL); err == nil {
		u.User, u.RawQuery = nil, ""
		address = u.String()
	}
	return "server " + address + " " + s.Model + " " + s.Voice
}

// Say implements Synth.
func (s Server) Say(ctx context.Context, r Request) ([]byte, error) {
	words, err := r.words()
	if err != nil {
		return nil, err
	}
	voice := s.Voice
	if r.Voice != "" {
		voice = r.Voice
	}
	sound, err := s.create(ctx, words, voice, r.Speed)
	if refused := (*statusError)(nil); errors.As(err, &refused) && voice != s.Voice && s.Voice != "" && (refused.code == http.StatusBadRequest || refused.code == http.StatusUnprocessableEntity || refused.code == http.StatusNotFound) {
		return s.create(ctx, words, s.Voice, r.Speed)
	}
	return sound, err
}

func (s Server) create(ctx context.Context, words, voice string, speed float64) ([]byte, error) {
	fields := map[string]any{"model": s.Model, "voice": voice, "input": words, "response_format": "wav"}
	if speed != 1 && speed != 0 {
		fields["speed"] = speed
	}
	body, err := json.Marshal(fields)
	if err != nil {
		return nil, err
	}
	return post(ctx, s.Client, "the speech server", strings.TrimRight(s.URL, "/")+"/audio/speech", s.Key, "application/json", body, media.MaxAudioSize)
}

// post sends a request and returns the body of a 200.
func post(ctx context.Context, client *http.Client, who, address, key, contentType string, body []byte, limit int64) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: its address is no URL", who)
	}
	req.Header.Set("Content-Type", contentType)
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		// The error names the whole address, in which there may be a secret.
		if about := (*url.Error)(nil); errors.As(err, &about) {
			err = about.Err
		}
		return nil, fmt.Errorf("%s cannot be reached: %w", who, err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		reply, _ := io.ReadAll(io.LimitReader(res.Body, 64<<10))
		return nil, &statusError{who: who, code: res.StatusCode, detail: errorCode(reply)}
	}
	data, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("%s broke off its answer: %w", who, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: an answer of more than %d MiB", who, limit>>20)
	}
	return data, nil
}

// statusError is an answer that is not 200.
type statusError struct {
	who    string
	code   int
	detail string
}

// Error implements error. What the server wrote is left out: it may repeat the text or the key.
func (e *statusError) Error() string {
	s := fmt.Sprintf("%s answers %d %s", e.who, e.code, http.StatusText(e.code))
	if e.detail != "" {
		s += " (" + e.detail + ")"
	}
	switch {
	case e.code == http.StatusUnauthorized || e.code == http.StatusForbidden:
		s += ": check the key"
	case e.code == http.StatusNotFound:
		s += ": check the URL, which ends before /audio, and the model"
	case e.code == http.StatusTooManyRequests:
		s += ": too many requests, or no credit left"
	case e.code >= 300 && e.code < 400:
		s += ": redirects are not followed, name the address it leads to"
	}
	return s
}

// codes are what an error's code or type looks like; a text with spaces is none.
var codes = regexp.MustCompile(`^[a-z][a-z_]{2,39}$`)

// errorCode returns the code of an OpenAI error, {"error":{"code","type","param","message"}}.
func errorCode(reply []byte) string {
	var body struct {
		Error struct {
			Code any `json:"code"`
			Type any `json:"type"`
		} `json:"error"`
	}
	if json.Unmarshal(reply, &body) != nil {
		return ""
	}
	for _, v := range []any{body.Error.Code, body.Error.Type} {
		if s, ok := v.(string); ok && codes.MatchString(s) {
			return s
		}
	}
	return ""
}

// newClient returns a client for one server. It keeps no connections, follows no redirects and asks no proxy: dial
// decides what can be reached.
func newClient(dial func(ctx context.Context, network, address string) (net.Conn, error)) *http.Client {
	t := &http.Transport{DialContext: dial, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
