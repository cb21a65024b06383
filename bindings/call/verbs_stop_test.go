package call_test

import (
	"testing"

	"github.com/piopiy/piopiyd/drivers/sim"
)

func TestStopSilencesWhatPlays(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         []string
	}{
		{"a text", `await call.say('a long text. '.repeat(50)); await call.say('next')`, []string{"00:02.0 hears “next”"}},
		{"one sound of many", `await call.play(['a.wav', 'b.wav']); await call.say('next')`, []string{"a.wav", "00:02.0 hears file b.wav", "00:07.0 hears “next”"}},
		{"an announcement", `await call.answer(); await call.announce('a long text. '.repeat(50)); await call.say('next')`, []string{"00:02.0 hears “next”"}},
		{"a question, which then waits", `await call.gather({ say: 'a long text. '.repeat(50), timeout: '3s' }); await call.say('next')`, []string{"00:05.0 silent", "00:05.0 hears “next”"}},
		{"before a message", `await call.record({ say: 'a long text. '.repeat(50), beep: false, maxLength: '4s' }); await call.say('next')`, []string{"00:02.0 records", "00:06.0 hears “next”"}},
		{"nothing", `await call.pause('4s'); await call.say('next')`, []string{"00:04.0 hears “next”"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _ := dialIn(t, `exports.answer = async call => {
				setTimeout(() => call.stop(), 2000)
				`+tt.script+`
			}`, sim.Caller{})
			wants(t, got, tt.want...)
		})
	}
}
