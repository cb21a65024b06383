package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/runtime"
)

// ErrNoCall says that the journal holds nothing of this call: it never was, or its entries are past their age.
var ErrNoCall = errors.New("no such call in the journal")

// Entries returns the journal of a call in order, and the app that answered it. Where entries are missing (see
// [ErrLagging]), an entry of the kind "gap" with data {"missing":n} stands in their place. It sees everything that
// was appended before. When two apps had a call of this id, the later one's is returned.
func (j *Journal) Entries(ctx context.Context, call string) (entries []runtime.Entry, app string, err error) {
	app, subject, err := j.find(ctx, call)
	if err != nil {
		return nil, "", err
	}
	entries, err = j.entries(ctx, subject)
	return entries, app, err
}

// unreadable is why what is stored cannot be read, now or ever.
type unreadable struct{ error }

func (u unreadable) Unwrap() error { return u.error }

// Recall returns the journal of an app's call in order, and nothing when there is none. The error is
// runtime.ErrNoRecording when it is damaged; others may pass.
func (j *Journal) Recall(ctx context.Context, app, call string) ([]runtime.Entry, error) {
	if len(app) > maxID || len(call) > maxID {
		return nil, nil // what cannot be written has not been
	}
	if err := j.append.flush(ctx); err != nil {
		return nil, err
	}
	entries, err := j.entries(ctx, callSubject(app, call))
	if damage := (unreadable{}); errors.As(err, &damage) {
		err = fmt.Errorf("%w: %w", runtime.ErrNoRecording, err)
	}
	return entries, err
}

// entries reads the journal of a call.
func (j *Journal) entries(ctx context.Context, subject string) (entries []runtime.Entry, err error) {
	var in gapFinder
	err = j.scan(ctx, streamCalls, subject, 1, func(s stored) (bool, error) {
		turn, err := decodeEntries(s.data)
		if err != nil {
			return false, unreadable{fmt.Errorf("%s, message %d: %w", subject, s.seq, err)}
		}
		entries = in.add(entries, turn)
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	return in.end(entries), nil
}

// Began reports whether the journal held calls when it was opened: some of them may go on.
func (j *Journal) Began() bool { return j.began }

// find returns the app of a call and its subject.
func (j *Journal) find(ctx context.Context, call string) (app, subject string, err error) {
	if err := checkID("call", call); err != nil {
		return "", "", err
	}
	if err := j.append.flush(ctx); err != nil {
		return "", "", err
	}
	stream, err := j.js.Stream(ctx, streamCalls)
	if err != nil {
		return "", "", fmt.Errorf("read call %s: %w", call, err)
	}
	last, err := stream.GetLastMsgForSubject(ctx, "call.*."+token(call))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return "", "", fmt.Errorf("%w: %q", ErrNoCall, call)
	}
	if err != nil {
		return "", "", fmt.Errorf("read call %s: %w", call, err)
	}
	app, _, err = parseCallSubject(last.Subject)
	return app, last.Subject, err
}

// Follow returns the entries of a call from its beginning and goes on with new ones as they are stored, until ctx
// ends or the caller breaks; the call need not have begun. An error is the last thing it yields, ctx's end is not
// one. A gap shows once an entry after it is there.
func (j *Journal) Follow(ctx context.Context, call string) iter.Seq2[runtime.Entry, error] {
	return func(yield func(runtime.Entry, error) bool) {
		err := j.follow(ctx, call, func(e runtime.Entry) bool { return yield(e, nil) })
		if err != nil && ctx.Err() == nil {
			yield(runtime.Entry{}, err)
		}
	}
}

func (j *Journal) follow(ctx context.Context, call string, yield func(runtime.Entry) bool) error {
	if err := checkID("call", call); err != nil {
		return err
	}
	consumer, err := j.js.OrderedConsumer(ctx, streamCalls, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{"call.*." + token(call)},
	})
	if err != nil {
		return fmt.Errorf("follow call %s: %w", call, err)
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(256))
	if err != nil {
		return fmt.Errorf("follow call %s: %w", call, err)
	}
	defer messages.Stop()
	var in gapFinder
	for {
		m, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return fmt.Errorf("follow call %s: %w", call, err)
		}
		turn, err := decodeEntries(m.Data())
		if err != nil {
			return fmt.Errorf("follow call %s: %w", call, err)
		}
		for _, e := range in.add(nil, turn) {
			if !yield(e) {
				return nil
			}
		}
	}
}

// gapFinder puts a gap entry wherever the entries' numbers leave some out. A call's numbers begin at 1; a second
// session of the same call begins there again.
type gapFinder struct {
	last   runtime.Entry // the entry before
	behind runtime.Entry // the writer's note that entries up to this number are missing
}

func (g *gapFinder) add(dst, turn []runtime.Entry) []runtime.Entry {
	for _, e := range turn {
		if e.Kind == gapKind {
			g.behind = e
			continue
		}
		if e.Seq == 0 { // stands beside the session
			dst = append(dst, e)
			continue
		}
		want := g.last.Seq + 1
		if e.Seq < want {
			want, g.behind = 1, runtime.Entry{}
		}
		if e.Seq > want {
			dst = append(dst, gapEntry(want, e.Seq-want, e.Time, e.Version))
		}
		dst = append(dst, e)
		g.last = e
	}
	return dst
}

// end adds the gap behind the last entry, which only the writer's note tells of.
func (g *gapFinder) end(dst []runtime.Entry) []runtime.Entry {
	if b := g.behind; b.Seq > g.last.Seq {
		dst = append(dst, gapEntry(g.last.Seq+1, b.Seq-g.last.Seq, b.Time, b.Version))
	}
	return dst
}
