package stream_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
)

// What is heard can be played as it is: the engine gets samples, the platform its messages.
func TestEcho(t *testing.T) {
	const echo = `for await (const frame of socket) socket.play(frame); return [socket.rate, socket.dropped]`
	samples := make([]int16, 160)
	for i := range samples {
		samples[i] = int16(i*137 - 9000)
	}
	for _, rate := range []int{8000, 16000} {
		p := newPeer()
		done := serve(t, newKit(t), nil, engine{peer: p}, echo)
		p.say(fmt.Sprintf(`{"event":"start","rate":%d}`, rate))
		p.sound(samples...)
		if got := p.got(t); got != fmt.Sprint(samples) {
			t.Errorf("at %d Hz the engine got %s", rate, got)
		}
		_ = p.Close(1000, "")
		if got := result(t, done); got != fmt.Sprintf("[%d,0]", rate) {
			t.Error(got)
		}

		p = newPeer()
		done = serve(t, newKit(t), nil, p, echo)
		p.say(fmt.Sprintf(`{"event":"start","rate":%d}`, rate))
		p.sound(samples...)
		want := fmt.Sprintf(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":%d,"audioData":"%s"}}`, rate, base64.StdEncoding.EncodeToString(audio.AppendPCM(nil, samples)))
		if got := p.got(t); got != want {
			t.Errorf("the platform got %s", got)
		}
		_ = p.Close(1000, "")
		result(t, done)
	}
}

// Audio comes in every form and rate, and leaves at the stream's own.
func TestPlay(t *testing.T) {
	p := newPeer()
	done := serve(t, newKit(t), nil, engine{peer: p}, `
		const { tone, toBase64, encodeWav, Resampler } = require('piopiy/audio')
		const s = new Int16Array([1, -2]), bytes = new Uint8Array(s.buffer)
		socket.play(s); socket.play(bytes); socket.play(s.buffer); socket.play(toBase64(s)); socket.play(bytes.subarray(2)); socket.play(s.subarray(1))
		const sound = tone(440, 200, 24000), wire = toBase64(sound)
		socket.play(sound, { rate: 24000 })
		await socket.mark('whole')
		for (let i = 0; i < sound.length * 2; i += 333) socket.play(new Uint8Array(sound.buffer).subarray(i, i + 333), { rate: 24000 })
		await socket.mark('pieces')
		socket.play(wire, { rate: 24000 }); socket.clear()
		socket.play(encodeWav(s, 8000), { type: 'wav' })
		const before = structuredClone(s.buffer, { transfer: [s.buffer] }); socket.play(s)
		return before.byteLength`)
	for range 4 {
		if got := p.got(t); got != "[1 -2]" {
			t.Error(got)
		}
	}
	for range 2 {
		if got := p.got(t); got != "[-2]" {
			t.Error(got)
		}
	}
	want := audio.Resample(audio.Tone(440, 200*time.Millisecond, 24000), 24000, 8000)
	for _, name := range []string{"whole", "pieces"} {
		var sound []int16
		for f := range p.fromScript {
			if f.text {
				if string(f.data) != `{"type":"mark","name":"`+name+`"}` {
					t.Errorf("%s", f.data)
				}
				break
			}
			sound = audio.FromPCM(sound, f.data)
		}
		if len(sound) < len(want) || fmt.Sprint(sound[:len(want)]) != fmt.Sprint(want) {
			t.Errorf("%s: %d samples of %d, or others", name, len(sound), len(want))
		}
		p.say(`{"event":"played","name":"` + name + `"}`)
	}
	got := p.got(t)
	if strings.HasPrefix(got, "[") { // sound that was not sent yet is dropped with what was
		got = p.got(t)
	}
	if got != `{"action":"break"}` {
		t.Error(got)
	}
	if got := p.got(t); !strings.HasPrefix(got, `{"type":"streamAudio","data":{"audioDataType":"wav"`) {
		t.Error(got)
	}
	if got := result(t, done); got != "4" {
		t.Error(got)
	}
}

// The engine tells which marks were heard, and which never will be.
func TestMarks(t *testing.T) {
	p := newPeer()
	e := &engine{peer: p, heard: 1234 * time.Millisecond}
	done := serve(t, newKit(t), nil, e, `
		const seen = []
		const marks = ['a', 'b', 'a', 'c', 'd'].map(name => socket.mark(name).then(heard => seen.push(name + ' ' + heard)))
		await marks[0]; seen.push(socket.playedMs)
		socket.clear(); await marks[3]
		socket.close(); await Promise.all(marks); seen.push(await socket.mark('late'))
		return seen`)
	for _, name := range []string{"a", "b", "a", "c", "d"} {
		if got := p.got(t); got != `{"type":"mark","name":"`+name+`"}` {
			t.Error(got)
		}
	}
	p.say(`{"event":"played","name":"nobody's"}`)
	p.say(`{"event":"played","name":"a","played_ms":20}`)
	if got := p.got(t); got != `{"action":"break"}` {
		t.Error(got)
	}
	p.say(`{"event":"cleared","played_ms":30,"marks":["b","a","c"]}`)
	if got := result(t, done); got != `["a true",1234,"b false","a false","c false","d false",false]` {
		t.Error(got)
	}
}

// Where nobody tells what was heard, the time does: exactly so in a simulation.
func TestMarksByTheClock(t *testing.T) {
	p := newPeer()
	clock := sim.NewClock(time.Time{})
	done := serve(t, newKit(t), clock, virtual{p, clock}, `
		const { encodeWav } = require('piopiy/audio')
		const began = Date.now(), seen = [], now = what => seen.push(what + ' ' + (Date.now() - began) + ' ' + socket.playedMs)
		const after = ms => new Promise(f => setTimeout(f, ms))
		now('begin')
		socket.play(new Int16Array(8000)); socket.play(new Int16Array(8000), { rate: 16000 })
		const first = socket.mark('first').then(heard => now('first ' + heard))
		await after(500); now('later'); await first
		socket.play(new Int16Array(24000), { rate: 24000 })
		const second = socket.mark('second').then(heard => now('second ' + heard))
		await after(300); socket.clear(); await second
		await after(100); now('silent')
		socket.play(encodeWav(new Int16Array(4000), 8000), { type: 'wav' }); await socket.mark('wav'); now('wav')
		await socket.mark('nothing plays'); now('end')
		socket.close()
		return seen`)
	moving, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-moving:
				return
			default:
				clock.Advance(time.Second)
			}
		}
	}()
	want := `["begin 0 0","later 500 500","first true 1500 1500","second false 1800 1800","silent 1900 1800","wav 2400 2300","end 2400 2300"]`
	if got := result(t, done); got != want {
		t.Errorf(" got %s\nwant %s", got, want)
	}
	close(moving)
	<-stopped
}

// virtual is a peer in simulated time, which rests while it is read.
type virtual struct {
	*peer
	clock *sim.Clock
}

func (v virtual) Read(ctx context.Context) (bool, []byte, error) {
	for {
		if err := v.clock.Sleep(ctx, 20*time.Millisecond); err != nil {
			return false, nil, err
		}
		select {
		case <-v.gone:
			return false, nil, io.EOF
		default:
		}
	}
}

func TestEvents(t *testing.T) {
	p := newPeer()
	done := serve(t, newKit(t), nil, p, `
		const seen = []
		socket.on('dtmf', function (digit) { seen.push('dtmf ' + digit, this === socket) })
		socket.on('error', message => seen.push('error ' + message))
		socket.on('text', text => seen.push('text ' + text.length))
		socket.on('end', () => seen.push('end'))
		for await (const frame of socket) seen.push(frame.length)
		await socket.ended; await null
		return seen`)
	p.say(`{"event":"dtmf","digit":"#"}`)
	p.say(`{"event":"error","message":"too fast"}`)
	p.say(`{"event":`)
	p.say(`[]`)
	p.toScript <- frame{false, []byte{1, 2, 3}} // of odd length
	p.toScript <- frame{false, nil}
	_ = p.Close(1000, "")
	got := result(t, done)
	for _, want := range []string{`"dtmf #",true`, `"text 28"`, `"error too fast"`, `"text 9","text 2"`, `"end"`} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestMistakesAreNamed(t *testing.T) {
	p := newPeer()
	scripts := map[string]string{
		`socket.play([1, 2])`:                                      "TypeError: stream.play: audio must be an Int16Array of samples",
		`socket.play(new Float32Array(2))`:                         "audio must be an Int16Array",
		`socket.play('?')`:                                         "audio given as text must be base64",
		`socket.play(new Int16Array(1), { rate: 44100 })`:          `option "rate" must be 8000, 16000, 24000 or 48000 Hz, not 44100`,
		`socket.play(new Int16Array(1), { type: 'flac' })`:         `option "type" must be raw, mp3, wav or ogg`,
		`socket.play(new Uint8Array(7 << 20))`:                     "one piece of audio may have 6291456 bytes; send it in smaller ones",
		`socket.on('digits', () => {})`:                            `there is no event "digits"; the events are text, dtmf, error, end`,
		`socket.on('end')`:                                         "listener must be a function",
		`for (let i = 0; i < 11; i++) socket.on('dtmf', () => {})`: "more than 10 listeners",
		`socket.mark()`:                                            "the mark's name must be a string",
		`socket.mark('x'.repeat(257))`:                             "may have 256 bytes, not 257",
		`for (let i = 0; i < 200; i++) socket.mark('x')`:           "100 marks wait to be played; await one before the next",
		`socket.clear.call({})`:                                    "this is not a stream",
	}
	var body strings.Builder
	body.WriteString("const seen = {}\n")
	for script := range scripts {
		quoted, _ := json.Marshal(script)
		fmt.Fprintf(&body, "try { %s; seen[%s] = 'nothing' } catch (e) { seen[%s] = e.name + ': ' + e.message }\nsocket.clear()\n", script, quoted, quoted)
	}
	body.WriteString("return seen")
	var seen map[string]string
	// Marks by the clock are settled by clear; nothing of the sound is silence that goes on for a while.
	if err := json.Unmarshal([]byte(result(t, serve(t, newKit(t), nil, p, "socket.play(new Int16Array(800000));"+body.String()))), &seen); err != nil {
		t.Fatal(err)
	}
	for script, want := range scripts {
		if !strings.Contains(seen[script], want) {
			t.Errorf("%s\n got %s\nwant %s", script, seen[script], want)
		}
	}
}

// A script that is slower than the call loses the oldest frames and is told how many.
func TestFlood(t *testing.T) {
	p := newPeer()
	started := make(chan struct{})
	done := serve(t, newKit(t), nil, p, `
		const ready = new Promise(f => socket.on('text', f)), first = (await socket.next()).value[0]
		socket.play(new Int16Array(160))
		await ready; let n = 0, last
		for await (const frame of socket) { n++; last = frame[0] }
		return [first, n, last, socket.dropped]`)
	p.sound(0)
	go func() {
		defer close(started)
		<-p.fromScript // the script has the first frame
		for i := range 500 {
			p.sound(int16(i + 1))
		}
		p.say("go on")
		_ = p.Close(1000, "")
	}()
	<-started
	if got := result(t, done); got != "[0,100,500,400]" {
		t.Error(got)
	}
}

// patient is a peer of the engine's kind who knows when the script has asked what was heard.
type patient struct {
	*peer
	asked chan struct{}
}

func (p patient) Played() time.Duration { close(p.asked); return 0 }

// What waits behind a slow peer is not sent before the break: only what the script has said otherwise is.
func TestClearDropsWhatWasNotSent(t *testing.T) {
	p := newPeer()
	p.fromScript = make(chan frame)
	cleared := make(chan struct{})
	done := serve(t, newKit(t), nil, patient{p, cleared}, `
		for (let n = 0; n < 1000; n++) { socket.play(new Int16Array(160)); if (n === 500) socket.send('{"type":"note"}') }
		socket.clear()
		socket.playedMs
		await socket.ended
		return 'over'`)
	<-cleared
	var texts []string
	sounds := 0
	for len(texts) < 2 {
		if f := <-p.fromScript; f.text {
			texts = append(texts, string(f.data))
		} else {
			sounds++
		}
	}
	if sounds > 1 { // the one that was on its way
		t.Errorf("%d sounds were sent in vain", sounds)
	}
	if got := strings.Join(texts, " "); got != `{"type":"note"} {"action":"break"}` {
		t.Error(got)
	}
	_ = p.Close(1000, "")
	if got := result(t, done); got != `"over"` {
		t.Error(got)
	}
}

// A peer that takes nothing is reported to the script, which is never held up.
func TestAPeerThatDoesNotRead(t *testing.T) {
	p := newPeer()
	p.fromScript = make(chan frame)
	done := serve(t, newKit(t), nil, engine{peer: p}, `let n = 0; try { for (; n < 5000; n++) socket.play(new Int16Array(160)) } catch (e) { return [n >= 4096 && n < 4100, e.message] }`)
	if got := result(t, done); got != `[true,"stream.play: the peer does not read; too much is waiting to be sent"]` {
		t.Error(got)
	}
}

// The frame that a script gets is the memory that came from the network.
func TestFramesAreNotCopied(t *testing.T) {
	p := newPeer()
	done := serve(t, newKit(t), nil, p, `const { value } = await socket.next(); value[1] = 77; return value.length`)
	shared := audio.AppendPCM(nil, []int16{1, 2, 3})
	p.toScript <- frame{false, shared}
	if got := result(t, done); got != "3" || binary.LittleEndian.Uint16(shared[2:]) != 77 {
		t.Errorf("%s, %v", got, shared)
	}
}

func FuzzFrames(f *testing.F) {
	f.Add(true, []byte(`{"event":"start","rate":16000}`), []byte{1, 2, 3})
	f.Add(true, []byte(`{"event":"cleared","marks":["a",""]}`), []byte{})
	f.Add(false, []byte(`{"event":"dtmf","digit":5}`), []byte{0, 0x80})
	app := load(newKit(f), `for (const e of ['dtmf', 'error', 'text', 'end']) socket.on(e, () => {})
		const m = [socket.mark('a'), socket.mark('')]; let n = 0
		for await (const frame of socket) { n += frame.length; socket.play(frame); socket.play(frame, { rate: 24000 }) }
		await Promise.all(m); return [n, socket.playedMs >= 0]`)
	f.Fuzz(func(t *testing.T, hears bool, text, sound []byte) {
		p := newPeer()
		var from call.Stream = p
		if hears {
			from = engine{peer: p}
		}
		done := run(t, app, nil, from)
		p.toScript <- frame{true, text}
		p.toScript <- frame{false, sound}
		_ = p.Close(1000, "")
		if got := result(t, done); got != fmt.Sprintf("[%d,true]", len(sound)/2) {
			t.Errorf("%q %x: %s", text, sound, got)
		}
	})
}
