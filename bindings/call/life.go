package call

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// life is the scope of what the callbacks begin that conduct the call: answer, what goes on from it, and stream. It ends
// with the hang-up, where the session may still have to clean up and to be told of events and records. What the callbacks
// for those begin belongs to the session: it must not be lost because the caller has gone.
type life struct {
	session *runtime.Session
	control *call.Control // nil where the line is elsewhere

	ctx    context.Context // made when it is first asked for
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	over error // as scripts see it
}

var _ runtime.Scope = (*life)(nil)

// Life implements runtime.Scope.
func (l *life) Life() context.Context {
	if l.Err() != nil {
		return nil
	}
	if l.ctx == nil {
		session, parent := l.session.Context(), l.session.Context()
		if l.control != nil {
			parent = l.control.Context() // so that no time passes, where time is simulated, before it has ended
		}
		l.ctx, l.cancel = context.WithCancelCause(parent)
		if parent != session {
			context.AfterFunc(session, func() { l.cancel(context.Cause(session)) })
		}
	}
	return l.ctx
}

// Err implements runtime.Scope.
func (l *life) Err() error {
	if l.control != nil {
		if err := l.control.Err(); err != nil {
			return scriptError(err)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// end says that the call is over. On the session's goroutine.
func (l *life) end(err *call.HangupError) {
	l.mu.Lock()
	if l.over == nil {
		l.over = scriptError(err)
	}
	l.mu.Unlock()
	if l.cancel != nil {
		l.cancel(err)
	}
}

// conducts runs a callback that conducts the call.
func (conv *conversation) conducts(f func() (goja.Value, error)) (goja.Value, error) {
	return conv.session.Within(conv.lives(), f)
}

// lives returns the life of the conversation's call. On the session's goroutine.
func (conv *conversation) lives() *life {
	if conv.life == nil {
		conv.life = &life{session: conv.session}
		if by, err := conv.carrier(); err == nil {
			if l, ok := by.(*live); ok {
				conv.life.control = l.control
			}
		}
		if conv.gone {
			conv.life.end(gone())
		}
	}
	return conv.life
}

// hungUp ends what the call's script has begun and the hang-up ends. On the session's goroutine.
func (conv *conversation) hungUp(end *call.HangupError) {
	if conv.life != nil {
		conv.life.end(end)
	}
}

// left notes that leg a has ended. On the session's goroutine.
func (conv *conversation) left() {
	conv.gone = true
	conv.hungUp(gone())
}

// leftBehind is the life of a call for the callback stream on the platform, which closes the stream before it tells of the
// hang-up: what begins after the stream's end is cleaning up.
type leftBehind struct {
	*life
	stream *watched
}

// Life implements runtime.Scope.
func (l leftBehind) Life() context.Context {
	if l.stream.over.Load() {
		return nil
	}
	return l.life.Life()
}

// watched is a stream of which is known whether its end has been read.
type watched struct {
	call.Stream
	over atomic.Bool
}

// Read implements call.Stream.
func (w *watched) Read(ctx context.Context) (text bool, data []byte, err error) {
	if text, data, err = w.Stream.Read(ctx); err != nil {
		w.over.Store(true)
	}
	return text, data, err
}
