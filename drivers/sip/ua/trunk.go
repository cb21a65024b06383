package ua

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// Trunk is a registrar that we register with, so that it sends its calls to us.
type Trunk struct {
	// Name names it in states and logs.
	Name string
	// Address is the registrar, host:port or a domain with SRV records (see [Agent.Locate]), and what its users'
	// addresses end in. Transport is "udp" (the default), "tcp" or "tls".
	Address, Transport string
	// User and Password are ours there.
	User, Password string
	// Expires is how long a registration is to last (default 1 h); the registrar may choose another time.
	Expires time.Duration
}

// TrunkState says how a registration fares.
type TrunkState struct {
	Name string `json:"name"`
	// Registered says that calls can come; Until is when that ends, if it is not renewed before.
	Registered bool      `json:"registered"`
	Until      time.Time `json:"until,omitzero"`
	// FailingSince is when the first of the latest failures was, zero while all is well; LastError is the last of
	// them, and Next when it is tried again.
	FailingSince time.Time `json:"failing_since,omitzero"`
	LastError    string    `json:"last_error,omitempty"`
	Next         time.Time `json:"next,omitzero"`
}

const (
	// firstRetry is when a registration that failed is tried again, doubled with each failure up to lastRetry. A
	// refusal, which is not likely to pass, begins with refusedRetry: registrars ban who insists.
	firstRetry   = time.Second
	refusedRetry = 30 * time.Second
	lastRetry    = 5 * time.Minute
	// shortestTerm is the shortest registration that is believed.
	shortestTerm = 5 * time.Second
	// unregisterTime is how long the registrar may take to let us go.
	unregisterTime = 2 * time.Second
)

// trunks are the registrations of an agent.
type trunks struct {
	quit chan struct{} // closed when they are to be let go of
	once sync.Once
	work sync.WaitGroup

	mu   sync.Mutex
	list []*registration
}

func (t *trunks) leave() { t.once.Do(func() { close(t.quit) }) }

// registration is one of ours, somewhere else.
type registration struct {
	agent     *Agent
	trunk     Trunk
	host      string
	transport string
	callID    msg.CallIDHeader
	tag       string
	cseq      uint32
	challenge *digest.Challenge // the last; its nonce is used again
	answers   string            // the header that answers it
	uses      int
	contact   *msg.ContactHeader

	mu    sync.Mutex
	state TrunkState
}

// Register begins to register with a trunk, and goes on until the agent is closed; then it lets go of it.
func (a *Agent) Register(t Trunk) error {
	if t.User == "" {
		return fmt.Errorf("sip.trunks: %s: to register, a user is needed", t.Name)
	}
	host, _, err := SplitAddress(t.Address)
	if err != nil {
		return fmt.Errorf("sip.trunks: %s: the address: %w", t.Name, err)
	}
	transport, err := a.transport(t.Transport)
	if err != nil {
		return fmt.Errorf("sip.trunks: %s: %w", t.Name, err)
	}
	if !safe(t.User) {
		return fmt.Errorf("sip.trunks: %s: the user holds characters that no SIP header can", t.Name)
	}
	if t.Expires <= 0 {
		t.Expires = time.Hour
	}
	r := &registration{
		agent: a, trunk: t, host: bracket(host), transport: transport, callID: msg.CallIDHeader(msg.GenerateTagN(32)), tag: msg.GenerateTagN(16),
		state: TrunkState{Name: t.Name},
	}
	a.trunks.mu.Lock()
	a.trunks.list = append(a.trunks.list, r)
	a.trunks.mu.Unlock()
	a.trunks.work.Go(r.run)
	return nil
}

// transport returns the name of a transport as Via has it.
func (a *Agent) transport(name string) (string, error) {
	t := msg.NetworkToUpper(cmp.Or(name, "udp"))
	switch {
	case t == "UDP" || t == "TCP" || t == "TLS" && a.tls != nil:
		return t, nil
	case t == "TLS":
		return "", errors.New("TLS needs a certificate of ours: set sip.tls")
	}
	return "", fmt.Errorf("the transport %q is none of udp, tcp and tls", name)
}

// Trunks returns the states of the registrations that Register began, in that order.
func (a *Agent) Trunks() []TrunkState {
	a.trunks.mu.Lock()
	list := slices.Clone(a.trunks.list)
	a.trunks.mu.Unlock()
	states := make([]TrunkState, len(list))
	for i, r := range list {
		r.mu.Lock()
		states[i] = r.state
		r.mu.Unlock()
		states[i].Registered = states[i].Registered && time.Now().Before(states[i].Until)
	}
	return states
}

// dialled is the user that a call is for. Registrars call the Contact that we gave them, which is our user there;
// the number that was dialled is in To then.
func (a *Agent) dialled(req *msg.Request) string {
	user := req.Recipient.User
	a.trunks.mu.Lock()
	defer a.trunks.mu.Unlock()
	for _, r := range a.trunks.list {
		if to := req.To().Address.User; r.trunk.User == user && to != "" {
			return to
		}
	}
	return user
}

// run registers until the agent is closed.
func (r *registration) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r.agent.trunks.work.Go(func() {
		select {
		case <-r.agent.trunks.quit:
			cancel()
		case <-ctx.Done():
		}
	})
	failures := 0
	for {
		term, err := r.register(ctx, r.trunk.Expires)
		if ctx.Err() != nil {
			break
		}
		var wait time.Duration
		if err == nil {
			failures = 0
			wait = refreshAfter(term)
		} else {
			failures++
			wait = retryAfter(err, failures)
		}
		r.note(term, wait, err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
			continue
		case <-ctx.Done():
			timer.Stop()
		}
		break
	}
	r.mu.Lock()
	was := r.state.Registered
	r.state.Registered = false
	r.mu.Unlock()
	if was {
		ctx, cancel := context.WithTimeout(context.Background(), unregisterTime)
		defer cancel()
		_, _ = r.register(ctx, 0)
	}
}

// refreshAfter is when a registration is renewed: early enough to try more than once.
func refreshAfter(term time.Duration) time.Duration {
	share := 0.75 + 0.1*rand.Float64() // not all at once
	return max(time.Duration(share*float64(term)), shortestTerm/2)
}

// refusal is a final response other than 2xx.
type refusal struct {
	status int
	phrase string
	after  time.Duration // Retry-After
}

func (e *refusal) Error() string {
	return "the registrar answered " + strconv.Itoa(e.status) + " " + e.phrase
}

// retryAfter is when a registration is tried again.
func retryAfter(err error, failures int) time.Duration {
	first := firstRetry
	var no *refusal
	if errors.As(err, &no) {
		if no.after > 0 {
			return min(no.after, lastRetry)
		}
		if no.status < 500 && no.status != 408 {
			first = refusedRetry
		}
	}
	wait := min(first<<min(failures-1, 10), lastRetry)
	return wait - time.Duration(0.2*rand.Float64()*float64(wait))
}

// note keeps the state, and says in the log what has changed.
func (r *registration) note(term, wait time.Duration, err error) {
	now := time.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &r.state
	s.Next = now.Add(wait)
	log := r.agent.log.With("trunk", r.trunk.Name, "registrar", r.trunk.Address)
	if err == nil {
		if !s.Registered || !s.FailingSince.IsZero() {
			log.Info("registered with a SIP trunk", "for", term)
		}
		s.Registered, s.Until, s.FailingSince, s.LastError = true, now.Add(term), time.Time{}, ""
		return
	}
	if s.FailingSince.IsZero() {
		s.FailingSince = now
	}
	if s.LastError != err.Error() {
		log.Warn("cannot register with a SIP trunk", "error", err, "again in", wait.Round(time.Second))
	}
	s.LastError = err.Error()
	s.Registered = s.Registered && now.Before(s.Until)
}

// register sends a REGISTER and returns how long it counts. It answers a challenge, and a demand for more time.
func (r *registration) register(ctx context.Context, term time.Duration) (time.Duration, error) {
	places, err := r.agent.Locate(ctx, r.trunk.Address, r.transport)
	if err != nil {
		return 0, err
	}
	challenged := 0
	for range 5 {
		req := r.request(term, places[0])
		res, err := r.agent.do(ctx, req)
		if err != nil || res.StatusCode == 503 {
			r.agent.Avoid(places[0])
		}
		if err != nil {
			return 0, fmt.Errorf("the registrar does not answer: %w", err)
		}
		switch {
		case res.IsSuccess():
			return r.granted(res, term), nil
		case res.StatusCode == 423 && term > 0:
			least := seconds(valueOf(res, "Min-Expires"), 0)
			if least <= term || least > 24*time.Hour {
				return 0, refusalOf(res)
			}
			term, r.trunk.Expires = least, least
		case res.StatusCode == 401 || res.StatusCode == 407:
			stale := r.learn(res)
			if challenged++; r.challenge == nil || challenged > 1 && !stale || challenged > 2 {
				return 0, refusalOf(res)
			}
		default:
			return 0, refusalOf(res)
		}
	}
	return 0, errors.New("the registrar does not come to an end")
}

func refusalOf(res *msg.Response) *refusal {
	return &refusal{status: res.StatusCode, phrase: res.Reason, after: seconds(valueOf(res, "Retry-After"), 0)}
}

func valueOf(res *msg.Response, name string) string {
	if h := res.GetHeader(name); h != nil {
		value, _, _ := strings.Cut(h.Value(), ";")
		value, _, _ = strings.Cut(value, "(")
		return strings.TrimSpace(value)
	}
	return ""
}

// learn takes the first challenge that can be answered, and reports whether only our last nonce was too old.
func (r *registration) learn(res *msg.Response) (stale bool) {
	name := "WWW-Authenticate"
	r.answers = "Authorization"
	if res.StatusCode == 407 {
		name, r.answers = "Proxy-Authenticate", "Proxy-Authorization"
	}
	r.challenge, r.uses = nil, 0
	for _, h := range res.GetHeaders(name) {
		if c, err := digest.ParseChallenge(h.Value()); err == nil && digest.CanDigest(c) {
			r.challenge = c
			return c.Stale
		}
	}
	return false
}

// granted returns how long the registrar counts our Contact.
func (r *registration) granted(res *msg.Response, asked time.Duration) time.Duration {
	term := asked
	if h := res.GetHeader("Expires"); h != nil {
		term = seconds(h.Value(), term)
	}
	for _, h := range res.GetHeaders("Contact") {
		c, ok := h.(*msg.ContactHeader)
		if !ok || c.Address.User != r.contact.Address.User || c.Address.Host != r.contact.Address.Host || c.Address.Port != r.contact.Address.Port {
			continue
		}
		if v, ok := c.Params.Get("expires"); ok {
			term = seconds(v, term)
		}
	}
	if asked == 0 {
		return 0
	}
	return min(max(term, shortestTerm), 24*time.Hour)
}

func (r *registration) request(term time.Duration, to string) *msg.Request {
	a := r.agent
	where := msg.Uri{Scheme: "sip", Host: r.host}
	if r.transport != "UDP" {
		where.UriParams.Add("transport", msg.NetworkToLower(r.transport))
	}
	req := msg.NewRequest(msg.REGISTER, where)
	a.from(req, r.transport)
	req.SetDestination(to)
	us := msg.Uri{Scheme: "sip", User: r.trunk.User, Host: r.host}
	from := &msg.FromHeader{Address: us}
	from.Params.Add("tag", r.tag)
	id := r.callID
	r.cseq++
	forwards := msg.MaxForwardsHeader(70)
	r.contact = a.contact(to, r.transport)
	r.contact.Address.User = r.trunk.User
	for _, h := range []msg.Header{
		a.via(to, r.transport), from, &msg.ToHeader{Address: us}, &id, &msg.CSeqHeader{SeqNo: r.cseq, MethodName: msg.REGISTER}, &forwards,
		r.contact, msg.NewHeader("Expires", strconv.Itoa(int(term/time.Second))), msg.NewHeader("User-Agent", a.opts.Name), msg.NewHeader("Allow", allow),
	} {
		req.AppendHeader(h)
	}
	if r.challenge != nil {
		r.uses++
		credentials, err := digest.Digest(r.challenge, digest.Options{
			Method: string(msg.REGISTER), URI: where.String(), Username: r.trunk.User, Password: r.trunk.Password, Count: r.uses,
		})
		if err == nil {
			req.AppendHeader(msg.NewHeader(r.answers, credentials.String()))
		}
	}
	return req
}
