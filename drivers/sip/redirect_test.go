package sip_test

import (
	"fmt"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestRedirect has a phone that sends its calls on: where apps may call, the call follows.
func TestRedirect(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		host  string
		cause string // of the call that was not taken, "" where it is answered
	}{
		"to an allowed host": {"127.0.0.1", ""},
		"to another host":    {"localhost", "NORMAL_TEMPORARY_FAILURE"},
		"to two at once":     {"x@127.0.0.1", "NORMAL_TEMPORARY_FAILURE"},
	} {
		t.Run(name, func(t *testing.T) {
			other := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
			away := newPhone(t, func(_ *phone, i *ua.Invitation) {
				if err := i.Redirect(fmt.Sprintf("sip:other@%s:%d", c.host, other.agent.Port())); err != nil {
					i.Reject(500, "Server Internal Error", "")
				}
			})
			x := open(t, map[string]string{"desk": connect(fmt.Sprintf("[{ type: 'sip', user: 'sip:bob@127.0.0.1:%d' }]", away.agent.Port()))})
			p := newPhone(t, nil)
			if err := p.call(t.Context(), x, "desk"); err != nil {
				t.Fatal(err)
			}
			if c.cause == "" {
				other.until("the line", func() bool { return len(other.heard) > 0 })
				other.hangUp()
			}
			p.ends()
			if c.cause != "" && !x.saw("b cdr missed "+c.cause) {
				t.Errorf("reported %s", x.reportedAll())
			}
		})
	}
}
