package ua

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"net"
	"sync"
	"time"

	msg "github.com/emiago/sipgo/sip"
	"github.com/icholy/digest"
)

// authenticator checks digests (RFC 3261 section 22). Its nonces need no memory: they are a time and a signature.
type authenticator struct {
	realm  string
	users  map[string]string
	secret [32]byte
	now    func() time.Time

	mu       sync.Mutex
	failures map[string]*failures // by address, and by address and user
}

type failures struct {
	count int
	until time.Time // of the ban, or of the memory
}

const (
	// nonceLife is how long a nonce can be answered.
	nonceLife = 5 * time.Minute
	// maxFailures are allowed to one user at an address within failureMemory, and maxPerSource to the address, for
	// many phones may share it; then the user there, or the whole address, is banned for banTime.
	maxFailures   = 8
	maxPerSource  = 60
	failureMemory = time.Minute
	banTime       = 5 * time.Minute
	maxFailing    = 20_000
)

func newAuthenticator(realm string, users map[string]string) *authenticator {
	a := &authenticator{realm: realm, users: users, now: time.Now, failures: map[string]*failures{}}
	_, _ = rand.Read(a.secret[:])
	return a
}

func host(source string) string {
	h, _, err := net.SplitHostPort(source)
	if err != nil {
		return source
	}
	return h
}

// nonce is the time and a signature over it and the address that it is for.
func (a *authenticator) nonce(at time.Time, source string) string {
	buf := binary.BigEndian.AppendUint64(nil, uint64(at.UnixNano()))
	mac := hmac.New(sha256.New, a.secret[:])
	mac.Write(buf)
	mac.Write([]byte(host(source)))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(buf)[:8+16])
}

// fresh reports whether a nonce is ours, and whether it can still be answered.
func (a *authenticator) fresh(nonce, source string) (ours, inTime bool) {
	raw, err := base64.RawURLEncoding.DecodeString(nonce)
	if err != nil || len(raw) != 8+16 {
		return false, false
	}
	at := time.Unix(0, int64(binary.BigEndian.Uint64(raw)))
	ours = hmac.Equal([]byte(a.nonce(at, source)), []byte(nonce))
	return ours, ours && a.now().Sub(at) < nonceLife
}

// check returns the user who sent a request. It has answered the request when ok is false.
func (a *authenticator) check(agent *Agent, req *msg.Request, tx msg.ServerTransaction, status int) (user string, ok bool) {
	source := req.Source()
	claim := host(source) + "\x00" + req.From().Address.User
	if a.banned(host(source), maxPerSource) || a.banned(claim, maxFailures) {
		agent.respond(tx, req, 403, "Forbidden")
		return "", false
	}
	header, challenge, phrase := "Authorization", "WWW-Authenticate", "Unauthorized"
	if status == 407 {
		header, challenge, phrase = "Proxy-Authorization", "Proxy-Authenticate", "Proxy Authentication Required"
	}
	stale := false
	if h := req.GetHeader(header); h != nil {
		credentials, err := digest.ParseCredentials(h.Value())
		if err == nil {
			ours, inTime := a.fresh(credentials.Nonce, source)
			right := a.right(credentials, req)
			if ours && inTime && right {
				a.forgive(claim)
				return credentials.Username, true
			}
			stale = right
		}
		if !stale {
			a.failed(host(source), maxPerSource)
			a.failed(claim, maxFailures)
			agent.log.Warn("a wrong SIP password", "method", req.Method, "user", req.From().Address.User, "source", source)
		}
	}
	c := digest.Challenge{Realm: a.realm, Nonce: a.nonce(a.now(), source), Algorithm: "MD5", QOP: []string{"auth"}, Stale: stale}
	agent.respond(tx, req, status, phrase, msg.NewHeader(challenge, c.String()))
	return "", false
}

// right reports whether credentials were made with the user's password, for this request.
func (a *authenticator) right(c *digest.Credentials, req *msg.Request) bool {
	password, known := a.users[c.Username]
	if c.Realm != a.realm || c.Username != req.From().Address.User {
		return false
	}
	want, err := digest.Digest(
		&digest.Challenge{Realm: a.realm, Nonce: c.Nonce, Opaque: c.Opaque, Algorithm: c.Algorithm, QOP: qops(c.QOP)},
		digest.Options{Method: string(req.Method), URI: c.URI, Username: c.Username, Password: password, Count: c.Nc, Cnonce: c.Cnonce},
	)
	if err != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(want.Response), []byte(c.Response)) == 1 && known
}

func qops(q string) []string {
	if q == "" {
		return nil
	}
	return []string{q}
}

func (a *authenticator) banned(who string, most int) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.failures[who]
	return f != nil && f.count >= most && a.now().Before(f.until)
}

func (a *authenticator) failed(who string, most int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if len(a.failures) >= maxFailing {
		for k, f := range a.failures {
			if now.After(f.until) {
				delete(a.failures, k)
			}
		}
		if len(a.failures) >= maxFailing {
			clear(a.failures)
		}
	}
	f := a.failures[who]
	if f == nil || now.After(f.until) {
		f = &failures{}
		a.failures[who] = f
	}
	f.count++
	f.until = now.Add(failureMemory)
	if f.count >= most {
		f.until = now.Add(banTime)
	}
}

func (a *authenticator) forgive(who string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.failures, who)
}
