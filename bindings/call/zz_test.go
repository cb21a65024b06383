package call_test

import (
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sim"
)

func TestZZ(t *testing.T) {
	got, d := dialIn(t, `exports.answer = call => { setTimeout(() => { throw new Error('no') }, 3000); return [{ action: 'play', file_name: 'a.wav' }, { action: 'play', file_name: 'b.wav' }, { action: 'input', action_url: 'http://x.invalid' }] }
	exports.event = e => console.log('event', e.status)
	exports.cdr = r => console.log('cdr', r.status)`, sim.Caller{HangupAfter: 8 * time.Second})
	t.Logf("%s\n%s\n%v", got, d.logged(got.Call), d.kinds(got.Call))
}
