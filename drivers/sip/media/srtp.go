package media

import (
	"crypto/rand"
	"errors"
	"fmt"
	"sync"

	"github.com/pion/srtp/v3"
)

// SRTPSuite is how sound is encrypted and authenticated (RFC 4568 section 6.2).
type SRTPSuite string

// Suites, the better first.
const (
	AES128SHA1Tag80 SRTPSuite = "AES_CM_128_HMAC_SHA1_80"
	AES128SHA1Tag32 SRTPSuite = "AES_CM_128_HMAC_SHA1_32"
)

// SRTPSuites are those that are spoken here, in the order of preference.
var SRTPSuites = []SRTPSuite{AES128SHA1Tag80, AES128SHA1Tag32}

// SRTPSecretLen is the length of a master key and its salt, in octets.
const SRTPSecretLen = 16 + 14

// SRTPKey is the master key and salt of one direction.
type SRTPKey struct {
	Suite SRTPSuite
	// Secret is the key, 16 octets, and the salt, 14.
	Secret [SRTPSecretLen]byte
}

// NewSRTPKey makes a key.
func NewSRTPKey(suite SRTPSuite) SRTPKey {
	k := SRTPKey{Suite: suite}
	_, _ = rand.Read(k.Secret[:]) // never fails: see crypto/rand
	return k
}

// String hides the secret, so that it never gets into a log.
func (k SRTPKey) String() string { return string(k.Suite) + " (secret)" }

// GoString hides the secret.
func (k SRTPKey) GoString() string { return k.String() }

// SRTPKeys are the keys of both directions; the zero value is plain RTP.
type SRTPKeys struct {
	Send, Receive SRTPKey
}

// replayWindow is how far back packets may come, and once only (RFC 3711 section 3.3.2).
const replayWindow = 256

// secure encrypts what a session sends, and authenticates and decrypts what it receives.
type secure struct {
	keys    SRTPKeys
	out, in *cryptor // nil when the keys cannot be used: then nothing gets through
}

// cryptor is one direction.
type cryptor struct {
	mu      sync.Mutex
	context *srtp.Context
	buf     []byte // of RTP
}

func newCryptor(k SRTPKey) (*cryptor, error) {
	c, err := srtpContext(k)
	if err != nil {
		return nil, err
	}
	return &cryptor{context: c}, nil
}

func srtpContext(k SRTPKey) (*srtp.Context, error) {
	profile := srtp.ProtectionProfileAes128CmHmacSha1_80
	switch k.Suite {
	case AES128SHA1Tag80:
	case AES128SHA1Tag32:
		profile = srtp.ProtectionProfileAes128CmHmacSha1_32
	default:
		return nil, fmt.Errorf("srtp: the suite %q is not spoken here", k.Suite)
	}
	return srtp.CreateContext(k.Secret[:16], k.Secret[16:], profile, srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
}

// errNoKey says that there is no key that can be used: nothing is sent rather than in the clear.
var errNoKey = errors.New("srtp: the keys cannot be used")

// seal returns an RTP packet as it goes onto the wire. The result is overwritten by the next; a nil receiver, plain
// RTP, returns the packet.
func (s *secure) seal(packet []byte) ([]byte, error) {
	if s == nil {
		return packet, nil
	}
	if s.out == nil {
		return nil, errNoKey
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	sealed, err := s.out.context.EncryptRTP(s.out.buf[:0], packet, nil)
	if err == nil {
		s.out.buf = sealed
	}
	return sealed, err
}

// open returns the RTP packet in a datagram. One that was not made with the party's key, or comes again, is an
// error. The result is overwritten by the next.
func (s *secure) open(datagram []byte) ([]byte, error) {
	if s == nil {
		return datagram, nil
	}
	if s.in == nil {
		return nil, errNoKey
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	opened, err := s.in.context.DecryptRTP(s.in.buf[:0], datagram, nil)
	if err == nil {
		s.in.buf = opened
	}
	return opened, err
}

// sealControl is seal for RTCP; there is little of it.
func (s *secure) sealControl(packet []byte) ([]byte, error) {
	if s == nil {
		return packet, nil
	}
	if s.out == nil {
		return nil, errNoKey
	}
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.context.EncryptRTCP(nil, packet, nil)
}

// openControl is open for RTCP.
func (s *secure) openControl(datagram []byte) ([]byte, error) {
	if s == nil {
		return datagram, nil
	}
	if s.in == nil {
		return nil, errNoKey
	}
	s.in.mu.Lock()
	defer s.in.mu.Unlock()
	return s.in.context.DecryptRTCP(nil, datagram, nil)
}

// refuse counts a packet that is not the party's.
func (s *Session) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.foreign++
}

// rekey takes over the keys of a format. The same key goes on with its counters: a key stream is never used twice,
// and a packet not heard twice.
func (s *Session) rekey(k SRTPKeys) {
	old := s.secure.Load()
	switch {
	case k == (SRTPKeys{}):
		s.secure.Store(nil)
		return
	case old == nil:
		old = &secure{}
	case old.keys == k:
		return
	}
	next := &secure{keys: k}
	if next.out = old.out; old.keys.Send != k.Send {
		next.out, _ = newCryptor(k.Send)
	}
	if next.in = old.in; old.keys.Receive != k.Receive {
		next.in, _ = newCryptor(k.Receive)
	}
	s.secure.Store(next)
}
