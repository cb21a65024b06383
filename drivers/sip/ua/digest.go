package ua

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// authenticator checks digests (RFC 3261 section 22, RFC 8760). Its nonces need no memory before they were answered
// rightly: they are a time and a signature.
type authenticator struct {
	realm    string
	users    *users
	peers    map[string]string
	secret   [32]byte
	now      func() time.Time
	bans     *bans
	offers   offers
	stopping <-chan struct{}
	paused   atomic.Int64 // answers that are held back

	mu   sync.Mutex
	used map[string]*counts // by nonce
}

// counts are the nonce counts that were seen with a nonce: the highest, and which of the 64 below it.
type counts struct {
	high uint32
	seen uint64
	made time.Time
}

const (
	// nonceLife is how long a nonce can be answered.
	nonceLife = 5 * time.Minute
	// maxNonces bounds the nonces whose counts are remembered.
	maxNonces = 100_000
	// maxPaused bounds the answers that are held back at a time; what is more is not answered.
	maxPaused = 512
)

func newAuthenticator(o Options, known *users, stopping <-chan struct{}) *authenticator {
	a := &authenticator{
		realm: o.Realm, users: known, peers: o.Peers, now: time.Now, bans: newBans(o), stopping: stopping, used: map[string]*counts{},
		offers: offers{last: map[string]*offer{}},
	}
	_, _ = rand.Read(a.secret[:])
	return a
}

// nonce is the time and a signature over it and the address that it is for.
func (a *authenticator) nonce(at time.Time, addr netip.Addr) string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano()))
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write(buf)
	mac.Write([]byte(addr.String()))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(buf)[:8+16])
}

// fresh reports whether a nonce is ours, and whether it can still be answered.
func (a *authenticator) fresh(nonce string, addr netip.Addr) (ours, inTime bool) {
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != 8+16 {
		return false, false
	}
	at := time.Unix(0, int64(binary.BigEndian.Uint64(raw)))
	ours = hmac.Equal([]byte(a.nonce(at, addr)), []byte(nonce))
	return ours, ours && a.now().Sub(at) < nonceLife
}

// who is somebody who has proved to be it.
type who struct {
	name string
	peer bool // one of Options.Peers
}

// check returns who sent a request. It has answered the request, or will not, when ok is false.
//
// Only an answer to a nonce that went to this very address counts as a guess: nobody can have others banned by
// writing their address on his packets.
func (a *authenticator) check(agent *Agent, req *msg.Request, tx msg.ServerTransaction, status int) (w who, ok bool) {
	header := "Authorization"
	if status == 407 {
		header = "Proxy-Authorization"
	}
	addr := addrOf(req.Source())
	claim := req.From().Address.User
	var credentials *digest.Credentials
	for _, h := range req.GetHeaders(header) { // one for each realm (RFC 3261 section 22.3)
		if c, err := digest.ParseCredentials(h.Value()); err == nil && c.Realm == a.realm {
			credentials, claim = c, c.Username
			break
		}
	}
	if len(claim) > maxHeader {
		claim = claim[:maxHeader]
	}
	switch a.bans.judge(addr, claim) {
	case refused:
		agent.respond(tx, req, 403, "Forbidden")
		return who{}, false
	case ignored:
		return who{}, false
	}
	stale, asked := false, algorithms
	if credentials == nil {
		asked = a.offers.to(addr, req, a.now())
	} else {
		a.offers.answered(addr, req.From().Address.User)
		if credentials.Algorithm == "" || strings.EqualFold(credentials.Algorithm, "MD5") {
			asked = algorithms[len(algorithms)-1:] // what it has answered it can answer again
		}
		ours, inTime := a.fresh(credentials.Nonce, addr)
		w, right := a.right(credentials, req)
		switch {
		case !ours: // from before our start, or made up
		case right && inTime && a.count(credentials):
			a.bans.proved(addr, claim)
			return w, true
		case right:
			stale = true
		default:
			agent.log.Debug("a wrong SIP password", "method", req.Method, "user", claim, "source", req.Source())
			if !a.pause(a.bans.guessed(addr, claim)) {
				return who{}, false
			}
		}
	}
	a.challenge(agent, req, tx, status, stale, asked)
	return who{}, false
}

// challenge asks for a password.
func (a *authenticator) challenge(agent *Agent, req *msg.Request, tx msg.ServerTransaction, status int, stale bool, asked []string) {
	name, phrase := "WWW-Authenticate", "Unauthorized"
	if status == 407 {
		name, phrase = "Proxy-Authenticate", "Proxy Authentication Required"
	}
	nonce := a.nonce(a.now(), addrOf(req.Source()))
	var headers []msg.Header
	for _, algorithm := range asked {
		c := digest.Challenge{Realm: a.realm, Nonce: nonce, Algorithm: algorithm, QOP: []string{"auth"}, Stale: stale}
		headers = append(headers, msg.NewHeader(name, c.String()))
	}
	agent.respond(tx, req, status, phrase, headers...)
}

// pause holds an answer back. It reports false when too many wait already, or the agent is being closed.
func (a *authenticator) pause(d time.Duration) bool {
	defer a.paused.Add(-1)
	if a.paused.Add(1) > maxPaused {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-a.stopping:
		return false
	}
}

// count notes the nonce count, and reports whether it comes for the first time: otherwise somebody repeats what he
// has overheard. A client without qop has none; its nonce counts once.
func (a *authenticator) count(c *digest.Credentials) bool {
	n := uint32(c.Nc)
	if c.QOP == "" {
		n = 1
	}
	if n == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	u := a.used[c.Nonce]
	if u == nil {
		if len(a.used) >= maxNonces {
			a.sweep()
		}
		a.used[c.Nonce] = &counts{high: n, made: a.now()}
		return true
	}
	switch {
	case n > u.high:
		if shift := n - u.high; shift < 64 {
			u.seen = u.seen<<shift | 1<<(shift-1)
		} else {
			u.seen = 0
		}
		u.high = n
		return true
	case n == u.high || u.high-n > 64:
		return false
	}
	bit := uint64(1) << (u.high - n - 1)
	first := u.seen&bit == 0
	u.seen |= bit
	return first
}

// sweep makes room: nonces that are too old are refused anyway. When all are young, and it took a right password to
// make each so, one goes: it can be repeated once, from its own address.
func (a *authenticator) sweep() {
	now := a.now()
	for nonce, u := range a.used {
		if now.Sub(u.made) > nonceLife {
			delete(a.used, nonce)
		}
	}
	if len(a.used) >= maxNonces {
		for nonce := range a.used {
			delete(a.used, nonce)
			break
		}
	}
}

// right reports whether credentials were made with the password of a user, who must be the one in From, or of a
// peer, for this request. It takes the same time for names that do not exist.
func (a *authenticator) right(c *digest.Credentials, req *msg.Request) (who, bool) {
	password, isUser := a.users.password(c.Username)
	w := who{name: c.Username}
	if peer, ok := a.peers[c.Username]; ok && req.Method != msg.REGISTER {
		password, w.peer, isUser = peer, true, true
	}
	if !isAlgorithm(c.Algorithm) || c.QOP != "" && c.QOP != "auth" || c.Userhash {
		return who{}, false
	}
	want, err := digest.Digest(
		&digest.Challenge{Realm: a.realm, Nonce: c.Nonce, Opaque: c.Opaque, Algorithm: c.Algorithm, QOP: qops(c.QOP)},
		digest.Options{Method: string(req.Method), URI: c.URI, Username: c.Username, Password: password, Count: c.Nc, Cnonce: c.Cnonce},
	)
	if err != nil {
		return who{}, false
	}
	same := subtle.ConstantTimeCompare([]byte(want.Response), []byte(strings.ToLower(c.Response))) == 1
	if !same || !isUser || !w.peer && c.Username != req.From().Address.User {
		return who{}, false
	}
	return w, true
}

func isAlgorithm(name string) bool {
	if name == "" {
		return true // MD5
	}
	for _, a := range algorithms {
		if strings.EqualFold(a, name) {
			return true
		}
	}
	return false
}

func qops(q string) []string {
	if q == "" {
		return nil
	}
	return []string{q}
}
