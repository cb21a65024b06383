package sdp

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Payload types of telephone events in our offers: each has the clock of codecs that are offered (RFC 4733 section 2.1).
// Browsers give the fast ones the same number.
const (
	eventType     = 101
	fastEventType = 110
)

// ourOpus tells what we make of Opus: mono, and nothing above 8 kHz (RFC 7587 section 6.1). What a packet repeats of the
// one before it is made use of.
const ourOpus = "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1"

// encoding is a codec as an rtpmap names it (RFC 4566 section 6). The two channels of Opus say nothing: they are written
// always (RFC 7587 section 7).
func encoding(c media.Codec) string {
	if c == media.Opus {
		return c.Name() + "/48000/2"
	}
	return c.Name() + "/8000"
}

// codecAttributes are the lines of a codec.
func codecAttributes(payloadType uint8, c media.Codec) string {
	text := fmt.Sprintf("a=rtpmap:%d %s\r\n", payloadType, encoding(c))
	if c == media.Opus {
		text += fmt.Sprintf("a=fmtp:%d %s\r\n", payloadType, ourOpus)
	}
	return text
}

// eventAttributes are the lines of telephone events; there are none of type 0.
func eventAttributes(payloadType uint8, clock int) string {
	if payloadType == 0 {
		return ""
	}
	return fmt.Sprintf("a=rtpmap:%d telephone-event/%d\r\na=fmtp:%d 0-15\r\n", payloadType, clock, payloadType)
}

// prefer puts the codec of a description first, by the number that it has there.
func (l *Local) prefer(d *Description) {
	if l.codecs()[0] != d.Codec {
		l.Codecs = append([]media.Codec{d.Codec}, slices.DeleteFunc(slices.Clone(l.codecs()), func(c media.Codec) bool { return c == d.Codec })...)
	}
	if l.dynamic = 0; d.Codec.Dynamic() && d.PayloadType != eventType && d.PayloadType != fastEventType {
		l.dynamic = d.PayloadType
	}
}

// number is the payload type of a codec in our offers.
func (l Local) number(c media.Codec) uint8 {
	if c.Dynamic() && l.dynamic != 0 {
		return l.dynamic
	}
	return c.PayloadType()
}

// choose takes the first codec of a stream that is one of ours, and its telephone events.
func (d *Description) choose(m *sdp.MediaDescription, codecs []media.Codec) bool {
	names, parameters := map[string]string{}, map[string]string{}
	for _, c := range media.Codecs {
		if !c.Dynamic() {
			names[strconv.Itoa(int(c.PayloadType()))] = encoding(c)
		}
	}
	for _, a := range m.Attributes {
		switch a.Key {
		case "rtcp-mux":
			d.RTCPMux = true
		case "rtpmap":
			if pt, name, ok := strings.Cut(a.Value, " "); ok {
				names[pt] = strings.TrimSuffix(strings.TrimSpace(name), "/1")
			}
		case "fmtp":
			if pt, text, ok := strings.Cut(a.Value, " "); ok {
				parameters[pt] = text
			}
		}
	}
	found := false
	events := map[int]uint8{} // by their clock
	for _, format := range m.MediaName.Formats {
		n, err := strconv.ParseUint(format, 10, 7)
		if err != nil {
			continue
		}
		name, rest, _ := strings.Cut(names[format], "/")
		if strings.EqualFold(name, "telephone-event") {
			if clock, err := strconv.Atoi(rest); err == nil && events[clock] == 0 {
				events[clock] = uint8(n)
			}
			continue
		}
		c, known := media.CodecNamed(name)
		if !known || found || !strings.EqualFold(names[format], encoding(c)) || !slices.Contains(codecs, c) {
			continue
		}
		found, d.PayloadType, d.Codec = true, uint8(n), c
		if c == media.Opus {
			d.Opus = opusFormat(parameters[format])
		}
	}
	d.EventType, d.EventClock = events[d.Codec.ClockRate()], d.Codec.ClockRate()
	// Some telephones know events at 8000 Hz only, whatever the codec.
	if d.EventType == 0 && d.EventClock != media.Rate {
		d.EventType, d.EventClock = events[media.Rate], media.Rate
	}
	if d.EventType == 0 {
		d.EventClock = 0
	}
	return found
}

// opusFormat reads a party's fmtp of Opus; what it does not understand is left out.
func opusFormat(text string) (f media.OpusFormat) {
	for parameter := range strings.SplitSeq(text, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		value = strings.TrimSpace(value)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "maxaveragebitrate":
			if n, err := strconv.ParseUint(value, 10, 20); err == nil { // 510000 is the most
				f.MaxBitrate = int(n)
			}
		case "useinbandfec":
			f.FEC = value == "1"
		case "cbr":
			f.Constant = value == "1"
		}
	}
	return f
}
