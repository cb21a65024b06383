package media

import "time"

// Depths of a jitter buffer.
const (
	minDepth = 2 // frames, 40 ms
	maxDepth = 6 // frames, 120 ms
	// ringSize is how many packets fit; a power of two.
	ringSize = 32
	// maxSpan bounds one packet: 120 ms.
	maxSpan = 6 * frameOctets
	// fadeFrames is how long a gap is filled with what was heard before it.
	fadeFrames = 3
	// dropAfter and stretchAfter are how many frames a buffer is watched before one too many is dropped, or one is
	// played twice.
	dropAfter    = 100
	stretchAfter = 25
)

// JitterStats count what became of the packets of a stream.
type JitterStats struct {
	// Received counts packets, Late those that came after their time or twice, Lost those that were not there when
	// they were to be played.
	Received, Late, Lost uint64
	// Concealed counts frames that stood in for sound that was missing.
	Concealed uint64
	// Dropped and Stretched count frames thrown away and frames added: the sender's clock is faster or slower than
	// ours, or the depth has changed.
	Dropped, Stretched uint64
	// Jitter is the interarrival jitter (RFC 3550 section 6.4.1).
	Jitter time.Duration
	// Depth is how long sound waits for what may come late.
	Depth time.Duration
}

// Jitter puts packets back in order and evens out their arrival. Its depth follows the jitter measured, between
// 40 and 120 ms; it stays there however much the sender's clock differs from ours, and what is more than that, after a
// stall of the network, is thrown away at once. What is missing is replaced by
// the last period of the voice, fading away within 60 ms, then by faint noise.
//
// It is not safe for concurrent use. The zero Jitter is ready to use.
type Jitter struct {
	codec   Codec
	decoder Decoder
	frame   int            // samples
	ring    []jitterPacket // ringSize of them, from the first packet on: there are calls without sound
	spare   [][]byte       // for payloads
	stats   JitterStats
	begun   bool   // next and high are known
	next    uint16 // the sequence number that plays next
	high    uint16 // the highest one received
	span    int    // of a packet, in 1/8000 s
	ready   bool   // playing, not filling

	rest    []int16 // decoded, not played
	resting int

	concealer concealer

	depth               int // frames wanted
	dropping, lowest    int // frames since the lowest level was reset, and that level
	stretching, highest int // the same for the highest

	arrived time.Time
	stamp   uint32
	jitter  float64 // in seconds
}

type jitterPacket struct {
	used    bool
	silence bool // comfort noise at level
	level   uint8
	seq     uint16
	payload []byte
}

// Reset forgets the stream: another one begins, coded with codec. The counts go on.
func (j *Jitter) Reset(codec Codec) {
	before := *j
	*j = Jitter{codec: codec, decoder: codec.NewDecoder(), frame: codec.SampleRate() / framesPerSecond, stats: before.stats}
	if j.frame == before.frame && before.ring != nil { // the same once more
		j.ring, j.spare, j.rest = before.ring, before.spare, before.rest
		clear(before.concealer.history)
		j.concealer.begin(before.concealer.history)
	}
}

// Stats returns the counts so far.
func (j *Jitter) Stats() JitterStats {
	s := j.stats
	s.Jitter = time.Duration(j.jitter * float64(time.Second))
	s.Depth = time.Duration(max(j.depth, minDepth)) * FrameTime
	return s
}

// Put takes a packet that arrived at now.
func (j *Jitter) Put(p Packet, now time.Time) {
	if j.decoder == nil {
		j.Reset(PCMU)
	}
	span := j.codec.span(p.Payload)
	if span == 0 || span > maxSpan {
		return
	}
	j.stats.Received++
	j.measure(p.Timestamp, now)
	if ahead := int16(p.Sequence - j.next); !j.begun || ahead >= ringSize || ahead < -ringSize {
		j.restart(p.Sequence)
	}
	slot := j.store(p.Sequence)
	if slot == nil {
		j.stats.Late++
		return
	}
	if n := len(j.spare); slot.payload == nil && n > 0 {
		slot.payload, j.spare = j.spare[n-1], j.spare[:n-1]
	}
	slot.payload = append(slot.payload[:0], p.Payload...)
	j.span = span
}

// Skip takes the place of a packet of the stream that holds no sound, such as a telephone event: it is not lost.
func (j *Jitter) Skip(sequence uint16) {
	if ahead := int16(sequence - j.next); j.begun && ahead < ringSize {
		if slot := j.store(sequence); slot != nil {
			slot.payload = slot.payload[:0]
		}
	}
}

// Silence takes a packet of comfort noise (RFC 3389), at a level in -dBov: its sender is silent, and sends nothing
// more until it is not. That is no loss.
func (j *Jitter) Silence(sequence uint16, level uint8) {
	if ahead := int16(sequence - j.next); j.begun && ahead < ringSize {
		if slot := j.store(sequence); slot != nil {
			slot.payload, slot.silence, slot.level = slot.payload[:0], true, level
		}
	}
}

// store returns the place for a packet; nil for one that is late, or there already.
func (j *Jitter) store(sequence uint16) *jitterPacket {
	slot := &j.ring[sequence%ringSize]
	if int16(sequence-j.next) < 0 || slot.used && slot.seq == sequence {
		return nil
	}
	slot.used, slot.silence, slot.seq = true, false, sequence
	if int16(sequence-j.high) > 0 {
		j.high = sequence
	}
	return slot
}

func (j *Jitter) restart(seq uint16) {
	if j.ring == nil {
		j.ring = make([]jitterPacket, ringSize)
		j.concealer.begin(make([]int16, 2*j.frame))
	}
	for i := range j.ring {
		j.ring[i].used = false
	}
	j.begun, j.ready, j.concealer.quiet, j.next, j.high, j.resting = true, false, false, seq, seq, 0
	j.depth = max(j.depth, minDepth)
	j.settle()
}

// measure follows the jitter and sets the depth: a frame, and three times the jitter.
func (j *Jitter) measure(stamp uint32, now time.Time) {
	if !j.arrived.IsZero() {
		d := now.Sub(j.arrived).Seconds() - float64(int32(stamp-j.stamp))/float64(j.codec.ClockRate())
		if d < 0 {
			d = -d
		}
		if d < 1 { // else the sender paused, or began anew
			j.jitter += (d - j.jitter) / 16
		}
	}
	j.arrived, j.stamp = now, stamp
	j.depth = min(max(minDepth, 1+int(3*j.jitter/FrameTime.Seconds()+0.999)), maxDepth)
}

// level is how much waits, holes included, in 1/8000 s: 160 are a frame.
func (j *Jitter) level() int {
	if !j.begun {
		return 0
	}
	return int(int16(j.high-j.next)+1)*j.span + j.resting*frameOctets/j.frame
}

// ReadFrame fills dst, whose length must be that of the codec's rate, with the next frame. It reports false, and
// fills dst with what conceals the gap, when there was nothing to play.
func (j *Jitter) ReadFrame(dst Frame) bool {
	if !j.ready {
		if j.level() < max(j.depth, minDepth)*frameOctets || !j.begun {
			j.conceal(dst, false)
			return false
		}
		j.ready = true
		j.settle()
	}
	c := &j.concealer
	surplus := j.level() > maxDepth*frameOctets+max(j.span, frameOctets)
	drop, stretch := j.watch()
	switch j.fill() {
	case isLost:
		j.stats.Lost++
		j.conceal(dst, true)
		return false
	case isDry:
		if c.missing >= fadeFrames || c.quiet {
			j.ready = false
		}
		j.conceal(dst, !c.quiet)
		return false
	}
	c.quiet = false
	copy(dst, j.rest[:j.frame])
	switch {
	case surplus:
		j.consume()
		j.skip()
		if j.fill() == isSound {
			crossfade(dst, j.rest[:j.frame])
			j.stats.Dropped++
			j.consume()
		}
	case stretch && c.missing == 0:
		// This frame goes over into the one before it, from which the same frame follows once more.
		crossfade(dst, c.last())
		j.stats.Stretched++
		c.heard(dst)
		return true
	case drop && c.missing == 0:
		j.consume()
		if j.fill() == isSound {
			crossfade(dst, j.rest[:j.frame])
			j.stats.Dropped++
			j.consume()
		}
	default:
		j.consume()
	}
	c.join(dst)
	c.heard(dst)
	return true
}

// What comes next.
const (
	isSound = iota
	isLost  // a packet did not come, later ones did
	isDry   // nothing more has come
)

// fill decodes until rest holds a frame.
func (j *Jitter) fill() int {
	for j.resting < j.frame {
		slot := &j.ring[j.next%ringSize]
		if slot.used && slot.seq == j.next {
			slot.used = false
			j.decode(slot)
			if slot.silence {
				j.concealer.quiet = true
				j.concealer.noise.set(slot.level)
			}
			j.next++
			continue
		}
		if int16(j.high-j.next) > 0 {
			if j.mend() {
				j.next++
				continue
			}
			j.next++
			if j.resting == 0 {
				return isLost
			}
			j.stats.Lost++
			clear(j.rest[j.resting:j.frame])
			j.resting = j.frame
			break
		}
		return isDry
	}
	return isSound
}

// decode appends a packet to rest.
func (j *Jitter) decode(slot *jitterPacket) {
	j.reserve(j.codec.span(slot.payload))
	j.resting = len(j.decoder.Decode(j.rest[:j.resting], slot.payload))
	if slot.payload != nil {
		j.spare, slot.payload = append(j.spare, slot.payload), nil
	}
}

// reserve makes room in rest for a packet.
func (j *Jitter) reserve(span int) {
	if need := max(j.resting+span*j.frame/frameOctets, 2*j.frame); need > len(j.rest) {
		rest := make([]int16, need)
		copy(rest, j.rest[:j.resting])
		j.rest = rest
	}
}

// mender is a decoder that knows better what a packet held that is lost than what was heard before it tells.
type mender interface {
	// mend appends the sound of a packet that is lost. next is the one after it, nil when that is lost too.
	mend(dst []int16, span int, next []byte) []int16
}

// mend makes up for the packet at next, if the decoder can.
func (j *Jitter) mend() bool {
	m, ok := j.decoder.(mender)
	if !ok || j.concealer.quiet {
		return false
	}
	var after []byte
	if slot := &j.ring[(j.next+1)%ringSize]; slot.used && slot.seq == j.next+1 && !slot.silence {
		after = slot.payload
	}
	j.reserve(j.span)
	j.resting = len(m.mend(j.rest[:j.resting], j.span, after))
	j.stats.Lost++
	j.stats.Concealed += uint64((j.span + frameOctets - 1) / frameOctets)
	return true
}

func (j *Jitter) consume() {
	copy(j.rest, j.rest[j.frame:j.resting])
	j.resting -= j.frame
}

// skip throws away what waits beyond the depth. After a stall of the network all that was held back comes at once:
// played to its end, the party would be heard late for the rest of the call.
func (j *Jitter) skip() {
	for j.level() > j.depth*frameOctets+max(j.span, frameOctets) {
		switch j.fill() {
		case isSound: // it was decoded, because what follows builds upon it
			j.consume()
			j.stats.Dropped++
		case isLost:
			j.stats.Lost++
		case isDry:
			return
		}
	}
	j.settle()
}

// watch keeps the level near the depth. It says to drop a frame when more than needed has waited for some time: the
// sender's clock is faster, or the network has calmed down. It says to stretch when less has waited: the sender is
// slower, or the network has become uneven.
func (j *Jitter) watch() (drop, stretch bool) {
	level := j.level()
	j.lowest, j.highest = min(j.lowest, level), max(j.highest, level)
	if j.dropping++; j.dropping >= dropAfter {
		drop = j.lowest > j.depth*frameOctets+max(j.span, frameOctets)
		j.dropping, j.lowest = 0, maxLevel
	}
	if j.stretching++; j.stretching >= stretchAfter {
		stretch = !drop && j.highest < j.depth*frameOctets
		j.stretching, j.highest = 0, 0
	}
	return drop, stretch
}

const maxLevel = ringSize * maxSpan

func (j *Jitter) settle() {
	j.dropping, j.lowest, j.stretching, j.highest = 0, maxLevel, 0, 0
}

// conceal makes up a frame. gap says that sound is missing.
func (j *Jitter) conceal(dst Frame, gap bool) {
	if gap {
		j.stats.Concealed++
	}
	if !j.begun {
		clear(dst)
		return
	}
	j.concealer.fill(dst)
}
