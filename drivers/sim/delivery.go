package sim

import (
	"context"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// mail delivers a call's events and records to its handler, in order, beside the call.
type mail struct {
	clock *Clock
	ctx   context.Context // of the deliveries

	mu      sync.Mutex
	queue   []func()
	running bool
	idle    []*gate
}

// post queues a delivery. The caller is at work.
func (m *mail) post(deliver func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.queue = append(m.queue, deliver)
	if !m.running {
		m.running = true
		m.clock.Begin()
		go m.run()
	}
}

func (m *mail) run() {
	defer m.clock.End()
	for {
		m.mu.Lock()
		if len(m.queue) == 0 {
			m.running = false
			for _, g := range m.idle {
				g.open()
			}
			m.idle = nil
			m.mu.Unlock()
			return
		}
		deliver := m.queue[0]
		m.queue = m.queue[1:]
		m.mu.Unlock()
		deliver()
	}
}

// wait lets the deliveries get on until all are made, and reports that, or until limit of virtual time has
// passed. With 0 they come as far as they can without time passing.
func (m *mail) wait(limit time.Duration) bool {
	m.mu.Lock()
	if !m.running {
		m.mu.Unlock()
		return true
	}
	g := m.clock.newGate()
	m.idle = append(m.idle, g)
	m.mu.Unlock()
	t := m.clock.AfterFunc(limit, g.open)
	g.wait()
	t.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.running
}

// Event notes an event and delivers it.
func (l *line) Event(_ context.Context, e *call.Event) {
	l.add(Entry{Kind: Event, Status: e.WireStatus, Leg: e.Leg, Data: e.Raw})
	l.mail.post(func() { l.delivered("event", l.handler.Event(l.mail.ctx, e)) })
}

// CDR notes a record and delivers it.
func (l *line) CDR(_ context.Context, r *call.CDR) {
	l.add(Entry{Kind: CDR, Status: string(r.Status), Leg: r.Leg, Length: r.Duration, Data: r.Raw})
	l.mail.post(func() { l.delivered("cdr", l.handler.CDR(l.mail.ctx, r)) })
}

func (l *line) delivered(callback string, err error) {
	if err != nil && !isNoCallback(err) {
		l.add(Entry{Kind: Problem, Error: "the " + callback + " callback failed: " + err.Error()})
	}
}

// afterMail is the call's handler as the performer sees it: it is asked when what happened before has been told.
type afterMail struct {
	call.Handler
	line *line
}

func (h afterMail) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	h.line.mail.wait(0)
	return h.Handler.Answer(ctx, c)
}

func (h afterMail) Input(ctx context.Context, c *call.Call, in call.Input) (call.Reply, error) {
	h.line.mail.wait(0)
	return h.Handler.Input(ctx, c, in)
}
