package media

import (
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtcp"
)

// Report is what a compound RTCP packet tells (RFC 3550 section 6).
type Report struct {
	// SSRC is the sender's.
	SSRC uint32
	// NTP is when the sender says that it wrote the report, as an NTP timestamp; 0 when it sends no sound.
	NTP uint64
	// Blocks are what the sender hears.
	Blocks []ReportBlock
	// Bye says that the sender leaves.
	Bye bool
}

// ReportBlock is how a source is heard (RFC 3550 section 6.4.1).
type ReportBlock struct {
	// SSRC is the source.
	SSRC uint32
	// Lost counts packets lost since the beginning; it may be negative when some came twice.
	Lost int32
	// Jitter is in units of the RTP clock.
	Jitter uint32
	// LastReport is the middle of the NTP timestamp of the source's last report; Delay is how long ago that came, in
	// 1/65536 s. Both are 0 when there was none.
	LastReport, Delay uint32
}

// errRTCP says that a datagram is no RTCP.
var errRTCP = errors.New("rtcp: neither a sender's nor a receiver's report comes first")

// ParseRTCP reads a compound packet. What it holds beside reports and goodbyes is left out.
func ParseRTCP(data []byte) (r Report, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("rtcp: the packet cannot be read: %v", v)
		}
	}()
	packets, err := rtcp.Unmarshal(data)
	if err != nil {
		return Report{}, fmt.Errorf("rtcp: %w", err)
	}
	for i, p := range packets {
		switch p := p.(type) {
		case *rtcp.SenderReport:
			r.NTP = p.NTPTime
			r.add(p.SSRC, p.Reports)
		case *rtcp.ReceiverReport:
			r.add(p.SSRC, p.Reports)
		case *rtcp.Goodbye:
			r.Bye = true
		}
		if i == 0 && r.SSRC == 0 {
			return Report{}, errRTCP
		}
	}
	return r, nil
}

func (r *Report) add(ssrc uint32, blocks []rtcp.ReceptionReport) {
	r.SSRC = ssrc
	for _, b := range blocks {
		r.Blocks = append(r.Blocks, ReportBlock{
			SSRC: b.SSRC, Lost: int32(b.TotalLost<<8) >> 8, Jitter: b.Jitter, LastReport: b.LastSenderReport, Delay: b.Delay,
		})
	}
}

// reception counts a source's packets as RFC 3550 appendix A.1 and A.3 do.
type reception struct {
	begun                        bool
	base, high                   uint32 // sequence numbers, counted on beyond 65535
	received                     uint32
	expectedBefore, receivedThen uint32
}

func (r *reception) count(sequence uint16) {
	if !r.begun {
		*r = reception{begun: true, base: uint32(sequence), high: uint32(sequence)}
	}
	r.received++
	if ahead := int16(sequence - uint16(r.high)); ahead > 0 {
		r.high += uint32(ahead)
	}
}

// block is our report on a source, whose RTP clock has that rate: what was lost in all, and since the last one.
func (r *reception) block(ssrc uint32, jitter time.Duration, clock int) rtcp.ReceptionReport {
	expected := r.high - r.base + 1
	now, got := expected-r.expectedBefore, r.received-r.receivedThen
	r.expectedBefore, r.receivedThen = expected, r.received
	b := rtcp.ReceptionReport{SSRC: ssrc, LastSequenceNumber: r.high, Jitter: uint32(jitter.Seconds() * float64(clock))}
	if now > got {
		b.FractionLost = uint8((now - got) * 256 / (now + 1))
	}
	if expected > r.received {
		b.TotalLost = min(expected-r.received, 1<<23-1)
	}
	return b
}

// ntpTime is a time as an NTP timestamp: seconds since 1900 and 1/2^32 of a second (RFC 3550 section 4).
func ntpTime(t time.Time) uint64 {
	const from1900To1970 = 2208988800
	return uint64(t.Unix()+from1900To1970)<<32 | uint64(t.Nanosecond())<<32/1e9
}

// middle is the part of an NTP timestamp that reports repeat.
func middle(ntp uint64) uint32 { return uint32(ntp >> 16) }

// shortTime is a duration in units of 1/65536 s.
func shortTime(d time.Duration) uint32 { return uint32(d.Seconds() * 65536) }

// roundTrip is the time that a report and its echo took (RFC 3550 section 6.4.1); false when there is none.
func (b ReportBlock) roundTrip(now time.Time) (time.Duration, bool) {
	if b.LastReport == 0 {
		return 0, false
	}
	units := int32(middle(ntpTime(now)) - b.LastReport - b.Delay)
	if units < 0 || units > maxRoundTrip {
		return 0, false // clocks that jumped, or nonsense
	}
	return max(time.Duration(units)*time.Second/65536, time.Microsecond), true
}

// maxRoundTrip bounds what is believed, in 1/65536 s.
const maxRoundTrip = 10 << 16
