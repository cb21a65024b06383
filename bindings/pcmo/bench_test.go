package pcmo_test

import (
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

const fiveActions = `
const { PiopiyAction } = require('piopiy');
const { pcmo } = require('piopiy/pcmo');
exports.fluent = () => () => pcmo().speak('Thanks for calling Acme.').play('https://cdn.example/welcome.wav').param('order=A1&lang=en')
  .playGetInput('menu.wav', 'https://hooks.example/dtmf', { maxDigits: 1, retries: 2, timeout: '5s' })
  .bridge([14155550101, 14155550102], { from: 14155550100, strategy: 'group', timeout: '40s' });
exports.sdk = () => () => {
  const action = new PiopiyAction();
  action.speak('Thanks for calling Acme.');
  action.playMusic('https://cdn.example/welcome.wav');
  action.setValue('order=A1&lang=en');
  action.playGetInput('https://hooks.example/dtmf', 'menu.wav', { max_digit: 1, max_retry: 2 });
  action.call([14155550101, 14155550102], 14155550100, { ring_type: 'group' });
  return action.PCMO();
};
exports.array = () => () => [
  { action: 'speak', text: 'Thanks for calling Acme.' }, { action: 'play', file_url: 'https://cdn.example/welcome.wav' },
  { action: 'param', text: 'order=A1&lang=en' },
  { action: 'play_get_input', file_name: 'menu.wav', action_url: 'https://hooks.example/dtmf', max_digit: 1, max_retry: 2, timeout: 5 },
  { action: 'bridge', from: 14155550100, connect: [{ type: 'pstn', number: 14155550101 }, { type: 'pstn', number: 14155550102 }], duration: 5400, timeout: 40, loop: 1, ring_type: 'group' },
];
`

// What an answer of five actions costs from the call of the script's function to the bytes of the reply, checks
// included, without the hop between goroutines.
func BenchmarkAnswer(b *testing.B) {
	for _, export := range []string{"fluent", "sdk", "array"} {
		b.Run(export, func(b *testing.B) {
			kit := runtimetest.New(b, pcmo.New(pcmo.Options{}))
			kit.Config.Limits.Turn = time.Hour
			s := kit.Session(map[string]string{"main.js": fiveActions})
			b.ReportAllocs()
			err := s.Call(b.Context(), export, nil, func(_ *goja.Runtime, v goja.Value) error {
				answer, ok := goja.AssertFunction(v)
				if !ok {
					return errors.New("no function")
				}
				before, n := cpu(), 0
				for ; b.Loop(); n++ {
					v, err := answer(goja.Undefined())
					if err != nil {
						return err
					}
					if _, err := pcmo.Decode(s, v, nil); err != nil {
						return err
					}
				}
				b.ReportMetric(float64(cpu()-before)/float64(n), "cpu-ns/op")
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}

// What it costs a session to have imported the classes and to use one of them.
func BenchmarkFirstUse(b *testing.B) {
	for name, script := range map[string]string{
		"nothing": `exports.main = () => 1`,
		"sdk":     `const { PiopiyAction } = require('piopiy'); exports.main = () => { const a = new PiopiyAction(); a.speak('x'); return a.PCMO() }`,
		"sdk-esm": `import { PiopiyAction } from 'piopiy'; export const main = () => { const a = new PiopiyAction(); a.speak('x'); return a.PCMO() }`,
		"fluent":  `import { pcmo } from 'piopiy/pcmo'; export const main = () => pcmo().speak('x')`,
	} {
		b.Run(name, func(b *testing.B) {
			kit := runtimetest.New(b, pcmo.New(pcmo.Options{}))
			first := kit.Session(map[string]string{"main.js": script})
			app, _ := kit.Runtime().App(first.App())
			b.ReportAllocs()
			before, n := cpu(), 0
			for ; b.Loop(); n++ {
				s, err := app.NewSession(runtime.SessionConfig{ID: "x", NoJournal: true})
				if err != nil {
					b.Fatal(err)
				}
				if err := s.Call(b.Context(), "main", nil, nil); err != nil {
					b.Fatal(err)
				}
				s.Close("done")
				<-s.Done()
			}
			b.ReportMetric(float64(cpu()-before)/float64(n), "cpu-ns/op")
		})
	}
}

// cpu is the processor time this process has used: the machine may be busy with other work.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}
