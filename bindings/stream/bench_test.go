package stream_test

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
)

// paced is a peer that sends a frame whenever one has come back.
type paced struct {
	frame      []byte
	next, back chan struct{}
	done       chan struct{}
}

func (p *paced) Read(ctx context.Context) (bool, []byte, error) {
	select {
	case <-p.next:
		return false, append(make([]byte, 0, len(p.frame)), p.frame...), nil
	case <-p.done:
		return false, nil, io.EOF
	case <-ctx.Done():
		return false, nil, context.Cause(ctx)
	}
}

func (p *paced) Write(context.Context, bool, []byte) error { p.back <- struct{}{}; return nil }
func (p *paced) Close(int, string) error                   { return nil }

type pacedEngine struct{ *paced }

func (pacedEngine) Played() time.Duration { return 0 }

// Each operation is one frame of 20 ms, from the driver to the script and back.
func BenchmarkFrame(b *testing.B) {
	for _, bb := range []struct{ name, script string }{
		{"echo", `for await (const frame of socket) socket.play(frame)`},
		{"as in AI voice", `
			const { Resampler, VoiceActivity, toBase64, samplesFromBase64 } = require('piopiy/audio')
			const up = new Resampler(8000, 24000), caller = new VoiceActivity()
			for await (const frame of socket) {
				caller.push(frame)
				const wire = toBase64(up.push(frame))
				socket.play(samplesFromBase64(wire), { rate: 24000 })
			}`},
		{"energy in JavaScript", `for await (const frame of socket) { let sum = 0; for (let i = 0; i < frame.length; i++) sum += frame[i] * frame[i]; socket.play(frame) }`},
	} {
		for _, hears := range []bool{true, false} {
			name := bb.name + ", engine"
			p := &paced{frame: audio.AppendPCM(nil, audio.Tone(440, 20*time.Millisecond, 8000))}
			run := func(b *testing.B) chan string { return serve(b, newKit(b), nil, pacedEngine{p}, bb.script) }
			if !hears {
				name = bb.name + ", cloud"
				run = func(b *testing.B) chan string { return serve(b, newKit(b), nil, p, bb.script) }
			}
			b.Run(name, func(b *testing.B) {
				p.next, p.back, p.done = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
				done := run(b)
				b.ReportAllocs()
				for b.Loop() {
					p.next <- struct{}{}
					<-p.back
				}
				close(p.done)
				<-done
			})
		}
	}
}
