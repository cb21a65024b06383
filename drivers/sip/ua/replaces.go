package ua

import (
	"fmt"
	"strings"

	msg "github.com/emiago/sipgo/sip"
)

// replaces is a Replaces header (RFC 3891): a call, as the one who has it names it.
type replaces struct {
	callID, to, from string
	earlyOnly        bool
}

// parseReplaces reads a Replaces header.
func parseReplaces(value string) (replaces, error) {
	id, params, _ := strings.Cut(value, ";")
	r := replaces{callID: strings.TrimSpace(id)}
	for p := range strings.SplitSeq(params, ";") {
		name, v, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "to-tag":
			r.to = strings.TrimSpace(v)
		case "from-tag":
			r.from = strings.TrimSpace(v)
		case "early-only":
			r.earlyOnly = true
		}
	}
	if r.callID == "" || r.to == "" || r.from == "" {
		return replaces{}, fmt.Errorf("the Replaces header %q lacks a Call-ID, to-tag or from-tag", value)
	}
	return r, nil
}

// ReplacesHeader is the Replaces header (RFC 3891) by which a third party takes this side's place: it names the call
// as the other side knows it.
func (d *Dialog) ReplacesHeader() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return string(d.callID) + ";to-tag=" + tag(d.remote.Params) + ";from-tag=" + tag(d.local.Params)
}

// replaced finds the call that an INVITE asks to take the place of (RFC 3891 section 3). It has answered the INVITE
// when ok is false.
func (a *Agent) replaced(req *msg.Request, tx msg.ServerTransaction) (d *Dialog, ok bool) {
	if req.GetHeader("Replaces") == nil {
		return nil, true
	}
	headers := req.GetHeaders("Replaces")
	r, err := parseReplaces(headers[0].Value())
	if err != nil || len(headers) > 1 {
		a.respond(tx, req, 400, "Bad Replaces")
		return nil, false
	}
	if d = a.find(r.callID, r.to, r.from); d == nil {
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
		return nil, false
	}
	d.mu.Lock()
	ended, early, ringing := d.ended, d.early, d.ringing
	d.mu.Unlock()
	switch {
	case ended:
		a.respond(tx, req, 603, "Decline")
	case early: // only the one who calls may hand over a call that rings
		a.respond(tx, req, 481, "Call/Transaction Does Not Exist")
	case r.earlyOnly && !ringing:
		a.respond(tx, req, 486, "Busy Here")
	default:
		return d, true
	}
	return nil, false
}
