package ua

import (
	"slices"
	"strconv"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// Contact is where a registered user can be reached.
type Contact struct {
	// URI is what the phone calls itself; Source is where it registered from, host:port. It is empty once the TCP or
	// TLS connection that it came over is closed: only URI is left then.
	URI, Source string
	// Transport is UDP, TCP or TLS.
	Transport string
	Expires   time.Time

	callID string // of the REGISTER that made it, and its CSeq
	cseq   uint32
}

const (
	// maxContacts are kept per user.
	maxContacts = 8
	minExpires  = 60 * time.Second
	maxExpires  = time.Hour
)

// registrar knows where users are (RFC 3261 section 10).
type registrar struct {
	mu       sync.Mutex
	bindings map[string][]Contact
	now      func() time.Time
}

func newRegistrar() *registrar { return &registrar{bindings: map[string][]Contact{}, now: time.Now} }

// Contacts returns where a user can be reached now.
func (a *Agent) Contacts(user string) []Contact {
	list := a.registrar.contacts(user)
	for i, c := range list {
		if c.Transport == "UDP" {
			continue
		}
		conn, err := a.ua.TransportLayer().GetConnection(c.Transport, c.Source)
		if err != nil {
			list[i].Source = ""
			continue
		}
		_, _ = conn.TryClose() // lets go of it; it stays open
	}
	return list
}

// forget lets go of where a user is.
func (r *registrar) forget(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bindings, user)
}

func (r *registrar) contacts(user string) []Contact {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	r.bindings[user] = slices.DeleteFunc(r.bindings[user], func(c Contact) bool { return !c.Expires.After(now) })
	if len(r.bindings[user]) == 0 {
		delete(r.bindings, user)
		return nil
	}
	return slices.Clone(r.bindings[user])
}

// change is what one Contact of a REGISTER asks for: to be kept for a time, or forgotten.
type change struct {
	contact Contact
	life    time.Duration
}

// apply makes all changes of one REGISTER, or none when it is older than what is known (RFC 3261 section 10.3, step
// 7).
func (r *registrar) apply(user string, changes []change) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.Clone(r.bindings[user])
	for _, c := range changes {
		at := slices.IndexFunc(list, func(o Contact) bool { return o.URI == c.contact.URI })
		if at >= 0 {
			if o := list[at]; o.callID == c.contact.callID && o.cseq >= c.contact.cseq {
				return false
			}
			list = slices.Delete(list, at, at+1)
		}
		if c.life > 0 {
			c.contact.Expires = r.now().Add(c.life)
			list = append(list, c.contact)
		}
	}
	if len(list) > maxContacts { // the oldest go
		list = slices.Delete(list, 0, len(list)-maxContacts)
	}
	if r.bindings[user] = list; len(list) == 0 {
		delete(r.bindings, user)
	}
	return true
}

func (r *registrar) clear(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bindings, user)
}

// onRegister registers a user, who must prove to be it.
func (a *Agent) onRegister(req *msg.Request, tx msg.ServerTransaction) {
	if a.users.none() {
		a.respond(tx, req, 403, "Forbidden")
		return
	}
	if a.foreign(req, tx) {
		return
	}
	w, ok := a.auth.check(a, req, tx, 401)
	if !ok {
		return
	}
	user := w.name
	if req.To().Address.User != user {
		a.respond(tx, req, 403, "Forbidden")
		return
	}
	changes, all, status := changesOf(req)
	switch {
	case status == 423:
		a.respond(tx, req, 423, "Interval Too Brief", msg.NewHeader("Min-Expires", strconv.Itoa(int(minExpires/time.Second))))
		return
	case status != 0:
		a.respond(tx, req, status, "Invalid Contact")
		return
	case all:
		a.registrar.clear(user)
	case !a.registrar.apply(user, changes):
		a.respond(tx, req, 500, "CSeq Out Of Order")
		return
	}
	res := msg.NewResponseFromRequest(req, 200, "OK", nil)
	for _, c := range a.registrar.contacts(user) {
		var uri msg.Uri
		if msg.ParseUri(c.URI, &uri) != nil {
			continue
		}
		h := &msg.ContactHeader{Address: uri}
		h.Params.Add("expires", strconv.Itoa(int(time.Until(c.Expires).Round(time.Second)/time.Second)))
		res.AppendHeader(h)
	}
	a.send(tx, res)
}

// changesOf reads what a REGISTER asks for; all says that every contact is to be forgotten. A status says that it
// cannot be done.
func changesOf(req *msg.Request) (changes []change, all bool, status int) {
	life, named := maxExpires, false
	if h := req.GetHeader("Expires"); h != nil {
		life = seconds(h.Value(), life)
		named = true
	}
	contacts := req.GetHeaders("Contact")
	for _, h := range contacts {
		c, ok := h.(*msg.ContactHeader)
		if !ok {
			return nil, false, 400
		}
		if c.Address.Wildcard { // alone, and to be forgotten: section 10.2.2
			if len(contacts) > 1 || !named || life != 0 {
				return nil, false, 400
			}
			return nil, true, 0
		}
		one := life
		if v, ok := c.Params.Get("expires"); ok {
			one = seconds(v, life)
		}
		if one > 0 && one < minExpires {
			return nil, false, 423
		}
		uri := c.Address.String()
		if !safe(uri) || c.Address.Host == "" || c.Address.Scheme != "sip" && c.Address.Scheme != "sips" {
			return nil, false, 400
		}
		if len(changes) == 2*maxContacts {
			return nil, false, 400
		}
		changes = append(changes, change{life: min(one, maxExpires), contact: Contact{
			URI: uri, Source: req.Source(), Transport: msg.NetworkToUpper(req.Transport()), callID: string(*req.CallID()), cseq: req.CSeq().SeqNo,
		}})
	}
	return changes, false, 0
}

func seconds(text string, otherwise time.Duration) time.Duration {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
