package webapp_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/webapp"
)

// The sum was made with: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
const known = "t=1700000000,v1=9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23"

func TestSignature(t *testing.T) {
	secret, body, at := []byte("0123456789abcdef"), []byte(`{"a":1}`), time.Unix(1700000000, 0)
	if got := webapp.Sign(secret, at.Add(time.Millisecond), body); got != known {
		t.Fatalf("signed %s", got)
	}
	sum := strings.TrimPrefix(known, "t=1700000000,v1=")
	tests := []struct {
		name, header, body string
		secret             string
		now                time.Time
		want               error
	}{
		{name: "right", header: known},
		{name: "blanks and other fields", header: " v0=aa, v1=" + sum + " ,t=1700000000"},
		{name: "one of two is right", header: "t=1700000000,v1=00,v1=" + sum},
		{name: "at the edge", header: known, now: at.Add(5 * time.Minute)},
		{name: "too old", header: known, now: at.Add(5*time.Minute + time.Second), want: webapp.ErrOldSignature},
		{name: "from the future", header: known, now: at.Add(-5*time.Minute - time.Second), want: webapp.ErrOldSignature},
		{name: "another body", header: known, body: `{"a":2}`, want: webapp.ErrWrongSignature},
		{name: "another secret", header: known, secret: "fedcba9876543210", want: webapp.ErrWrongSignature},
		{name: "another time", header: "t=1700000001,v1=" + sum, want: webapp.ErrWrongSignature},
		{name: "shortened", header: known[:len(known)-2], want: webapp.ErrWrongSignature},
		{name: "nothing", want: webapp.ErrNoSignature},
		{name: "no sum", header: "t=1700000000", want: webapp.ErrNoSignature},
		{name: "no hexadecimal", header: "t=1700000000,v1=zz", want: webapp.ErrNoSignature},
		{name: "no time", header: "v1=" + sum, want: webapp.ErrNoSignature},
		{name: "no number", header: "t=now,v1=" + sum, want: webapp.ErrNoSignature},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, b, now := secret, body, at
			if tt.secret != "" {
				s = []byte(tt.secret)
			}
			if tt.body != "" {
				b = []byte(tt.body)
			}
			if !tt.now.IsZero() {
				now = tt.now
			}
			if err := webapp.Verify(s, tt.header, b, now, 5*time.Minute); !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	if webapp.Verify(nil, webapp.Sign(nil, at, body), body, at, time.Minute) == nil {
		t.Error("an empty secret was taken")
	}
}

// FuzzVerify looks for headers that panic, or that are taken for right although they were not made by Sign.
func FuzzVerify(f *testing.F) {
	f.Add(known, `{"a":1}`)
	f.Add("t=,v1=,,=", "")
	f.Add("t=9223372036854775807,v1=00", "x")
	secret := []byte("a secret that the fuzzer does not know")
	f.Fuzz(func(t *testing.T, header, body string) {
		if webapp.Verify(secret, header, []byte(body), time.Unix(1700000000, 0), time.Hour) == nil {
			t.Errorf("%q was taken for right", header)
		}
	})
}
