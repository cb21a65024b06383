package sdp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/sdp/v3"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Security says whether sound is encrypted: SRTP with keys in the description (SDES, RFC 4568). Who reads the
// description can hear the sound, so that anything but Plain is for signalling over TLS.
type Security int

// Securities.
const (
	// Plain is RTP/AVP only.
	Plain Security = iota
	// Optional accepts RTP/SAVP, RTP/AVP with keys and RTP/AVP without. It offers RTP/SAVP and, where that is
	// refused, RTP/AVP with keys, which many phones take for "encrypted if you can": see [Local.Offers].
	Optional
	// Required is RTP/SAVP, or RTP/AVP with keys, and nothing else.
	Required
)

// ErrSecurity says that one side wants encrypted sound and the other does not, or not so.
var ErrSecurity = errors.New("sdp: the encryption of the sound cannot be agreed on")

// crypto is a crypto attribute (RFC 4568 section 9.1).
type crypto struct {
	tag string
	key media.SRTPKey // the other party sends with it
}

// maxCryptos bounds the crypto attributes of a stream that are looked at.
const maxCryptos = 16

// cryptoOf returns the first crypto attribute of a stream that we can meet.
func cryptoOf(m *sdp.MediaDescription) *crypto {
	n := 0
	for _, a := range m.Attributes {
		if a.Key != "crypto" {
			continue
		}
		if n++; n > maxCryptos {
			return nil
		}
		if c, err := parseCrypto(a.Value); err == nil {
			return c
		}
	}
	return nil
}

// parseCrypto reads a crypto attribute. Lifetimes are not enforced: no call lasts 2^48 packets. Several keys, and key
// identifiers in packets, are not spoken.
func parseCrypto(text string) (*crypto, error) {
	fields := strings.Fields(text)
	if len(fields) < 3 {
		return nil, errors.New("sdp: a crypto attribute lacks its tag, suite or key")
	}
	if n, err := strconv.ParseUint(fields[0], 10, 32); err != nil || n > 999_999_999 {
		return nil, errors.New("sdp: the tag of a crypto attribute is no number")
	}
	c := &crypto{tag: fields[0], key: media.SRTPKey{Suite: media.SRTPSuite(strings.ToUpper(fields[1]))}}
	if !slices.Contains(media.SRTPSuites, c.key.Suite) {
		return nil, errors.New("sdp: the suite of a crypto attribute is not spoken here")
	}
	for _, param := range fields[3:] {
		if name, value, _ := strings.Cut(strings.ToUpper(param), "="); strings.HasPrefix(name, "-") || name == "WSH" || name == "KDR" && value == "0" {
			continue // section 6.3: what may be ignored, and what is so anyway
		}
		return nil, errors.New("sdp: a parameter of a crypto attribute is not spoken here")
	}
	method, info, _ := strings.Cut(fields[2], ":")
	if !strings.EqualFold(method, "inline") || strings.Contains(info, ";") {
		return nil, errors.New("sdp: a crypto attribute has no inline key, or several")
	}
	parts := strings.Split(info, "|")
	if len(parts) > 2 || len(parts) == 2 && strings.Contains(parts[1], ":") {
		return nil, errors.New("sdp: key identifiers (MKI) are not spoken here")
	}
	secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	if err != nil || len(secret) != media.SRTPSecretLen {
		return nil, fmt.Errorf("sdp: the key of a crypto attribute must be %d octets in base64", media.SRTPSecretLen)
	}
	copy(c.key.Secret[:], secret)
	return c, nil
}

// line writes the attribute.
func (c *crypto) line() string {
	return "a=crypto:" + c.tag + " " + string(c.key.Suite) + " inline:" + base64.StdEncoding.EncodeToString(c.key.Secret[:]) + "\r\n"
}

// profile sorts the protocol of a stream; f is the variant with feedback (RFC 4585), which may be left out.
func profile(protos []string) (plain, secured bool) {
	switch strings.TrimSuffix(strings.Join(protos, "/"), "F") {
	case "RTP/AVP":
		return true, false
	case "RTP/SAVP":
		return false, true
	}
	return false, false
}

// fits says how well a stream meets what is wanted: 0 is not at all, more is better.
func (s Security) fits(m *sdp.MediaDescription) (rank int, c *crypto) {
	plain, secured := profile(m.MediaName.Protos)
	if s != Plain && (plain || secured) {
		if c = cryptoOf(m); c != nil {
			return 2, c
		}
	}
	if plain && s != Required {
		return 1, nil
	}
	return 0, nil
}

// WithSecurity returns l with keys of its own.
func (l Local) WithSecurity(s Security) Local {
	l.security = s
	l.keys = nil
	if s != Plain {
		for _, suite := range media.SRTPSuites {
			l.keys = append(l.keys, media.NewSRTPKey(suite))
		}
	}
	return l
}

// Offers returns the descriptions that may be offered in a new call, the better first: the next is for a party that
// refuses the one before.
func (l Local) Offers() []Local {
	if l.security != Optional {
		return []Local{l}
	}
	first := l
	first.protocol = "RTP/SAVP"
	return []Local{first, l}
}

// Settled returns l once it is known what the other party described: what is encrypted stays so for the whole call,
// and in the same profile; the codec stays the first that is offered, under its number.
func (l Local) Settled(d *Description) Local {
	l.protocol = d.protocol
	l.prefer(d)
	if d.crypto != nil {
		l.security = Required
	}
	return l
}

// Parse reads the other party's description, as far as the security allows.
func (l Local) Parse(body []byte) (*Description, error) { return parse(body, l.security, l.codecs()) }

// Format returns what the other party's description, together with ours, means for a session.
func (l Local) Format(d *Description) media.Format {
	f := d.Format()
	if d.crypto != nil {
		f.SRTP = media.SRTPKeys{Send: l.key(d.crypto.key.Suite), Receive: d.crypto.key}
	}
	return f
}

// key is ours for a suite.
func (l Local) key(suite media.SRTPSuite) media.SRTPKey {
	for _, k := range l.keys {
		if k.Suite == suite {
			return k
		}
	}
	return media.SRTPKey{} // lets nothing through
}

// offered are the protocol and the crypto attributes of our offers.
func (l Local) offered() (protocol, attributes string) {
	switch {
	case l.protocol != "":
		protocol = l.protocol
	case l.security == Required:
		protocol = "RTP/SAVP"
	default:
		protocol = "RTP/AVP"
	}
	for i, k := range l.keys {
		attributes += (&crypto{tag: strconv.Itoa(i + 1), key: k}).line()
	}
	return protocol, attributes
}

// accepted is the crypto attribute of our answer, "" for plain RTP: the tag that was offered, and our key.
func (l Local) accepted(d *Description) string {
	if d.crypto == nil {
		return ""
	}
	return (&crypto{tag: d.crypto.tag, key: l.key(d.crypto.key.Suite)}).line()
}
