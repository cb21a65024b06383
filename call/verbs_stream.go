package call

import (
	"context"

	"github.com/piopiy/piopiyd/pcmo"
)

// Streamer is a [Line] that can hand the app's end of a media stream to whoever asks for it, in this process: without a
// WebSocket, and without the app's stream callback.
type Streamer interface {
	// StreamHere opens a stream beside whatever else is performed and returns its two ends: the app's, and the line's. The
	// request has no URL, and Events. What the app does not read for long is lost, as with a server that is too slow.
	StreamHere(ctx context.Context, s StreamRequest) (app Stream, line OpenStream, err error)
}

// StreamError says that a media WebSocket could not be opened. The call goes on.
type StreamError struct{ Err error }

// Error says why.
func (e *StreamError) Error() string { return "the stream could not be opened: " + e.Err.Error() }

// Unwrap returns why.
func (e *StreamError) Unwrap() error { return e.Err }

// OpenStream opens a media WebSocket to a server beside whatever is performed. The error is a [*StreamError] when it
// could not be opened; the call's events tell it too.
func (c *Control) OpenStream(ctx context.Context, a *pcmo.Stream) error {
	return c.beginStream(ctx, a, c.r.line.Stream)
}

// StreamHere opens a media stream beside whatever is performed and returns the app's end of it: PCM at a sample rate of 8000
// or 16000 Hz of those whom listen names, and text frames for keys and marks. The stream ends with the call, or when the
// app closes it; the call lasts as long as the stream. The error is an [*UnsupportedError] where the line cannot do that.
func (c *Control) StreamHere(ctx context.Context, listen pcmo.ListenMode, sampleRate int) (Stream, error) {
	line, ok := c.r.line.(Streamer)
	if !ok {
		return nil, &UnsupportedError{Verb: "stream without a URL", Driver: c.Call().Driver}
	}
	a := &pcmo.Stream{ListenMode: listen, VoiceQuality: sampleRate, Events: true}
	made := make(chan Stream, 1)
	err := c.beginStream(ctx, a, func(life context.Context, s StreamRequest) (OpenStream, error) {
		app, open, err := line.StreamHere(life, s)
		if err != nil {
			return nil, err
		}
		if made <- app; ctx.Err() != nil {
			_ = app.Close(1001, "nobody waits for it any more")
		}
		return open, nil
	})
	if err != nil {
		return nil, err
	}
	return <-made, nil
}

func (c *Control) beginStream(ctx context.Context, a *pcmo.Stream, open func(context.Context, StreamRequest) (OpenStream, error)) error {
	return c.verb(ctx, func() error {
		if err := c.r.answer(); err != nil {
			return err
		}
		err := c.r.beginStream(a, open)
		if err != nil && c.r.ctx.Err() == nil {
			return &StreamError{err}
		}
		return err
	})
}

// AwaitStreams returns when every stream has ended.
func (c *Control) AwaitStreams(ctx context.Context) error {
	return c.verb(ctx, func() error { return c.r.awaitStreams() })
}
