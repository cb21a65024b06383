package media

import (
	"errors"
	"fmt"

	"github.com/pion/rtp"
)

// Packet is an RTP packet (RFC 3550 section 5.1). Payload is part of the datagram it was parsed from.
type Packet struct {
	PayloadType uint8
	Marker      bool
	Sequence    uint16
	Timestamp   uint32
	SSRC        uint32
	Payload     []byte
}

// rtpHeader is the length of the headers that we write.
const rtpHeader = 12

// ParseRTP reads a datagram. RTCP that shares the port (RFC 5761 section 4) is an error too.
func ParseRTP(data []byte) (Packet, error) {
	if isRTCP(data) {
		return Packet{}, errors.New("rtp: an RTCP packet")
	}
	var h rtp.Header
	n, err := h.Unmarshal(data)
	if err != nil {
		return Packet{}, fmt.Errorf("rtp: %w", err)
	}
	if h.Version != 2 {
		return Packet{}, fmt.Errorf("rtp: version %d", h.Version)
	}
	payload := data[n:]
	if h.Padding {
		if len(payload) == 0 || payload[len(payload)-1] == 0 || int(payload[len(payload)-1]) > len(payload) {
			return Packet{}, errors.New("rtp: wrong padding")
		}
		payload = payload[:len(payload)-int(payload[len(payload)-1])]
	}
	return Packet{
		PayloadType: h.PayloadType, Marker: h.Marker, Sequence: h.SequenceNumber, Timestamp: h.Timestamp, SSRC: h.SSRC,
		Payload: payload,
	}, nil
}

// isRTCP tells RTCP from RTP (RFC 5761 section 4).
func isRTCP(data []byte) bool { return len(data) >= 2 && data[1] >= 192 && data[1] <= 223 }

// Append appends the packet as it goes onto the wire.
func (p Packet) Append(dst []byte) []byte {
	second := p.PayloadType & 0x7F
	if p.Marker {
		second |= 0x80
	}
	dst = append(dst, 0x80, second, byte(p.Sequence>>8), byte(p.Sequence),
		byte(p.Timestamp>>24), byte(p.Timestamp>>16), byte(p.Timestamp>>8), byte(p.Timestamp),
		byte(p.SSRC>>24), byte(p.SSRC>>16), byte(p.SSRC>>8), byte(p.SSRC))
	return append(dst, p.Payload...)
}
