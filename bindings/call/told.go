package call

import (
	"context"
	"crypto/sha256"
)

// told is a report that a conversation was told of before it was rebuilt.
type told struct {
	done chan struct{}
	err  error
}

func (t *told) outcome(ctx context.Context) error {
	select {
	case <-t.done:
		return t.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// failed reports whether the script did not take the report: it is told of it again, as it would be without a restart.
func (t *told) failed() bool {
	select {
	case <-t.done:
		return t.err != nil
	default:
		return false
	}
}

// toldBefore returns what came of a report that the journal has already; nil for all others. Few conversations have been
// rebuilt, so the rest pay for no hash.
//
// Two reports of the same bytes are one: the inbox, which tells them apart by what they say, takes a second one for the
// first sent again too.
func (conv *conversation) toldBefore(kind string, raw []byte) *told {
	if conv.again || len(conv.told) == 0 {
		return nil
	}
	if t := conv.told[reportKey(kind, raw)]; t != nil && !t.failed() {
		return t
	}
	return nil
}

func reportKey(kind string, raw []byte) [sha256.Size]byte {
	return sha256.Sum256(append([]byte(kind), raw...))
}

// tells notes that the conversation is told of a report, and what came of it.
func (conv *conversation) tells(kind string, raw []byte) func(*error) {
	if conv.told == nil {
		conv.told = map[[sha256.Size]byte]*told{}
	}
	t := &told{done: make(chan struct{})}
	conv.told[reportKey(kind, raw)] = t
	return func(err *error) {
		t.err = *err
		close(t.done)
	}
}
