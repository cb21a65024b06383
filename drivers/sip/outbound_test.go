package sip_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
	"github.com/piopiy/piopiyd/pcmo"
)

// documents is a handler: it answers calls to an app with that app's document, as JSON, and digits with that of the
// app, a space and the digits.
type documents map[string]string

func (d documents) reply(name string) (call.Reply, error) {
	text, ok := d[name]
	if !ok {
		return call.Reply{}, fmt.Errorf("%w: %s", call.ErrNoApp, name)
	}
	doc, err := pcmo.DecodeAny([]byte(text))
	if err != nil {
		return call.Reply{}, err
	}
	return call.Reply{Document: doc.Actions(), JSON: []byte(text)}, nil
}

func (d documents) Answer(_ context.Context, c *call.Call) (call.Reply, error) { return d.reply(c.App) }
func (d documents) Input(_ context.Context, c *call.Call, in call.Input) (call.Reply, error) {
	return d.reply(strings.TrimSpace(c.App + " " + in.Digits + in.Speech))
}
func (documents) Event(context.Context, *call.Event) error { return nil }
func (documents) CDR(context.Context, *call.CDR) error     { return nil }
func (documents) Stream(context.Context, *call.Call, call.Stream) error {
	return call.ErrNoCallback
}

// performs starts an exchange for documents, by app.
func performs(t *testing.T, d documents, change ...func(*sip.Options)) *exchange {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	if testing.Verbose() {
		log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return serve(t, log, d, change...)
}

// decode reads a document.
func decode(t *testing.T, text string) []pcmo.Action {
	t.Helper()
	doc, err := pcmo.DecodeAny([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc.Actions()
}

// uri is how the phone is called.
func (p *phone) uri() string { return fmt.Sprintf("sip:bob@127.0.0.1:%d", p.agent.Port()) }

// wait waits until something is.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for tick := time.NewTicker(2 * time.Millisecond); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// control is that of the only call.
func (x *exchange) control() *call.Control {
	x.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		if all := x.live.All(); len(all) == 1 {
			return all[0]
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("there are %d calls", x.live.Len())
		}
		<-time.After(time.Millisecond)
	}
}

func TestOriginate(t *testing.T) {
	t.Parallel()
	params, rang := make(chan string, 1), make(chan struct{})
	p := newPhone(t, func(p *phone, i *ua.Invitation) {
		params <- i.From + " " + i.Header("X-cmi-extra_param")
		i.Ring()
		<-rang
		p.pickUp(i)
	})
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 1200"}]`}, func(o *sip.Options) {
		o.RecordingURL = func(file string) string { return "https://pbx.example/recordings/" + file }
	})
	c, err := x.Originate(t.Context(), call.Order{
		App: "desk", From: "15550002222", To: p.uri(), ExtraParams: "{\n\"order\": 7\n}", Record: true,
		Document: decode(t, `[{"action":"speak","text":"hz 440"},{"action":"speak","text":"hz 880"}]`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`^[0-9A-Za-z]{43}$`).MatchString(c.RequestID) || c.Direction != call.Outbound || c.From != "15550002222" {
		t.Errorf("the call is %+v", c)
	}
	if control, ok := x.live.Find(c.RequestID); !ok || control.Call().ID != c.ID {
		t.Errorf("the call cannot be found by %s", c.RequestID)
	}
	if got := <-params; got != `15550002222 {"order":7}` {
		t.Errorf("the phone was told %q", got)
	}
	x.reported("a out_started", "a out_ringing")
	if s := x.control().State().Status; s != call.StatusRinging {
		t.Errorf("the call is %s", s)
	}
	close(rang)
	p.hears(440)
	p.hears(880)
	p.ends()
	x.reported("a out_started", "a out_ringing", "a out_answered", "a out_hangup", "a cdr answered NORMAL_CLEARING")
	x.close()
	raw := x.raw()
	for _, want := range []string{`"request_id":"` + c.RequestID, `"recording_url":"https://pbx.example/recordings/` + c.ID + `.wav"`, `"codec":"PCMU"`, `"mos":`} {
		if !strings.Contains(raw, want) {
			t.Errorf("the CDR lacks %s: %s", want, raw)
		}
	}
}

func TestOriginateAsksTheApp(t *testing.T) {
	t.Parallel()
	p := newPhone(t, func(p *phone, i *ua.Invitation) { p.pickUp(i) })
	x := performs(t, documents{"desk": `[{"action":"speak","text":"hz 1200"}]`})
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: p.uri(), RequestID: "mine"}); err != nil {
		t.Fatal(err)
	}
	p.hears(1200)
	p.ends()
}

func TestOriginateInVain(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{}, func(o *sip.Options) { o.Users = map[string]string{"alice": "s3cret"} })
	for name, tt := range map[string]struct {
		ring func(*phone, *ua.Invitation)
		to   string
		want []string
	}{
		"busy":    {want: []string{"a out_started", "a out_hangup", "a cdr missed USER_BUSY"}},
		"decline": {ring: func(_ *phone, i *ua.Invitation) { i.Ring(); i.Reject(603, "Decline", "") }, want: []string{"a out_started", "a out_ringing", "a out_hangup", "a cdr missed CALL_REJECTED"}},
		"nobody answers": {ring: func(_ *phone, i *ua.Invitation) {
			i.Ring()
			<-i.Cancelled
			if !strings.Contains(i.CancelReason(), "cause=19") {
				t.Errorf("cancelled because %q", i.CancelReason())
			}
		}, want: []string{"a out_started", "a out_ringing", "a out_hangup", "a cdr missed NO_ANSWER"}},
		"a user who is away": {to: "alice", want: []string{"a out_started", "a out_hangup", "a cdr missed NO_ROUTE_DESTINATION"}},
	} {
		t.Run(name, func(t *testing.T) {
			to := tt.to
			if to == "" {
				to = newPhone(t, tt.ring).uri()
			}
			x.forget()
			if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: to, RingTimeout: 300 * time.Millisecond}); err != nil {
				t.Fatal(err)
			}
			x.reported(tt.want...)
		})
	}
}

func TestOriginateRefuses(t *testing.T) {
	t.Parallel()
	x := performs(t, documents{}, func(o *sip.Options) {
		o.MaxCalls = 1
		o.HasApp = func(app string) bool { return app == "desk" }
		o.Trunks = []sip.Trunk{{Name: "acme", Address: "127.0.0.1:9", Prefixes: []string{"1415"}}}
		o.AllowPrefixes = map[string][]string{"desk": {"14155"}}
	})
	for _, tt := range []struct {
		app, to string
		want    error
	}{
		{"other", "14155550101", call.ErrNoApp},
		{"", "14155550101", call.ErrNoApp},
		{"desk", "4930555", sip.ErrNotAllowed},
		{"desk", "14159550101", sip.ErrNotAllowed},
		{"desk", "sip:x@192.0.2.1", sip.ErrNotAllowed},
		{"desk", "nobody", sip.ErrNotAllowed},
	} {
		if _, err := x.Originate(t.Context(), call.Order{App: tt.app, To: tt.to}); !errors.Is(err, tt.want) {
			t.Errorf("%s calls %s: %v", tt.app, tt.to, err)
		}
	}
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: "a b"}); err == nil || !strings.Contains(err.Error(), "neither a number") {
		t.Errorf("a target with a space: %v", err)
	}
	for _, from := range []string{"a b", "x\r\nVia: y", "<x>"} {
		if _, err := x.Originate(t.Context(), call.Order{App: "desk", From: from, To: "14155550101"}); err == nil || !strings.Contains(err.Error(), "from") {
			t.Errorf("%q calls: %v", from, err)
		}
	}
	hold := newPhone(t, func(_ *phone, i *ua.Invitation) { <-i.Cancelled })
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: hold.uri()}); err != nil {
		t.Fatal(err)
	}
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: hold.uri()}); !errors.Is(err, call.ErrBusy) {
		t.Errorf("one call too many: %v", err)
	}
	if err := x.control().Hangup(call.Ending{By: call.SideApp, Cause: call.CauseCancelled}); err != nil {
		t.Error(err)
	}
	x.reported("a out_started", "a out_hangup", "a cdr missed ORIGINATOR_CANCEL")
	x.close()
	if _, err := x.Originate(t.Context(), call.Order{App: "desk", To: hold.uri()}); !errors.Is(err, call.ErrDraining) {
		t.Errorf("after the end: %v", err)
	}
}

// TestOriginateThroughATrunk calls a number through a carrier that asks for a password.
func TestOriginateThroughATrunk(t *testing.T) {
	t.Parallel()
	called := make(chan string, 1)
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
	x := performs(t, documents{}, func(o *sip.Options) {
		o.Trunks = []sip.Trunk{{Name: "acme", Address: fmt.Sprintf("127.0.0.1:%d", switchboard.Port()), User: "acme", Password: "s3cret", Prefixes: []string{"1415"}}}
		o.AppLimits = map[string]sip.AppLimit{"desk": {Calls: 1}}
	})
	order := call.Order{App: "desk", From: "+acme", To: "+14155550101", Document: decode(t, `[{"action":"speak","text":"hz 440"},{"action":"record"}]`)}
	c, err := x.Originate(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-called; got != "acme acme +14155550101" || c.To != "14155550101" {
		t.Errorf("the carrier was asked for %q, the call is to %s", got, c.To)
	}
	carrier.hears(440)
	if _, err := x.Originate(t.Context(), order); err != nil { // more than the app may have at a time
		t.Fatal(err)
	}
	x.has("a cdr missed SWITCH_CONGESTION")
	carrier.hangUp()
	x.has("a cdr answered NORMAL_CLEARING")
}
