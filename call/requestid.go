package call

import "crypto/rand"

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// NewRequestID makes a request id as PIOPIY's are: 43 letters and digits (protocol page section 1.5), some 256 bits of
// chance.
func NewRequestID() string {
	id := make([]byte, 0, 43)
	var random [64]byte
	for len(id) < cap(id) {
		_, _ = rand.Read(random[:]) // never fails
		for _, b := range random {
			if b < 4*62 && len(id) < cap(id) { // evenly distributed
				id = append(id, base62[b%62])
			}
		}
	}
	return string(id)
}
