package ua

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// bans remember who guesses passwords and numbers, and who has proved to be somebody.
//
// Three things are counted, each within a minute: the guesses about a user at an address, those about a user at
// all addresses, and those of an address about everybody. What a user's own address may do is never decided by
// what others do elsewhere: the second count only lowers what an address may try that never proved to be the user.
type bans struct {
	life    time.Duration
	log     *slog.Logger
	trusted []netip.Prefix
	now     func() time.Time

	banned atomic.Int64 // addresses; most of the time there is none to look for

	mu    sync.Mutex
	count map[string]*strikes
	known map[string]time.Time // when who proved to be a user, by address and user
	homes map[string]int       // how many are known at an address
}

// strikes are guesses.
type strikes struct {
	n     int
	until time.Time // when they are forgotten or, once banned, allowed again
	ban   bool
}

const (
	// maxAtAddress are allowed about one user at an address; maxWhileGuarded while the user is being attacked from
	// many addresses, which is after maxAboutUser of all. maxOfAddress are allowed to an address about everybody,
	// for many phones may share it.
	maxAtAddress    = 8
	maxWhileGuarded = 2
	maxAboutUser    = 60
	maxOfAddress    = 60
	strikeMemory    = time.Minute
	defaultBan      = 5 * time.Minute
	// knownTime is how long it counts that somebody proved to be a user.
	knownTime = 24 * time.Hour
	// maxCounted bounds what is remembered.
	maxCounted = 50_000
	// maxPause is how long an answer to a guess is held back at most: less than the time after which a phone asks
	// again (RFC 3261 section 17.1.1.1).
	maxPause = 400 * time.Millisecond
)

func newBans(o Options) *bans {
	b := &bans{
		life: o.BanTime, log: o.Logger, trusted: o.Trusted, now: time.Now,
		count: map[string]*strikes{}, known: map[string]time.Time{}, homes: map[string]int{},
	}
	if b.life <= 0 {
		b.life = defaultBan
	}
	return b
}

func atAddress(addr netip.Addr, user string) string { return addr.String() + "\x00" + user }
func aboutUser(user string) string                  { return "\x00" + user }

// drops reports whether nothing of an address is to be looked at: it is banned, and nobody is known there.
func (b *bans) drops(addr netip.Addr) bool {
	if b.banned.Load() == 0 {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.is(addr.String()) && b.homes[addr.String()] == 0
}

// is reports whether something is banned.
func (b *bans) is(key string) bool {
	s := b.count[key]
	if s == nil || !s.ban {
		return false
	}
	if b.now().Before(s.until) {
		return true
	}
	b.forget(key)
	return false
}

// verdict is what is to be done with somebody who wants to prove to be a user.
type verdict int

const (
	admitted verdict = iota
	refused          // with an answer
	ignored          // without one
)

// judge decides about somebody at an address who claims to be a user.
func (b *bans) judge(addr netip.Addr, user string) verdict {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.is(atAddress(addr, user)):
		b.strikeAddress(addr) // who goes on is not heard at all before long
		if b.is(addr.String()) {
			return ignored
		}
		return refused
	case b.is(addr.String()) && !b.isKnown(atAddress(addr, user)):
		return ignored
	}
	return admitted
}

func (b *bans) isKnown(key string) bool {
	at, ok := b.known[key]
	return ok && b.now().Sub(at) < knownTime
}

// proved notes that somebody at an address is a user.
func (b *bans) proved(addr netip.Addr, user string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := atAddress(addr, user)
	b.forget(key)
	if _, ok := b.known[key]; !ok {
		if len(b.known) >= maxCounted {
			b.sweepKnown()
		}
		if len(b.known) >= maxCounted {
			return
		}
		b.homes[addr.String()]++
	}
	b.known[key] = b.now()
}

func (b *bans) sweepKnown() {
	now := b.now()
	for key, at := range b.known {
		if now.Sub(at) > knownTime {
			delete(b.known, key)
			for i := range len(key) {
				if key[i] == 0 {
					if b.homes[key[:i]]--; b.homes[key[:i]] <= 0 {
						delete(b.homes, key[:i])
					}
					break
				}
			}
		}
	}
}

// guessed counts a wrong password, and returns how long its answer is to be held back.
func (b *bans) guessed(addr netip.Addr, user string) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := atAddress(addr, user)
	if b.strike(aboutUser(user), maxAboutUser) == first {
		b.log.Warn("the password of a SIP user is guessed from several addresses: each may try less", "user", user)
	}
	if s := b.count[aboutUser(user)]; s.ban && !b.isKnown(key) {
		b.strike(key, maxWhileGuarded) // there may be very many: not a word about each
	} else if b.strike(key, maxAtAddress) == first {
		b.log.Warn("too many wrong SIP passwords: refused for a while", "address", addr, "user", user, "for", b.life)
	}
	b.strikeAddress(addr)
	n := 1
	if s := b.count[addr.String()]; s != nil {
		n = s.n
	}
	return min(25*time.Millisecond<<min(n, 8), maxPause)
}

// missed counts a call to nobody: so are numbers looked for.
func (b *bans) missed(addr netip.Addr) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.strikeAddress(addr)
}

func (b *bans) strikeAddress(addr netip.Addr) {
	if !b.isTrusted(addr) && b.strike(addr.String(), maxOfAddress) == first {
		b.log.Warn("too many wrong SIP passwords or numbers: ignored for a while", "address", addr, "for", b.life)
	}
}

func (b *bans) isTrusted(addr netip.Addr) bool {
	for _, p := range b.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// outcome is what a strike leads to.
type outcome int

const (
	none  outcome = iota
	first         // the ban begins
	more
)

// strike counts.
func (b *bans) strike(key string, most int) outcome {
	now := b.now()
	s := b.count[key]
	if s != nil && !now.Before(s.until) {
		b.forget(key)
		s = nil
	}
	if s == nil {
		b.sweep(now)
		s = &strikes{}
		b.count[key] = s
	}
	s.n++
	if s.ban {
		return more
	}
	s.until = now.Add(strikeMemory)
	if s.n < most {
		return none
	}
	s.ban, s.until = true, now.Add(b.life)
	if key[0] != 0 {
		b.banned.Add(1)
	}
	return first
}

func (b *bans) forget(key string) {
	if s := b.count[key]; s != nil {
		if s.ban && key[0] != 0 {
			b.banned.Add(-1)
		}
		delete(b.count, key)
	}
}

// sweep makes room. Under a flood of addresses it forgets all that is not a ban, and at last everything.
func (b *bans) sweep(now time.Time) {
	if len(b.count) < maxCounted {
		return
	}
	for pass := range 3 {
		for key, s := range b.count {
			if pass == 2 || pass == 1 && !s.ban || !now.Before(s.until) {
				b.forget(key)
			}
		}
		if len(b.count) < maxCounted {
			return
		}
	}
}
