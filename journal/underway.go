package journal

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/call"
)

// Underway knows the calls that cannot outlive the process, because it holds their lines: those of the driver sip. What a
// process leaves here that ended without a word, the next one of the same node finds with [Underway.Lost].
//
// Each process has a subject of its own in the node's stream. It writes every leg's beginning, answer and end there, and
// every [Options].UnderwayEvery all legs that are open, after which what was written before is removed. So the stream
// stays small however long a call is, and says to within that time how long its process was alive.
type Underway struct {
	j       *Journal
	name    string // of the stream
	stream  jetstream.Stream
	subject string // this process's own
	writes  *committer

	mu    sync.Mutex
	calls map[callName][]*call.CDR // the open legs
	wrote bool                     // since the last snapshot that found nothing open
	used  bool                     // ever
	left  bool                     // the stream may hold what other processes left

	stop  context.CancelFunc
	ended chan struct{}
}

// Lost is what a process of this node left under way.
type Lost struct {
	// Alive is when the process was last known to be there.
	Alive time.Time
	// Calls are the open legs by call, the call first that began first. Their records have no Raw, and an End and the
	// Status StatusHangup only where the leg's hangup had been told of, but not its record.
	Calls [][]call.CDR
}

func openUnderway(ctx context.Context, j *Journal) (*Underway, error) {
	u := &Underway{
		j: j, name: "underway_" + j.opts.Node, subject: "underway." + j.opts.Node + "." + strings.ToLower(rand.Text()),
		calls: map[callName][]*call.CDR{}, left: true, ended: make(chan struct{}),
	}
	if err := j.ensure(ctx, jetstream.StreamConfig{
		Name: u.name, Subjects: []string{"underway." + j.opts.Node + ".*"}, MaxBytes: underwayMaxBytes, Discard: jetstream.DiscardOld,
	}); err != nil {
		return nil, err
	}
	var err error
	if u.stream, err = j.js.Stream(ctx, u.name); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if u.writes, err = newCommitter(j.nc, u.subject, formatUnderway); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	noting, stop := context.WithCancel(context.Background())
	u.stop = stop
	go u.snapshots(noting)
	return u, nil
}

// underwayMaxBytes is beyond what a node can need.
const underwayMaxBytes = 64 << 20

// Began notes a call whose leg a is a caller, before anybody has been told of it.
func (u *Underway) Began(c *call.Call) {
	u.mu.Lock()
	defer u.mu.Unlock()
	name := callName{c.App, c.ID}
	if u.open(name, call.LegA, c.ID) == nil {
		u.add(name, call.CDR{
			App: c.App, Driver: c.Driver, CallID: c.ID, LegID: c.ID, RequestID: c.RequestID, Leg: call.LegA, Direction: c.Direction,
			From: c.From, To: c.To, Start: c.Time, ExtraParams: c.ExtraParams,
		})
	}
}

// Event notes what an event says of its leg. A hangup must have been accepted for delivery.
func (u *Underway) Event(e *call.Event) {
	switch e.Status {
	case call.StatusStarted, call.StatusRinging, call.StatusAnswered, call.StatusBridged, call.StatusHangup:
	default:
		return // of a stream
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	name := callName{e.App, e.CallID}
	leg := u.open(name, e.Leg, e.LegID)
	answers := e.Status == call.StatusAnswered || e.Status == call.StatusBridged && e.Leg == call.LegB
	switch {
	case leg == nil && e.Status == call.StatusHangup:
	case leg == nil:
		began := call.CDR{
			App: e.App, Driver: e.Driver, CallID: e.CallID, LegID: e.LegID, RequestID: e.RequestID, Leg: e.Leg, Direction: e.Direction,
			From: e.From, To: e.To, Start: e.Time, ExtraParams: e.ExtraParams,
		}
		if answers {
			began.Answer = e.Time
		}
		u.add(name, began)
	case e.Status == call.StatusHangup:
		leg.Status, leg.End = call.StatusHangup, e.Time
		u.write(leg)
	case answers && leg.Answer.IsZero():
		leg.Answer, leg.ExtraParams = e.Time, e.ExtraParams
		u.write(leg)
	}
}

// Ended notes that the record of a leg has been accepted for delivery. That of leg a is the last of its call.
func (u *Underway) Ended(r *call.CDR) { u.over(callName{r.App, r.CallID}, r.Leg, r.LegID) }

// Gone notes a call of which nothing will be told.
func (u *Underway) Gone(c *call.Call) { u.over(callName{c.App, c.ID}, call.LegA, c.ID) }

func (u *Underway) over(name callName, which call.Leg, id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	legs, known := u.calls[name]
	if !known {
		return
	}
	legs = without(legs, which, id)
	if u.calls[name] = legs; len(legs) == 0 {
		delete(u.calls, name)
	}
	u.note(func(dst []byte) []byte { return appendLegOver(dst, time.Now(), name, which, id) })
}

// without returns the legs that are left when one has ended: none when it is leg a.
func without(legs []*call.CDR, which call.Leg, id string) []*call.CDR {
	if which != call.LegB {
		return nil
	}
	return slices.DeleteFunc(legs, func(l *call.CDR) bool { return l.Leg == which && l.LegID == id })
}

// open returns an open leg, or nil. It needs u.mu, as the next three.
func (u *Underway) open(name callName, which call.Leg, id string) *call.CDR {
	for _, l := range u.calls[name] {
		if l.Leg == which && l.LegID == id {
			return l
		}
	}
	return nil
}

func (u *Underway) add(name callName, leg call.CDR) {
	u.calls[name] = append(u.calls[name], &leg)
	u.write(&leg)
}

func (u *Underway) write(leg *call.CDR) {
	u.note(func(dst []byte) []byte { return appendLeg(dst, time.Now(), leg) })
}

// note writes soon. What cannot be written is in the next snapshot.
func (u *Underway) note(encode func([]byte) []byte) {
	u.wrote, u.used = true, true
	u.writes.write(encode, func(uint64, error) {})
}

// snapshots writes down what is open, again and again until ctx ends.
func (u *Underway) snapshots(ctx context.Context) {
	defer close(u.ended)
	tick := time.NewTicker(u.j.opts.UnderwayEvery)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		err := u.snapshot(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			u.j.opts.Logger.Error("the calls under way cannot be noted: a crash now would leave them without an end", "error", err)
		}
		failing = err != nil
	}
}

// snapshot writes down what is open, and then removes what was written before.
func (u *Underway) snapshot(ctx context.Context) error {
	u.mu.Lock()
	if len(u.calls) == 0 && !u.wrote {
		u.mu.Unlock()
		return nil
	}
	alone := u.j.srv != nil && !u.left
	now := time.Now()
	notes := []func([]byte) []byte{func(dst []byte) []byte { return appendAlive(dst, now) }}
	for _, legs := range u.calls {
		for _, leg := range legs {
			notes = append(notes, func(dst []byte) []byte { return appendLeg(dst, now, leg) })
		}
	}
	u.wrote = len(u.calls) > 0
	acks := make(chan ack, len(notes))
	for i, encode := range notes {
		u.writes.write(encode, func(seq uint64, err error) { acks <- ack{i == 0, seq, err} })
	}
	u.mu.Unlock()

	var begin uint64 // of this snapshot
	var err error
	for range notes {
		a := <-acks
		if a.first {
			begin = a.seq
		}
		err = cmp.Or(err, a.err)
	}
	if err == nil {
		purge := []jetstream.StreamPurgeOpt{jetstream.WithPurgeSequence(begin)}
		if !alone { // else it can be done the quick way
			purge = append(purge, jetstream.WithPurgeSubject(u.subject))
		}
		err = u.stream.Purge(ctx, purge...)
	}
	if err != nil {
		u.mu.Lock()
		u.wrote = true
		u.mu.Unlock()
	}
	return err
}

// ack is what came of one note; first is that of a snapshot.
type ack struct {
	first bool
	seq   uint64
	err   error
}

// close leaves what is open for the next process.
func (u *Underway) close(ctx context.Context) error {
	u.stop()
	<-u.ended
	u.writes.close()
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.calls) > 0 || !u.used {
		return nil
	}
	u.used = false
	if err := u.stream.Purge(ctx, jetstream.WithPurgeSubject(u.subject)); err != nil {
		return fmt.Errorf("close journal: %w", err)
	}
	return nil
}
