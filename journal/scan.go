package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// stored is one message of a stream.
type stored struct {
	seq     uint64
	subject string
	time    time.Time
	data    []byte
}

// Scans ask for this much at a time.
const (
	scanBatch = 512
	scanBytes = 4 << 20
)

// scan hands fn the messages of a stream from sequence from on, in order, up to the last one there is; subject ""
// means all, wildcards are allowed. It stops early, without an error, when fn reports false. It reads by JetStream's
// batched direct get, which needs no consumer.
func (j *Journal) scan(ctx context.Context, stream, subject string, from uint64, fn func(stored) (more bool, err error)) error {
	for {
		from = max(from, 1)
		next, pending, err := j.scanPiece(ctx, stream, subject, from, fn)
		if err != nil {
			return fmt.Errorf("read stream %s: %w", stream, err)
		}
		if pending == 0 || next <= from {
			return nil
		}
		from = next
	}
}

// scanPiece reads one batch and returns the sequence to go on from and how many messages are left, 0 when fn wants
// no more.
func (j *Journal) scanPiece(ctx context.Context, stream, subject string, from uint64, fn func(stored) (bool, error)) (next, pending uint64, err error) {
	request, err := json.Marshal(struct {
		Seq      uint64 `json:"seq"`
		Batch    int    `json:"batch"`
		MaxBytes int    `json:"max_bytes"`
		NextFor  string `json:"next_by_subj,omitempty"`
	}{from, scanBatch, scanBytes, subject})
	if err != nil {
		return 0, 0, err
	}
	reply := nats.NewInbox()
	sub, err := j.nc.SubscribeSync(reply)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = sub.Unsubscribe() }() // fails only on a closed connection
	if err := j.nc.PublishRequest("$JS.API.DIRECT.GET."+stream, reply, request); err != nil {
		return 0, 0, err
	}
	next = from
	for {
		waiting, cancel := context.WithTimeout(ctx, 10*time.Second)
		m, err := sub.NextMsgWithContext(waiting)
		cancel()
		if err != nil {
			return 0, 0, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204": // end of batch
			pending, err := strconv.ParseUint(m.Header.Get("Nats-Num-Pending"), 10, 64)
			return next, pending, err
		case "404": // nothing there
			return next, 0, nil
		default:
			return 0, 0, fmt.Errorf("the server answered %s %s", status, m.Header.Get("Description"))
		}
		s := stored{subject: m.Header.Get("Nats-Subject"), data: m.Data}
		if s.seq, err = strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64); err != nil {
			return 0, 0, fmt.Errorf("sequence of a stored message: %w", err)
		}
		if s.time, err = time.Parse(time.RFC3339Nano, m.Header.Get("Nats-Time-Stamp")); err != nil {
			return 0, 0, fmt.Errorf("time of a stored message: %w", err)
		}
		next = s.seq + 1
		if more, err := fn(s); err != nil || !more {
			return 0, 0, err
		}
	}
}
