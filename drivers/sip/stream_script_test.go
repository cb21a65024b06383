package sip_test

import (
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// TestAScriptKnowsWhatWasHeard has a script play, wait until that was heard, and be interrupted: the engine tells it,
// though the stream action asks for nothing.
func TestAScriptKnowsWhatWasHeard(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		const { tone } = require('piopiy/audio')
		exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl }]
		exports.stream = async socket => {
			const key = new Promise(f => socket.on('dtmf', f)), began = socket.playedMs
			socket.play(tone(500, '300ms'))
			for (const half of [0, 1]) socket.play(tone(500, '700ms', 24000).subarray(half * 8400, half * 8400 + 8400), { rate: 24000 })
			const whole = await socket.mark('one'), first = socket.playedMs
			socket.play(tone(700, '20s'))
			const digit = await key, interrupted = socket.playedMs
			const mark = socket.mark('two')
			socket.clear()
			const rest = await mark, last = socket.playedMs
			const ok = began === 0 && whole && first >= 1000 && first < 1300 && digit === '5' && interrupted >= first && interrupted < 15000 && !rest && last >= interrupted && last < interrupted + 1000
			socket.perform([{ action: 'speak', text: ok ? 'hz 900' : 'hz 1700' }, { action: 'hangup', cause: ok ? 'USER_BUSY' : 'NORMAL_CLEARING' }])
			if (!ok) throw new Error(JSON.stringify([began, whole, first, digit, interrupted, rest, last]))
			for await (const frame of socket);
		}
	`})
	p := called(t, x)
	p.hears(700)
	p.session.SendDigits("5")
	p.hears(900)
	p.ends()
	x.has("a cdr answered USER_BUSY")
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}

// TestAScriptGivesWay lets somebody cough while a script plays something: that pauses, and goes on; but not once the
// script has said so.
func TestAScriptGivesWay(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		const { tone } = require('piopiy/audio')
		exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl }]
		exports.stream = async socket => {
			socket.giveWay()
			socket.on('dtmf', () => {
				socket.giveWay(false)
				socket.clear()
				socket.play(tone(1500, '20s'))
			})
			socket.play(tone(700, '20s'))
			for await (const frame of socket);
		}
	`})
	p := called(t, x)
	p.hears(700)
	p.talk.Play(tone(500, 60*time.Millisecond))
	p.hearsAPause()
	p.session.SendDigits("5")
	p.hears(1500)
	p.note(func() { p.heard = nil })
	p.talk.Play(tone(500, 300*time.Millisecond))
	wait(t, "more of it", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return len(p.heard) >= 50*media.FrameSamples
	})
	p.mu.Lock()
	heard := slices.Clone(p.heard)
	p.mu.Unlock()
	const short = 10 // frames: what a busy machine loses; to give way takes longer than what was said
	quiet := 0
	for i := 0; i+media.FrameSamples <= len(heard); i += media.FrameSamples {
		if quiet++; audio.Energy(heard[i:i+media.FrameSamples]) >= -40 {
			quiet = 0
		}
		if quiet > short {
			t.Fatalf("a pause until %v", media.Duration(i))
		}
	}
	p.hangUp()
	if x.faults() != "" {
		t.Errorf("faults: %s", x.faults())
	}
}
