package rest

import (
	"crypto/rand"
	"math/big"
	"strings"

	"github.com/google/uuid"
)

// apps is the namespace of AppID.
var apps = uuid.MustParse("3c8f8a2e-5d0b-5b6e-9a43-6f2f0e6b7c11")

// AppID is the UUID of an app: what flow_id, agent_id and app_id may hold beside the app's name, since the SDKs
// check that the first two are UUIDs. It follows from the name alone (RFC 9562 section 5.5).
func AppID(name string) string { return uuid.NewSHA1(apps, []byte(name)).String() }

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewRequestID returns a random request id in the shape of PIOPIY's: 43 letters and digits (protocol page 1.5), some
// 256 bits.
func NewRequestID() string {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	n, digit, base := new(big.Int).SetBytes(seed[:]), new(big.Int), big.NewInt(62)
	id := make([]byte, 43)
	for i := range id {
		n.DivMod(n, base, digit)
		id[i] = base62[digit.Int64()]
	}
	return string(id)
}

// uuidOf returns the usual form of a UUID, which may be written with or without hyphens and braces, in capitals, and as
// a URN; "" if it is none.
func uuidOf(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "urn:", ""), "uuid:", "")
	s = strings.ReplaceAll(strings.Trim(s, "{}"), "-", "")
	if len(s) != 32 {
		return ""
	}
	u, err := uuid.Parse(s)
	if err != nil {
		return ""
	}
	return u.String()
}

// canonicalID writes a UUID in its usual form and leaves everything else as it is.
func canonicalID(id string) string {
	if u := uuidOf(id); u != "" {
		return u
	}
	return id
}
