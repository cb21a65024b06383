package media_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/thesyncim/gopus"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

const wideFrame = media.WideRate / 50

// opusPackets codes samples as another party may: in packets of a length, at a rate, in one or two channels.
func opusPackets(t testing.TB, samples []int16, length time.Duration, set func(*gopus.Encoder) error) (packets [][]byte) {
	t.Helper()
	e, err := gopus.NewEncoder(gopus.EncoderConfig{SampleRate: media.WideRate, Channels: 1, Application: gopus.ApplicationVoIP})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.SetFrameSize(int(length * media.WideRate / time.Second)); err != nil {
		t.Fatal(err)
	}
	if set != nil {
		if err := set(e); err != nil {
			t.Fatal(err)
		}
	}
	n := int(length * media.WideRate / time.Second)
	for ; len(samples) >= n; samples = samples[n:] {
		p, err := e.EncodeInt16Slice(samples[:n])
		if err != nil {
			t.Fatal(err)
		}
		packets = append(packets, p)
	}
	return packets
}

func TestOpus(t *testing.T) {
	for hz, least := range map[float64]float64{300: 15, 1000: 15, 3000: 15, 6000: 10} {
		said := wideTone(hz, 2*time.Second)
		enc, dec := media.Opus.NewEncoder(), media.Opus.NewDecoder()
		var heard []int16
		octets := 0
		for i := 0; i < len(said); i += wideFrame {
			coded := enc.Encode([]byte{1, 2}, said[i:i+wideFrame])
			if coded[0] != 1 || coded[1] != 2 {
				t.Fatal("what was before the packet is gone")
			}
			octets += len(coded) - 2
			heard = dec.Decode(heard, coded[2:])
		}
		if len(heard) != len(said) {
			t.Fatalf("%g Hz: %d samples came back, of %d", hz, len(heard), len(said))
		}
		if got := snr(heard[16000:], hz, media.WideRate); got < least {
			t.Errorf("%g Hz: %.1f dB, at least %g are wanted", hz, got, least)
		}
		if rate := octets * 8 / 2; rate < 6000 || rate > 50000 {
			t.Errorf("%g Hz: %d bit/s", hz, rate)
		}
	}
}

// TestOpusSilence has somebody speak, wait and speak again: silence costs an octet, and what comes after it is whole.
func TestOpusSilence(t *testing.T) {
	enc, dec := media.Opus.NewEncoder(), media.Opus.NewDecoder()
	tone, silence := wideTone(500, media.FrameTime), media.NewFrame(media.WideRate)
	heard := map[string][]int16{}
	for _, part := range []struct {
		name   string
		frame  []int16
		frames int
	}{{"before", silence, 50}, {"first", tone, 50}, {"between", silence, 250}, {"second", tone, 50}} {
		var coded []byte
		for range part.frames {
			coded = enc.Encode(nil, part.frame)
			heard[part.name] = dec.Decode(heard[part.name], coded)
		}
		if quiet := len(coded) == 1; quiet != (part.frame[1] == 0) {
			t.Errorf("%s: the last packet has %d octets", part.name, len(coded))
		}
	}
	for name, samples := range heard {
		samples = samples[len(samples)-media.WideRate/2:]
		level := audio.Level(samples, 500, media.WideRate)
		if name == "first" || name == "second" {
			if level < 7000 || level > 9500 || snr(samples, 500, media.WideRate) < 15 {
				t.Errorf("%s: a level of %.0f, %.1f dB", name, level, snr(samples, 500, media.WideRate))
			}
			continue
		}
		for _, v := range samples {
			if abs(int(v)) > 64 {
				t.Fatalf("%s: a sample of silence is %d", name, v)
			}
		}
	}
}

// TestOpusPacketsOfOtherLengths plays what others send, at their packet length, through a jitter buffer.
func TestOpusPacketsOfOtherLengths(t *testing.T) {
	said := wideTone(700, 1600*time.Millisecond)
	speech := func(e *gopus.Encoder) error { return e.SetMode(gopus.EncoderModeSILK) }
	music := func(e *gopus.Encoder) error { return e.SetMode(gopus.EncoderModeCELT) }
	for _, tt := range []struct {
		length time.Duration
		set    func(*gopus.Encoder) error
	}{
		{10 * time.Millisecond, speech}, {20 * time.Millisecond, speech}, {40 * time.Millisecond, speech}, {60 * time.Millisecond, speech}, {120 * time.Millisecond, speech},
		{5 * time.Millisecond, music}, {10 * time.Millisecond, music}, {20 * time.Millisecond, music},
	} {
		packets := opusPackets(t, said, tt.length, tt.set)
		name := fmt.Sprintf("%v, %d", tt.length, packets[0][0]>>3)
		var j media.Jitter
		j.Reset(media.Opus)
		f := media.NewFrame(media.WideRate)
		var heard []int16
		sent, start := 0, time.Unix(1000, 0)
		for tick := range 80 {
			for ; sent < len(packets) && time.Duration(sent+1)*tt.length <= time.Duration(tick+1)*media.FrameTime; sent++ {
				p := media.Packet{Sequence: uint16(sent), Timestamp: uint32(time.Duration(sent) * tt.length * 48 / time.Millisecond), Payload: packets[sent]}
				j.Put(p, start.Add(time.Duration(sent+1)*tt.length))
			}
			if j.ReadFrame(f) {
				heard = append(heard, f...)
			}
		}
		if s := j.Stats(); s.Lost != 0 || s.Late != 0 || s.Dropped != 0 || s.Jitter > time.Millisecond {
			t.Errorf("%s: %+v", name, s)
		}
		if len(heard) < 66*wideFrame {
			t.Errorf("%s: %d frames are heard", name, len(heard)/wideFrame)
			continue
		}
		for i := 20 * wideFrame; i+wideFrame <= len(heard); i += wideFrame {
			if level := audio.Level(heard[i:i+wideFrame], 700, media.WideRate); level < 6500 || level > 10000 {
				t.Fatalf("%s: frame %d has a level of %.0f", name, i/wideFrame, level)
			}
		}
	}
}

// speech is a voice whose pitch and loudness move.
func speech(length time.Duration) []int16 {
	out := make([]int16, int(length*media.WideRate/time.Second))
	phase := 0.0
	for i := range out {
		at := 2 * math.Pi * float64(i) / media.WideRate
		hz := 140 + 60*math.Sin(1.3*at)
		phase += 2 * math.Pi * hz / media.WideRate
		v := 0.0
		for h := 1.0; h*hz < 3400; h++ {
			v += math.Sin(h*phase+h*h) / (1 + h/3)
		}
		out[i] = int16(2000 * v * (0.6 + 0.4*math.Sin(3*at)))
	}
	return out
}

// TestOpusLoss loses packets of a voice: with what packets repeat of each other it is nearer to what was said than
// without, and either way no gap is silent.
func TestOpusLoss(t *testing.T) {
	said := speech(4 * time.Second)
	listen := func(fec bool, lost func(int) bool) (heard []int16, s media.JitterStats) {
		packets := opusPackets(t, said, media.FrameTime, func(e *gopus.Encoder) error {
			e.SetFEC(fec)
			if err := e.SetPacketLoss(20); err != nil {
				return err
			}
			return e.SetBitrate(40000)
		})
		var j media.Jitter
		j.Reset(media.Opus)
		f := media.NewFrame(media.WideRate)
		for i, p := range packets {
			if !lost(i) {
				j.Put(media.Packet{Sequence: uint16(65500 + i), Timestamp: uint32(i * 960), Payload: p}, time.Unix(0, int64(i)*2e7))
			}
			if j.ReadFrame(f); i > 0 {
				heard = append(heard, f...)
			}
		}
		return heard, j.Stats()
	}
	distance := map[bool]float64{}
	for _, fec := range []bool{false, true} {
		whole, _ := listen(fec, func(int) bool { return false })
		random := rand.New(rand.NewPCG(7, 7))
		gaps := map[int]bool{}
		for i := 20; i < 190; i++ {
			gaps[i] = random.IntN(10) == 0 && !gaps[i-1]
		}
		heard, s := listen(fec, func(i int) bool { return gaps[i] })
		n := 0
		for i, gap := range gaps {
			if !gap {
				continue
			}
			n++
			at := i * wideFrame
			said, energy := 0.0, 0.0
			for k := at; k < at+wideFrame; k++ {
				d := float64(whole[k]) - float64(heard[k])
				distance[fec] += d * d
				said += float64(whole[k]) * float64(whole[k])
				energy += float64(heard[k]) * float64(heard[k])
			}
			if energy < said/30 || energy > said*4 {
				t.Errorf("fec %v: gap %d has %.2g of its energy", fec, i, energy/said)
			}
		}
		if s.Lost != uint64(n) || s.Concealed != s.Lost || n < 10 {
			t.Errorf("fec %v: %d gaps, %+v", fec, n, s)
		}
	}
	if distance[true] > distance[false]/3 {
		t.Errorf("what is repeated does not help: a distance of %.3g with it, %.3g without", distance[true], distance[false])
	}
}

// TestOpusPauses has the party send a packet in 400 ms only while it is silent (DTX): nothing is lost, and what it says
// next is heard whole.
func TestOpusPauses(t *testing.T) {
	tone := wideTone(500, media.FrameTime)
	said := append(slices.Repeat(tone, 50), make([]int16, 100*wideFrame)...)
	packets := opusPackets(t, append(said, slices.Repeat(tone, 50)...), media.FrameTime, func(e *gopus.Encoder) error {
		e.SetDTX(true)
		return nil
	})
	var j media.Jitter
	j.Reset(media.Opus)
	f := media.NewFrame(media.WideRate)
	seq, loud := uint16(0), [2]int{}
	for i := range len(packets) + 10 {
		if i < len(packets) && (i < 60 || i >= 150 || i%20 == 0) {
			j.Put(media.Packet{Sequence: seq, Timestamp: uint32(i * 960), Payload: packets[i]}, time.Unix(0, int64(i)*2e7))
			seq++
		}
		j.ReadFrame(f)
		switch level := audio.Level(f, 500, media.WideRate); {
		case level > 4000 && i < 70:
			loud[0]++
		case level > 4000 && i > 145:
			loud[1]++
		case level > 4000 || i > 80 && i < 145 && level > 100:
			t.Errorf("tick %d: a level of %.0f in the pause", i, level)
		}
	}
	if s := j.Stats(); s.Lost != 0 || s.Late != 0 || loud[0] < 49 || loud[1] < 47 {
		t.Errorf("%d and %d frames of 50 are heard: %+v", loud[0], loud[1], s)
	}
}

// TestOpusNonsense decodes what is no Opus: as long as it says to be, and the stream goes on.
func TestOpusNonsense(t *testing.T) {
	dec, random := media.Opus.NewDecoder(), rand.New(rand.NewPCG(3, 4))
	good := media.Opus.Encode(nil, wideTone(440, media.FrameTime))
	for range 1000 {
		p := make([]byte, 1+random.IntN(200))
		for i := range p {
			p[i] = byte(random.Uint32())
		}
		if got := dec.Decode(nil, p); len(got)%40 != 0 || len(got) > 1920 {
			t.Fatalf("%x: %d samples", p, len(got))
		}
		if got := dec.Decode(nil, good); len(got) != wideFrame {
			t.Fatalf("after %x: %d samples", p, len(got))
		}
	}
	for _, p := range [][]byte{nil, {}, {3}, {3, 0}, {3, 63}, {0x1b, 3}} { // the last is 180 ms
		if got := dec.Decode(nil, p); len(got) != 0 {
			t.Errorf("%x: %d samples", p, len(got))
		}
	}
}

// TestOpusSession has two parties speak Opus with telephone events at 8000 Hz. One of them sends Opus by the number that we
// offer, and wants it by another.
func TestOpusSession(t *testing.T) {
	a, b := newParty(t, false), newParty(t, false)
	for p, number := range map[*party]uint8{a: 111, b: 96} {
		p.Start(media.Format{Remote: map[*party]*party{a: b, b: a}[p].addr, Codec: media.Opus, PayloadType: number, EventType: 101, EventClock: 8000, Send: true, Receive: true, Opus: media.OpusFormat{FEC: true, MaxBitrate: 20000}})
	}
	tone := wideTone(440, 2*time.Second)
	var heard []int16
	f := media.NewFrame(media.WideRate)
	for i := range 100 {
		a.WriteFrame(tone[i*wideFrame : (i+1)*wideFrame])
		b.received(t, i+1)
		if b.ReadFrame(f) {
			heard = append(heard, f...)
		}
	}
	// A machine that is busy is an uneven network: frames are dropped and stretched.
	loudest := 0.0
	for i := 0; i+5*wideFrame <= len(heard); i += wideFrame {
		loudest = max(loudest, audio.Level(heard[i:i+5*wideFrame], 440, media.WideRate))
	}
	if loudest < 5500 || loudest > 9500 {
		t.Errorf("the tone's level is %.0f in %d frames: %+v", loudest, len(heard)/wideFrame, b.Stats())
	}
	a.SendDigits("1*d")
	for range 30 {
		a.WriteFrame(media.NewFrame(media.WideRate))
	}
	b.hears(t, "1*D")
	if s := b.Stats(); s.Late != 0 || s.Lost != 0 || s.Foreign != 0 {
		t.Errorf("%+v", s)
	}
}

// packetAt is the next RTP packet that comes to a socket.
func packetAt(t *testing.T, conn net.Conn) media.Packet {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	p, err := media.ParseRTP(buf[:n])
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestOpusClock looks at what goes onto the wire: sound and keys are on a clock of 48000 Hz (RFC 7587 section 4.1), and
// keys last as long as the clock of theirs says.
func TestOpusClock(t *testing.T) {
	for _, tt := range []struct{ clock, tick int }{{0, 960}, {48000, 960}, {8000, 160}} {
		conn, us := open(t), open(t)
		s := media.NewSession(us, media.SessionOptions{NoRTCP: true})
		s.Start(media.Format{Remote: addr(conn), Codec: media.Opus, PayloadType: 111, EventType: 110, EventClock: tt.clock, Send: true, Receive: true})
		sound := wideTone(440, media.FrameTime)
		s.WriteFrame(sound)
		first := packetAt(t, conn)
		s.WriteFrame(sound)
		if p := packetAt(t, conn); p.PayloadType != 111 || p.Timestamp-first.Timestamp != 960 || len(p.Payload) < 2 {
			t.Errorf("type %d, %d octets, %d after the first", p.PayloadType, len(p.Payload), p.Timestamp-first.Timestamp)
		}
		s.SendDigits("5")
		for i := range 3 {
			s.WriteFrame(sound)
			p := packetAt(t, conn)
			e, err := media.ParseEvent(p.Payload)
			if err != nil || p.PayloadType != 110 || p.Timestamp-first.Timestamp != 2*960 || int(e.Duration) != (i+1)*tt.tick {
				t.Errorf("events at %d Hz: %+v, %+v, %v", tt.clock, p, e, err)
			}
		}
		s.Close()
		_ = conn.Close()
	}
}

// TestOpusAllocates codes and decodes without anything for the collector.
func TestOpusAllocates(t *testing.T) {
	enc, dec := media.Opus.NewEncoder(), media.Opus.NewDecoder()
	said := voice(133, media.WideRate, time.Second)
	packet, heard := make([]byte, 0, 512), make([]int16, 0, 2*wideFrame)
	i := 0
	frame := func() {
		i = (i + wideFrame) % len(said)
		packet = enc.Encode(packet[:0], said[i:i+wideFrame])
		heard = dec.Decode(heard[:0], packet)
	}
	for range 100 {
		frame()
	}
	if n := testing.AllocsPerRun(200, frame); n != 0 {
		t.Errorf("%g allocations for each frame", n)
	}
}

// FuzzOpus feeds a session's way from RTP to samples.
func FuzzOpus(f *testing.F) {
	for i, p := range opusPackets(f, wideTone(440, 100*time.Millisecond), media.FrameTime, nil) {
		f.Add(append([]byte{byte(i), byte(len(p))}, p...))
	}
	f.Add([]byte{1, 2, 3, 63, 2, 3, 0x78, 0x81, 0xff, 5, 1, 0x48})
	f.Fuzz(func(t *testing.T, data []byte) {
		var j media.Jitter
		j.Reset(media.Opus)
		frame, alone := media.NewFrame(media.WideRate), media.Opus.NewDecoder()
		now := time.Unix(0, 0)
		for len(data) >= 2 { // a sequence number, a length, so much of a packet
			n := min(int(data[1]), len(data)-2)
			payload := data[2 : 2+n]
			j.Put(media.Packet{Sequence: uint16(data[0]), Timestamp: uint32(data[0]) * 960, Payload: payload}, now)
			if got := alone.Decode(nil, payload); len(got) > 1920 || len(got)%40 != 0 {
				t.Errorf("%x: %d samples", payload, len(got))
			}
			j.ReadFrame(frame)
			now = now.Add(media.FrameTime)
			data = data[2+n:]
		}
		for range 8 {
			j.ReadFrame(frame)
		}
	})
}

func BenchmarkOpusEncode(b *testing.B) {
	said, enc := voice(133, media.WideRate, time.Second), media.Opus.NewEncoder()
	buf := make([]byte, 0, 512)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + wideFrame) % len(said)
		enc.Encode(buf, said[i:i+wideFrame])
	}
}

func BenchmarkOpusDecode(b *testing.B) {
	packets := opusPackets(b, voice(133, media.WideRate, time.Second), media.FrameTime, nil)
	dec, buf := media.Opus.NewDecoder(), make([]int16, 0, 2*wideFrame)
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		i = (i + 1) % len(packets)
		dec.Decode(buf, packets[i])
	}
}

// TestOpusReports has the party tell of its jitter, which it counts on the clock of Opus.
func TestOpusReports(t *testing.T) {
	conn, us := open(t), open(t)
	defer func() { _ = conn.Close() }()
	s := media.NewSession(us, media.SessionOptions{})
	defer s.Close()
	s.Start(media.Format{Remote: addr(conn), Codec: media.Opus, PayloadType: 111, Send: true, RTCPMux: true})
	s.WriteFrame(media.NewFrame(media.WideRate))
	p := packetAt(t, conn)
	report, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{SSRC: p.SSRC, Jitter: 480}}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WriteToUDPAddrPort(report, addr(us)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report counts", func() bool { return s.Stats().Reports > 0 })
	if got := s.Stats().RemoteJitter; got != 10*time.Millisecond {
		t.Errorf("the jitter is %v", got)
	}
}
