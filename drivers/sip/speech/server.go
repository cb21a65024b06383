package speech

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Server is a speech server that speaks OpenAI's protocol: POST {URL}/audio/speech.
type Server struct {
	// URL is the base, such as http://127.0.0.1:8880/v1.
	URL string
	// Key is the bearer token; may be empty.
	Key string
	// Model and Voice are what the server calls them.
	Model, Voice string
	// Client makes the requests; nil is http.DefaultClient.
	Client *http.Client
}

// Name implements Synth.
func (s Server) Name() string { return "server " + s.URL + " " + s.Model + " " + s.Voice }

// Speak implements Synth.
func (s Server) Speak(ctx context.Context, text string) ([]byte, error) {
	body, err := json.Marshal(map[string]string{"model": s.Model, "voice": s.Voice, "input": text, "response_format": "wav"})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(s.URL, "/")+"/audio/speech", bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("the speech server's address: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if s.Key != "" {
		req.Header.Set("Authorization", "Bearer "+s.Key)
	}
	client := s.Client
	if client == nil {
		client = http.DefaultClient
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the speech server: %w", err)
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		reply, _ := io.ReadAll(io.LimitReader(res.Body, 512))
		return nil, fmt.Errorf("the speech server answered %s: %s", res.Status, bytes.TrimSpace(reply))
	}
	return io.ReadAll(io.LimitReader(res.Body, media.MaxAudioSize))
}
