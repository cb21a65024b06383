package sdp_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
)

const secret = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR" // RFC 4568 section 9.2

func TestCrypto(t *testing.T) {
	other := strings.Replace(secret, "P", "Q", 1)
	line := func(rest string) string { return "a=crypto:" + rest }
	const plain, secured = "m=audio 5000 RTP/AVP 0", "m=audio 5000 RTP/SAVP 0"
	for _, tt := range []struct {
		name     string
		security sdp.Security
		offer    []string
		tag      string // "" is plain RTP
		suite    media.SRTPSuite
		err      error
	}{
		{"the first that is known", sdp.Required, []string{secured, line("1 F8_128_HMAC_SHA1_80 inline:" + secret), line("2 AES_CM_128_HMAC_SHA1_32 inline:" + secret), line("3 AES_CM_128_HMAC_SHA1_80 inline:" + other)}, "2", media.AES128SHA1Tag32, nil},
		{"with a lifetime", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + "|2^20")}, "1", media.AES128SHA1Tag80, nil},
		{"with hints", sdp.Required, []string{secured, line("01 AES_CM_128_HMAC_SHA1_80 inline:" + secret + " KDR=0 WSH=128 -X")}, "01", media.AES128SHA1Tag80, nil},
		{"with feedback", sdp.Required, []string{"m=audio 5000 RTP/SAVPF 0", line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "1", media.AES128SHA1Tag80, nil},
		{"in a plain profile", sdp.Required, []string{plain, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "1", media.AES128SHA1Tag80, nil},
		{"two streams", sdp.Optional, []string{plain, secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "1", media.AES128SHA1Tag80, nil},
		{"two streams, plain", sdp.Plain, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret), plain}, "", "", nil},
		{"none, and none is needed", sdp.Optional, []string{plain}, "", "", nil},
		{"none, and one is needed", sdp.Required, []string{plain}, "", "", sdp.ErrSecurity},
		{"one, and none is wanted", sdp.Plain, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "", "", sdp.ErrSecurity},
		{"one without a codec", sdp.Required, []string{"m=audio 5000 RTP/SAVP 18", line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "", "", sdp.ErrNoCodec},
		{"a key identifier", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + "|2^20|1:4")}, "", "", sdp.ErrSecurity},
		{"a key identifier alone", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + "|1:4")}, "", "", sdp.ErrSecurity},
		{"two keys", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + "|1:4;inline:" + other + "|2:4")}, "", "", sdp.ErrSecurity},
		{"a short key", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret[:20])}, "", "", sdp.ErrSecurity},
		{"no base64", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + strings.Repeat("!", 40))}, "", "", sdp.ErrSecurity},
		{"not encrypted at all", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + " UNENCRYPTED_SRTP")}, "", "", sdp.ErrSecurity},
		{"not authenticated", sdp.Required, []string{secured, line("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + " UNAUTHENTICATED_SRTP")}, "", "", sdp.ErrSecurity},
		{"no tag", sdp.Required, []string{secured, line("AES_CM_128_HMAC_SHA1_80 inline:" + secret)}, "", "", sdp.ErrSecurity},
		{"nothing", sdp.Required, []string{secured, line("")}, "", "", sdp.ErrSecurity},
		{"very many", sdp.Required, append(append([]string{secured}, slices.Repeat([]string{line("1 X inline:y")}, 20)...), line("1 AES_CM_128_HMAC_SHA1_80 inline:"+secret)), "", "", sdp.ErrSecurity},
	} {
		t.Run(tt.name, func(t *testing.T) {
			us := local.WithSecurity(tt.security)
			d, err := us.Parse(offer(tt.offer...))
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			f, answer := us.Format(d), string(us.Answer(d))
			if tt.tag == "" {
				if f.SRTP != (media.SRTPKeys{}) || strings.Contains(answer, "crypto") {
					t.Errorf("keys %v\n%s", f.SRTP, answer)
				}
				return
			}
			if f.SRTP.Receive.Suite != tt.suite || f.SRTP.Send.Suite != tt.suite || base64.StdEncoding.EncodeToString(f.SRTP.Receive.Secret[:]) != secret {
				t.Errorf("keys %v", f.SRTP)
			}
			want := fmt.Sprintf("a=crypto:%s %s inline:%s\r\n", tt.tag, tt.suite, base64.StdEncoding.EncodeToString(f.SRTP.Send.Secret[:]))
			if !strings.Contains(answer, want) || strings.Count(answer, "a=crypto") != 1 {
				t.Errorf("the answer lacks %s\n%s", want, answer)
			}
			if proto := strings.Fields(tt.offer[0])[2]; tt.name != "two streams" && !strings.Contains(answer, " "+proto+" ") {
				t.Errorf("the answer's profile is not %s\n%s", proto, answer)
			}
		})
	}
}

// TestCryptoBetweenTwo has one side offer and the other answer; each sends with the key that the other receives.
func TestCryptoBetweenTwo(t *testing.T) {
	for _, tt := range []struct {
		theirs, ours sdp.Security
		first        string // the profile of the first offer
		encrypted    bool
	}{
		{sdp.Required, sdp.Required, "RTP/SAVP", true}, {sdp.Required, sdp.Optional, "RTP/SAVP", true}, {sdp.Optional, sdp.Required, "RTP/SAVP", true},
		{sdp.Plain, sdp.Optional, "RTP/AVP", false}, {sdp.Optional, sdp.Plain, "RTP/SAVP", false},
	} {
		them, us := local.WithSecurity(tt.theirs), local.WithSecurity(tt.ours)
		var d, back *sdp.Description
		var err error
		for i, l := range them.Offers() {
			body := l.Offer()
			if i == 0 && !strings.Contains(string(body), " "+tt.first+" ") {
				t.Errorf("%v: the first offer is\n%s", tt, body)
			}
			if d, err = us.Parse(body); err == nil {
				them = l
				break
			}
		}
		if err != nil {
			t.Errorf("%v: %v", tt, err)
			continue
		}
		if back, err = them.Parse(us.Answer(d)); err != nil {
			t.Errorf("%v: %v", tt, err)
			continue
		}
		f, g := us.Format(d).SRTP, them.Format(back).SRTP
		if f.Send != g.Receive || f.Receive != g.Send || tt.encrypted != (f.Send.Suite != "") || tt.encrypted && f.Send == f.Receive {
			t.Errorf("%v: %v and %v", tt, f, g)
		}
		// It stays so.
		us = us.Settled(d)
		if _, err := us.Parse(offer("m=audio 5000 RTP/AVP 0")); tt.encrypted != errors.Is(err, sdp.ErrSecurity) {
			t.Errorf("%v: a plain offer later: %v", tt, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", f, f, f), fmt.Sprint(f.Send.Secret[0], " ", f.Send.Secret[1])) {
			t.Error("a key can be printed")
		}
	}
}

func TestTooLarge(t *testing.T) {
	for name, body := range map[string][]byte{
		"octets": offer("m=audio 5000 RTP/AVP 0", strings.Repeat("a=x\r\n", 4000)), "streams": offer(strings.TrimSpace(strings.Repeat("m=audio 5000 RTP/AVP 0\r\n", 17))),
	} {
		if _, err := sdp.Parse(body); !errors.Is(err, sdp.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzCrypto(f *testing.F) {
	f.Add("1 AES_CM_128_HMAC_SHA1_80 inline:" + secret + "|2^20|1:4 KDR=0")
	f.Add("2 AES_CM_128_HMAC_SHA1_32 inline:" + secret)
	f.Add("|;inline:= \t 0")
	f.Fuzz(func(t *testing.T, text string) {
		us := local.WithSecurity(sdp.Required)
		d, err := us.Parse(offer("m=audio 5000 RTP/SAVP 0", "a=crypto:"+text))
		if err != nil {
			return
		}
		answer := us.Answer(d)
		// Whoever offered it must be able to read the answer.
		if _, err := us.Parse(answer); err != nil {
			t.Errorf("%q: %v\n%s", text, err, answer)
		}
	})
}
