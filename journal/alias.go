package journal

import (
	"context"
	"fmt"
)

// Alias notes that a call of an app goes by a further id, as that of a leg or of the request that made it. Like Append it
// returns at once, and keeps its place among what is appended.
func (j *Journal) Alias(app, alias, call string) error {
	for _, id := range []string{app, alias, call} {
		if err := checkID("journal: alias", id); err != nil {
			return err
		}
	}
	return j.append.alias(aliasSubject(app, alias), call)
}

// CallOf returns the id of the call of an app that goes by a further id; "" when there is none.
func (j *Journal) CallOf(ctx context.Context, app, alias string) (call string, err error) {
	if len(app) > maxID || len(alias) > maxID || j.srv != nil && !j.began {
		return "", nil // cannot have been noted, or not by an earlier process
	}
	err = j.scan(ctx, streamCalls, aliasSubject(app, alias), 1, func(m stored) (bool, error) {
		r := &reader{buf: m.data}
		if f := r.byte(); f != formatAlias {
			return false, fmt.Errorf("%s, message %d: stored in format %d, which this piopiyd does not know", m.subject, m.seq, f)
		}
		call = r.string()
		return true, r.err
	})
	return call, err
}

func aliasSubject(app, alias string) string { return "alias." + token(app) + "." + token(alias) }

// alias queues a note.
func (a *appender) alias(subject, call string) error {
	buf := turnBuffers.Get().(*[]byte)
	*buf = appendString(append((*buf)[:0], formatAlias), call)
	if err := a.enqueue(turn{subject: subject, data: buf}); err != nil {
		turnBuffers.Put(buf)
		return err
	}
	return nil
}
