package rest

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// Wrong credentials make whoever shows them wait: freeTries are answered at once, after that each wrong try closes the
// door for twice as long as the one before. It is closed for right ones too, since a guess would otherwise be told apart
// at full speed, and right ones open nothing, since who has some could guess others in between. One wrong try is forgiven
// each minute.
const (
	freeTries    = 5
	firstWait    = time.Second
	longestWait  = 5 * time.Minute
	forgiveOne   = time.Minute
	mostCounted  = 30
	mostWatched  = 10_000
	ipv6SiteBits = 64 // one customer has a whole /64, and so has one attacker
)

// slowdown remembers who showed wrong credentials.
type slowdown struct {
	mu      sync.Mutex
	watched map[watched]*tries
}

// watched is a source and the appid that it claims, so that one program with a wrong secret does not lock out another
// on the same machine. Tokens have no name: they share the empty one.
type watched struct {
	source netip.Prefix
	appID  string
}

type tries struct {
	wrong float64
	last  time.Time
	until time.Time
}

// left is how many wrong tries still count at a time.
func (t *tries) left(now time.Time) float64 {
	return max(0, t.wrong-float64(now.Sub(t.last))/float64(forgiveOne))
}

func newSlowdown() *slowdown { return &slowdown{watched: map[watched]*tries{}} }

func watchKey(a netip.Addr, c Credentials) watched {
	bits := a.BitLen()
	if a.Is6() {
		bits = ipv6SiteBits
	}
	source, _ := a.Prefix(bits)
	if c.Token != "" || len(c.AppID) > 32 { // no real appid is longer
		return watched{source: source}
	}
	return watched{source, c.AppID}
}

// wait is how long it takes until these credentials are looked at; 0 lets them in.
func (s *slowdown) wait(a netip.Addr, c Credentials) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.watched[watchKey(a, c)]
	if t == nil {
		return 0
	}
	return max(0, time.Until(t.until))
}

// wrong notes a wrong try.
func (s *slowdown) wrong(a netip.Addr, c Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, key := time.Now(), watchKey(a, c)
	t := s.watched[key]
	if t == nil {
		if len(s.watched) >= mostWatched {
			s.forget(now)
		}
		t = &tries{}
		s.watched[key] = t
	}
	t.wrong = min(mostCounted, t.left(now)+1)
	t.last = now
	if over := int(math.Ceil(t.wrong)) - freeTries; over > 0 {
		t.until = now.Add(min(longestWait, firstWait<<(over-1)))
	}
}

// forget makes room: what is forgiven goes, and if nothing is, some.
func (s *slowdown) forget(now time.Time) {
	for key, t := range s.watched {
		if t.left(now) == 0 {
			delete(s.watched, key)
		}
	}
	for key := range s.watched {
		if len(s.watched) < mostWatched {
			return
		}
		delete(s.watched, key)
	}
}
