package sim_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/pcmo"
)

// A stream to a server that is simulated, too: it hears the call and speaks into it.
func TestConnect(t *testing.T) {
	var frames []string
	app := plays(&pcmo.Stream{WSURL: "wss://ai.example.com/"})
	app.stream = func(context.Context, call.Stream) error { t.Error("the app's callback was called"); return nil }
	connect := func(_ context.Context, url string) (func(context.Context, call.Stream) error, error) {
		if url != "wss://ai.example.com/" {
			t.Errorf("connected to %s", url)
		}
		return func(ctx context.Context, s call.Stream) error {
			for range 3 {
				text, data, err := s.Read(ctx)
				if err != nil {
					return err
				}
				if text {
					frames = append(frames, string(data))
				}
			}
			if err := s.Write(ctx, false, make([]byte, 16000)); err != nil {
				return err
			}
			return s.Write(ctx, true, []byte(`[{"action":"speak","text":"Enough."}]`))
		}, nil
	}
	transcript := transcriptOf(t, app, connect)
	for _, part := range []string{"the app sent 16000 bytes of audio, 1 text frame", "“Enough.”"} {
		if !strings.Contains(transcript, part) {
			t.Errorf("the transcript does not say %q:\n%s", part, transcript)
		}
	}
	if len(frames) != 1 || !strings.Contains(frames[0], `"event":"start"`) {
		t.Errorf("text frames %q", frames)
	}
}

func TestConnectFails(t *testing.T) {
	for name, test := range map[string]struct {
		connect func(context.Context, string) (func(context.Context, call.Stream) error, error)
		want    string
	}{
		"no stream": {func(context.Context, string) (func(context.Context, call.Stream) error, error) {
			return nil, errors.New("refused")
		}, "problem  refused"},
		"no server": {func(context.Context, string) (func(context.Context, call.Stream) error, error) { return nil, nil }, "code 1000, the simulated server closed"},
		"it breaks": {func(context.Context, string) (func(context.Context, call.Stream) error, error) {
			return func(context.Context, call.Stream) error { return errors.New("broken") }, nil
		}, "broken"},
		"nobody knows": {nil, "code 1000, the simulated server closed"},
	} {
		t.Run(name, func(t *testing.T) {
			if transcript := transcriptOf(t, plays(&pcmo.Stream{WSURL: "wss://ai.example.com/"}), test.connect); !strings.Contains(transcript, test.want) {
				t.Errorf("the transcript does not say %q:\n%s", test.want, transcript)
			}
		})
	}
}

func transcriptOf(t *testing.T, app call.Handler, connect func(context.Context, string) (func(context.Context, call.Stream) error, error)) string {
	t.Helper()
	transcript, err := sim.New(sim.Options{Connect: connect}).Call(t.Context(), app, sim.Caller{App: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return transcript.String()
}
