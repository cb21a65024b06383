package media_test

import (
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Each operation is what 20 ms of one call, or of one of its pieces, take. The network is left out: packets that are
// sent are dropped, packets that come are handed over.

// wire is a network card of nobody's.
type wire struct {
	in   chan []byte
	from netip.AddrPort
	done chan struct{}
}

func newWire() *wire {
	return &wire{in: make(chan []byte), from: netip.MustParseAddrPort("127.0.0.1:4000"), done: make(chan struct{})}
}

func (w *wire) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case p := <-w.in:
		return copy(b, p), w.from, nil
	case <-w.done:
		return 0, w.from, net.ErrClosed
	}
}

func (w *wire) WriteToUDPAddrPort(b []byte, _ netip.AddrPort) (int, error) { return len(b), nil }
func (w *wire) LocalAddr() net.Addr                                        { return &net.IPAddr{} }
func (w *wire) Close() error                                               { close(w.done); return nil }

// speaker is a session that somebody talks to.
type speaker struct {
	*media.Session
	wire   *wire
	packet media.Packet
	buf    []byte
}

func newSpeaker(b *testing.B, codec media.Codec) *speaker {
	w := newWire()
	s := &speaker{wire: w, Session: media.NewSession(w, media.SessionOptions{})}
	s.Start(media.Format{Remote: w.from, Codec: codec, PayloadType: codec.PayloadType(), EventType: 101, Send: true, Receive: true})
	n := codec.SampleRate() / 50
	s.packet = media.Packet{PayloadType: codec.PayloadType(), SSRC: 9, Payload: codec.Encode(nil, wideTone(700, time.Second)[:n])}
	b.Cleanup(s.Close)
	return s
}

// ignored is RTCP where none is expected.
var ignored = []byte{0x80, 200}

func (s *speaker) say() {
	s.packet.Sequence++
	s.packet.Timestamp += uint32(s.Format().Codec.ClockRate() / 50)
	s.buf = s.packet.Append(s.buf[:0])
	s.wire.in <- s.buf
	s.wire.in <- ignored // it is taken once the packet has been dealt with
}

func BenchmarkTick(b *testing.B) {
	for _, bb := range []struct {
		name   string
		codecs []media.Codec
		setUp  func(*testing.B, *media.Conversation)
	}{
		{"silent", []media.Codec{media.PCMU}, func(*testing.B, *media.Conversation) {}},
		{"playing", []media.Codec{media.PCMU}, func(_ *testing.B, c *media.Conversation) { c.Loop(tone(500, time.Second)) }},
		{"playing, wideband", []media.Codec{media.G722}, func(_ *testing.B, c *media.Conversation) {
			c.Loop(media.Sound{Samples: wideTone(500, time.Second), Rate: media.WideRate})
		}},
		{"silent, Opus", []media.Codec{media.Opus}, func(*testing.B, *media.Conversation) {}},
		{"playing, Opus", []media.Codec{media.Opus}, func(_ *testing.B, c *media.Conversation) {
			c.Loop(media.Sound{Samples: voice(133, media.WideRate, time.Second), Rate: media.WideRate})
		}},
		{"playing and recording", []media.Codec{media.PCMU}, func(b *testing.B, c *media.Conversation) {
			c.Loop(tone(500, time.Second))
			r, err := media.NewRecorder(filepath.Join(b.TempDir(), "a.wav"), media.RecorderOptions{})
			if err != nil {
				b.Fatal(err)
			}
			b.Cleanup(func() { _ = r.Close() })
			c.Record(r)
		}},
		{"bridge", []media.Codec{media.PCMU, media.PCMA}, nil},
		{"bridge, wideband", []media.Codec{media.G722, media.G722}, nil},
		{"bridge of narrowband and wideband", []media.Codec{media.PCMU, media.G722}, nil},
	} {
		b.Run(bb.name, func(b *testing.B) {
			var speakers []*speaker
			for _, codec := range bb.codecs {
				speakers = append(speakers, newSpeaker(b, codec))
			}
			c := media.NewConversation(speakers[0].Session)
			if len(speakers) > 1 {
				c.Bridge(speakers[1].Session)
			}
			if bb.setUp != nil {
				bb.setUp(b, c)
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range speakers {
					s.say()
				}
				c.Tick()
			}
		})
	}
}

// BenchmarkRoom is a conference: the time is that of all members together.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{3, 10, 50} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			r := media.NewRoom()
			var speakers []*speaker
			for range n {
				s := newSpeaker(b, media.PCMU)
				speakers = append(speakers, s)
				if err := r.Join(media.NewConversation(s.Session)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, s := range speakers {
					s.say()
				}
				r.Tick()
			}
		})
	}
}

func BenchmarkJitter(b *testing.B) {
	for _, codec := range media.Codecs {
		b.Run(codec.Name(), func(b *testing.B) {
			var j media.Jitter
			j.Reset(codec)
			f := media.NewFrame(codec.SampleRate())
			p := media.Packet{Payload: codec.Encode(nil, voice(133, codec.SampleRate(), media.FrameTime))}
			now := time.Unix(0, 0)
			b.ReportAllocs()
			for b.Loop() {
				p.Sequence++
				p.Timestamp += uint32(codec.ClockRate() / 50)
				now = now.Add(media.FrameTime)
				j.Put(p, now)
				j.ReadFrame(f)
			}
		})
	}
}

// BenchmarkKeys is what it takes to look for keys in the sound, beside everything else.
func BenchmarkKeys(b *testing.B) {
	for name, events := range map[string]uint8{"in the sound": 0, "by events": 101} {
		b.Run(name, func(b *testing.B) {
			w := newWire()
			s := media.NewSession(w, media.SessionOptions{OnDigit: func(byte) {}})
			defer s.Close()
			s.Start(media.Format{Remote: w.from, EventType: events, Receive: true})
			f := media.NewFrame(media.Rate)
			for b.Loop() {
				s.ReadFrame(f)
			}
		})
	}
}

func BenchmarkParseRTP(b *testing.B) {
	data := media.Packet{Payload: make([]byte, 160)}.Append(nil)
	for b.Loop() {
		if _, err := media.ParseRTP(data); err != nil {
			b.Fatal(err)
		}
	}
}
