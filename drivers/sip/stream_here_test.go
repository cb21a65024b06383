package sip_test

import (
	"testing"
	"time"
)

// TestAScriptHoldsItsStream has a script open a stream to itself in the middle of the call: it hears the caller and his
// keys, plays, is interrupted, closes the stream and goes on with the call.
func TestAScriptHoldsItsStream(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		const { tone, energy } = require('piopiy/audio')
		exports.answer = async call => {
			await call.say('hz 440')
			const socket = await call.stream({ sampleRate: 16000 })
			const key = new Promise(f => socket.on('dtmf', f))
			let loud = 0, sizes = new Set()
			const listening = (async () => { for await (const frame of socket) { sizes.add(frame.length); if (energy(frame) > -30) loud++ } })()
			socket.play(tone(500, '1s', 16000))
			const whole = await socket.mark('one')
			socket.play(tone(700, '30s'), { rate: 8000 })
			const digit = await key
			const cut = socket.mark('two')
			socket.clear()
			const rest = await cut
			socket.close()
			await Promise.all([listening, socket.ended])
			const ok = whole && !rest && digit === '5' && loud > 20 && sizes.size === 1 && sizes.has(320) && socket.rate === 16000
			await call.say(ok ? 'hz 900' : 'hz 1700')
			if (!ok) throw new Error(JSON.stringify([whole, rest, digit, loud, [...sizes], socket.rate]))
			await call.hangup('USER_BUSY')
		}
	`})
	p := called(t, x)
	p.talk.Loop(tone(1000, time.Second))
	p.hears(440)
	p.hears(500)
	p.hears(700)
	p.session.SendDigits("5")
	p.hears(900)
	p.ends()
	x.reported("a in_answered", "b stream_connected", "b stream_disconnected", "a in_hangup", "a cdr answered USER_BUSY")
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestAStreamEndsWithItsCall hangs up while a script holds a stream, and has another that never looks at its own.
func TestAStreamEndsWithItsCall(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		exports.answer = async call => {
			const deaf = await call.stream()
			const socket = await call.stream({ listen: 'both' })
			socket.play(new Int16Array(8000 * 60))
			const mark = socket.mark('never')
			call.say('hz 440').catch(() => {})
			for await (const frame of socket);
			if (await mark) throw new Error('it was not heard')
			await deaf.ended
		}
	`})
	p := called(t, x)
	p.hears(440)
	p.hangUp()
	x.has("a cdr answered NORMAL_CLEARING")
	x.close()
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestAStreamThatCannotBeOpened is an error of the verb: the call goes on as the script likes.
func TestAStreamThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		exports.answer = async call => {
			try {
				await call.stream('ws://127.0.0.1:9/nobody')
			} catch (e) {
				if (e.name !== 'StreamError' || e.code !== 'STREAM_FAILED' || !/could not be opened/.test(e.message)) throw e
				await call.say('hz 900')
			}
		}
	`})
	p := called(t, x)
	p.hears(900)
	p.ends()
	x.reported("a in_answered", "b stream_error", "a in_hangup", "a cdr answered NORMAL_CLEARING")
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestAStreamEndsWithItsScript has a script fail while it holds a stream: the caller hears nothing of it any more, and
// meets the fault policy.
func TestAStreamEndsWithItsScript(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		const { tone } = require('piopiy/audio')
		exports.answer = async call => {
			const socket = await call.stream()
			socket.play(tone(700, '20s'))
			await new Promise(f => socket.on('dtmf', f))
			throw new Error('the model is gone')
		}
	`})
	p := called(t, x)
	p.hears(700)
	p.session.SendDigits("5")
	p.ends()
	x.has("b stream_disconnected")
	x.has("a cdr answered NORMAL_TEMPORARY_FAILURE")
}
