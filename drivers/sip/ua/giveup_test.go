package ua_test

import (
	"fmt"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestACallerGivesUpWhileWeRing lets CANCELs meet provisional responses on their way out: neither may wait for the
// other.
func TestACallerGivesUpWhileWeRing(t *testing.T) {
	over := make(chan struct{}, 1)
	a := open(t, ua.Options{Invite: func(i *ua.Invitation) {
		for {
			select {
			case <-i.Cancelled:
				i.Ring()
				over <- struct{}{}
				return
			default:
				i.Ring()
			}
		}
	}})
	w := dial(t, a)
	for n := range 50 {
		id := fmt.Sprint(n)
		w.send(w.request("INVITE", id, ""))
		for header(w.until("SIP/2.0 180"), "Call-ID") != id {
		}
		w.send(w.request("CANCEL", id, "", "Via: SIP/2.0/UDP "+w.conn.LocalAddr().String()+";rport;branch=z9hG4bK"+id+"INVITE"))
		within(t, over, "the end of call "+id)
	}
}
