package ua

import (
	"net/netip"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// algorithms are those that passwords are asked with, the better first: RFC 8760 section 2.4 lets the other side take
// the first that it knows.
var algorithms = []string{"SHA-256", "MD5"}

// offers remember who cannot bear to be asked with SHA-256. By RFC 3261 a challenge that is not understood is
// ignored; some phones give up on it, whatever comes beside it, and ask again later, without an answer. They are
// asked with MD5 alone then.
type offers struct {
	mu   sync.Mutex
	last map[string]*offer // by address and user
}

// offer is how somebody was asked last.
type offer struct {
	at   time.Time
	weak bool // with MD5 alone, since he did not answer before
}

const (
	// answerTime is how long an answer may take at most, and silentTime how long it is remembered that none came.
	answerTime = time.Second
	silentTime = 10 * time.Minute
	// weakTime is how long a phone is believed to know no better.
	weakTime  = 24 * time.Hour
	maxOffers = 20_000
)

// givesUp are the names of phones that are known to.
var givesUp = []string{"baresip v0.", "baresip v1."}

// to returns what to ask somebody with who has sent a request without an answer.
func (o *offers) to(addr netip.Addr, req *msg.Request, now time.Time) []string {
	md5 := algorithms[len(algorithms)-1:]
	if h := req.GetHeader("User-Agent"); h != nil {
		for _, name := range givesUp {
			if strings.HasPrefix(h.Value(), name) {
				return md5
			}
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := atAddress(addr, req.From().Address.User)
	last := o.last[key]
	switch {
	case last == nil:
		if len(o.last) >= maxOffers {
			clear(o.last)
		}
		o.last[key] = &offer{at: now}
		return algorithms
	case last.weak && now.Sub(last.at) < weakTime:
		return md5
	}
	silent := now.Sub(last.at)
	last.at, last.weak = now, silent > answerTime && silent < silentTime
	if last.weak {
		return md5
	}
	return algorithms
}

// answered notes that somebody has answered.
func (o *offers) answered(addr netip.Addr, user string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	key := atAddress(addr, user)
	if last := o.last[key]; last != nil && !last.weak {
		delete(o.last, key)
	}
}
