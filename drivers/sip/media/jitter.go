package media

import "time"

// Depths of a jitter buffer.
const (
	minDepth = 2 // frames, 40 ms
	maxDepth = 6 // frames, 120 ms
	// ringSize is how many packets fit; a power of two.
	ringSize = 32
	// maxPayload bounds one packet: 120 ms.
	maxPayload = 6 * FrameSamples
	// fadeFrames is how long a gap is filled with what was heard before it.
	fadeFrames = 3
	// settleFrames is how long a buffer is watched before a frame too many is dropped.
	settleFrames = 100
)

// JitterStats count what became of the packets of a stream.
type JitterStats struct {
	// Received counts packets, Late those that came after their time or twice, Lost those that never came.
	Received, Late, Lost uint64
	// Dropped counts frames thrown away because the sender's clock is faster than ours.
	Dropped uint64
	// Jitter is the interarrival jitter (RFC 3550 section 6.4.1).
	Jitter time.Duration
}

// Jitter puts packets back in order and evens out their arrival. Its depth follows the jitter measured, between
// 40 and 120 ms. What is missing is replaced by the last frame fading away within 60 ms, then by silence.
//
// It is not safe for concurrent use. The zero Jitter is ready to use.
type Jitter struct {
	codec  Codec
	ring   [ringSize]jitterPacket
	stats  JitterStats
	begun  bool   // next and highest are known
	next   uint16 // the sequence number that plays next
	high   uint16 // the highest one received
	frames int    // frames per packet, at least 1
	ready  bool   // playing, not filling

	rest    [maxPayload + FrameSamples]int16
	resting int

	last    Frame // what was played last, for concealment
	missing int   // frames concealed in a row
	depth   int   // frames wanted
	watched int   // frames since the lowest level was reset
	lowest  int

	arrived time.Time
	stamp   uint32
	jitter  float64 // in seconds
}

type jitterPacket struct {
	used    bool
	seq     uint16
	payload []byte // kept for the next packet
}

// Reset forgets the stream: another one begins, coded with codec. The counts go on.
func (j *Jitter) Reset(codec Codec) {
	stats := j.stats
	*j = Jitter{codec: codec, stats: stats}
}

// Stats returns the counts so far.
func (j *Jitter) Stats() JitterStats {
	s := j.stats
	s.Jitter = time.Duration(j.jitter * float64(time.Second))
	return s
}

// Put takes a packet that arrived at now.
func (j *Jitter) Put(p Packet, now time.Time) {
	if len(p.Payload) == 0 || len(p.Payload) > maxPayload {
		return
	}
	j.stats.Received++
	j.measure(p.Timestamp, now)
	if ahead := int16(p.Sequence - j.next); !j.begun || ahead >= ringSize || ahead < -ringSize {
		j.restart(p.Sequence)
	}
	if !j.store(p) {
		j.stats.Late++
		return
	}
	j.frames = max(1, len(p.Payload)/FrameSamples)
}

// Skip takes the place of a packet of the stream that holds no sound, such as a telephone event: it is not lost.
func (j *Jitter) Skip(sequence uint16) {
	if ahead := int16(sequence - j.next); j.begun && ahead < ringSize {
		j.store(Packet{Sequence: sequence})
	}
}

// store puts a packet into the ring. It reports false for one that is late, or there already.
func (j *Jitter) store(p Packet) bool {
	slot := &j.ring[p.Sequence%ringSize]
	if int16(p.Sequence-j.next) < 0 || slot.used && slot.seq == p.Sequence {
		return false
	}
	slot.used, slot.seq, slot.payload = true, p.Sequence, append(slot.payload[:0], p.Payload...)
	if int16(p.Sequence-j.high) > 0 {
		j.high = p.Sequence
	}
	return true
}

func (j *Jitter) restart(seq uint16) {
	for i := range j.ring {
		j.ring[i].used = false
	}
	j.begun, j.ready, j.next, j.high, j.resting = true, false, seq, seq, 0
	j.depth = max(j.depth, minDepth)
	j.settle()
}

// measure follows the jitter and sets the depth: a frame, and three times the jitter.
func (j *Jitter) measure(stamp uint32, now time.Time) {
	if !j.arrived.IsZero() {
		d := now.Sub(j.arrived).Seconds() - float64(int32(stamp-j.stamp))/Rate
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

// level is how many frames wait, holes included.
func (j *Jitter) level() int {
	if !j.begun {
		return 0
	}
	return int(int16(j.high-j.next)+1)*j.frames + j.resting/FrameSamples
}

// ReadFrame fills dst with the next frame. It reports false, and fills dst with what conceals the gap, when there
// was nothing to play.
func (j *Jitter) ReadFrame(dst *Frame) bool {
	if !j.ready {
		if !j.begun || j.level() < max(j.depth, minDepth) {
			j.conceal(dst)
			return false
		}
		j.ready = true
		j.settle()
	}
	j.drift()
	for j.resting < FrameSamples {
		slot := &j.ring[j.next%ringSize]
		if slot.used && slot.seq == j.next {
			slot.used = false
			j.resting = len(j.codec.Decode(j.rest[:j.resting], slot.payload))
			j.next++
			continue
		}
		if int16(j.high-j.next) > 0 { // later packets are here: this one is lost
			j.stats.Lost++
			j.next++
			if j.resting == 0 {
				j.conceal(dst)
				return false
			}
			clear(j.rest[j.resting:FrameSamples])
			j.resting = FrameSamples
			break
		}
		j.conceal(dst) // run dry
		if j.missing > fadeFrames {
			j.ready = false
		}
		return false
	}
	copy(dst[:], j.rest[:FrameSamples])
	copy(j.rest[:], j.rest[FrameSamples:j.resting])
	j.resting -= FrameSamples
	if j.missing > 0 {
		fade(dst[:FrameSamples/4], 0, 1)
	}
	j.last, j.missing = *dst, 0
	return true
}

// drift drops a packet when more than needed has waited for some time: the sender's clock is faster, or the
// network has calmed down. A slower sender's buffer runs dry instead and fills again.
func (j *Jitter) drift() {
	j.lowest = min(j.lowest, j.level())
	if j.watched++; j.watched < settleFrames {
		return
	}
	if slot := &j.ring[j.next%ringSize]; j.lowest > j.depth+j.frames && slot.used && slot.seq == j.next {
		slot.used = false
		j.next++
		j.stats.Dropped++
	}
	j.settle()
}

func (j *Jitter) settle() { j.watched, j.lowest = 0, ringSize*maxDepth }

func (j *Jitter) conceal(dst *Frame) {
	j.missing++
	if j.missing > fadeFrames {
		*dst = Frame{}
		return
	}
	*dst = j.last
	fade(dst[:], 1-float64(j.missing-1)/fadeFrames, 1-float64(j.missing)/fadeFrames)
}
