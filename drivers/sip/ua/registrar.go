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
	// URI is what the phone calls itself; Source is where it registered from, host:port.
	URI, Source string
	// Transport is UDP or TCP.
	Transport string
	Expires   time.Time
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
func (a *Agent) Contacts(user string) []Contact { return a.registrar.contacts(user) }

// IsUser reports whether there is such a user, registered or not.
func (a *Agent) IsUser(name string) bool {
	_, ok := a.opts.Users[name]
	return ok
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

// set adds, renews or, with a time of 0, removes contacts.
func (r *registrar) set(user string, c Contact, life time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := slices.DeleteFunc(r.bindings[user], func(o Contact) bool { return o.URI == c.URI })
	if life > 0 {
		c.Expires = r.now().Add(life)
		list = append(list, c)
		if len(list) > maxContacts {
			list = list[1:] // the oldest
		}
	}
	r.bindings[user] = list
}

func (r *registrar) clear(user string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.bindings, user)
}

// onRegister registers a user, who must prove to be it.
func (a *Agent) onRegister(req *msg.Request, tx msg.ServerTransaction) {
	if len(a.opts.Users) == 0 {
		a.respond(tx, req, 403, "Forbidden")
		return
	}
	user, ok := a.auth.check(a, req, tx, 401)
	if !ok {
		return
	}
	if req.To().Address.User != user {
		a.respond(tx, req, 403, "Forbidden")
		return
	}
	life := maxExpires
	if h := req.GetHeader("Expires"); h != nil {
		life = seconds(h.Value(), life)
	}
	for _, h := range req.GetHeaders("Contact") {
		c, ok := h.(*msg.ContactHeader)
		if !ok {
			continue
		}
		if c.Address.Wildcard {
			if life == 0 {
				a.registrar.clear(user)
			}
			continue
		}
		one := life
		if v, ok := c.Params.Get("expires"); ok {
			one = seconds(v, life)
		}
		if one > 0 && one < minExpires {
			a.respond(tx, req, 423, "Interval Too Brief", msg.NewHeader("Min-Expires", strconv.Itoa(int(minExpires/time.Second))))
			return
		}
		if uri := c.Address.String(); safe(uri) {
			a.registrar.set(user, Contact{URI: uri, Source: req.Source(), Transport: msg.NetworkToUpper(req.Transport())}, min(one, maxExpires))
		}
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

func seconds(text string, otherwise time.Duration) time.Duration {
	n, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return otherwise
	}
	return time.Duration(n) * time.Second
}
