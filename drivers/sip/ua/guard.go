package ua

import (
	"context"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// handler handles a request that is whole: all headers that RFC 3261 section 8.1.1 demands are there.
type handler func(req *msg.Request, tx msg.ServerTransaction)

// guard checks a request before it is handled, and survives what its handling does: the library does neither, and
// a panic on its goroutine would end the process.
func (a *Agent) guard(next handler) func(*msg.Request, msg.ServerTransaction) {
	return func(req *msg.Request, tx msg.ServerTransaction) {
		defer func() {
			if r := recover(); r != nil {
				a.log.Error("a SIP request could not be handled", "method", req.Method, "source", req.Source(), "panic", r, "stack", string(debug.Stack()))
				if req.Method != msg.ACK {
					_ = tx.Respond(msg.NewResponseFromRequest(req, 500, "Server Internal Error", nil))
				}
			}
		}()
		if req.Transport() != "UDP" && !a.admitted(req) {
			return
		}
		if status, fault := malformed(req); status != 0 {
			a.log.Debug("a malformed SIP request was refused", "method", req.Method, "source", req.Source(), "fault", fault)
			if req.Method != msg.ACK {
				a.respond(tx, req, status, fault)
			}
			return
		}
		next(req, tx)
	}
}

// admitted reports whether a request that came over a stream may be looked at; those of datagrams were sorted out
// before they were parsed.
func (a *Agent) admitted(req *msg.Request) bool {
	if !a.filter.admit(req.Source()) {
		return false
	}
	h := req.GetHeader("User-Agent")
	return h == nil || !isScanner([]byte(h.Value()))
}

// respond answers a request without a body.
func (a *Agent) respond(tx msg.ServerTransaction, req *msg.Request, status int, reason string, headers ...msg.Header) {
	res := msg.NewResponseFromRequest(req, status, reason, nil)
	for _, h := range headers {
		res.AppendHeader(h)
	}
	a.send(tx, res)
}

func (a *Agent) send(tx msg.ServerTransaction, res *msg.Response) {
	res.AppendHeader(msg.NewHeader("Server", a.opts.Name))
	if err := tx.Respond(res); err != nil {
		a.log.Debug("a SIP response could not be sent", "status", res.StatusCode, "error", err)
	}
}

// quietHandler keeps the library's log short: no whole packets, nothing below a warning, and not more than some
// lines a second, since strangers decide how many there are.
type quietHandler struct {
	next slog.Handler
}

type lineBound struct {
	mu   sync.Mutex
	at   time.Time
	seen int
}

// linesPerSecond is how much the library may log.
const linesPerSecond = 5

var libraryLines lineBound

func (h *quietHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.next.Enabled(ctx, slog.LevelDebug)
}

func (h *quietHandler) Handle(ctx context.Context, r slog.Record) error {
	b := &libraryLines
	b.mu.Lock()
	if r.Time.Sub(b.at) > time.Second {
		b.at, b.seen = r.Time, 0
	}
	b.seen++
	tooMany := b.seen > linesPerSecond
	b.mu.Unlock()
	if tooMany {
		return nil
	}
	out := slog.NewRecord(r.Time, slog.LevelDebug, "sip: "+r.Message, r.PC)
	r.Attrs(func(attr slog.Attr) bool {
		if attr.Key != "data" && attr.Key != "req" && attr.Key != "msg" {
			out.AddAttrs(attr)
		}
		return true
	})
	return h.next.Handle(ctx, out)
}

func (h *quietHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &quietHandler{next: h.next.WithAttrs(attrs)}
}

func (h *quietHandler) WithGroup(name string) slog.Handler {
	return &quietHandler{next: h.next.WithGroup(name)}
}

// safe reports whether text may stand in a header: no control characters, and not much of it.
func safe(text string) bool {
	return len(text) <= maxHeader && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7F })
}
