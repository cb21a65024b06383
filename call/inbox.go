package call

import (
	"context"
	"errors"
	"time"
)

// Inbox keeps accepted events and CDRs until a handler has taken them: a driver may tell the platform "received"
// as soon as Accept returns, because nothing accepted is lost and nothing reaches the handler's success twice.
type Inbox interface {
	// AcceptEvent stores an event durably. It reports false when the same event was accepted before.
	AcceptEvent(ctx context.Context, e *Event) (fresh bool, err error)
	// AcceptCDR stores a record durably. It reports false when the record of this call and leg was accepted before.
	AcceptCDR(ctx context.Context, r *CDR) (fresh bool, err error)
	// Deliver hands what was accepted to h, in order for each call and concurrently for different calls, again
	// with back-off while h returns an error, until ctx ends. It returns when the deliveries under way are over.
	// A handler gives up with [Permanent]; [ErrNoCallback] means the same.
	Deliver(ctx context.Context, h Handler) error
}

// Delivery is one accepted event or CDR and how its delivery stands.
type Delivery struct {
	App    string `json:"app"`
	CallID string `json:"call"`
	// Kind is "event" or "cdr".
	Kind string `json:"kind"`
	// Key tells deliveries of one call apart.
	Key string `json:"key"`
	// Attempts counts the tries so far; LastError is the last failure's message.
	Attempts  int    `json:"attempts"`
	LastError string `json:"last_error,omitempty"`
	// Accepted is when it was accepted; Next is when it is tried again, zero when that is as soon as possible.
	Accepted time.Time `json:"accepted"`
	Next     time.Time `json:"next,omitzero"`
}

// ErrInboxFull says that so much waits for delivery that nothing more is accepted for now: the sender should try
// again later, as carriers do when they are answered 503.
var ErrInboxFull = errors.New("the inbox is full: too many events and records wait for delivery")

// Permanent marks an error of a Handler's Event or CDR as final: the delivery is over and is not tried again.
// Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return permanentError{err}
}

// IsPermanent reports whether an error of a Handler's Event or CDR ends the delivery: it, or an error it wraps,
// was made by [Permanent] or is [ErrNoCallback].
func IsPermanent(err error) bool {
	var p permanentError
	return errors.As(err, &p) || errors.Is(err, ErrNoCallback)
}

type permanentError struct{ err error }

func (p permanentError) Error() string { return p.err.Error() }
func (p permanentError) Unwrap() error { return p.err }
