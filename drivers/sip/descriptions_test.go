package sip_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestDescriptions offers sound that cannot be had, and more than can be.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"yes": `exports.answer = () => [{ action: 'record' }]`})
	head := "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
	for _, tt := range []struct{ name, offer, want string }{
		{"several streams", head + "m=video 5000 RTP/AVP 99\r\nm=audio 4000 RTP/AVP 0\r\nm=audio 4002 RTP/AVP 8\r\nm=application 9 TCP/BFCP *\r\n", "video 0, audio on, audio 0, application 0"},
		{"no audio", head + "m=video 5000 RTP/AVP 99\r\n", "488"},
		{"no stream", head, "488"},
		{"no codec", head + "m=audio 4000 RTP/AVP 3 4 18 99\r\na=rtpmap:99 iLBC/8000\r\n", "488"},
		{"not RTP", head + "m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", "488"},
		{"off", head + "m=audio 0 RTP/AVP 0\r\n", "488"},
		{"too large", head + "m=audio 4000 RTP/AVP 0\r\n" + strings.Repeat("a=x\r\n", 4000), "413"},
		{"too many streams", head + strings.Repeat("m=audio 4000 RTP/AVP 0\r\n", 17), "413"},
		{"garbage", "v=0\r\nm=audio\r\n", "400"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPhone(t, nil)
			dialog, answer, err := p.agent.Invite(t.Context(), ua.Outgoing{URI: fmt.Sprintf("sip:yes@127.0.0.1:%d;transport=tcp", x.Port()), From: "1", Offer: []byte(tt.offer)})
			var no *ua.Rejected
			var got []string
			if errors.As(err, &no) {
				got = append(got, fmt.Sprint(no.Status))
			} else if err != nil {
				t.Fatal(err)
			} else {
				dialog.Bye(t.Context(), "")
			}
			for line := range strings.Lines(string(answer)) {
				if rest, ok := strings.CutPrefix(line, "m="); ok {
					f := strings.Fields(rest)
					if f[1] != "0" {
						f[1] = "on"
					}
					got = append(got, f[0]+" "+f[1])
				}
			}
			if g := strings.Join(got, ", "); g != tt.want {
				t.Errorf("got %s, want %s", g, tt.want)
			}
		})
	}
}
