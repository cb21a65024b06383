package scripts_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

func TestAIStreamingInbound(t *testing.T) {
	h := open(t, "ai-streaming")
	transcript := h.phone().Ends(call.SideApp)
	opened := first(t, transcript, sim.StreamOpened)
	if !strings.HasSuffix(opened.To, "/hooks/ai-streaming/stream") || opened.Status != "both" || opened.SampleRate != 8000 {
		t.Errorf("%s", opened)
	}
	// The simulated caller says nothing: the app gives up after half a minute.
	if sent := first(t, transcript, sim.StreamSent); sent.Text != `[{"action":"hangup"}]` {
		t.Errorf("%s", sent)
	}
	// What the callback does after the last frame is done, though the call is over.
	for _, e := range transcript.Entries {
		if e.Kind == sim.Problem {
			t.Errorf("%s", e)
		}
	}
	if lines := h.logged(transcript.Call); len(lines) != 1 || !strings.Contains(lines[0], "is over") {
		t.Errorf("logged %q", lines)
	}
}

func TestAIStreamingToAnotherServer(t *testing.T) {
	transcript := open(t, "ai-streaming", map[string]string{"STREAM_URL": "wss://ai.example.com/call"}).phone().HangupAfter(time.Second).Transcript()
	if opened := first(t, transcript, sim.StreamOpened); opened.To != "wss://ai.example.com/call" {
		t.Errorf("%s", opened)
	}
}

func TestAIStreamingOutbound(t *testing.T) {
	h := open(t, "ai-streaming", account, map[string]string{"FROM": "14155550100", "STREAM_URL": "wss://calls.example.com/hooks/ai-streaming/stream"})
	if _, err := h.run("dial", "14155550199"); err != nil {
		t.Fatal(err)
	}
	sent := h.requests()
	if len(sent) != 1 {
		t.Fatalf("sent %v", sent)
	}
	want := []any{map[string]any{
		"action": "stream", "ws_url": "wss://calls.example.com/hooks/ai-streaming/stream",
		"listen_mode": "both", "voice_quality": "8000", "stream_on_answer": true,
	}}
	if diff := cmp.Diff(want, sent[0].Body["pcmo"]); diff != "" {
		t.Error(diff)
	}
}

// What the caller says comes back once he pauses; what is playing stops when he speaks again.
func TestAIStreamingParrot(t *testing.T) {
	h := open(t, "ai-streaming")
	tape := newTape(4, repeat(silence, 5), repeat(speech, 10), repeat(silence, 30), [][]byte{answered}, repeat(speech, 2), repeat(silence, 30))
	h.clock.Begin()
	err := h.handler.Stream(t.Context(), &call.Call{ID: "s1", App: "ai-streaming"}, tape)
	h.clock.End()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"break", "audio of 10 frames", "break", "audio of 2 frames"}
	if diff := cmp.Diff(want, tape.heard(t)); diff != "" {
		t.Error(diff)
	}
	if lines := h.logged("s1"); len(lines) != 1 || !strings.Contains(lines[0], "0 frames came too fast") {
		t.Errorf("logged %q", lines)
	}
}

// Frames of 20 ms at 8 kHz.
var (
	silence = make([]byte, 320)
	speech  = []byte(strings.Repeat("\x00\x10", 160)) // a constant 4096: loud, if not beautiful
)

// answered stands among frames where the peer waits for a sound.
var answered []byte

func repeat(frame []byte, n int) [][]byte {
	var frames [][]byte
	for range n {
		frames = append(frames, append([]byte(nil), frame...))
	}
	return frames
}

// tape is a media WebSocket whose peer plays recorded frames, stays until so many messages have come back, and keeps
// those.
type tape struct {
	frames [][]byte
	enough chan struct{}
	sounds chan struct{} // gets one for each sound that has come

	mu   sync.Mutex
	text []string
	want int
}

func newTape(want int, parts ...[][]byte) *tape {
	t := &tape{want: want, enough: make(chan struct{}), sounds: make(chan struct{}, want)}
	for _, p := range parts {
		t.frames = append(t.frames, p...)
	}
	return t
}

func (t *tape) Read(ctx context.Context) (bool, []byte, error) {
	if len(t.frames) == 0 {
		select {
		case <-t.enough:
			return false, nil, io.EOF
		case <-ctx.Done():
			return false, nil, context.Cause(ctx)
		}
	}
	frame := t.frames[0]
	t.frames = t.frames[1:]
	if frame == nil {
		select {
		case <-t.sounds:
			return t.Read(ctx)
		case <-ctx.Done():
			return false, nil, context.Cause(ctx)
		}
	}
	return false, frame, ctx.Err()
}

func (t *tape) Write(_ context.Context, _ bool, data []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.text = append(t.text, string(data)); len(t.text) == t.want {
		close(t.enough)
	}
	if strings.Contains(string(data), "streamAudio") {
		t.sounds <- struct{}{}
	}
	return nil
}

func (t *tape) Close(int, string) error { return nil }

// heard tells what came back, in words.
func (t *tape) heard(tb testing.TB) []string {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []string
	for _, text := range t.text {
		var message struct {
			Action string
			Data   struct{ AudioData string }
		}
		if err := json.Unmarshal([]byte(text), &message); err != nil {
			tb.Fatal(err)
		}
		if message.Action != "" {
			list = append(list, message.Action)
			continue
		}
		audio, err := base64.StdEncoding.DecodeString(message.Data.AudioData)
		if err != nil {
			tb.Fatal(err)
		}
		list = append(list, "audio of "+strconv.Itoa(len(audio)/len(silence))+" frames")
	}
	return list
}
