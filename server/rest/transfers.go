package rest

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// A transfer's status can be asked for 15 minutes after it has settled (protocol page 3.8).
const (
	transferKept  = 15 * time.Minute
	mostTransfers = 10_000
)

// transfers remembers the transfers that were ordered here.
type transfers struct {
	mu sync.Mutex
	// byID are all of them; active are those under way, by call.
	byID   map[string]*transfer
	active map[string]*transfer
	// settled are those that are over, oldest first.
	settled []*transfer
}

type transfer struct {
	id, callID, app string
	status          string
	reason          string
	over            time.Time
}

// States of a transfer.
const (
	transferQueued    = "queued"
	transferCompleted = "completed"
	transferFailed    = "failed"
)

func newTransfers() *transfers {
	return &transfers{byID: map[string]*transfer{}, active: map[string]*transfer{}}
}

// begin notes a new transfer of a call, or returns the one that is under way already.
func (t *transfers) begin(c Call) (id string, running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purge()
	if other := t.active[c.ID]; other != nil {
		return other.id, true
	}
	one := &transfer{id: call.NewRequestID(), callID: c.ID, app: c.App, status: transferQueued}
	t.byID[one.id], t.active[c.ID] = one, one
	return one.id, false
}

// drop forgets a transfer that was refused.
func (t *transfers) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if one := t.byID[id]; one != nil && one.status == transferQueued {
		delete(t.byID, id)
		delete(t.active, one.callID)
	}
}

// settle notes how a transfer went. Only the first outcome counts.
func (t *transfers) settle(id string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	one := t.byID[id]
	if one == nil || one.status != transferQueued {
		return
	}
	delete(t.active, one.callID)
	one.status, one.over = transferCompleted, time.Now()
	if err != nil {
		one.status, one.reason = transferFailed, "network_error"
		var failed *call.TransferError
		switch {
		case errors.As(err, &failed):
			one.reason = failed.Reason
		case errors.Is(err, ErrNoCall), errors.Is(err, call.ErrOver):
			one.reason = "call_ended" // ours: the page's reasons are about the party called
		}
	}
	t.settled = append(t.settled, one)
	t.purge()
}

// get returns a transfer as it stands.
func (t *transfers) get(id string) (transfer, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.purge()
	one := t.byID[id]
	if one == nil {
		return transfer{}, false
	}
	return *one, true
}

// purge forgets transfers that were over long ago, and the oldest where there are too many.
func (t *transfers) purge() {
	for len(t.settled) > 0 {
		one := t.settled[0]
		if len(t.settled) <= mostTransfers && time.Since(one.over) < transferKept {
			return
		}
		t.settled[0] = nil
		t.settled = t.settled[1:]
		delete(t.byID, one.id)
	}
}

// transfer begins a transfer of a call under a request id of its own, one at a time for each call.
func (a *API) transfer(ctx context.Context, c Call, start func(done func(error)) error) (requestID string, refused *refusal) {
	id, running := a.transfers.begin(c)
	if running {
		refused = a.refuse(ctx, ErrTransferInProgress)
		refused.requestID = id
		return "", refused
	}
	if err := start(func(err error) { a.transfers.settle(id, err) }); err != nil {
		a.transfers.drop(id)
		return "", a.refuse(ctx, err)
	}
	a.opts.Logger.InfoContext(ctx, "a transfer was ordered by REST", "call", c.ID, "app", c.App, "request", id)
	return id, nil
}

// showTransfer is GET /v3/transfers/{request_id}.
func (a *API) showTransfer(q *request) (any, *refusal) {
	one, ok := a.transfers.get(q.param("request"))
	if !ok || !q.grant.allows(one.app) {
		return nil, &refusal{status: http.StatusNotFound, word: "transfer_not_found", message: "no transfer has this request_id, or it was over more than 15 minutes ago"}
	}
	return struct {
		RequestID string `json:"request_id"`
		CallID    string `json:"call_id"`
		Status    string `json:"status"`
		Reason    string `json:"reason,omitempty"`
	}{one.id, one.callID, one.status, one.reason}, nil
}
