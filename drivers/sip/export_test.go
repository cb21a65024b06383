package sip

import (
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// AskNames lets a name server of the test's own be asked.
func AskNames(n *siptest.Names) func(*Options) { return func(o *Options) { o.dialDNS = n.Dial } }

// Hurry lets others take only so much of the time that they usually may.
func Hurry(share float64) func(*Options) {
	return func(o *Options) {
		o.waits = usualWaits
		for _, d := range []*time.Duration{&o.waits.handshake, &o.waits.stuck, &o.waits.ping, &o.waits.pong, &o.waits.silence} {
			*d = time.Duration(share * float64(*d))
		}
	}
}
