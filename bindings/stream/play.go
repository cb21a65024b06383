package stream

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

const (
	// defaultRate is the stream's sample rate in Hz until the first frame tells another.
	defaultRate = 8000
	// longestFile bounds a file whose length is looked at.
	longestFile = time.Hour
)

// playback is what is known of the audio that the script plays. It belongs to the session's goroutine.
type playback struct {
	clock func() time.Time
	marks []*mark // in the order in which they were set

	// Audio at another rate is resampled as one, however it was cut.
	resampler *audio.Resampler
	from      int
	odd       []byte // half a sample

	// Where the peer does not tell what was heard, the time does.
	played time.Duration // in all, if nothing is cleared
	until  time.Time     // when it is over
}

// left is how long the audio that was played will go on.
func (p *playback) left() time.Duration { return max(0, p.until.Sub(p.clock())) }

// add counts audio that is played after what is playing already.
func (p *playback) add(length time.Duration) {
	p.until = p.clock().Add(p.left() + length)
	p.played += length
}

// played returns how much of the script's audio the caller has heard.
func (k *socket) played() time.Duration {
	if k.hearing != nil {
		return k.hearing.Played()
	}
	return k.playback.played - k.playback.left()
}

// clear implements clear(): what was not heard yet is dropped.
func (k *socket) clear(a runtime.Args) {
	p := &k.playback
	k.outbox.hush()
	k.put(a, outgoing{text: true, data: []byte(`{"action":"break"}`)})
	p.resampler, p.from, p.odd = nil, 0, nil
	if k.hearing != nil {
		return // the peer tells which marks are gone
	}
	p.played -= p.left()
	p.until = time.Time{}
	k.forgetMarks()
}

// giveWay implements giveWay(on): what plays falls silent with the caller's first sound, and goes on unless it is cleared.
// Only the call engine can.
func (k *socket) giveWay(a runtime.Args) {
	text := `{"action":"give_way"}`
	if a.Has(0) && !a.Value(0).ToBoolean() {
		text = `{"action":"give_way","off":true}`
	}
	if k.hearing != nil {
		k.put(a, outgoing{text: true, data: []byte(text)})
	}
}

// streamAudio is the platform's message for audio (protocol page, section 4.4).
type streamAudio struct {
	Type string `json:"type"`
	Data struct {
		AudioDataType string `json:"audioDataType"`
		SampleRate    int    `json:"sampleRate"`
		AudioData     string `json:"audioData"`
	} `json:"data"`
}

// play implements play(audio, options): samples, bytes, or base64 text.
func (k *socket) play(a runtime.Args) {
	options, own := a.Options(1, "type", "rate"), int(k.rate.Load())
	kind := options.String("type", "raw")
	switch kind {
	case "raw", "mp3", "wav", "ogg":
	default:
		a.Throw("option \"type\" must be raw, mp3, wav or ogg, not %q", kind)
	}
	rate := options.Int("rate", own, 8000, 48000)
	switch rate {
	case 8000, 16000, 24000, 48000:
	default:
		a.Throw("option \"rate\" must be 8000, 16000, 24000 or 48000 Hz, not %d", rate)
	}
	sound := k.sound(a)
	if k.session.DryRun() {
		return
	}
	// Whoever has no use for samples as they are decodes 8000 and 16000 Hz himself.
	direct := rate == own || k.hearing == nil && rate <= 16000
	if kind != "raw" {
		k.sendFile(a, kind, min(rate, 16000), sound)
		return
	}
	if direct && k.playback.from != 0 {
		k.flushResampler(a)
	}
	if !direct {
		sound = k.resample(a, sound, rate)
		rate = own
	}
	k.sendRaw(a, sound, rate)
}

// sound returns what is to be played, as octets: a copy, since the script may change its own.
func (k *socket) sound(a runtime.Args) []byte {
	v := a.Value(0)
	var sound []byte
	if samples, ok := webidl.Samples(v); ok {
		sound = audio.AppendPCM(make([]byte, 0, 2*len(samples)), samples)
	} else if text, ok := v.(goja.String); ok {
		var err error
		if sound, err = base64.StdEncoding.DecodeString(text.String()); err != nil {
			a.Throw("audio given as text must be base64: %v", err)
		}
	} else if data, ok := octets(v); ok {
		sound = append([]byte{}, data...)
	} else {
		a.Throw("audio must be an Int16Array of samples, a Uint8Array, an ArrayBuffer or base64 text, not %s", runtime.Describe(v))
	}
	if len(sound) > maxAudio {
		a.Throw("one piece of audio may have %d bytes; send it in smaller ones", maxAudio)
	}
	return sound
}

// octets returns the memory of what holds octets and nothing else.
func octets(v goja.Value) ([]byte, bool) {
	switch o, ok := v.(*goja.Object); {
	case !ok:
		return nil, false
	case webidl.IsProxy(o):
		return nil, false
	case webidl.KindOf(o) == webidl.TypedArrayKind && webidl.TagOf(o) != "Uint8Array" && webidl.TagOf(o) != "Uint8ClampedArray":
		return nil, false
	}
	return webidl.Bytes(v)
}

// resample brings raw audio to the stream's rate.
func (k *socket) resample(a runtime.Args, sound []byte, rate int) []byte {
	p, own := &k.playback, int(k.rate.Load())
	if p.from != rate {
		k.flushResampler(a)
		p.resampler, p.from = audio.NewResampler(rate, own), rate
	}
	if len(p.odd) > 0 {
		sound = append(p.odd, sound...)
	}
	p.odd = nil
	if n := len(sound); n%2 == 1 {
		p.odd = []byte{sound[n-1]}
	}
	samples := p.resampler.Append(make([]int16, 0, len(sound)/2*own/rate+2), audio.FromPCM(make([]int16, 0, len(sound)/2), sound))
	return audio.AppendPCM(sound[:0], samples)
}

// flushResampler sends what the resampler holds back: audio of another rate comes next, or a mark.
func (k *socket) flushResampler(a runtime.Args) {
	p := &k.playback
	if p.resampler == nil {
		return
	}
	tail := p.resampler.Flush(nil)
	p.resampler, p.from, p.odd = nil, 0, nil
	k.sendRaw(a, audio.AppendPCM(nil, tail), int(k.rate.Load()))
}

// sendRaw sends samples: as they are where the peer takes them so.
func (k *socket) sendRaw(a runtime.Args, sound []byte, rate int) {
	if k.hearing != nil {
		if len(sound) > 0 {
			k.put(a, outgoing{sound: true, data: sound})
		}
		return
	}
	k.send64(a, "raw", rate, sound)
	k.playback.add(time.Duration(len(sound)/2) * time.Second / time.Duration(rate))
}

// sendFile sends a file, which the peer decodes.
func (k *socket) sendFile(a runtime.Args, kind string, rate int, file []byte) {
	k.flushResampler(a)
	k.send64(a, kind, rate, file)
	if k.hearing != nil || kind != "wav" {
		return
	}
	if samples, rate, err := audio.DecodeWAV(file, longestFile); err == nil {
		k.playback.add(time.Duration(len(samples)) * time.Second / time.Duration(rate))
	}
}

func (k *socket) send64(a runtime.Args, kind string, rate int, sound []byte) {
	var m streamAudio
	m.Type = "streamAudio"
	m.Data.AudioDataType, m.Data.SampleRate, m.Data.AudioData = kind, rate, base64.StdEncoding.EncodeToString(sound)
	text, _ := json.Marshal(m)
	k.put(a, outgoing{text: true, sound: true, data: text})
}
