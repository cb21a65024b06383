package ua

import (
	msg "github.com/emiago/sipgo/sip"
)

// caller finds out who calls. Whoever claims to be one of our users must prove it, by address or by digest.
func (a *Agent) caller(req *msg.Request, tx msg.ServerTransaction) (user string, trusted, ok bool) {
	if a.auth.bans.isTrusted(addrOf(req.Source())) {
		return "", true, true
	}
	isUser := a.IsUser(req.From().Address.User)
	if !isUser && !a.opts.KnownOnly && req.GetHeader("Proxy-Authorization") == nil {
		return "", false, true
	}
	w, ok := a.auth.check(a, req, tx, 407)
	if w.peer {
		return "", true, ok
	}
	return w.name, false, ok
}

// Transport is what the INVITE came over: UDP, TCP or TLS.
func (i *Invitation) Transport() string { return msg.NetworkToUpper(i.req.Transport()) }
