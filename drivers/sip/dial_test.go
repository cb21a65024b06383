package sip_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// pipeline is a v3 connect to SIP phones.
func pipeline(options string, endpoints ...string) string {
	for i, e := range endpoints {
		if !strings.HasPrefix(e, "{") {
			endpoints[i] = `{"type":"sip","uri":"` + e + `"}`
		}
	}
	return `{"action":"connect","params":{"caller_id":"15550002222","options":{` + options + `}},"endpoints":[` + strings.Join(endpoints, ",") + `]}`
}

// listens makes a call whose early media are heard too, without waiting for the answer.
func (p *phone) listens(ctx context.Context, x *exchange, user string) (answered chan error) {
	started := false
	o := ua.Outgoing{URI: fmt.Sprintf("sip:%s@127.0.0.1:%d", user, x.Port()), From: "+15550001111", Progress: func(_ int, body []byte) {
		if len(body) > 0 && !started {
			started = true
			if err := p.start(body); err != nil {
				p.t.Error(err)
			}
		}
	}}
	answered = make(chan error, 1)
	go func() { answered <- p.invite(ctx, o) }()
	return answered
}

func TestWaitingMusic(t *testing.T) {
	t.Parallel()
	rings := make(chan struct{})
	callee := newPhone(t, func(p *phone, i *ua.Invitation) {
		i.Ring()
		<-rings
		p.pickUp(i)
	})
	x := performs(t, documents{"desk": `[` + pipeline(`"waiting_music":"music.wav"`, callee.uri()) + `]`})
	x.file("music.wav", 600, 300*time.Millisecond)
	p := newPhone(t, nil)
	answered := p.listens(t.Context(), x, "desk")
	p.hears(600)
	p.hears(600)
	select {
	case <-answered:
		t.Error("the music has answered the call")
	default:
	}
	close(rings)
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	callee.until("the line", func() bool { return len(callee.heard) > 0 })
	callee.talk.Loop(tone(1500, time.Second))
	p.hears(1500)
	p.mu.Lock()
	p.heard = nil
	p.mu.Unlock()
	p.hears(1500)
	if p.heardAlready(600) {
		t.Error("the music goes on")
	}
	p.hangUp()
}

func TestEarlyMedia(t *testing.T) {
	t.Parallel()
	rings := make(chan struct{})
	callee := newPhone(t, func(p *phone, i *ua.Invitation) {
		p.progress(i)
		<-rings
		i.Reject(404, "Not Found", "")
	})
	x := performs(t, documents{"desk": `[{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]},{"action":"hangup","cause":"USER_BUSY"}]`})
	callee.talk.Loop(tone(950, time.Second))
	p := newPhone(t, nil)
	answered := p.listens(t.Context(), x, "desk")
	p.hears(950)
	close(rings)
	var rejected *ua.Rejected
	if err := <-answered; !errors.As(err, &rejected) || rejected.Status != 486 {
		t.Errorf("got %v", err)
	}
	x.reported("b in_started", "b in_ringing", "b in_hangup", "b cdr missed UNALLOCATED_NUMBER", "a in_hangup", "a cdr missed USER_BUSY")
}

// TestEarlyMediaAfterTheAnswer lets a caller who was answered hear what the other side says before it answers.
func TestEarlyMediaAfterTheAnswer(t *testing.T) {
	t.Parallel()
	rings := make(chan struct{})
	callee := newPhone(t, func(p *phone, i *ua.Invitation) {
		p.progress(i)
		<-rings
		p.pickUp(i)
	})
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 440"},{"action":"connect","timeout":5,"connect":[{"type":"sip","user":"` + callee.uri() + `"}]}]`})
	callee.talk.Loop(tone(950, time.Second))
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(950)
	close(rings)
	p.talk.Loop(tone(700, time.Second))
	callee.hears(700)
	p.hangUp()
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	callee := newPhone(t, func(p *phone, i *ua.Invitation) {
		got <- strings.Join([]string{i.Header("X-Ticket"), i.Header("Route"), i.Header("Proxy-Require"), i.Header("X-Split"), i.Header("Injected"), i.Header("X-cmi-extra_param")}, "|")
		p.pickUp(i)
	})
	x := performs(t, documents{"desk": `[{"action":"connect","params":{"caller_id":"15550002222","metadata":{"order":"7"}},"endpoints":[{"type":"sip","uri":"` + callee.uri() + `",
		"headers":{"X-Ticket":"42","Route":"<sip:evil.example>","proxy-require":"x","X-Split":"a\r\nInjected: yes"}}]}]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	if g := <-got; g != `42|||||{"order":"7"}` {
		t.Errorf("the phone was told %s", g)
	}
	if f := x.faults(); !strings.Contains(f, "is not sent") {
		t.Errorf("faults: %s", f)
	}
	p.hangUp()
}

// greets is a phone that answers and speaks: pieces are lengths of speech and, after each, of silence.
func greets(t *testing.T, hz float64, pieces ...time.Duration) *phone {
	return newPhone(t, func(p *phone, i *ua.Invitation) {
		i.Ring()
		var sound []int16
		for n, length := range pieces {
			if n%2 == 0 {
				sound = append(sound, media.Tone(hz, length)...)
			} else {
				sound = append(sound, media.Silence(length).Samples...)
			}
		}
		p.talk.Play(media.Sound{Samples: sound, Rate: media.Rate})
		p.pickUp(i)
	})
}

func TestMachineDetection(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		hz     float64
		pieces []time.Duration
		cause  string
	}{
		"a person":                   {440, []time.Duration{800 * time.Millisecond, 10 * time.Second}, "answered NORMAL_CLEARING"},
		"a person of few words":      {440, []time.Duration{400 * time.Millisecond, 300 * time.Millisecond, 400 * time.Millisecond, 10 * time.Second}, "answered NORMAL_CLEARING"},
		"a person who says nothing":  {440, nil, "answered NORMAL_CLEARING"},
		"a machine":                  {440, []time.Duration{6 * time.Second}, "missed MACHINE_DETECTED"},
		"a machine that takes air":   {440, []time.Duration{time.Second, 300 * time.Millisecond, 3 * time.Second}, "missed MACHINE_DETECTED"},
		"a fax machine that answers": {2100, []time.Duration{5 * time.Second}, "answered NORMAL_CLEARING"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			callee := greets(t, tt.hz, tt.pieces...)
			x := performs(t, documents{"desk": `[` + pipeline(`"machine_detection":true`, callee.uri()) + `]`})
			p := newPhone(t, nil)
			answered := p.listens(t.Context(), x, "desk")
			if strings.HasPrefix(tt.cause, "answered") {
				if err := <-answered; err != nil {
					t.Fatal(err)
				}
				p.hangUp()
			} else {
				var rejected *ua.Rejected
				if err := <-answered; !errors.As(err, &rejected) {
					t.Errorf("got %v", err)
				}
			}
			x.close()
			if got := x.reportedAll(); !strings.Contains(got, "b cdr "+tt.cause) {
				t.Errorf("reported %s", got)
			}
		})
	}
}

// target is a phone as a target.
func target(p *phone) call.Target { return call.Target{Target: pcmo.SIP(p.uri())} }

// transfer begins a call that plays a tone, and its transfer.
func transfer(t *testing.T, w call.Warm) (x *exchange, p *phone, done chan error) {
	t.Helper()
	x = performs(t, documents{"desk": `[{"action":"speak","text":"hz 300 long"},{"action":"speak","text":"hz 1000"}]`})
	p = newPhone(t, nil)
	if err := p.call(t.Context(), x, "desk"); err != nil {
		t.Fatal(err)
	}
	p.hears(300)
	done = make(chan error, 1)
	go func() { done <- x.control().Transfer(t.Context(), w) }()
	return x, p, done
}

func TestWarmTransfer(t *testing.T) {
	t.Parallel()
	agent := answers(t)
	x, p, done := transfer(t, call.Warm{Target: target(agent), Confirm: true, Whisper: says(1300), Music: says(650), Timeout: patience})
	p.hears(650)
	agent.hears(1300)
	select {
	case err := <-done:
		t.Errorf("transferred before it was accepted: %v", err)
	default:
	}
	agent.session.SendDigits("1")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	agent.talk.Loop(tone(1500, time.Second))
	p.talk.Loop(tone(700, time.Second))
	p.hears(1500)
	agent.hears(700)
	agent.hangUp()
	p.ends() // not the document any more
	x.reported("a in_answered", "b in_started", "b in_bridged", "b in_hangup", "b cdr answered NORMAL_CLEARING", "a in_hangup", "a cdr answered NORMAL_CLEARING")
}

func TestWarmTransferInVain(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		agent  func(t *testing.T) *phone
		press  string
		reason string
	}{
		"busy":        {agent: func(t *testing.T) *phone { return newPhone(t, nil) }, reason: "busy"},
		"another key": {agent: answers, press: "2", reason: "rejected"},
		"it hangs up": {agent: answers, press: "hang up", reason: "rejected"},
		"nobody answers": {agent: func(t *testing.T) *phone {
			return newPhone(t, func(_ *phone, i *ua.Invitation) { i.Ring(); <-i.Cancelled })
		}, reason: "no_answer"},
	} {
		t.Run(name, func(t *testing.T) {
			agent := tt.agent(t)
			_, p, done := transfer(t, call.Warm{Target: target(agent), Confirm: true, Whisper: says(1300), Timeout: 800 * time.Millisecond})
			switch tt.press {
			case "":
			case "hang up":
				agent.hears(1300)
				agent.hangUp()
			default:
				agent.hears(1300)
				agent.session.SendDigits(tt.press)
			}
			var failed *call.TransferError
			if err := <-done; !errors.As(err, &failed) || failed.Reason != tt.reason {
				t.Errorf("got %v, want %s", err, tt.reason)
			}
			p.hears(300) // the document goes on
			p.hangUp()
		})
	}
}

func TestTransferToWhomMayNotBeCalled(t *testing.T) {
	t.Parallel()
	_, p, done := transfer(t, call.Warm{Target: call.Target{Target: pcmo.PSTN("14155550101")}})
	var failed *call.TransferError
	if err := <-done; !errors.As(err, &failed) || failed.Reason != "call_barred" {
		t.Errorf("got %v", err)
	}
	p.hears(300)
	p.hangUp()
}

// TestAcceptTakesItsTime lets a target think about it for longer than it may ring.
func TestAcceptTakesItsTime(t *testing.T) {
	t.Parallel()
	first := answers(t)
	x, p, done := transfer(t, call.Warm{Target: target(first), Confirm: true, Timeout: 500 * time.Millisecond})
	first.until("the line", func() bool { return len(first.heard) > 8000 }) // longer than it may ring
	first.session.SendDigits("1")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	p.hangUp()
	x.close()
}

// TestOthersAreToldThatSomebodyElseAnswered keeps missed calls from the phones of a group.
func TestOthersAreToldThatSomebodyElseAnswered(t *testing.T) {
	t.Parallel()
	why := make(chan string, 1)
	slow := newPhone(t, func(_ *phone, i *ua.Invitation) {
		i.Ring()
		<-i.Cancelled
		why <- i.CancelReason()
	})
	rang := make(chan struct{})
	quick := newPhone(t, func(p *phone, i *ua.Invitation) {
		<-rang
		p.pickUp(i)
	})
	x := performs(t, documents{"desk": `[{"action":"connect","timeout":5,"ring_type":"group","connect":[{"type":"sip","user":"` + slow.uri() + `"},{"type":"sip","user":"` + quick.uri() + `"}]}]`})
	p := newPhone(t, nil)
	calling := make(chan error, 1)
	go func() { calling <- p.call(t.Context(), x, "desk") }()
	x.has("b in_ringing")
	close(rang)
	if err := <-calling; err != nil {
		t.Fatal(err)
	}
	if w := <-why; !strings.Contains(w, "cause=200") {
		t.Errorf("cancelled because %q", w)
	}
	p.hangUp()
}
