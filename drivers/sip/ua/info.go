package ua

import (
	"context"
	"fmt"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// keys are the keys of a telephone.
const keys = "0123456789*#ABCD"

// SendDigit sends a key by INFO (application/dtmf-relay), for a party with whom no telephone events were agreed on.
// A refusal is a [*Rejected].
func (d *Dialog) SendDigit(ctx context.Context, digit byte, length time.Duration) error {
	if !strings.ContainsRune(keys, rune(digit)) {
		return fmt.Errorf("%q is no key: %s are", digit, keys)
	}
	ctx, cancel := d.within(ctx)
	defer cancel()
	res, err := d.ask(ctx, msg.INFO, func(req *msg.Request) {
		req.AppendHeader(msg.NewHeader("Content-Type", "application/dtmf-relay"))
		req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", digit, length.Milliseconds()))
	})
	if err != nil {
		return err
	}
	if !res.IsSuccess() {
		return rejected(res)
	}
	return nil
}

// onInfo takes keys: application/dtmf-relay and application/dtmf.
func (a *Agent) onInfo(req *msg.Request, tx msg.ServerTransaction) {
	d, ok := a.inDialog(req, tx)
	if !ok {
		return
	}
	defer d.handling.Unlock()
	kind := ""
	if h := req.ContentType(); h != nil {
		kind = h.Value()
	}
	digit, known := infoDigit(kind, string(req.Body()))
	if !known && len(req.Body()) > 0 {
		a.respond(tx, req, 415, "Unsupported Media Type", msg.NewHeader("Accept", "application/dtmf-relay, application/dtmf"))
		return
	}
	a.respond(tx, req, 200, "OK")
	if h := d.handle(); digit != 0 && h.Digit != nil {
		h.Digit(digit)
	}
}

// infoDigit reads a key from the body of an INFO; known says whether the type is one that has keys.
func infoDigit(contentType, body string) (digit byte, known bool) {
	kind, _, _ := strings.Cut(contentType, ";")
	value := ""
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/dtmf-relay":
		for line := range strings.Lines(body) {
			if name, v, ok := strings.Cut(line, "="); ok && strings.EqualFold(strings.TrimSpace(name), "signal") {
				value = strings.TrimSpace(v)
			}
		}
	case "application/dtmf":
		value = strings.TrimSpace(body)
	default:
		return 0, false
	}
	switch value {
	case "10":
		value = "*"
	case "11":
		value = "#"
	}
	value = strings.ToUpper(value)
	if len(value) == 1 && strings.Contains(keys, value) {
		return value[0], true
	}
	return 0, true
}
