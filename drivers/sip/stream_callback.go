package sip

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// callback opens a stream to the app's own stream callback, in this process.
func (l *line) callback(ctx context.Context) socket {
	p := l.newPipe()
	l.work.Go(func() {
		err := l.handler.Stream(ctx, l.call, appEnd{p})
		switch {
		case err == nil:
			p.Close(1000, "")
		case ctx.Err() != nil:
			p.Close(1000, "the call ended")
		default:
			p.Close(1011, err.Error())
		}
	})
	return p
}

func (l *line) newPipe() *pipe {
	return &pipe{toApp: make(chan frame, hearingLength), toCall: make(chan frame, hearingLength), done: make(chan struct{}), stop: make(chan struct{}), stuck: l.driver.opts.waits.stuck}
}

// frame is one message.
type frame struct {
	text bool
	data []byte
}

// pipe is a socket to the app's own script, in this process.
type pipe struct {
	toApp, toCall chan frame
	stuck         time.Duration // see waits

	closing, hurrying sync.Once
	done              chan struct{} // closed when it is closed
	stop              chan struct{} // closed when a Write is to end
	end               closed
	voice             atomic.Pointer[voice]
}

func (p *pipe) Read() (text bool, data []byte, err error) {
	select { // what was sent before it was closed counts
	case f := <-p.toCall:
		return f.text, f.data, nil
	default:
	}
	select {
	case f := <-p.toCall:
		return f.text, f.data, nil
	case <-p.done:
		return false, nil, &p.end
	}
}

func (p *pipe) Write(text bool, data []byte) error {
	f := frame{text, bytes.Clone(data)}
	select {
	case p.toApp <- f:
		return nil
	default:
	}
	timer := time.NewTimer(p.stuck)
	defer timer.Stop()
	select {
	case p.toApp <- f:
		return nil
	case <-p.done:
		return &p.end
	case <-p.stop:
		return isStuck(p.stuck)
	case <-timer.C:
		return isStuck(p.stuck)
	}
}

func (p *pipe) Hurry() { p.hurrying.Do(func() { close(p.stop) }) }

func (p *pipe) Close(code int, reason string) {
	p.closing.Do(func() {
		p.end = closed{code, reason}
		close(p.done)
	})
}

// appEnd is the pipe as the app sees it.
type appEnd struct{ *pipe }

var _ call.Stream = appEnd{}

// Read implements call.Stream.
func (a appEnd) Read(ctx context.Context) (text bool, data []byte, err error) {
	select { // what was sent before it was closed counts
	case f := <-a.toApp:
		return f.text, f.data, nil
	default:
	}
	select {
	case f := <-a.toApp:
		return f.text, f.data, nil
	case <-a.done:
		return false, nil, io.EOF
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

// Write implements call.Stream.
func (a appEnd) Write(ctx context.Context, text bool, data []byte) error {
	select {
	case a.toCall <- frame{text, bytes.Clone(data)}:
		return nil
	case <-a.done:
		return errors.New("the stream is closed")
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Played returns how much of what the app plays has been heard since the stream began.
func (a appEnd) Played() time.Duration {
	if v := a.voice.Load(); v != nil {
		return v.heard()
	}
	return 0
}

// Close implements call.Stream.
func (a appEnd) Close(code int, reason string) error {
	a.pipe.Close(code, reason)
	return nil
}
