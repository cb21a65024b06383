package media_test

import (
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// agreed are the keys of two parties.
func agreed(suite media.SRTPSuite) (a, b media.SRTPKeys) {
	a = media.SRTPKeys{Send: media.NewSRTPKey(suite), Receive: media.NewSRTPKey(suite)}
	return a, media.SRTPKeys{Send: a.Receive, Receive: a.Send}
}

func (p *party) startSecure(remote *party, k media.SRTPKeys) {
	p.Start(media.Format{Remote: remote.addr, Codec: media.PCMU, EventType: 101, Send: true, Receive: true, SRTP: k})
}

func (p *party) say(t *testing.T, n int) {
	t.Helper()
	tone := media.Tone(440, time.Duration(n)*media.FrameTime)
	for i := range n {
		p.WriteFrame(tone[i*media.FrameSamples : (i+1)*media.FrameSamples])
	}
}

// wiretap stands between two parties and keeps what passes.
type wiretap struct {
	t    *testing.T
	conn *net.UDPConn
	to   *party
}

func newWiretap(t *testing.T, to *party) *wiretap {
	conn := open(t)
	t.Cleanup(func() { _ = conn.Close() })
	return &wiretap{t, conn, to}
}

// take returns the next packet.
func (w *wiretap) take() []byte {
	w.t.Helper()
	_ = w.conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 2048)
	n, err := w.conn.Read(buf)
	if err != nil {
		w.t.Fatal(err)
	}
	return buf[:n]
}

func (w *wiretap) pass(packet []byte) {
	w.t.Helper()
	if _, err := w.conn.WriteToUDPAddrPort(packet, w.to.addr); err != nil {
		w.t.Fatal(err)
	}
}

// foreign waits until a party has refused n packets.
func (p *party) foreign(t *testing.T, n uint64) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); p.Stats().Foreign < n; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d packets were refused, want %d", p.Stats().Foreign, n)
		}
	}
}

func TestSRTP(t *testing.T) {
	for _, suite := range media.SRTPSuites {
		t.Run(string(suite), func(t *testing.T) {
			a, b := newParty(t, false), newParty(t, false)
			w := newWiretap(t, b)
			keysA, keysB := agreed(suite)
			a.Start(media.Format{Remote: addr(w.conn), Codec: media.PCMU, Send: true, SRTP: keysA})
			b.Start(media.Format{Remote: addr(w.conn), Codec: media.PCMU, Receive: true, SRTP: keysB})
			a.say(t, 20)
			var packets [][]byte
			tag := map[media.SRTPSuite]int{media.AES128SHA1Tag80: 10, media.AES128SHA1Tag32: 4}[suite]
			for range 20 {
				packets = append(packets, w.take())
			}
			if n := len(packets[0]); n != 12+160+tag {
				t.Errorf("a packet has %d octets", n)
			}
			w.pass(packets[0])
			w.pass(packets[2]) // out of order
			w.pass(packets[1])
			b.received(t, 3)
			for _, i := range []int{0, 1, 2} { // once more
				w.pass(packets[i])
			}
			changed := append([]byte(nil), packets[3]...)
			changed[40] ^= 1
			w.pass(changed)
			w.pass(packets[4][:len(packets[4])-1])
			w.pass((media.Packet{Sequence: 7, Payload: make([]byte, 160)}).Append(nil)) // not encrypted
			w.pass([]byte{0x80})
			b.foreign(t, 7)
			for _, p := range packets[3:] {
				w.pass(p)
			}
			b.received(t, 20)
			if s := b.Stats(); s.Foreign != 7 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestSRTPStaysInStep sends so much that the sequence number comes round, and changes keys within the call.
func TestSRTPStaysInStep(t *testing.T) {
	a, b := newParty(t, false), newParty(t, false)
	keysA, keysB := agreed(media.AES128SHA1Tag80)
	start := func() {
		b.startSecure(a, keysB)
		a.startSecure(b, keysA)
	}
	start()
	silence := media.NewFrame(media.Rate)
	for i := range 70_000 {
		a.WriteFrame(silence)
		if i%50 == 0 {
			a.until(t, b, i)
			b.ReadFrame(silence)
			clear(silence)
		}
	}
	if s := b.Stats(); s.Foreign != 0 || s.Received < 69_000 {
		t.Fatalf("%+v", s)
	}
	for _, step := range []struct {
		name   string
		change func()
	}{
		{"the same keys again", func() {}},
		{"one new key", func() { keysA.Send = media.NewSRTPKey(media.AES128SHA1Tag80); keysB.Receive = keysA.Send }},
		{"new keys", func() { keysA, keysB = agreed(media.AES128SHA1Tag32) }},
		{"no keys", func() { keysA, keysB = media.SRTPKeys{}, media.SRTPKeys{} }},
	} {
		step.change()
		start()
		a.SendDigits("5")
		b.SendDigits("6")
		for range 10 {
			a.WriteFrame(silence)
			b.WriteFrame(silence)
		}
		t.Log(step.name)
		b.hears(t, "5")
		a.hears(t, "6")
	}
}

// until waits until b has about as many as a has sent: the kernel's queue is short.
func (p *party) until(t *testing.T, b *party, n int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); b.Stats().Received+100 < uint64(n); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d of %d came", b.Stats().Received, n)
		}
	}
}

// TestSRTPKeysThatCannotBeUsed sends nothing rather than in the clear.
func TestSRTPKeysThatCannotBeUsed(t *testing.T) {
	a, b := newParty(t, false), newParty(t, false)
	a.startSecure(b, media.SRTPKeys{Send: media.SRTPKey{Suite: "NONE"}})
	b.start(a.addr, media.PCMU)
	a.say(t, 5)
	b.say(t, 5)
	a.foreign(t, 5)
	if s := a.Stats(); s.Sent != 0 {
		t.Errorf("%+v", s)
	}
	if text := fmt.Sprintf("%v %+v %#v", media.NewSRTPKey(media.AES128SHA1Tag80), media.SRTPKeys{}, media.SRTPKey{Suite: "X"}); strings.Contains(text, "[") || strings.Contains(text, "0x") {
		t.Errorf("a key is printed as %s", text)
	}
}

// TestFloods has others send to a party's port, with the SSRC, the payload type and the next sequence numbers of its
// own party.
func TestFloods(t *testing.T) {
	for _, secured := range []bool{false, true} {
		a, b := newParty(t, false), newParty(t, false)
		var keysA, keysB media.SRTPKeys
		if secured {
			keysA, keysB = agreed(media.AES128SHA1Tag80)
		}
		w := newWiretap(t, b)
		a.Start(media.Format{Remote: addr(w.conn), Codec: media.PCMU, Send: true, SRTP: keysA})
		b.Start(media.Format{Remote: addr(w.conn), Codec: media.PCMU, Receive: true, SRTP: keysB})
		a.say(t, 10)
		var first media.Packet
		for i := range 10 {
			p := w.take()
			if i == 0 {
				var err error
				if first, err = media.ParseRTP(p); err != nil {
					t.Fatal(err)
				}
			}
			w.pass(p)
		}
		b.received(t, 10)
		intruder := newWiretap(t, b)
		const flood = 5000
		for i := range flood {
			intruder.pass(media.Packet{Sequence: first.Sequence + 10 + uint16(i), SSRC: first.SSRC, Timestamp: first.Timestamp + uint32(160*(10+i)), Payload: make([]byte, 160)}.Append(nil))
			if i%50 == 49 {
				b.foreign(t, uint64(max(0, i-200)))
			}
		}
		a.say(t, 10)
		for range 10 {
			w.pass(w.take())
		}
		b.received(t, 20)
		if s := b.Stats(); s.Received != 20 || s.Foreign < flood-400 || s.Late != 0 {
			t.Errorf("encrypted %v: %+v", secured, s)
		}
	}
}
