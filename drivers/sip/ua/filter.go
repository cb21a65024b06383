package ua

import (
	"bytes"
	"errors"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// filter drops what is not worth reading, before the library parses it or remembers who sent it.
type filter struct {
	rate     float64
	loopback bool // is bounded too
	bans     *bans
	stopped  atomic.Bool

	mu      sync.Mutex
	sources map[netip.Addr]*bucket
	swept   time.Time
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

const (
	// maxMessage bounds a datagram, maxStreamed a message over TCP and TLS.
	maxMessage  = 8 << 10
	maxStreamed = 32 << 10
	// defaultPerSource is how many requests an address may send a second.
	defaultPerSource = 100
	// maxSources bounds the addresses that are remembered; beyond, all share one bucket.
	maxSources = 20_000
)

// scanners are the names that tools give themselves which look for open switches.
var scanners = [][]byte{[]byte("friendly-scanner"), []byte("sipvicious"), []byte("sip-scan"), []byte("sipcli/"), []byte("VaxSIPUserAgent"), []byte("pplsip")}

func newFilter(perSecond int, b *bans) *filter {
	f := &filter{rate: float64(perSecond), loopback: perSecond > 0, bans: b, sources: map[netip.Addr]*bucket{}}
	if perSecond <= 0 {
		f.rate = defaultPerSource
	}
	return f
}

// errBanned closes a connection.
var errBanned = errors.New("the address is banned")

// read implements the library's read filter. For datagrams an error would stop the listener; nothing is what drops
// one. For streams an error closes the connection; what comes is a piece of a message, or several, so that requests
// are counted later (see guard).
//
// The library gives each message a goroutine, and the scheduler runs the youngest first: of two messages that come
// together the second would be handled first. Letting the first run now keeps most of the order.
func (f *filter) read(p msg.TransportReadProps, data []byte) ([]byte, error) {
	runtime.Gosched()
	if f.stopped.Load() {
		return nil, nil
	}
	isDatagram := p.Transport == "UDP"
	if isDatagram && len(data) > maxMessage {
		return nil, nil
	}
	if f.bans.banned.Load() != 0 && f.bans.drops(addrOf(p.RemoteAddr.String())) {
		if isDatagram {
			return nil, nil
		}
		return nil, errBanned
	}
	if !isDatagram {
		return data, nil
	}
	if isScanner(data[:min(len(data), 2048)]) {
		return nil, nil
	}
	if !bytes.HasPrefix(data, []byte("SIP/2.0 ")) && !f.admit(p.RemoteAddr.String()) {
		return nil, nil
	}
	return data, nil
}

func isScanner(head []byte) bool {
	for _, name := range scanners {
		if bytes.Contains(head, name) {
			return true
		}
	}
	return false
}

// stop drops everything from here on.
func (f *filter) stop() { f.stopped.Store(true) }

// admit reports whether a source may send another request now.
func (f *filter) admit(source string) bool {
	addr, now := addrOf(source), time.Now()
	if !addr.IsValid() || addr.IsLoopback() && !f.loopback {
		return true
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.swept) > time.Minute {
		f.swept = now
		for a, b := range f.sources {
			if now.Sub(b.at) > time.Minute {
				delete(f.sources, a)
			}
		}
	}
	b, ok := f.sources[addr]
	if !ok && len(f.sources) >= maxSources {
		addr = netip.Addr{}
		b, ok = f.sources[addr]
	}
	if !ok {
		b = &bucket{tokens: 2 * f.rate, at: now}
		f.sources[addr] = b
	}
	b.tokens = min(2*f.rate, b.tokens+now.Sub(b.at).Seconds()*f.rate)
	b.at = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}
