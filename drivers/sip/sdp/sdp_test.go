package sdp_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
)

func offer(lines ...string) []byte {
	return []byte("v=0\r\no=alice 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n" + strings.Join(lines, "\r\n") + "\r\n")
}

var local = sdp.Local{Addr: netip.MustParseAddr("127.0.0.1"), Port: 4000, ID: 7, Version: 1}

func TestParse(t *testing.T) {
	at := netip.MustParseAddrPort("192.0.2.1:5000")
	tests := []struct {
		name  string
		offer []byte
		want  media.Format
		err   error
		// answer is what the answer's streams must be.
		answer string
	}{
		{
			name: "the caller's order counts", offer: offer("m=audio 5000 RTP/AVP 18 8 0 96", "a=rtpmap:96 telephone-event/8000"),
			want:   media.Format{Remote: at, Codec: media.PCMA, PayloadType: 8, EventType: 96, Send: true, Receive: true},
			answer: "m=audio 4000 RTP/AVP 8 96",
		},
		{
			name: "wideband, and one port for all", offer: offer("m=audio 5000 RTP/AVP 9 0 96", "a=rtpmap:96 telephone-event/8000", "a=rtcp-mux"),
			want:   media.Format{Remote: at, Codec: media.G722, PayloadType: 9, EventType: 96, Send: true, Receive: true, RTCPMux: true},
			answer: "m=audio 4000 RTP/AVP 9 96",
		},
		{
			name: "dynamic types, and events at another clock rate", offer: offer("m=audio 5000 RTP/AVP 100 97", "a=rtpmap:100 pcmu/8000/1", "a=rtpmap:97 telephone-event/48000"),
			want: media.Format{Remote: at, PayloadType: 100, Send: true, Receive: true}, answer: "m=audio 4000 RTP/AVP 100",
		},
		{
			name: "other streams are refused", offer: offer("m=video 6000 RTP/AVP 96", "m=audio 5000 RTP/AVP 0", "m=audio 7000 RTP/AVP 0"),
			want: media.Format{Remote: at, Send: true, Receive: true}, answer: "m=video 0 RTP/AVP 96 m=audio 4000 RTP/AVP 0 m=audio 0 RTP/AVP 0",
		},
		{
			name: "hold", offer: offer("m=audio 5000 RTP/AVP 0", "a=sendonly"),
			want: media.Format{Remote: at, Receive: true}, answer: "m=audio 4000 RTP/AVP 0 a=recvonly",
		},
		{
			name: "hold, the old way", offer: offer("m=audio 5000 RTP/AVP 0", "c=IN IP4 0.0.0.0"),
			want: media.Format{Remote: netip.MustParseAddrPort("0.0.0.0:5000"), Receive: true}, answer: "m=audio 4000 RTP/AVP 0 a=recvonly",
		},
		{name: "inactive for all", offer: []byte(strings.Replace(string(offer("m=audio 5000 RTP/AVP 0")), "t=0 0\r\n", "t=0 0\r\na=inactive\r\n", 1)), want: media.Format{Remote: at}, answer: "m=audio 4000 RTP/AVP 0 a=inactive"},
		{
			name: "an address of its own", offer: offer("m=audio 5000 RTP/AVP 0", "c=IN IP6 2001:db8::1"),
			want: media.Format{Remote: netip.MustParseAddrPort("[2001:db8::1]:5000"), Send: true, Receive: true}, answer: "m=audio 4000 RTP/AVP 0",
		},
		{
			name: "a browser", offer: offer("m=audio 5000 RTP/AVP 111 63 9 0 8 110 126", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 minptime=10;useinbandfec=1",
				"a=rtpmap:63 red/48000/2", "a=rtpmap:9 G722/8000", "a=rtpmap:110 telephone-event/48000", "a=rtpmap:126 telephone-event/8000", "a=rtcp-mux"),
			want:   media.Format{Remote: at, Codec: media.Opus, PayloadType: 111, EventType: 110, Opus: media.OpusFormat{FEC: true}, Send: true, Receive: true, RTCPMux: true},
			answer: "m=audio 4000 RTP/AVP 111 110",
		},
		{
			name: "Opus by another number, in other words, events at 8000 Hz only", offer: offer("m=audio 5000 RTP/AVP 96 0 101", "a=rtpmap:96 OPUS/48000/2",
				"a=fmtp:96 stereo=1; sprop-stereo=1;maxaveragebitrate=18000 ; CBR=1;x;=;useinbandfec=yes", "a=rtpmap:101 telephone-event/8000"),
			want:   media.Format{Remote: at, Codec: media.Opus, PayloadType: 96, EventType: 101, EventClock: 8000, Opus: media.OpusFormat{MaxBitrate: 18000, Constant: true}, Send: true, Receive: true},
			answer: "m=audio 4000 RTP/AVP 96 101",
		},
		{
			name: "Opus is not preferred", offer: offer("m=audio 5000 RTP/AVP 8 111 101", "a=rtpmap:111 opus/48000/2", "a=fmtp:111 maxaveragebitrate=18000", "a=rtpmap:101 telephone-event/48000"),
			want: media.Format{Remote: at, Codec: media.PCMA, PayloadType: 8, Send: true, Receive: true}, answer: "m=audio 4000 RTP/AVP 8",
		},
		{name: "a number alone is not Opus", offer: offer("m=audio 5000 RTP/AVP 111"), err: sdp.ErrNoCodec},
		{name: "Opus on another clock, or in one channel", offer: offer("m=audio 5000 RTP/AVP 111 112", "a=rtpmap:111 opus/16000/2", "a=rtpmap:112 opus/48000"), err: sdp.ErrNoCodec},
		{name: "no codec in common", offer: offer("m=audio 5000 RTP/AVP 3 18"), err: sdp.ErrNoCodec},
		{name: "another codec under a static number", offer: offer("m=audio 5000 RTP/AVP 0", "a=rtpmap:0 G723/8000"), err: sdp.ErrNoCodec},
		{name: "video only", offer: offer("m=video 6000 RTP/AVP 96"), err: sdp.ErrNoAudio},
		{name: "no streams", offer: offer("a=x"), err: sdp.ErrNoAudio},
		{name: "encrypted only", offer: offer("m=audio 5000 RTP/SAVP 0"), err: sdp.ErrSecurity},
		{name: "switched off", offer: offer("m=audio 0 RTP/AVP 0"), err: sdp.ErrNoAudio},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := sdp.Parse(tt.offer)
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(tt.want, d.Format(), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); diff != "" {
				t.Error(diff)
			}
			answer := string(local.Answer(d))
			var streams []string
			for line := range strings.Lines(answer) {
				line = strings.TrimSpace(line)
				if strings.HasPrefix(line, "m=") || strings.HasSuffix(line, "only") || line == "a=inactive" {
					streams = append(streams, line)
				}
			}
			if got := strings.Join(streams, " "); got != tt.answer {
				t.Errorf("the answer's streams are %q, want %q", got, tt.answer)
			}
			if !strings.Contains(answer, " 0 ") {
				if _, err := sdp.Parse([]byte(answer)); err != nil {
					t.Errorf("the answer cannot be read: %v\n%s", err, answer)
				}
			}
		})
	}
	for name, bad := range map[string]string{"empty": "", "text": "hello", "cut": "v=0\r\no=", "huge": strings.Repeat("a", 1<<20)} {
		if _, err := sdp.Parse([]byte(bad)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestOffer(t *testing.T) {
	d, err := sdp.Parse(local.Offer())
	if err != nil {
		t.Fatal(err)
	}
	want := media.Format{Remote: netip.MustParseAddrPort("127.0.0.1:4000"), EventType: 101, Send: true, Receive: true, RTCPMux: true}
	if got := d.Format(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestOpus reads what we say of Opus, word by word.
func TestOpus(t *testing.T) {
	const lines = "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1\r\n"
	for _, tt := range []struct {
		codecs []media.Codec
		want   string
	}{
		{nil, "m=audio 4000 RTP/AVP 0 8 9 111 101 110\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:9 G722/8000\r\n" + lines +
			"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n"},
		{[]media.Codec{media.Opus}, "m=audio 4000 RTP/AVP 111 110\r\n" + lines + "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n"},
		{[]media.Codec{media.PCMA}, "m=audio 4000 RTP/AVP 8 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"},
	} {
		us := local
		us.Codecs = tt.codecs
		if got := string(us.Offer()); !strings.Contains(got, tt.want+"a=ptime:20\r\n") {
			t.Errorf("the offer is\n%s", got)
		}
	}
	// And our answer, by the caller's numbers.
	d, err := local.Parse(offer("m=audio 5000 RTP/AVP 98 99", "a=rtpmap:98 opus/48000/2", "a=rtpmap:99 telephone-event/48000"))
	if err != nil {
		t.Fatal(err)
	}
	want := "m=audio 4000 RTP/AVP 98 99\r\n" + strings.ReplaceAll(lines, ":111 ", ":98 ") + "a=rtpmap:99 telephone-event/48000\r\na=fmtp:99 0-15\r\na=ptime:20\r\n"
	if got := string(local.Answer(d)); !strings.Contains(got, want) {
		t.Errorf("the answer is\n%s", got)
	}
	// Within the call it stays, whatever we would begin with.
	if got, want := string(local.Settled(d).Offer()), "m=audio 4000 RTP/AVP 98 0 8 9 101 110\r\n"; !strings.Contains(got, want) || !strings.Contains(got, strings.ReplaceAll(lines, ":111 ", ":98 ")) {
		t.Errorf("the next offer is\n%s", got)
	}
	if d, err = local.Parse(offer("m=audio 5000 RTP/AVP 8 0")); err != nil {
		t.Fatal(err)
	}
	if got, want := string(local.Settled(d).Offer()), "m=audio 4000 RTP/AVP 8 0 9 111 101 110\r\n"; !strings.Contains(got, want) {
		t.Errorf("the next offer is\n%s", got)
	}
	// Nobody speaks it where it is not wanted.
	us := local
	us.Codecs = []media.Codec{media.PCMU}
	if _, err := us.Parse(offer("m=audio 5000 RTP/AVP 98", "a=rtpmap:98 opus/48000/2")); !errors.Is(err, sdp.ErrNoCodec) {
		t.Errorf("got %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(offer("m=audio 5000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000", "a=sendonly"))
	f.Add(offer("m=audio 5000 RTP/AVP 96 101", "a=rtpmap:96 opus/48000/2", "a=fmtp:96 maxaveragebitrate=18000;cbr=1", "a=rtpmap:101 telephone-event/48000"))
	f.Add(offer("m=audio 99999 RTP/AVP x", "c=IN IP4 example.com/127"))
	f.Add(offer("m=audio 5000 RTP/SAVP 0", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"+secret+"|2^20|1:4"))
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, security := range []sdp.Security{sdp.Plain, sdp.Optional, sdp.Required} {
			us := local.WithSecurity(security)
			d, err := us.Parse(body)
			if err != nil {
				continue
			}
			us.Format(d)
			answer := us.Answer(d)
			if _, err := us.Parse(answer); err != nil && !errors.Is(err, sdp.ErrTooLarge) {
				t.Errorf("our own answer cannot be read: %v\n%s", err, answer)
			}
		}
	})
}
