package ua

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// Transfer is a wish that the other side call somebody else in our place (REFER, RFC 3515).
type Transfer struct {
	// To is who is to be called, a sip: URI. Empty with Replaces: the other side of that.
	To string
	// Replaces makes it an attended transfer: the target is the other side of this call, and the one who is
	// transferred takes our place in it (RFC 3891).
	Replaces *Dialog
	// ReferredBy is a sip: URI that says who transfers (RFC 3892); empty says nothing.
	ReferredBy string
	// Progress, where set, is told of each status of the call to the target before the outcome.
	Progress func(status int, phrase string)
}

// Outcome is how a transfer ended: the status of the call to the target, 200 where it was answered.
type Outcome struct {
	Status int
	Phrase string
}

// errNoOutcome says that the other side did not tell.
var errNoOutcome = errors.New("the other side has not told how the transfer ended")

// referring is a REFER of ours, whose outcome is told by NOTIFY.
type referring struct {
	news chan Outcome // has room for all that matters
	end  chan struct{}
}

// Refer asks the other side to call somebody else in our place, and returns how that went. A refusal of the wish
// itself is a [*Rejected]. When the other side ends this call first, or ctx ends, or three minutes have passed, the
// outcome is the last status known, with an error. This call stays: when the transfer went well the other side
// usually ends it.
func (d *Dialog) Refer(ctx context.Context, t Transfer) (Outcome, error) {
	to, err := t.target()
	if err != nil {
		return Outcome{}, err
	}
	r := &referring{news: make(chan Outcome, 32), end: make(chan struct{})}
	ctx, cancel := context.WithTimeoutCause(ctx, referLife, errNoOutcome)
	defer cancel()
	asking, stop := d.within(ctx)
	defer stop()
	var numbers []uint32
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, n := range numbers {
			delete(d.referring, n)
		}
	}()
	res, err := d.ask(asking, msg.REFER, func(req *msg.Request) {
		req.AppendHeader(msg.NewHeader("Refer-To", "<"+to+">"))
		req.AppendHeader(msg.NewHeader("Supported", extensions))
		if t.ReferredBy != "" {
			req.AppendHeader(msg.NewHeader("Referred-By", "<"+t.ReferredBy+">"))
		}
		numbers = append(numbers, req.CSeq().SeqNo)
		d.mu.Lock()
		if d.referring == nil {
			d.referring = map[uint32]*referring{}
		}
		d.referring[req.CSeq().SeqNo] = r // a NOTIFY may be faster than the response
		d.mu.Unlock()
	})
	if err != nil {
		return Outcome{}, err
	}
	last := Outcome{res.StatusCode, res.Reason}
	switch {
	case !res.IsSuccess():
		return last, rejected(res)
	case strings.EqualFold(text(res, "Refer-Sub"), "false"):
		return last, nil
	}
	for {
		var over error
		var news Outcome
		select {
		case o := <-r.news:
			news = o
		case <-r.end:
			over = errNoOutcome
		case <-d.gone:
			over = ErrEnded
		case <-ctx.Done():
			over = context.Cause(ctx)
		}
		if over != nil { // news that came before count
			select {
			case o := <-r.news:
				news = o
			default:
				return last, over
			}
		}
		if last = news; last.Status >= 200 {
			return last, nil
		}
		if t.Progress != nil {
			t.Progress(last.Status, last.Phrase)
		}
	}
}

// target is the URI of the Refer-To header.
func (t Transfer) target() (string, error) {
	to := t.To
	if to == "" && t.Replaces != nil {
		to = t.Replaces.Remote()
	}
	for _, text := range []string{to, t.ReferredBy} {
		var uri msg.Uri
		if text == "" && text != to {
			continue
		}
		if !safe(text) || strings.ContainsAny(text, "<>\"") || msg.ParseUri(text, &uri) != nil || uri.Host == "" {
			return "", fmt.Errorf("%q is no sip: URI", text)
		}
	}
	if t.Replaces == nil {
		return to, nil
	}
	if strings.Contains(to, "?") {
		return "", fmt.Errorf("%q: the target of an attended transfer has no headers of its own", to)
	}
	return to + "?Replaces=" + url.QueryEscape(t.Replaces.ReplacesHeader()), nil
}

// onNotify takes the news of a transfer.
func (a *Agent) onNotify(req *msg.Request, tx msg.ServerTransaction) {
	d, ok := a.inDialog(req, tx)
	if !ok {
		return
	}
	defer d.handling.Unlock()
	event, params, _ := strings.Cut(text(req, "Event", "o"), ";")
	if !strings.EqualFold(strings.TrimSpace(event), "refer") {
		a.respond(tx, req, 489, "Bad Event", msg.NewHeader("Allow-Events", "refer"))
		return
	}
	r := d.referral(params)
	if r == nil {
		a.respond(tx, req, 481, "Subscription Does Not Exist")
		return
	}
	a.respond(tx, req, 200, "OK")
	if o, ok := sipfrag(string(req.Body())); ok {
		select {
		case r.news <- o:
		default: // nobody needs so many
		}
	}
	if state, _, _ := strings.Cut(text(req, "Subscription-State"), ";"); strings.EqualFold(strings.TrimSpace(state), "terminated") {
		select {
		case <-r.end:
		default:
			close(r.end)
		}
	}
}

// referral finds the REFER that a NOTIFY is about: by its id (RFC 3515 section 2.4.6), or the oldest.
func (d *Dialog) referral(params string) *referring {
	d.mu.Lock()
	defer d.mu.Unlock()
	for p := range strings.SplitSeq(params, ";") {
		if name, v, _ := strings.Cut(strings.TrimSpace(p), "="); strings.EqualFold(name, "id") {
			n, err := strconv.ParseUint(v, 10, 32)
			if err != nil {
				return nil
			}
			return d.referring[uint32(n)]
		}
	}
	var oldest *referring
	least := uint32(0)
	for n, r := range d.referring {
		if oldest == nil || n < least {
			oldest, least = r, n
		}
	}
	return oldest
}

// sipfrag reads the status line of a message/sipfrag (RFC 3420).
func sipfrag(body string) (Outcome, bool) {
	line, _, _ := strings.Cut(strings.TrimLeft(body, "\r\n"), "\n")
	version, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	code, phrase, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(code)
	if !strings.EqualFold(version, "SIP/2.0") || err != nil || n < 100 || n > 699 {
		return Outcome{}, false
	}
	return Outcome{n, phrase}, true
}
