package sip_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

const menu = `
	const { PiopiyAction } = require('piopiy')
	exports.answer = () => {
		const action = new PiopiyAction()
		action.record()
		action.speak('hz 440')
		action.playGetInput(chosen, 'menu.wav', { max_digit: 2, timeout: 5 })
		return action.PCMO()
	}
	function chosen({ dtmf }) {
		const action = new PiopiyAction()
		action.speak(dtmf === '5#' ? 'hz 1200' : 'hz 300')
		action.hangup()
		return action.PCMO()
	}
`

func (x *exchange) file(name string, hz float64, length time.Duration) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), media.EncodeWAV(media.Tone(hz, length)), 0o600); err != nil {
		x.t.Fatal(err)
	}
}

func TestACallerHearsPromptsAndPressesKeys(t *testing.T) {
	t.Parallel()
	for _, transport := range []string{"udp", "tcp"} {
		t.Run(transport, func(t *testing.T) {
			x := open(t, map[string]string{"support": menu})
			x.file("menu.wav", 880, 10*time.Second)
			p := newPhone(t, nil)
			rang := make(chan int, 10)
			if err := p.invite(t.Context(), ua.Outgoing{
				URI: fmt.Sprintf("sip:support@127.0.0.1:%d;transport=%s", x.Port(), transport), From: "+15550001111",
				Progress: func(status int, _ []byte) { rang <- status },
			}); err != nil {
				t.Fatal(err)
			}
			select { // a script may be faster than the bell
			case status := <-rang:
				if status != 180 {
					t.Errorf("the first provisional response is %d", status)
				}
			default:
			}
			p.talk.Loop(tone(1700, time.Second))
			p.hears(440)
			p.hears(880)
			p.session.SendDigits("5#")
			p.hears(1200)
			if e := p.ends(); !strings.Contains(e.Reason, "cause=16") {
				t.Errorf("ended with %+v", e)
			}
			x.reported("a in_answered", "a in_hangup", "a cdr answered NORMAL_CLEARING")
			x.close()
			said := x.recording()
			for _, hz := range []float64{440, 880, 1200, 1700} {
				if !contains(said, hz) {
					t.Errorf("the recording of %v lacks %g Hz", media.Duration(len(said)), hz)
				}
			}
			if contains(said, 300) || x.faults() != "" {
				t.Errorf("faults: %s", x.faults())
			}
		})
	}
}

// contains reports whether a tone is in samples for 100 ms.
func contains(samples []int16, hz float64) bool {
	for i := 0; i+800 <= len(samples); i += 400 {
		if audio.Level(samples[i:i+800], hz, media.Rate) > 2500 {
			return true
		}
	}
	return false
}

func connect(to string, more ...string) string {
	return `exports.answer = () => [{ action: 'speak', text: 'hz 440' }, { action: 'connect', timeout: 5, connect: ` + to + ` }` + strings.Join(more, "") + `]`
}

func TestBridge(t *testing.T) {
	t.Parallel()
	rings := make(chan struct{})
	callee := newPhone(t, func(p *phone, i *ua.Invitation) {
		i.Ring()
		<-rings
		p.pickUp(i)
	})
	busy := newPhone(t, nil)
	target := func(p *phone) string {
		return fmt.Sprintf(`{ type: 'sip', user: 'sip:bob@127.0.0.1:%d' }`, p.agent.Port())
	}
	x := open(t, map[string]string{
		"desk": connect("["+target(busy)+", "+target(callee)+"]", `, { action: 'speak', text: 'hz 1000' }`),
	})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(440)
	p.hears(425) // the ringback tone
	close(rings)
	callee.until("the line", func() bool { return len(callee.heard) > 0 })
	p.talk.Loop(tone(700, time.Second))
	callee.talk.Loop(tone(1500, time.Second))
	callee.hears(700)
	p.hears(1500)
	p.session.SendDigits("42")
	callee.until("42", func() bool { return string(callee.digits) == "42" })
	callee.session.SendDigits("7")
	p.until("7", func() bool { return string(p.digits) == "7" })
	callee.hangUp()
	p.hears(1000) // the next action
	p.ends()
	x.reported("a in_answered",
		"b in_started", "b in_hangup", "b cdr missed USER_BUSY",
		"b in_started", "b in_ringing", "b in_bridged", "b in_hangup", "b cdr answered NORMAL_CLEARING",
		"a in_hangup", "a cdr answered NORMAL_CLEARING")
}

// TestTrunk calls a number through a carrier that asks for a password, and one that no carrier may be asked for.
func TestTrunk(t *testing.T) {
	t.Parallel()
	called := make(chan string, 10)
	carrier := newPhone(t, nil)
	switchboard, err := ua.Open(ua.Options{Listen: "127.0.0.1:0", Users: map[string]string{"acme": "s3cret"}, KnownOnly: true, Invite: func(i *ua.Invitation) {
		called <- i.User + " " + i.From + " " + i.To
		carrier.pickUp(i)
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = switchboard.Close(ctx)
	}()
	x := open(t, map[string]string{"desk": `exports.answer = () => [
		{ action: 'bridge', timeout: 5, connect: [{ type: 'pstn', number: 4915550101 }, { type: 'pstn', number: 14155550101 }] }, { action: 'speak', text: 'hz 1000' }]`}, func(o *sip.Options) {
		o.Trunks = []sip.Trunk{
			{Name: "other", Address: "127.0.0.1:9", Prefixes: []string{"1"}},
			{Name: "acme", Address: fmt.Sprintf("127.0.0.1:%d", switchboard.Port()), User: "acme", Password: "s3cret", Prefixes: []string{"+1415"}, CallerID: "acme"},
		}
	})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	carrier.talk.Loop(tone(1500, time.Second))
	p.hears(1500)
	if got := <-called; got != "acme acme +14155550101" {
		t.Errorf("the carrier was asked for %q", got)
	}
	carrier.hangUp()
	p.hears(1000)
	p.ends()
	if f := x.faults(); !strings.Contains(f, "4915…(10 digits)") || strings.Contains(f, "14155550101") {
		t.Errorf("faults: %s", f)
	}
}

func TestRingGroup(t *testing.T) {
	t.Parallel()
	cancelled := make(chan struct{})
	slow := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		<-i.Cancelled
		close(cancelled)
	})
	quick := newPhone(t, func(p *phone, i *ua.Invitation) {
		i.Ring()
		p.pickUp(i)
	})
	x := open(t, map[string]string{"desk": fmt.Sprintf(`exports.answer = () => [{ action: 'connect', timeout: 5, ring_type: 'group', connect: [
		{ type: 'sip', user: 'a@127.0.0.1:%d' }, { type: 'sip', user: 'b@127.0.0.1:%d' }, { type: 'sip', user: 'c@192.0.2.77' }] }]`, slow.agent.Port(), quick.agent.Port())})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil { // answered when the group is
		t.Fatal(err)
	}
	select {
	case <-cancelled:
	case <-time.After(patience):
		t.Fatal("the other phone rings on")
	}
	p.hangUp()
	if e := quick.ends(); !strings.Contains(e.Reason, "cause=16") {
		t.Errorf("the callee's end: %+v", e)
	}
	if !strings.Contains(x.faults(), "may not be called") {
		t.Errorf("no open relay: %q", x.faults())
	}
}

func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	cancelled := make(chan struct{})
	away := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		<-i.Cancelled
		close(cancelled)
	})
	x := open(t, map[string]string{"desk": fmt.Sprintf(`exports.answer = () => [
		{ action: 'connect', timeout: 1, connect: [{ type: 'sip', user: 'sip:a@127.0.0.1:%d' }] }, { action: 'speak', text: 'hz 600' }]`, away.agent.Port())})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(600)
	p.ends()
	<-cancelled
	x.reported("b in_started", "b in_ringing", "b in_hangup", "b cdr missed NO_ANSWER", "a in_answered", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}

func TestTheCallerHangsUp(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"wait": `exports.answer = () => [{ action: 'record' }]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "wait"); err != nil {
		t.Fatal(err)
	}
	p.hangUp()
	x.reported("a in_answered", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}

func TestTheCallerGivesUp(t *testing.T) {
	t.Parallel()
	ringing := newPhone(t, func(_ *phone, i *ua.Invitation) { <-i.Cancelled })
	x := open(t, map[string]string{"desk": fmt.Sprintf(`exports.answer = () => [{ action: 'connect', timeout: 20, connect: [{ type: 'sip', user: 'a@127.0.0.1:%d' }] }]`, ringing.agent.Port())})
	p := newPhone(t, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	err := p.invite(ctx, ua.Outgoing{URI: fmt.Sprintf("sip:desk@127.0.0.1:%d", x.Port()), From: "1", Progress: func(int, []byte) {
		cancel(enough)
	}})
	if !errors.Is(err, enough) {
		t.Errorf("the caller got %v", err)
	}
	var got string
	if !x.mu.Until(patience, func() bool {
		got = strings.Join(x.reports, ",")
		return strings.HasSuffix(got, "a in_hangup,a cdr missed ORIGINATOR_CANCEL")
	}) {
		t.Fatalf("reported %s", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	scripts := map[string]string{
		"busy": `exports.answer = () => [{ action: 'hangup', cause: 'USER_BUSY' }]`, "no": `exports.answer = () => [{ action: 'hangup' }]`,
		"broken": `exports.answer = () => { throw new Error('oops') }`, "yes": `exports.answer = () => [{ action: 'record' }]`,
	}
	tests := []struct {
		name   string
		to     string
		offer  string
		change func(*sip.Options)
		from   string
		status int
	}{
		{name: "the script rejects", to: "busy", status: 486},
		{name: "the script rejects without a cause", to: "no", status: 480},
		{name: "the script fails and has no policy", to: "broken", status: 500},
		{name: "nobody", to: "nobody", status: 404},
		{name: "not routed", to: "yes", change: func(o *sip.Options) { o.Route = func(string) (string, bool) { return "", false } }, status: 404},
		{name: "no codec in common", to: "yes", offer: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 18\r\n", status: 488},
		{name: "no audio", to: "yes", offer: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=video 4000 RTP/AVP 99\r\n", status: 488},
		{name: "no description", to: "yes", offer: "hello", status: 400},
		{name: "a user's name without its password", to: "yes", from: "alice", change: func(o *sip.Options) { o.Users = map[string]string{"alice": "s3cret"} }, status: 407},
		{name: "strangers are not wanted", to: "yes", change: func(o *sip.Options) { o.KnownOnly = true }, status: 407},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			x := open(t, scripts, func(o *sip.Options) {
				if tt.change != nil {
					tt.change(o)
				}
			})
			p := newPhone(t, nil)
			o := ua.Outgoing{URI: fmt.Sprintf("sip:%s@127.0.0.1:%d", tt.to, x.Port()), From: "1555", Offer: []byte(tt.offer)}
			if tt.offer == "" {
				o.Offer = nil
			}
			if tt.from != "" {
				o.From = tt.from
			}
			err := p.invite(t.Context(), o)
			var rejected *ua.Rejected
			if !errors.As(err, &rejected) || rejected.Status != tt.status {
				t.Errorf("got %v, want %d", err, tt.status)
			}
		})
	}
}

func TestTooManyCalls(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"yes": `exports.answer = () => [{ action: 'record' }]`}, func(o *sip.Options) { o.MaxCalls = 1 })
	first, second := newPhone(t, nil), newPhone(t, nil)
	if err := first.call(t.Context(), x, "yes"); err != nil {
		t.Fatal(err)
	}
	var rejected *ua.Rejected
	if err := second.call(t.Context(), x, "yes"); !errors.As(err, &rejected) || rejected.Status != 503 {
		t.Errorf("got %v", err)
	}
	first.hangUp()
}

func TestDrain(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"yes": `exports.answer = () => [{ action: 'record' }]`}, func(o *sip.Options) { o.DrainTimeout = 300 * time.Millisecond })
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "yes"); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	x.stop(stopped)
	p.ends()
	<-x.served
	if !errors.Is(x.serveErr, stopped) {
		t.Errorf("Serve returned %v", x.serveErr)
	}
	x.reported("a in_answered", "a in_hangup", "a cdr answered NORMAL_TEMPORARY_FAILURE")
}

func TestWhatCannotBePlayedLeadsToThePolicy(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for name, c := range map[string]struct{ action, fault string }{
		"no such file":    {`{ action: 'play', file_name: 'gone.wav' }`, "404"},
		"outside":         {`{ action: 'play', file_name: '../../../../etc/passwd' }`, "404"},
		"no such address": {`{ action: 'play', file_url: '` + server.URL + `/gone.wav' }`, "404"},
		"no voice":        {`{ action: 'speak', text: 'hello' }`, "cannot say"},
	} {
		t.Run(name, func(t *testing.T) {
			x := open(t, map[string]string{"a": `exports.answer = () => [` + c.action + `]`}, func(o *sip.Options) {
				o.Fault = call.FaultPolicy{Say: "hz 350", Hangup: "NETWORK_OUT_OF_ORDER"}
			})
			p := newPhone(t, nil)
			if err := p.call(t.Context(), x, "a"); err != nil {
				t.Fatal(err)
			}
			p.hears(350)
			p.ends()
			x.reported("a in_answered", "a in_hangup", "a cdr answered NETWORK_OUT_OF_ORDER")
			if !strings.Contains(x.faults(), c.fault) {
				t.Errorf("faults: %s", x.faults())
			}
		})
	}
}

func TestPlayURL(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(media.EncodeWAV(media.Tone(520, time.Second)))
	}))
	defer server.Close()
	x := open(t, map[string]string{"a": `exports.answer = () => [{ action: 'play', file_url: '` + server.URL + `/a.wav' }]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "a"); err != nil {
		t.Fatal(err)
	}
	p.hears(520)
	p.ends()
}
