package audio_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"
	"go.uber.org/goleak"

	pcm "github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/bindings/audio"
	"github.com/piopiy/piopiyd/bindings/clone"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// eval runs a script that has all of the module, and returns its result as JSON.
func eval(t testing.TB, k *runtimetest.Kit, body string) string {
	t.Helper()
	v := k.Eval(`const audio = require('piopiy/audio'); const { resample, Resampler, VoiceActivity, energy, tone, gain, mix } = audio
		return JSON.stringify(await (async () => {` + body + "\n})())")
	text, _ := v.(string)
	return text
}

func TestFunctions(t *testing.T) {
	k := runtimetest.New(t, audio.New(), clone.New())
	for script, want := range map[string]string{
		// ITU-T G.711, tables 1a and 2a.
		`return [...audio.decodeMuLaw(new Uint8Array([0x00, 0x80, 0xff, 0xfe, 0x7e]))]`: `[-32124,32124,0,8,-8]`,
		`return [...audio.decodeALaw(new Uint8Array([0xd5, 0x55, 0xaa, 0x2a, 0x80]))]`:  `[8,-8,32256,-32256,5504]`,
		`const all = Uint8Array.from({ length: 256 }, (_, i) => i)
		 const back = audio.encodeALaw(audio.decodeALaw(all)), mu = audio.encodeMuLaw(audio.decodeMuLaw(all))
		 return [back.every((b, i) => b === i), mu.filter((b, i) => b !== i).length]`: `[true,1]`, // mu-law has two zeros
		`return [...gain(new Int16Array([100, -100, 20000, -20000, 0]), 6.0206)]`:                                                                                    `[200,-200,32767,-32768,0]`,
		`return [...gain(new Int16Array([1000]), -20)]`:                                                                                                              `[100]`,
		`const a = new Int16Array([1, 2]); gain(a, 20); return [...a]`:                                                                                               `[1,2]`,
		`return [...mix(new Int16Array([1, 2, 30000]), new Int16Array([10, 20, 30000, 7]), new Int16Array(0))]`:                                                      `[11,22,32767,7]`,
		`return [energy(new Int16Array(160)), energy(new Int16Array(0)), energy(new Int16Array(160).fill(9000)), Math.round(energy(tone(1000, 100)))]`:               `[-100,-100,-100,-15]`,
		`return [tone(440, 20).length, tone(440, '1s', 24000).length, tone(440, 0).length]`:                                                                          `[160,24000,0]`,
		`return [resample(tone(440, 100), 8000, 24000).length, resample(tone(440, 100, 48000), 48000, 8000).length, resample(new Int16Array(3), 8000, 8000).length]`: `[2400,800,3]`,
		`return Math.round(energy(resample(tone(440, 500), 8000, 48000)))`:                                                                                           `-15`,
		`const a = new Int16Array([1, 2]); const b = resample(a, 8000, 8000); b[0] = 9; return [...a]`:                                                               `[1,2]`,
		// Base64, and bytes in place of samples.
		`return [audio.toBase64(new Int16Array([1, -2])), audio.toBase64(new Uint8Array([1, 0, 254, 255])), audio.toBase64(new Uint8Array([255]))]`:                                `["AQD+/w==","AQD+/w==","/w=="]`,
		`return [[...audio.samplesFromBase64('AQD+/w==')], [...audio.samplesFromBase64('AQD+/w')], [...audio.bytesFromBase64('/w==')], audio.bytesFromBase64('').length]`:          `[[1,-2],[1,-2],[255],0]`,
		`const bytes = new Uint8Array([0, 232, 3, 24, 252]); return [...gain(bytes.subarray(1), 0), ...gain(bytes.buffer.slice(1), 0), ...gain(new DataView(bytes.buffer, 1), 0)]`: `[1000,-1000,1000,-1000,1000,-1000]`,
		`const all = new Int16Array([1, 2, 3, 4]); return [...gain(all.subarray(1, 3), 0)]`:                                                                                        `[2,3]`,
		// WAV.
		`const wav = audio.encodeWav(tone(440, 100, 16000), 16000), { samples, rate } = audio.decodeWav(wav)
		 return [wav.length, rate, samples.length, samples.every((s, i) => s === tone(440, 100, 16000)[i]), samples instanceof Int16Array, String.fromCharCode(...wav.subarray(0, 4))]`: `[3244,16000,1600,true,true,"RIFF"]`,
		// A resampler in pieces is one at once, and can begin anew.
		`const sound = tone(700, 300), r = new Resampler(8000, 24000), out = []
		 for (let i = 0; i < sound.length; i += 37) out.push(...r.push(sound.subarray(i, i + 37)))
		 out.push(...r.flush())
		 const once = resample(sound, 8000, 24000), again = [...r.push(sound), ...r.flush()]
		 return [r.from, r.to, out.length - once.length, once.every((s, i) => s === out[i] && s === again[i]), r.push(new Int16Array(0)).length]`: `[8000,24000,0,true,0]`,
		`const r = new Resampler(24000, 8000); return [1, 2, 3].map(() => r.push(new Int16Array(480)).length)`:                                  `[136,160,160]`,
		`class Mine extends Resampler { push(s) { return super.push(s).length } } return new Mine(8000, 16000).push(new Int16Array(160)) > 200`: `true`,
		`return Object.keys(audio).length`: `16`,
	} {
		if got := eval(t, k, script); got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

// Where speech begins and ends does not depend on how the sound is cut.
func TestVoiceActivity(t *testing.T) {
	k := runtimetest.New(t, audio.New())
	// A second of silence, one of speech, and another one of silence, in frames and in pieces of odd lengths.
	const sound = `const sound = new Int16Array(rate * 3); sound.set(tone(300, '1s', rate), rate)
		const changes = []
		for (let i = 0; i < sound.length; i += step) {
			const state = va.push(sound.subarray(i, i + step)), ms = Math.round((i + step) * 1000 / rate)
			if (state === 'began' || state === 'ended') changes.push(state, ms)
		}
		return [...changes, va.start, va.end, va.speaking]`
	for setup, want := range map[string]string{
		`const rate = 8000, step = 160, va = new VoiceActivity()`:                                                 `["began",1100,"ended",2800,800,2000,false]`,
		`const rate = 24000, step = 480, va = new VoiceActivity({ rate })`:                                        `["began",1100,"ended",2800,800,2000,false]`,
		`const rate = 16000, step = 320, va = new VoiceActivity({ rate, silence: '200ms', lead: 20, onset: 40 })`: `["began",1040,"ended",2200,980,2000,false]`,
		`const rate = 8000, step = 37, va = new VoiceActivity({ rate })`:                                          `["began",1101,"ended",2803,800,2000,false]`,
		`const rate = 8000, step = 24000, va = new VoiceActivity({ rate })`:                                       `["ended",3000,800,2000,false]`,
		`const rate = 8000, step = 160, va = new VoiceActivity({ maxLength: 500 })`:                               `["began",1100,"ended",1300,"began",1400,"ended",1800,"began",1900,"ended",2300,1800,2300,false]`,
	} {
		if got := eval(t, k, setup+"\n"+sound); got != want {
			t.Errorf("%s\n got %s\nwant %s", setup, got, want)
		}
	}
	if got := eval(t, k, `const va = new VoiceActivity(); const s = tone(300, 200); return [va.push(s), va.push(s), va.speaking]`); got != `["began","speech",true]` {
		t.Error(got)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	k := runtimetest.New(t, audio.New(), clone.New())
	for script, want := range map[string]string{
		`resample([1, 2], 8000, 16000)`:                        "TypeError: resample: the sound must be an Int16Array",
		`resample(new Float32Array(2), 8000, 16000)`:           "TypeError: resample: the sound must be an Int16Array of samples, or a Uint8Array or ArrayBuffer that holds them; not a Float32Array",
		`gain(new Uint16Array(2), 1)`:                          "not a Uint16Array",
		`resample(new Int16Array(2), 8000, 44100)`:             "TypeError: resample: the rate it gets must be 8000, 16000, 24000 or 48000 Hz, not 44100",
		`resample(new Int16Array(2))`:                          "the rate it has must be a finite number, not undefined",
		`new Resampler(8000.5, 8000)`:                          "must be 8000, 16000",
		`Resampler(8000, 16000)`:                               "TypeError",
		`Resampler.prototype.push.call({}, new Int16Array(1))`: "Illegal invocation",
		`new Resampler(8000, 16000).push(new Uint8Array(3))`:   "RangeError: Resampler.push: an odd number of bytes (3)",
		`resample(new Int16Array(1 << 20), 8000, 48000)`:       "RangeError: resample: 6291456 samples at once; the limit is 2097152",
		`gain(new Int16Array((1 << 21) + 1), 1)`:               "RangeError: gain: 2097153 samples at once",
		`gain(new Int16Array(1), '6dB')`:                       "the gain in dB must be a finite number",
		`mix()`:                                                "1 to 16 sounds are mixed, not 0",
		`mix(...Array(17).fill(new Int16Array(1)))`:            "not 17",
		`tone(4000, 10)`:                                       "RangeError: tone: the frequency must be above 0 and below half the rate of 8000 Hz, not 4000",
		`tone(400, '1h')`:                                      "RangeError: tone: a length of 1h0m0s; the limit at 8000 Hz is 4m22s",
		`tone(400, -1)`:                                        "the length must be a time",
		`audio.samplesFromBase64('AQ==')`:                      "RangeError: samplesFromBase64: an odd number of bytes (1)",
		`audio.samplesFromBase64('A*==')`:                      "TypeError: samplesFromBase64: the text is no base64: see character 2",
		`audio.samplesFromBase64(new Uint8Array(2))`:           "the text must be a string",
		`audio.samplesFromBase64('A'.repeat(6000000))`:         "RangeError: samplesFromBase64: 6000000 characters at once",
		`audio.decodeWav(new Uint8Array(50))`:                  "TypeError: decodeWav: this is no WAV file that can be read: wav: no RIFF/WAVE header",
		`audio.decodeWav(new Int16Array(50))`:                  "the data must be a Uint8Array or an ArrayBuffer, not a Int16Array",
		`audio.decodeMuLaw('abc')`:                             `the data must be a Uint8Array or an ArrayBuffer, not "abc"`,
		`audio.encodeWav(new Int16Array(1), 11025)`:            "the rate must be 8000",
		`new VoiceActivity({ rate: 44100 })`:                   `option "rate" must be 8000`,
		`new VoiceActivity({ sensitivity: 1 })`:                `unknown option "sensitivity"`,
		`new VoiceActivity({ onset: -1 })`:                     `option "onset" must be a time`,
		`new VoiceActivity().push('x')`:                        "the sound must be",
		`audio.encodeALaw(new Proxy(new Int16Array(1), {}))`:   "the sound must be",
		`audio.toBase64({})`:                                   "the sound must be",
	} {
		got := eval(t, k, "try { "+script+"; return 'nothing' } catch (e) { return e.name + ': ' + e.message.replace(/^TypeError: /, '') }")
		if !strings.Contains(got, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

// Memory that was given away is silence, not somebody else's.
func TestDetachedBuffers(t *testing.T) {
	k := runtimetest.New(t, audio.New(), clone.New())
	for _, view := range []string{"new Int16Array(b)", "new Int16Array(b, 100000, 1000)", "new Uint8Array(b)", "new Uint8Array(b, 300000, 1000)", "new DataView(b, 8)", "b"} {
		got := eval(t, k, "const b = new ArrayBuffer(400000), view = "+view+`
			for (const name of ['buffer', 'length', 'byteLength', 'byteOffset']) try { Object.defineProperty(view, name, { value: name === 'buffer' ? new ArrayBuffer(8) : 8 }) } catch {}
			structuredClone(b, { transfer: [b] })
			try { return gain(view, 1).length } catch (e) { return e.name }`)
		if got != "0" && got != `"TypeError"` && got != "4" {
			t.Errorf("%s: %s", view, got)
		}
	}
}

func TestSoundIsNotCopied(t *testing.T) {
	k := runtimetest.New(t, audio.New())
	k.Config.Limits.JournalSize = 1 << 30
	s := k.Session(map[string]string{"main.js": `const { energy } = require('piopiy/audio')
		const small = new Int16Array(160), large = new Int16Array(1 << 20)
		exports.small = () => energy(small); exports.large = () => energy(large)`})
	cost := func(export string) uint64 {
		r := testing.Benchmark(func(b *testing.B) {
			for b.Loop() {
				if _, err := runtimetest.Call(b.Context(), s, export); err != nil {
					b.Fatal(err)
				}
			}
		})
		return uint64(r.AllocedBytesPerOp())
	}
	if small, large := cost("small"), cost("large"); large > small+64<<10 {
		t.Errorf("a call with 320 bytes of sound allocates %d bytes, with 2 MiB %d", small, large)
	}
}

// Whatever a script hands over, it gets an answer or an error of its own, and the session lives.
func FuzzInputs(f *testing.F) {
	f.Add(pcm.EncodeWAV(pcm.Tone(440, 20*time.Millisecond, 8000), 8000), "AQD+/w==", 8000.0)
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x01\x00\x00\x00data\xff\xff\xff\xff"), "A", 24000.0)
	f.Add([]byte{1}, "=", -1.0)
	k := runtimetest.New(f, audio.New())
	k.Config.Limits.JournalSize = 1 << 40
	s := k.Session(map[string]string{"main.js": `const audio = require('piopiy/audio')
		exports.main = (data, text, rate) => {
			const bytes = Uint8Array.fromBase64(data), results = []
			const attempt = f => { try { results.push(String(f().length)) } catch (e) { if (!(e instanceof TypeError || e instanceof RangeError)) throw e } }
			attempt(() => audio.decodeWav(bytes).samples)
			attempt(() => audio.samplesFromBase64(text)); attempt(() => audio.bytesFromBase64(text))
			for (const sound of [bytes, bytes.buffer, bytes.subarray(1), new Int16Array(bytes.buffer.slice(0, bytes.length & ~1))]) {
				attempt(() => audio.resample(sound, rate, 8000)); attempt(() => new audio.Resampler(8000, rate).push(sound))
				attempt(() => audio.gain(sound, rate)); attempt(() => audio.mix(sound, bytes)); attempt(() => String(audio.energy(sound)))
				attempt(() => audio.encodeMuLaw(sound)); attempt(() => audio.toBase64(sound)); attempt(() => new audio.VoiceActivity().push(sound))
			}
			return results.join()
		}`})
	f.Fuzz(func(t *testing.T, data []byte, text string, rate float64) {
		err := s.Call(t.Context(), "main", func(vm *goja.Runtime) []goja.Value {
			return []goja.Value{vm.ToValue(base64.StdEncoding.EncodeToString(data)), vm.ToValue(text), vm.ToValue(rate)}
		}, nil)
		if err != nil {
			t.Errorf("%q %q %v: %v", data, text, rate, err)
		}
	})
}
