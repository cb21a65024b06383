package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

// wantedBarge is how long after the first frame of a caller's word, or of a key, the wire is silent.
const wantedBarge = 40 * time.Millisecond

// bargeCalls is how many callers there are at a time.
const bargeCalls = 20

// barge measures callers who interrupt what they hear: from the moment their phone sends the first frame of a word, or
// the first packet of a key, to the first packet from the engine that holds nothing but silence.
func (b *bench) barge(ctx context.Context) error {
	if !hasSIPp("callers who interrupt") {
		return nil
	}
	word, err := spokenWord(ctx)
	if err != nil {
		return err
	}
	hears, err := newTranscriber()
	if err != nil {
		return err
	}
	defer func() { _ = hears.Close() }()
	s, err := b.startEngine(ctx, map[string]map[string]string{"polite": {"GIVE_WAY": "yes"}}, "recognition: {provider: server, url: 'http://"+hears.Addr+"/v1'}")
	if err != nil {
		return err
	}
	defer s.stop()
	length := time.Duration(b.rounds) * b.length
	fmt.Printf("\nCallers who interrupt, %d at a time (%v each): from their phone's first frame to silence on the wire\n", bargeCalls, length)
	for _, way := range []struct {
		title, app string
		keys       bool
		wanted     bool
	}{
		{"a key, at call.gather()", "words", true, true},
		{"a word, at call.gather({ speech: true })", "words", false, true},
		{"a word, at a stream script that gives way, and its VoiceActivity, and clear()", "polite", false, true},
		{"the same without giveWay()", "agent", false, false},
	} {
		took, missed, err := b.interruptions(ctx, s, way.app, length, func(p *party) *interrupter { return &interrupter{party: p, word: word, key: way.keys} })
		if err != nil {
			return fmt.Errorf("%s: %w", way.title, err)
		}
		if way.wanted {
			fmt.Printf("  %s, %d times, in vain %d\n", way.title, len(took), missed)
			verdict(fmt.Sprintf("p50 %.1f ms, p95 %.1f ms, the longest %.1f ms", took.at(0.5), took.at(0.95), took.at(1)), fmt.Sprint(wantedBarge), missed == 0 && took.at(0.95) <= float64(wantedBarge.Milliseconds()))
		} else {
			fmt.Printf("  %s, %d times, in vain %d: p50 %.1f ms, p95 %.1f ms\n", way.title, len(took), missed, took.at(0.5), took.at(0.95))
		}
	}
	return nil
}

// spokenWord is a word in PCMU from its first sound on, in frames.
func spokenWord(ctx context.Context) ([][]byte, error) {
	voice, err := speech.New(speech.Options{Provider: "embedded"})
	if err != nil {
		return nil, err
	}
	wav, err := voice.Say(ctx, speech.Request{Text: "Operator please."})
	if err != nil {
		return nil, err
	}
	sound, err := media.Decode(ctx, wav, media.Rate)
	if err != nil {
		return nil, err
	}
	const audible = 1000
	begins := slices.IndexFunc(sound.Samples, func(v int16) bool { return v >= audible || v <= -audible })
	if begins < 0 {
		return nil, errors.New("the embedded voice says nothing")
	}
	var word [][]byte
	for samples := sound.Samples[begins:]; len(samples) >= frameSamples; samples = samples[frameSamples:] {
		word = append(word, audio.AppendMuLaw(nil, samples[:frameSamples]))
	}
	return word, nil
}

// newTranscriber is a server that understands the same word always.
func newTranscriber() (*http.Server, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Addr: tcp.Addr().String(), Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"text":"operator"}`))
	})}
	go func() { _ = s.Serve(tcp) }()
	return s, nil
}

// interruptions lets callers interrupt for a time.
func (b *bench) interruptions(ctx context.Context, s *engine, app string, length time.Duration, caller func(*party) *interrupter) (took distribution, missed int, err error) {
	far, err := newSound(false)
	if err != nil {
		return nil, 0, err
	}
	defer far.close()
	callers := map[*party]*interrupter{} // owned by far's lock
	far.tell(func(p *party, packet []byte, at time.Time) {
		if callers[p] == nil {
			callers[p] = caller(p)
		}
		callers[p].hear(packet[rtpHeader:], at)
	})
	const head = 2 * time.Second
	p, err := b.startSIPp(ctx, calling{scenario: "uac", to: s.sip, app: app, calls: bargeCalls, rate: bargeCalls, sound: far.port, hold: head + length, keys: true})
	if err != nil {
		return nil, 0, err
	}
	defer p.stop()
	speaking, hush := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		far.send(speaking, func(p *party, packet []byte) []byte {
			if callers[p] == nil {
				return nil
			}
			return callers[p].next(packet)
		})
	}()
	if err = far.await(ctx, bargeCalls, 10*time.Second); err == nil {
		pause(ctx, length)
	}
	hush()
	<-done
	far.ignore()
	if err != nil {
		return nil, 0, err
	}
	for _, c := range callers {
		took = append(took, c.took...)
		missed += c.missed
	}
	slices.Sort(took)
	if len(took) == 0 {
		return nil, 0, fmt.Errorf("nobody could interrupt: %d times in vain", missed)
	}
	_, err = p.wait()
	return took, missed, err
}

// interrupter is a caller who listens for a while, interrupts, and waits for silence. It needs the sound's lock.
type interrupter struct {
	party *party
	word  [][]byte
	key   bool

	sequence  uint16
	timestamp uint32

	heard, quiet int       // packets in a row that held sound, or silence
	silentAt     time.Time // the first of those
	patience     int       // packets to be heard before it interrupts
	at           int       // frames of the word, or packets of the key, that were sent; 0 while it listens
	began        time.Time // when it began to interrupt; zero when it does not, or there was silence

	took   distribution
	missed int
}

const (
	silentFrames = 20              // in a row are silence that lasts
	vain         = 3 * time.Second // what takes longer is in vain
	keyPackets   = 8               // of a key of 160 ms, the last of which comes three times (RFC 4733 section 2.5.1.4)
)

// hear takes a packet.
func (c *interrupter) hear(payload []byte, at time.Time) {
	if !silent(payload) {
		c.heard, c.quiet = c.heard+1, 0
	} else {
		if c.quiet == 0 {
			c.silentAt = at
		}
		c.heard, c.quiet = 0, c.quiet+1
	}
	switch {
	case c.began.IsZero():
	case c.quiet >= silentFrames && c.silentAt.After(c.began):
		c.took = append(c.took, c.silentAt.Sub(c.began))
		c.began = time.Time{}
	case at.Sub(c.began) > vain:
		c.missed++
		c.began = time.Time{}
	}
}

// silent reports whether a payload of PCMU holds nothing that can be heard: no sample above -72 dBFS.
func silent(payload []byte) bool {
	return !slices.ContainsFunc(payload, func(octet byte) bool { v := muLaw(octet); return v > 8 || v < -8 })
}

// next makes the next packet.
func (c *interrupter) next(packet []byte) []byte {
	c.timestamp += frameSamples
	if c.patience == 0 {
		c.patience = 35 + rand.IntN(30)
	}
	if c.at == 0 && c.began.IsZero() && c.heard >= c.patience {
		c.began, c.patience = time.Now(), 0
		c.at = 1
	}
	if c.at > 0 {
		if c.key && c.at <= keyPackets+2 {
			c.at++
			return c.press(packet, min(c.at-1, keyPackets))
		}
		if !c.key && c.at <= len(c.word) {
			c.at++
			return append(c.header(packet, 0, c.timestamp), c.word[c.at-2]...)
		}
		c.at = 0
	}
	packet = c.header(packet, 0, c.timestamp)
	for range frameSamples { // the noise of a good line
		packet = append(packet, 0x7E|byte(rand.IntN(256))&0x81)
	}
	return packet
}

func (c *interrupter) header(packet []byte, payloadType byte, timestamp uint32) []byte {
	c.sequence++
	packet = append(packet[:0], 0x80, payloadType)
	packet = binary.BigEndian.AppendUint16(packet, c.sequence)
	packet = binary.BigEndian.AppendUint32(packet, timestamp)
	return binary.BigEndian.AppendUint32(packet, uint32(c.party.id+1))
}

// press makes the n-th packet of the key 5.
func (c *interrupter) press(packet []byte, n int) []byte {
	packet = c.header(packet, 101, c.timestamp-uint32(min(c.at-2, keyPackets+1))*frameSamples)
	end := byte(10) // the volume
	if n == keyPackets {
		end |= 0x80
	}
	return binary.BigEndian.AppendUint16(append(packet, 5, end), uint16(n*frameSamples))
}
