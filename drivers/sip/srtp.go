package sip

import (
	"fmt"

	"github.com/piopiy/piopiyd/drivers/sip/sdp"
)

// SRTPMode says whether sound is encrypted: SRTP (RFC 3711) with keys in the description (SDES, RFC 4568), in
// AES_CM_128_HMAC_SHA1_80 or _32.
type SRTPMode string

// Modes. Whoever reads SIP reads the keys, so that they are given away over TLS only, except by SRTPRequired.
const (
	// SRTPOff speaks plain RTP only; encrypted sound is refused with 488.
	SRTPOff SRTPMode = "off"
	// SRTPOptional encrypts with parties over TLS that can, and speaks plain RTP with others. Encrypted sound is
	// refused with 488 where SIP is not over TLS: it would only seem to be secret.
	SRTPOptional SRTPMode = "optional"
	// SRTPRequired refuses plain RTP with 488, and encrypts over UDP and TCP too: that network is the operator's to
	// trust.
	SRTPRequired SRTPMode = "required"
)

func (m SRTPMode) check() error {
	switch m {
	case "", SRTPOff, SRTPOptional, SRTPRequired:
		return nil
	}
	return fmt.Errorf("sip.srtp: %q is none of off, optional and required", string(m))
}

// security is what is agreed on with a party by a transport.
func (m SRTPMode) security(transport string) sdp.Security {
	switch {
	case m == SRTPRequired:
		return sdp.Required
	case m == SRTPOptional && transport == "TLS":
		return sdp.Optional
	}
	return sdp.Plain
}
