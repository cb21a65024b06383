package call_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// streamer is a phone that can stream to whoever asks.
type streamer struct {
	rooms
	asked chan call.StreamRequest
	over  chan struct{}
}

func (s streamer) StreamHere(_ context.Context, req call.StreamRequest) (call.Stream, call.OpenStream, error) {
	s.asked <- req
	return s, ownEnd{s, req}, nil
}

// Read, Write and Close are the app's end.
func (s streamer) Read(context.Context) (bool, []byte, error) { <-s.over; return false, nil, io.EOF }
func (s streamer) Write(context.Context, bool, []byte) error  { return nil }
func (s streamer) Close(int, string) error                    { close(s.over); return nil }

type ownEnd struct {
	s   streamer
	req call.StreamRequest
}

func (e ownEnd) Wait(ctx context.Context) error {
	e.s.note("the call waits for the stream")
	select {
	case <-e.s.over:
		e.req.Ended(1000, "")
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
func (e ownEnd) Close(int, string) error { return nil }

func streaming(t *testing.T) (running, streamer) {
	t.Helper()
	p := newPhone()
	line := streamer{rooms{p}, make(chan call.StreamRequest, 1), make(chan struct{})}
	r := begin(t, says{doc: pcmo.Document{one()}}, line, p)
	r.until(t, "play one")
	r.control, _ = r.live.Find("call-1")
	return r, line
}

// A stream begins beside what is performed, and the call lasts as long as it.
func TestStreamHere(t *testing.T) {
	r, line := streaming(t)
	app, err := r.control.StreamHere(t.Context(), pcmo.ListenBoth, 16000)
	if err != nil {
		t.Fatal(err)
	}
	req := <-line.asked
	want := call.StreamRequest{Listen: pcmo.ListenBoth, SampleRate: 16000, Events: true}
	req.Ended, req.Perform = nil, nil
	if diff := cmp.Diff(want, req); diff != "" {
		t.Error(diff)
	}
	r.let("play one", "")
	r.until(t, "the call waits for the stream")
	select {
	case e := <-r.ending:
		t.Fatalf("the call ended before its stream: %+v", e)
	default:
	}
	if err := app.Close(1000, ""); err != nil {
		t.Fatal(err)
	}
	r.ended(t, call.SideApp, call.CauseNormal)
	if text := strings.Join(r.reports.events, ", "); !strings.Contains(text, "stream_connected") || !strings.Contains(text, "stream_disconnected") {
		t.Errorf("reported %s", text)
	}
	if _, err := r.control.StreamHere(t.Context(), pcmo.ListenBoth, 8000); err == nil {
		t.Error("a call that is over can be streamed")
	}
}

func TestALineThatCannotStreamHere(t *testing.T) {
	r := performing(t, one())
	_, err := r.control.StreamHere(t.Context(), pcmo.ListenCaller, 8000)
	var unsupported *call.UnsupportedError
	if !errors.As(err, &unsupported) || unsupported.Driver != "test" {
		t.Errorf("%v", err)
	}
	r.let("play one", "")
	r.ended(t, call.SideApp, call.CauseNormal)
}

// The verb tells what the action passes over.
func TestAStreamThatCannotBeOpenedIsTheVerbsError(t *testing.T) {
	r := performing(t, one())
	err := r.control.OpenStream(t.Context(), &pcmo.Stream{WSURL: "wss://h"})
	var failed *call.StreamError
	if !errors.As(err, &failed) || !strings.Contains(err.Error(), "no streams here") {
		t.Errorf("%v", err)
	}
	r.let("play one", "")
	r.ended(t, call.SideApp, call.CauseNormal)
	if text := strings.Join(r.reports.events, ", "); !strings.Contains(text, "stream_error") {
		t.Errorf("reported %s", text)
	}
}
