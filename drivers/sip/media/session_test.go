package media_test

import (
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddr("127.0.0.1")

func open(t *testing.T) *net.UDPConn {
	t.Helper()
	ports, err := media.NewPorts(loopback, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := ports.Open()
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func addr(conn *net.UDPConn) netip.AddrPort { return conn.LocalAddr().(*net.UDPAddr).AddrPort() }

// party is a session and the digits that it heard.
type party struct {
	*media.Session
	addr   netip.AddrPort
	digits chan byte
}

func newParty(t *testing.T, strict bool) *party {
	conn := open(t)
	p := &party{addr: addr(conn), digits: make(chan byte, 100)}
	p.Session = media.NewSession(conn, media.SessionOptions{Strict: strict, OnDigit: func(d byte) { p.digits <- d }})
	t.Cleanup(p.Close)
	return p
}

func (p *party) start(remote netip.AddrPort, codec media.Codec) {
	p.Start(media.Format{Remote: remote, Codec: codec, PayloadType: codec.PayloadType(), EventType: 101, Send: true, Receive: true})
}

func (p *party) hears(t *testing.T, digits string) {
	t.Helper()
	for i := range len(digits) {
		select {
		case d := <-p.digits:
			if d != digits[i] {
				t.Fatalf("heard %q, want %q", d, digits[i])
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("%q of %q was not heard", digits[i:], digits)
		}
	}
}

// sync waits until everything that from has sent has been taken by to: a key comes after it.
func (p *party) sync(t *testing.T, to *party) {
	t.Helper()
	p.SendDigits("9")
	silence := media.NewFrame(media.Rate)
	for range 8 {
		p.WriteFrame(silence)
	}
	to.hears(t, "9")
}

// received waits until n packets have come.
func (p *party) received(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); p.Stats().Received < uint64(n); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d packets came, want %d", p.Stats().Received, n)
		}
	}
}

func TestSession(t *testing.T) {
	a, b := newParty(t, false), newParty(t, false)
	a.start(b.addr, media.PCMU)
	b.start(a.addr, media.PCMU)
	tone := media.Tone(440, 200*time.Millisecond)
	f := media.NewFrame(media.Rate)
	var heard []int16
	for i := range 12 {
		if i < 10 {
			copy(f[:], tone[i*media.FrameSamples:])
			a.WriteFrame(f)
			b.received(t, i+1)
		}
		if b.ReadFrame(f) {
			heard = append(heard, f[:]...)
		}
	}
	a.SendDigits("1*d")
	for range 30 {
		a.WriteFrame(media.NewFrame(media.Rate))
		b.ReadFrame(f)
	}
	b.hears(t, "1*D")
	if level := audio.Level(heard[:1600], 440, media.Rate); level < 7500 || level > 8700 {
		t.Errorf("the tone's level is %.0f", level)
	}
	if s := b.Stats(); s.Late != 0 || s.Lost != 0 || s.Foreign != 0 || s.Received < 16 {
		t.Errorf("%+v", s)
	}
	select {
	case d := <-b.digits:
		t.Errorf("heard %q once more", d)
	default:
	}
}

func TestSessionLearnsItsPeer(t *testing.T) {
	b := newParty(t, false)
	known, intruder := newParty(t, false), newParty(t, false)
	known.start(b.addr, media.PCMU)
	intruder.start(b.addr, media.PCMU)
	b.start(netip.MustParseAddrPort("192.0.2.1:4000"), media.PCMU) // what a caller behind a NAT believes to be
	known.sync(t, b)
	for range 20 {
		intruder.WriteFrame(media.NewFrame(media.Rate))
	}
	intruder.SendDigits("5")
	for range 8 {
		intruder.WriteFrame(media.NewFrame(media.Rate))
	}
	known.sync(t, b) // comes after the intruder's packets
	if s := b.Stats(); s.Foreign < 20 {
		t.Errorf("the intruder was heard: %+v", s)
	}
	b.WriteFrame(media.NewFrame(media.Rate))
	b.SendDigits("7")
	for range 8 {
		b.WriteFrame(media.NewFrame(media.Rate))
	}
	known.hears(t, "7") // sound goes to where it comes from
	if s := intruder.Stats(); s.Received != 0 {
		t.Errorf("the intruder hears: %+v", s)
	}
	// A re-INVITE says that the party has moved.
	b.start(intruder.addr, media.PCMU)
	intruder.sync(t, b)
}

// TestSessionPrefersThePartysOwnAddress: packets of a call before, which had the same port, may come first.
func TestSessionPrefersThePartysOwnAddress(t *testing.T) {
	b, known, stray := newParty(t, false), newParty(t, false), newParty(t, false)
	b.start(known.addr, media.PCMU)
	known.start(b.addr, media.PCMU)
	stray.start(b.addr, media.PCMU)
	stray.sync(t, b)
	known.sync(t, b)
	for range 5 {
		stray.WriteFrame(media.NewFrame(media.Rate))
	}
	known.sync(t, b) // comes after the stray's packets
	if s := b.Stats(); s.Foreign != 5 {
		t.Errorf("the stray was heard: %+v", s)
	}
	b.sync(t, known) // sound goes to the party
	if s := stray.Stats(); s.Received != 0 {
		t.Errorf("the stray hears: %+v", s)
	}
}

func TestSessionStrict(t *testing.T) {
	b, known, other := newParty(t, true), newParty(t, false), newParty(t, false)
	b.start(known.addr, media.PCMA)
	known.start(b.addr, media.PCMA)
	other.start(b.addr, media.PCMA)
	for range 5 {
		other.WriteFrame(media.NewFrame(media.Rate))
	}
	known.sync(t, b)
	if s := b.Stats(); s.Foreign != 5 {
		t.Errorf("%+v", s)
	}
}

func TestHeldSessionDoesNotSend(t *testing.T) {
	a, b := newParty(t, false), newParty(t, false)
	a.Start(media.Format{Remote: b.addr, Receive: true})
	a.WriteFrame(media.NewFrame(media.Rate))
	if s := a.Stats(); s.Sent != 0 {
		t.Errorf("%+v", s)
	}
}

// ticks counts.
type ticks struct{ atomic.Int64 }

func (c *ticks) Tick() { c.Add(1) }

func TestPacer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p media.Pacer
		counts := make([]ticks, 100)
		var remove []func()
		for i := range counts {
			remove = append(remove, p.Add(&counts[i]))
		}
		time.Sleep(10 * time.Second) // virtual
		for i := range counts {
			if n := counts[i].Load(); n < 498 || n > 502 {
				t.Errorf("%d ticks in 10 s", n)
			}
			remove[i]()
			remove[i]()
		}
		before := counts[0].Load()
		time.Sleep(time.Second)
		if counts[0].Load() != before || p.Active() != 0 || p.Late() != 0 {
			t.Errorf("it goes on: %d active, %d late", p.Active(), p.Late())
		}
		one := &ticks{}
		end := p.Add(one)
		time.Sleep(time.Second)
		end()
		time.Sleep(media.FrameTime) // the goroutine sees that nothing is left
		if n := one.Load(); n < 48 || n > 52 {
			t.Errorf("%d ticks in the second life", n)
		}
	})
}

func TestConversation(t *testing.T) {
	caller, callee := newParty(t, false), newParty(t, false)
	ours, theirs := newParty(t, false), newParty(t, false)
	ours.start(caller.addr, media.PCMU)
	caller.start(ours.addr, media.PCMU)
	theirs.start(callee.addr, media.PCMA)
	callee.start(theirs.addr, media.PCMA)
	c := media.NewConversation(ours.Session)
	path := filepath.Join(t.TempDir(), "call.wav")
	recorder, err := media.NewRecorder(path, media.RecorderOptions{Channels: media.Separate})
	if err != nil {
		t.Fatal(err)
	}
	c.Record(recorder)
	played := c.Play(media.Sound{Samples: media.Tone(900, 400*time.Millisecond), Rate: media.Rate})
	// One second of talk: each party says its tone.
	said, answered := media.Tone(440, time.Second), media.Tone(660, time.Second)
	var callerHears, calleeHears []int16
	f := media.NewFrame(media.Rate)
	for i := range 50 {
		if i == 25 {
			select {
			case <-played.Done():
			default:
				t.Error("the clip does not end")
			}
			c.Bridge(theirs.Session)
		}
		copy(f[:], said[i*media.FrameSamples:])
		caller.WriteFrame(f)
		copy(f[:], answered[i*media.FrameSamples:])
		callee.WriteFrame(f)
		ours.received(t, i+1)
		theirs.received(t, i+1)
		c.Tick()
		if caller.ReadFrame(f) {
			callerHears = append(callerHears, f[:]...)
		}
		if callee.ReadFrame(f) {
			calleeHears = append(calleeHears, f[:]...)
		}
	}
	if c.Record(nil) != recorder || recorder.Close() != nil || recorder.Length() != time.Second || recorder.Lost() != 0 {
		t.Errorf("the recorder: %v written, %v lost", recorder.Length(), recorder.Lost())
	}
	for name, check := range map[string]struct {
		samples []int16
		hz      float64
		heard   bool
	}{
		"the caller hears the clip": {callerHears[:2400], 900, true}, "the caller hears the callee": {callerHears[len(callerHears)-1600:], 660, true},
		"the caller hears itself": {callerHears, 440, false}, "the callee hears the caller": {calleeHears[len(calleeHears)-1600:], 440, true},
		"the callee hears the clip": {calleeHears, 900, false},
	} {
		if level := audio.Level(check.samples, check.hz, media.Rate); (level > 2000) != check.heard {
			t.Errorf("%s: %v (level %.0f)", name, !check.heard, level)
		}
	}
}
