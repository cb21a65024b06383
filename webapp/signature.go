package webapp

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// SignatureHeader is the header that carries the signature of a request:
//
//	X-Piopiyd-Signature: t=1700000000,v1=5257a869e7ec…
//
// t is the time of sending in seconds since 1970. v1 is, in lower-case hexadecimal, the HMAC-SHA256 under the shared
// secret of t as it stands there, a full stop, and the request's body byte for byte:
//
//	v1 = hex(hmac_sha256(secret, t + "." + body))
//
// Receivers must take the body as it came, before any JSON parser, compare in constant time, and refuse times that are
// more than a few minutes away. More than one v1 may come; one that is right is enough. Other fields are to be passed over.
const SignatureHeader = "X-Piopiyd-Signature"

// Errors of [Verify].
var (
	// ErrNoSignature says that the header is missing or cannot be understood.
	ErrNoSignature = errors.New("the signature is missing or malformed; t=SECONDS,v1=HEX was expected")
	// ErrWrongSignature says that the request was not signed with this secret, or was changed on its way.
	ErrWrongSignature = errors.New("the signature is wrong: another secret, or the body was changed")
	// ErrOldSignature says that the request was signed too long ago, or in the future: perhaps it is sent again by somebody
	// who overheard it, or a clock is wrong.
	ErrOldSignature = errors.New("the signature's time is too far from now")
)

// Sign returns the value of [SignatureHeader] for a body sent at a time.
func Sign(secret []byte, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac(secret, t, body))
}

func mac(secret []byte, t string, body []byte) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(t))
	m.Write([]byte{'.'})
	m.Write(body)
	return m.Sum(nil)
}

// Verify checks the value of [SignatureHeader] against the body as it came. A signature made more than tolerance before
// or after now is refused; 5 minutes suit most. The secret must not be empty.
func Verify(secret []byte, header string, body []byte, now time.Time, tolerance time.Duration) error {
	if len(secret) == 0 {
		return errors.New("no secret is set to check the signature with")
	}
	var t string
	var given [][]byte
	for field := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "t":
			t = value
		case "v1":
			if sum, err := hex.DecodeString(value); err == nil {
				given = append(given, sum)
			}
		}
	}
	seconds, err := strconv.ParseInt(t, 10, 64)
	if err != nil || len(given) == 0 {
		return ErrNoSignature
	}
	want, right := mac(secret, t, body), false
	for _, sum := range given {
		right = hmac.Equal(sum, want) || right
	}
	switch away := now.Sub(time.Unix(seconds, 0)); {
	case !right:
		return ErrWrongSignature
	case away > tolerance || away < -tolerance:
		return ErrOldSignature
	}
	return nil
}
