package ua_test

import (
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestAnAnsweredCallIsNotCancelled outlasts the transaction of an answered call, whose end is none of the call's.
func TestAnAnsweredCallIsNotCancelled(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		told := make(chan struct{})
		calls := make(chan *ua.Invitation, 1)
		over := make(chan struct{})
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			i.OnCancel(func() { close(told) })
			if _, err := i.Accept([]byte("answer"), ua.Handlers{}); err != nil {
				t.Error(err)
			}
			calls <- i
			<-over
		}})
		p := n.peer(t, a)
		p.call("offer")
		i := <-calls
		time.Sleep(time.Minute) // the library forgets the transaction after 32 s
		select {
		case <-told:
			t.Error("it is told to be cancelled")
		case <-i.Cancelled:
			t.Error("it is cancelled")
		default:
		}
		i.Ring()
		i.Reject(486, "Busy Here", "")
		if i.Header("Call-ID") == "" {
			t.Error("the call does not know its headers any more")
		}
		p.none("SIP/2.0", time.Minute)
		close(over)
		if a.Dialogs() != 1 {
			t.Errorf("%d dialogs", a.Dialogs())
		}
	})
}

// TestOnCancel is told that the caller gives up: while it waits, and when it asks afterwards.
func TestOnCancel(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		over := make(chan struct{})
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			defer close(over)
			for range 2 {
				told := make(chan struct{})
				i.OnCancel(func() { close(told) })
				i.Ring()
				<-told
			}
			<-i.Cancelled
		}})
		p := n.peer(t, a)
		p.request("INVITE", "offer")
		p.learn(p.expect("SIP/2.0 180"))
		branch := "Via: SIP/2.0/UDP " + p.conn.at.String() + ";rport;branch=z9hG4bKme-1"
		p.request("CANCEL", "", branch, "To: <sip:bob@h>")
		p.expect("SIP/2.0 200")
		p.expect("SIP/2.0 487")
		p.request("ACK", "", branch, "CSeq: 1 ACK")
		<-over
	})
}

// TestACallThatFailsIsRefused has the carrier of a call panic.
func TestACallThatFailsIsRefused(t *testing.T) {
	virtual(t, func(t *testing.T, n *network) {
		a := n.agent(t, ua.Options{Invite: func(i *ua.Invitation) {
			i.Ring()
			panic("of the test")
		}})
		p := n.peer(t, a)
		p.request("INVITE", "offer")
		p.learn(p.expect("SIP/2.0 180"))
		if m := p.expect("SIP/2.0 500"); !strings.Contains(m, "Server Internal Error") {
			t.Error(m)
		}
		p.request("ACK", "", "Via: SIP/2.0/UDP "+p.conn.at.String()+";rport;branch=z9hG4bKme-1", "CSeq: 1 ACK")
		p.none("SIP/2.0", time.Minute)
		if a.Dialogs() != 0 {
			t.Errorf("%d dialogs", a.Dialogs())
		}
	})
}
