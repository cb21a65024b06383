package sip_test

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestStreamFrames(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		listen, quality string
		rate            int
		caller, callee  bool
	}{
		{"caller", "8000", 8000, true, false},
		{"callee", "16000", 16000, false, true},
		{"both", "8000", 8000, true, true},
		{"both", "16000", 16000, true, true},
	} {
		t.Run(tt.listen+" "+tt.quality, func(t *testing.T) {
			a := newAgent(t)
			callee := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
			x := open(t, streams(a.url, fmt.Sprintf(`, listen_mode: %q, voice_quality: %q`, tt.listen, tt.quality),
				fmt.Sprintf(`, { action: 'connect', timeout: 5, connect: [{ type: 'sip', user: 'sip:bob@127.0.0.1:%d' }] }`, callee.agent.Port())))
			p := called(t, x)
			p.talk.Loop(tone(1100, time.Second))
			callee.until("the line", func() bool { return len(callee.heard) > 0 })
			callee.talk.Loop(tone(1900, time.Second))
			p.hears(1900)
			if tt.caller {
				a.hears(1100, tt.rate)
			}
			if tt.callee {
				a.hears(1900, tt.rate)
			}
			var heard []int16
			a.until("a second", func() bool { heard = a.heard; return len(heard) > tt.rate })
			last := heard[len(heard)-tt.rate/10:]
			if got := audio.Level(last, 1100, tt.rate) > 2500; got != tt.caller {
				t.Errorf("the caller is heard: %v", got)
			}
			if got := audio.Level(last, 1900, tt.rate) > 2500; got != tt.callee {
				t.Errorf("the callee is heard: %v", got)
			}
			greeting := a.gets("start")
			if greeting["rate"] != float64(tt.rate) || greeting["channels"] != float64(1) || greeting["from"] != "15550001111" || greeting["to"] != "ai" || greeting["call"] == "" {
				t.Errorf("the first frame is %v", greeting)
			}
			callee.hangUp()
			p.hangUp()
			if code := a.ends(); code != 1000 {
				t.Errorf("closed with %d", code)
			}
			a.mu.Lock()
			defer a.mu.Unlock()
			if len(a.sizes) != 1 || a.sizes[tt.rate/25] == 0 || len(a.texts) > 0 {
				t.Errorf("frames by size: %v, texts: %q", a.sizes, a.texts)
			}
		})
	}
}

// TestStreamIntoAFile does what the official streaming server does: whatever comes in binary frames is put into a WAV
// file of one channel and 8 kHz, text frames are looked at and left, and the file is finished when the socket closes. The
// file holds what the caller said.
func TestStreamIntoAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "output.wav")
	written := make(chan error, 1)
	url := streamServer(t, func(conn *websocket.Conn) {
		file, err := os.Create(path)
		if err != nil {
			written <- err
			return
		}
		defer func() { _ = file.Close() }()
		w, err := media.NewWAVWriter(file, 8000, 1)
		for err == nil {
			kind, data, broken := conn.ReadMessage()
			if broken != nil {
				err = w.Flush()
				break
			}
			if kind == websocket.BinaryMessage {
				samples := make([]int16, len(data)/2)
				for i := range samples {
					samples[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
				}
				err = w.Write(samples)
			}
		}
		written <- err
	})
	x := open(t, streams(url, "", ""))
	p := called(t, x)
	said := append(media.Tone(500, time.Second), make([]int16, media.Rate/5)...)
	said = append(said, media.Tone(1500, time.Second)...)
	<-p.talk.Play(media.Sound{Samples: append(said, make([]int16, media.Rate/2)...), Rate: media.Rate}).Done()
	p.hangUp()
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	heard, err := media.DecodeWAV(data)
	if err != nil {
		t.Fatal(err)
	}
	for _, hz := range []float64{500, 1500} {
		if length := media.Duration(loud(heard, hz)); length < 900*time.Millisecond || length > 1060*time.Millisecond {
			t.Errorf("the file holds %v of %g Hz, want a second", length, hz)
		}
	}
}

func TestStreamSound(t *testing.T) {
	t.Parallel()
	fixture := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("media", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	const hz = 600
	a := newAgent(t)
	x := open(t, streams(a.url, ", voice_quality: '16000'", ""))
	p := called(t, x)
	narrow, wide := octets(sine(hz, time.Second, 8000).Samples), octets(sine(hz, time.Second, 16000).Samples)
	for _, tt := range []struct {
		name string
		send func()
	}{
		{"raw, 8000", func() { a.plays("raw", 8000, narrow) }},
		{"raw, 16000", func() { a.plays("raw", 16000, wide) }},
		{"raw, a rate as text", func() {
			a.send(strings.Replace(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":"16000","audioData":"X"}}`, "X", b64(wide), 1))
		}},
		{"raw in pieces of odd lengths", func() {
			for rest := narrow; len(rest) > 0; {
				n := min(len(rest), 999)
				a.plays("raw", 8000, rest[:n])
				rest = rest[n:]
			}
		}},
		{"raw that is a file", func() { a.plays("raw", 8000, sine(hz, time.Second, 16000).WAV()) }},
		{"wav, its header wins", func() { a.plays("wav", 8000, sine(hz, time.Second, 16000).WAV()) }},
		{"wav of 44100", func() { a.plays("wav", 16000, sine(hz, time.Second, 44100).WAV()) }},
		{"mp3 of 22050", func() { a.plays("mp3", 8000, fixture("mono22050.mp3")) }},
		{"mp3 of 44100, stereo", func() { a.plays("mp3", 16000, fixture("stereo44100.mp3")) }},
		{"ogg", func() { a.plays("ogg", 8000, fixture("mono22050.ogg")) }},
		{"the wrong name for a file", func() { a.plays("wav", 8000, fixture("mono22050.mp3")) }},
		{"binary frames at the stream's rate", func() {
			for rest := wide; len(rest) > 0; rest = rest[640:] {
				a.sendBinary(rest[:640])
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p.t, a.t = t, t
			p.until("silence", func() bool {
				n := len(p.heard)
				return n >= 800 && audio.Level(p.heard[n-800:], hz, media.Rate) < 50
			})
			tt.send()
			p.hears(hz)
			// It lasts a second, and not half of it or two: the rate is right, and so is the pitch.
			var heard []int16
			p.until("the end of the sound", func() bool {
				n := len(p.heard)
				if n < 800 || audio.Level(p.heard[n-800:], hz, media.Rate) > 50 {
					return false
				}
				heard = p.heard
				return true
			})
			if length := media.Duration(loud(heard, hz)); length < 650*time.Millisecond || length > 1100*time.Millisecond {
				t.Errorf("%v of %d Hz were heard after the first 100 ms", length, hz)
			}
		})
	}
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
	p.hangUp()
}

// loud is how many samples hold a tone.
func loud(samples []int16, hz float64) (n int) {
	for ; len(samples) >= 160; samples = samples[160:] {
		if audio.Level(samples[:160], hz, media.Rate) > 1500 {
			n += 160
		}
	}
	return n
}

// TestStreamOrder sends pieces whose decoding takes longer and shorter: they are heard in their order.
func TestStreamOrder(t *testing.T) {
	t.Parallel()
	mp3, err := os.ReadFile(filepath.Join("media", "testdata", "stereo44100.mp3"))
	if err != nil {
		t.Fatal(err)
	}
	a := newAgent(t)
	x := open(t, streams(a.url, ", events: true", ""))
	p := called(t, x)
	a.plays("raw", 8000, octets(media.Tone(1000, 300*time.Millisecond)))
	a.plays("mp3", 8000, mp3)
	a.plays("raw", 8000, octets(media.Tone(1400, 300*time.Millisecond)))
	a.plays("wav", 8000, media.EncodeWAV(media.Tone(1800, 300*time.Millisecond)))
	a.send(`{"type":"mark","name":"end"}`)
	for _, hz := range []float64{1000, 600, 1400, 1800} {
		p.hears(hz)
	}
	if ms := a.gets("played")["played_ms"].(float64); ms < 1900 || ms > 2100 {
		t.Errorf("%g ms were played", ms)
	}
	p.hangUp()
}

func TestStreamCommands(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	x, reported := openWithEvents(t, streams(a.url, ", events: true", `, { action: 'speak', text: 'hz 640' }`))
	p := called(t, x)
	p.hears(640) // beside the stream, which holds the call now
	p.talk.Loop(tone(1100, time.Second))
	a.hears(1100, 8000)

	a.plays("raw", 8000, octets(media.Tone(2000, time.Second)))
	a.send(`{"type":"mark","name":"first"}`)
	if e := a.gets("played"); e["name"] != "first" || e["played_ms"] != float64(1000) {
		t.Errorf("the mark is answered %v", e)
	}
	a.plays("raw", 8000, octets(media.Tone(2500, 30*time.Second)))
	a.send(`{"type":"mark","name":"second"}`)
	p.hears(2500)
	a.send(`{"action":"break"}`)
	e := a.gets("cleared")
	if ms := e["played_ms"].(float64); ms <= 1000 || ms > 10_000 || fmt.Sprint(e["marks"]) != "[second]" {
		t.Errorf("break is answered %v", e)
	}
	p.until("silence", func() bool {
		n := len(p.heard)
		return n >= 800 && audio.Level(p.heard[n-800:], 2500, media.Rate) < 50
	})

	a.send(`{"action":"pause"}`)
	a.plays("raw", 8000, octets(media.Tone(2200, 100*time.Millisecond)))
	a.send(`{"type":"mark","name":"paused"}`) // a paused stream is heard
	a.gets("played")
	paused := 0
	a.until("nothing", func() bool { paused = len(a.heard); return true })
	a.plays("raw", 8000, octets(media.Tone(2200, 400*time.Millisecond)))
	a.send(`{"type":"mark","name":"later"}`)
	a.gets("played")
	a.until("nothing", func() bool { paused = len(a.heard) - paused; return true })
	if paused != 0 {
		t.Errorf("%d samples were sent while the stream was paused", paused)
	}
	a.send(`{"action":"resume"}`)
	a.hears(1100, 8000)

	p.session.SendDigits("5#")
	if first, second := a.gets("dtmf")["digit"], a.gets("dtmf")["digit"]; first != "5" || second != "#" {
		t.Errorf("the keys are %v and %v", first, second)
	}
	a.send(`{"action":"dance"}`)
	if e := a.gets("error"); !strings.Contains(fmt.Sprint(e["message"]), "dance") {
		t.Errorf("an unknown action is answered %v", e)
	}
	a.send(`{"action":"stop"}`)
	if e := a.gets("stop"); e["code"] != float64(1000) {
		t.Errorf("the last event is %v", e)
	}
	if code := a.ends(); code != 1000 {
		t.Errorf("closed with %d", code)
	}
	p.ends()
	reported.has("stream_connected", `{"status":"connected"}`)
	reported.has("stream_disconnected", `{"message":{"code":1000,"reason":"stopped by the app"},"status":"disconnected"}`)
}

// TestStreamWithoutEvents sends all that would be answered to a server that did not ask for events.
func TestStreamWithoutEvents(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	x := open(t, streams(a.url, "", ""))
	p := called(t, x)
	a.gets("start")
	p.session.SendDigits("5")
	p.talk.Loop(tone(1100, time.Second))
	a.send(`{"type":"mark","name":"first"}`)
	a.send(`{"action":"break"}`)
	a.send(`[{"action":"nonsense"}]`)
	a.hears(1100, 8000)
	a.send(`{"action":"stop"}`)
	a.ends()
	p.ends()
	if len(a.texts) > 0 {
		t.Errorf("the server got %q", a.texts)
	}
	if f := x.faults(); !strings.Contains(f, "did not ask for events") || !strings.Contains(f, "nonsense") {
		t.Errorf("faults: %s", f)
	}
}

func TestStreamActions(t *testing.T) {
	t.Parallel()
	a := newAgent(t)
	human := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
	x := open(t, streams(a.url, ", events: true", `, { action: 'speak', text: 'hz 640' }, { action: 'play', file_name: 'long.wav' }`))
	x.file("long.wav", 700, time.Minute)
	p := called(t, x)
	p.hears(640)
	p.hears(700)
	a.send(`[{"action":"spaek","text":"hz 900"}]`)
	if e := a.gets("error"); !strings.Contains(fmt.Sprint(e["message"]), "spaek") {
		t.Errorf("actions that cannot be read are answered %v", e)
	}
	a.send(`{"pcmo": [{"action": "speak", "text": "hz 900"}]}`) // takes the place of what plays
	p.hears(900)
	p.talk.Loop(tone(1100, time.Second))
	a.hears(1100, 8000) // the stream lives on
	a.plays("raw", 8000, octets(media.Tone(2000, time.Second)))
	p.hears(2000)
	a.send(fmt.Sprintf(`[{"action":"connect","connect":[{"type":"sip","user":"sip:bob@127.0.0.1:%d"}]},{"action":"speak","text":"hz 300"}]`, human.agent.Port()))
	human.hears(1100)
	human.talk.Loop(tone(1900, time.Second))
	p.hears(1900)
	a.send(`[{"action":"hangup","cause":"USER_BUSY"}]`)
	p.ends()
	human.ends()
	if e := a.gets("stop"); e["reason"] != "the call ended" {
		t.Errorf("the last event is %v", e)
	}
	x.has("a cdr answered USER_BUSY")
	if f := x.faults(); !strings.Contains(f, "spaek") {
		t.Errorf("faults: %s", f)
	}
}

func b64(data []byte) string { return base64.StdEncoding.EncodeToString(data) }
