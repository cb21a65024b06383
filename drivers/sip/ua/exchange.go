package ua

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/icholy/digest"

	msg "github.com/emiago/sipgo/sip"
)

// exchange is an INVITE that was sent, and what comes back.
type exchange struct {
	agent      *Agent
	req        *msg.Request
	tx         msg.ClientTransaction
	progress   func(*msg.Response) // may be nil
	again      func(*msg.Response)
	alive      func() // may be nil
	proceeding bool
	cancelling bool
	reason     string // of the CANCEL
}

// exchange sends an INVITE. progress is told of provisional responses; again of each 2xx that wait does not return:
// copies of the first, those of other branches of a fork, and one that comes after everybody has given up.
func (a *Agent) exchange(ctx context.Context, req *msg.Request, progress, again func(*msg.Response)) (*exchange, error) {
	tx, err := a.begin(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("the INVITE could not be sent: %w", err)
	}
	return &exchange{agent: a, req: req, tx: tx, progress: progress, again: again}, nil
}

// GaveUp is the cause of a context that says why a call is cancelled.
type GaveUp struct {
	// Reason is the CANCEL's Reason header (RFC 3326), such as `SIP;cause=200;text="Call completed elsewhere"`.
	Reason string
}

// Error says that the call was cancelled.
func (g *GaveUp) Error() string { return "the call was cancelled: " + g.Reason }

// cancelWait is how long a CANCEL may take to be agreed on.
const cancelWait = 5 * time.Second

// wait returns the final response. When ctx ends it cancels; what comes long after that is not waited for.
func (x *exchange) wait(ctx context.Context) (*msg.Response, error) {
	done := ctx.Done()
	var giveUp <-chan time.Time
	for {
		select {
		case res := <-x.tx.Responses():
			if x.take(res) {
				return res, nil
			}
		case <-x.tx.Done():
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			return nil, fmt.Errorf("the INVITE was not answered: %w", x.tx.Err())
		case <-done:
			done = nil
			timer := time.NewTimer(cancelWait)
			defer timer.Stop()
			giveUp = timer.C
			var g *GaveUp
			if errors.As(context.Cause(ctx), &g) && safe(g.Reason) {
				x.reason = g.Reason
			}
			x.cancel()
		case <-giveUp:
			if !x.agent.spawn(x.linger) {
				x.tx.Terminate()
			}
			return nil, context.Cause(ctx)
		}
	}
}

// take sorts a response, and reports whether it is final.
func (x *exchange) take(res *msg.Response) bool {
	if !res.IsProvisional() {
		if res.IsSuccess() {
			x.tx.OnRetransmission(x.again)
		}
		return true
	}
	first := !x.proceeding
	x.proceeding = true
	if first && x.alive != nil {
		x.alive()
	}
	if x.cancelling && first {
		x.sendCancel()
	}
	if !x.cancelling && x.progress != nil && res.StatusCode > 100 {
		x.progress(res)
	}
	return false
}

// linger waits for what comes after we gave up (RFC 3261 section 9.1): a CANCEL that crosses a 2xx leaves a call
// that must be ended.
func (x *exchange) linger() {
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	for {
		select {
		case res := <-x.tx.Responses():
			if x.take(res) { // the transaction lives on, for copies
				if res.IsSuccess() {
					x.again(res)
				}
				return
			}
		case <-x.tx.Done():
			return
		case <-timer.C:
			x.tx.Terminate()
			return
		case <-x.agent.stopping:
			x.tx.Terminate()
			return
		}
	}
}

// cancel cancels the INVITE, as soon as a provisional response has come (RFC 3261 section 9.1).
func (x *exchange) cancel() {
	if x.cancelling {
		return
	}
	x.cancelling = true
	if x.proceeding {
		x.sendCancel()
	}
}

func (x *exchange) sendCancel() {
	req := msg.NewRequest(msg.CANCEL, x.req.Recipient)
	x.agent.from(req, x.req.Transport())
	req.SetDestination(x.req.Destination())
	req.AppendHeader(x.req.Via().Clone())
	for _, name := range []string{"From", "To", "Call-ID", "Route"} {
		msg.CopyHeaders(name, x.req, req)
	}
	req.AppendHeader(&msg.CSeqHeader{SeqNo: x.req.CSeq().SeqNo, MethodName: msg.CANCEL})
	forwards := msg.MaxForwardsHeader(70)
	req.AppendHeader(&forwards)
	if x.reason != "" {
		req.AppendHeader(msg.NewHeader("Reason", x.reason))
	}
	x.agent.spawn(func() {
		ctx, cancel := x.agent.open(context.Background(), cancelWait)
		defer cancel()
		if _, err := x.agent.do(ctx, req); err != nil {
			x.agent.log.Debug("a CANCEL was not answered", "error", err)
		}
	})
}

// answerChallenge makes the header that answers a 401 or 407.
func answerChallenge(res *msg.Response, method, uri, user, password string) (msg.Header, error) {
	name, answer := "WWW-Authenticate", "Authorization"
	if res.StatusCode == 407 {
		name, answer = "Proxy-Authenticate", "Proxy-Authorization"
	}
	for _, h := range res.GetHeaders(name) {
		challenge, err := digest.ParseChallenge(h.Value())
		if err != nil || !digest.CanDigest(challenge) {
			continue
		}
		credentials, err := digest.Digest(challenge, digest.Options{Method: method, URI: uri, Username: user, Password: password, Count: 1})
		if err == nil {
			return msg.NewHeader(answer, credentials.String()), nil
		}
	}
	return nil, errors.New("the other side's challenge is not one that can be answered")
}
