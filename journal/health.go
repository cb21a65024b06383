package journal

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lag says how far the journal is behind what was handed to it.
type Lag struct {
	// Queued counts turns whose entries are not yet known to be stored.
	Queued int
	// Dropped counts entries that were not stored since the start; Lagging says that entries are being
	// dropped right now.
	Dropped uint64
	Lagging bool
	// Deliveries counts events and records that wait for delivery, and OldestDelivery is how long the oldest of
	// them has waited.
	Deliveries     int
	OldestDelivery time.Duration
}

// Lag returns how far the journal is behind.
func (j *Journal) Lag() Lag {
	l := Lag{
		Queued:  len(j.append.queue) + int(j.append.unacked.Load()),
		Dropped: j.append.dropped.Load(),
		Lagging: j.append.lagging.Load(),
	}
	var oldest time.Time
	if l.Deliveries, oldest = j.inbox.Waiting(); l.Deliveries > 0 {
		l.OldestDelivery = time.Since(oldest)
	}
	return l
}

// Ready returns nil when the journal takes what is handed to it, and what is wrong otherwise. A lagging journal is
// ready: calls go on without their entries, see Lag.
func (j *Journal) Ready() error {
	switch {
	case j.nc.IsClosed():
		return errors.New("journal: closed")
	case !j.nc.IsConnected() || !j.hot.IsConnected():
		return errors.New("journal: not connected to NATS")
	case j.srv != nil && !j.srv.JetStreamEnabled():
		return fmt.Errorf("journal: the embedded server has stopped storing: %s; is the disk full?", j.srvLog.lastError())
	}
	return nil
}

// Size returns how many bytes the journal's streams hold on disk, all together.
func (j *Journal) Size(ctx context.Context) (bytes uint64, err error) {
	info, err := j.js.AccountInfo(ctx)
	if err != nil {
		return 0, fmt.Errorf("journal's size: %w", err)
	}
	return info.Store, nil
}
