package sip_test

import (
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// TestStreamOfAWidebandCall has a phone that speaks G.722: a stream of 16 kHz carries all of it, one of 8 kHz what it can.
func TestStreamOfAWidebandCall(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		rate int
		high bool // what is above 4 kHz is heard
	}{{8000, false}, {16000, true}} {
		t.Run(fmt.Sprint(tt.rate), func(t *testing.T) {
			a := newAgent(t)
			x := open(t, streams(a.url, fmt.Sprintf(", voice_quality: '%d'", tt.rate), ""))
			p := newPhone(t, nil)
			offer := fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP 9\r\n", p.session.Port())
			if err := p.invite(t.Context(), ua.Outgoing{URI: fmt.Sprintf("sip:ai@127.0.0.1:%d", x.Port()), From: "1555", Offer: []byte(offer)}); err != nil {
				t.Fatal(err)
			}
			both := make([]int16, media.WideRate)
			for i := range both {
				at := 2 * math.Pi * float64(i) / media.WideRate
				both[i] = int16(6000*math.Sin(1100*at) + 6000*math.Sin(5500*at))
			}
			p.talk.Loop(media.Sound{Samples: both, Rate: media.WideRate})
			var heard []int16
			a.until("1100 Hz", func() bool {
				n := len(a.heard)
				heard = a.heard
				return n >= tt.rate && audio.Level(a.heard[n-tt.rate/10:], 1100, tt.rate) > 2500
			})
			last := heard[len(heard)-tt.rate/10:]
			if high := tt.high && audio.Level(last, 5500, tt.rate) > 2000; high != tt.high {
				t.Errorf("what is above 4 kHz is heard: %v", high)
			}
			if !tt.high && audio.Level(last, 2500, tt.rate) > 200 { // 5500 folded at 4000
				t.Errorf("what is above 4 kHz is heard as %g of 2500 Hz", audio.Level(last, 2500, tt.rate))
			}
			a.mu.Lock()
			sizes := fmt.Sprint(a.sizes)
			a.mu.Unlock()
			if !strings.HasPrefix(sizes, fmt.Sprintf("map[%d:", tt.rate/25)) || strings.Count(sizes, ":") != 1 {
				t.Errorf("frames by size: %s", sizes)
			}
			p.hangUp()
		})
	}
}

// TestTheAppsOwnStreamWithEvents lets the app's stream callback hear of a key, and act on the call.
func TestTheAppsOwnStreamWithEvents(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl, events: true }]
		exports.stream = async socket => {
			socket.play(Int16Array.from({ length: 80000 }, (_, i) => 8000 * Math.sin(2 * Math.PI * 500 * i / 8000)), { rate: 8000 })
			socket.on('text', text => {
				const e = JSON.parse(text)
				if (e.event === 'dtmf' && e.digit === '5') {
					socket.clear()
					socket.play(new Int16Array(8000), { rate: 8000 })
					socket.send(JSON.stringify({ type: 'mark', name: 'said' }))
				}
				if (e.event === 'played' && e.name === 'said') socket.perform([{ action: 'speak', text: 'hz 900' }, { action: 'hangup', cause: 'USER_BUSY' }])
			})
			for await (const frame of socket);
		}
	`})
	p := called(t, x)
	p.hears(500) // the stream is open: it hears of keys from here on
	p.session.SendDigits("5")
	p.hears(900)
	p.ends()
	x.has("a cdr answered USER_BUSY")
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestStreamWithoutASignOfLife has a server that asks for a pause, so that nothing is sent to it, and is never heard of
// again.
func TestStreamWithoutASignOfLife(t *testing.T) {
	t.Parallel()
	url := silent(t, func(conn net.Conn) {
		const pause = `{"action":"pause"}`
		if upgrade(conn) {
			_, _ = conn.Write(append([]byte{0x81, byte(len(pause))}, pause...))
			_, _ = io.Copy(io.Discard, conn) // the pings are among it
		}
	})
	x, reported := openWithEvents(t, streams(url, "", `, { action: 'play', file_name: 'long.wav' }`), sip.Hurry(0.1))
	x.file("long.wav", 700, time.Minute)
	p := called(t, x)
	p.hears(700)
	reported.has("stream_disconnected", `"code":1011`, "no sign of life for 2.5s")
	p.hangUp()
}

// TestStreamWhoseServerIsGoneAtOnce has a server that agrees and breaks off, so that now and then not even the first
// frame can be sent. Nothing is left of such a stream.
func TestStreamWhoseServerIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	url := silent(t, func(conn net.Conn) {
		_ = conn.(*net.TCPConn).SetLinger(0)
		upgrade(conn)
	})
	x := open(t, streams(url, "", ""))
	for range 30 {
		p := called(t, x)
		p.ends()
	}
	x.balanced(30)
}
