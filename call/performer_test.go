package call_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// brokenLine is a line on which some things fail. What is done to it is noted.
type brokenLine struct {
	noPlay, noStream error
	digits           []string
	done             []string
}

func (l *brokenLine) note(s string) { l.done = append(l.done, s) }

func (l *brokenLine) Answer(context.Context) error { l.note("answer"); return nil }
func (l *brokenLine) Play(_ context.Context, p call.Prompt) error {
	l.note("play " + p.String())
	if p.Say == "" {
		return l.noPlay
	}
	return nil
}

func (l *brokenLine) Gather(_ context.Context, g call.Gather) (call.Gathered, error) {
	l.note("gather " + g.Prompt.String())
	if len(l.digits) == 0 {
		return call.Gathered{}, nil
	}
	digits := l.digits[0]
	l.digits = l.digits[1:]
	return call.Gathered{Digits: digits}, nil
}
func (l *brokenLine) Record(context.Context, call.RecordOptions) error { l.note("record"); return nil }
func (l *brokenLine) Dial(_ context.Context, d call.Dial) ([]call.DialOutcome, error) {
	l.note("dial as " + d.CallerID)
	d.Progress(0, "leg-b", call.StatusStarted)
	return []call.DialOutcome{{LegID: "leg-b", Status: call.StatusMissed, Cause: "USER_BUSY", Started: time.Unix(1, 0), Ended: time.Unix(2, 0)}}, nil
}

func (l *brokenLine) Bridge(context.Context, string, time.Duration) (call.Ending, error) {
	return call.Ending{}, errors.New("nobody answered")
}

func (l *brokenLine) Stream(context.Context, call.StreamRequest) (call.OpenStream, error) {
	return nil, l.noStream
}
func (l *brokenLine) Wait(context.Context, time.Duration) error { return nil }
func (l *brokenLine) Hangup(_ context.Context, e call.Ending) call.Summary {
	l.note("hangup " + string(e.By) + " " + e.Cause)
	return call.Summary{}
}

// says is a Handler that answers with a document.
type says struct {
	call.Handler
	doc []pcmo.Action
}

func (h says) Answer(context.Context, *call.Call) (call.Reply, error) {
	return call.Reply{Document: h.doc}, nil
}

// web is a web server that is asked, and hears of events.
type web struct {
	reply  pcmo.Document
	err    error
	asked  []string
	events []string
	last   []byte // the last CDR as it goes onto the wire
}

func (w *web) Ask(_ context.Context, _ *call.Call, url string, in call.Input) ([]pcmo.Action, error) {
	w.asked = append(w.asked, url+" "+in.Digits)
	return w.reply, w.err
}

func (w *web) AskAnswer(_ context.Context, _ *call.Call, url string) ([]pcmo.Action, error) {
	w.asked = append(w.asked, url)
	return w.reply, w.err
}
func (w *web) Event(_ context.Context, e *call.Event) { w.events = append(w.events, e.WireStatus) }
func (w *web) CDR(_ context.Context, r *call.CDR) {
	w.events = append(w.events, "cdr "+string(r.Status))
	w.last = r.Raw
}

func TestPerform(t *testing.T) {
	missing := errors.New("404 no such file")
	input := &pcmo.Input{ActionURL: "https://shop.example/dtmf"}
	tests := []struct {
		name   string
		line   brokenLine
		web    web
		fault  call.FaultPolicy
		doc    pcmo.Document
		done   string
		asked  string
		events string
		err    error
	}{
		{
			name: "what cannot be played leads to the fault policy", line: brokenLine{noPlay: missing},
			fault:  call.FaultPolicy{Say: "sorry", Forward: "14155550199", Hangup: "NETWORK_OUT_OF_ORDER"},
			doc:    pcmo.Document{&pcmo.Play{FileName: "gone.wav"}, &pcmo.Speak{Text: "never said"}},
			done:   "answer, play gone.wav, play sorry, dial as 15550002222, hangup platform NETWORK_OUT_OF_ORDER",
			events: "in_answered, in_started, in_hangup, cdr missed, in_hangup, cdr answered",
			err:    missing,
		},
		{
			name: "a fault policy that fails as well", line: brokenLine{noPlay: missing}, fault: call.FaultPolicy{Play: "https://h/sorry.wav"},
			doc: pcmo.Document{&pcmo.Play{FileName: "gone.wav"}}, err: missing,
			done:   "answer, play gone.wav, play https://h/sorry.wav, hangup platform NORMAL_TEMPORARY_FAILURE",
			events: "in_answered, in_hangup, cdr answered",
		},
		{
			name: "a stream that cannot be opened is passed over", line: brokenLine{noStream: errors.New("refused")},
			doc:    pcmo.Document{&pcmo.Stream{WSURL: "wss://h"}, &pcmo.Speak{Text: "on"}},
			done:   "answer, play on, hangup app NORMAL_CLEARING",
			events: "in_answered, stream_error, in_hangup, cdr answered",
		},
		{
			name: "the reply replaces the rest", line: brokenLine{digits: []string{"", "7"}}, web: web{reply: pcmo.Document{&pcmo.Speak{Text: "seven"}}},
			doc:    pcmo.Document{&pcmo.PlayGetInput{FileName: "m", ActionURL: "https://shop.example/dtmf"}, &pcmo.Speak{Text: "rest"}},
			done:   "answer, gather m, gather m, play seven, hangup app NORMAL_CLEARING",
			asked:  "https://shop.example/dtmf 7",
			events: "in_answered, in_hangup, cdr answered",
		},
		{
			name: "an empty reply hangs up", doc: pcmo.Document{input, &pcmo.Speak{Text: "rest"}}, asked: "https://shop.example/dtmf ",
			done: "answer, gather , hangup app NORMAL_CLEARING", events: "in_answered, in_hangup, cdr answered",
		},
		{
			name: "a reply that cannot be had leaves the rest", web: web{err: missing},
			doc: pcmo.Document{input, &pcmo.Speak{Text: "rest"}}, asked: "https://shop.example/dtmf ",
			done: "answer, gather , play rest, hangup app NORMAL_CLEARING", events: "in_answered, in_hangup, cdr answered",
		},
		{
			name: "nothing is left", web: web{err: missing}, fault: call.FaultPolicy{Say: "sorry"}, doc: pcmo.Document{input},
			asked: "https://shop.example/dtmf ", done: "answer, gather , play sorry, hangup platform NORMAL_TEMPORARY_FAILURE",
			events: "in_answered, in_hangup, cdr answered", err: missing,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &call.Performer{Handler: says{doc: tt.doc}, Asker: &tt.web, Reporter: &tt.web, Fault: tt.fault}
			c := &call.Call{ID: "a", App: "shop", Direction: call.Inbound, From: "15550001111", To: "15550002222", Time: time.Now()}
			ending := p.Run(t.Context(), c, &tt.line)
			for _, check := range [][2]string{
				{tt.done, strings.Join(tt.line.done, ", ")}, {tt.asked, strings.Join(tt.web.asked, ", ")}, {tt.events, strings.Join(tt.web.events, ", ")},
			} {
				if diff := cmp.Diff(check[0], check[1]); diff != "" {
					t.Error(diff)
				}
			}
			if !errors.Is(ending.Err, tt.err) || tt.err == nil && ending.Err != nil {
				t.Errorf("ended with %v, want %v", ending.Err, tt.err)
			}
		})
	}
}

func TestPerformEndsCircles(t *testing.T) {
	endless := &web{}
	endless.reply = pcmo.Document{&pcmo.Input{ActionURL: "https://shop.example/again"}}
	line := &brokenLine{}
	ending := (&call.Performer{Handler: says{doc: endless.reply}, Asker: endless, MaxSteps: 10}).Run(t.Context(), &call.Call{ID: "a"}, line)
	if !errors.Is(ending.Err, call.ErrEndless) || len(endless.asked) != 10 || !slices.Contains(line.done, "hangup platform NORMAL_TEMPORARY_FAILURE") {
		t.Errorf("%+v after %d replies: %v", ending, len(endless.asked), line.done)
	}
}

func TestInputToken(t *testing.T) {
	tests := []struct {
		scheme, url, token string
		ours               bool
	}{
		{"https://pbx.example/hooks/shop/input/*", "https://pbx.example/hooks/shop/input/t-1", "t-1", true},
		{"https://pbx.example/hooks/shop/input/*?key=k", "https://pbx.example/hooks/shop/input/t-1?key=k", "t-1", true},
		{"https://pbx.example/hooks/shop/input/*?key=k", "https://pbx.example/hooks/shop/input/t-1", "", false},
		{"https://pbx.example/hooks/shop/input/*", "https://pbx.example/hooks/other/input/t-1", "", false},
		{"https://pbx.example/hooks/shop/input/*", "https://pbx.example/hooks/shop/input/", "", false},
		{"https://pbx.example/hooks/shop/input/*", "", "", false},
		{"", "https://shop.example/dtmf", "", false},
	}
	for _, tt := range tests {
		c := &call.Call{}
		if tt.scheme != "" {
			c.InputURL = func(token string) string { return strings.Replace(tt.scheme, "*", token, 1) }
		}
		if token, ours := c.InputToken(tt.url); token != tt.token || ours != tt.ours {
			t.Errorf("%s in %s: got %q %v", tt.url, tt.scheme, token, ours)
		}
	}
}

func TestFaultDocument(t *testing.T) {
	c := &call.Call{From: "15550001111", To: "+15550002222"}
	tests := []struct {
		policy call.FaultPolicy
		want   string
	}{
		{call.FaultPolicy{}, `[{"action":"hangup"}]`},
		{call.FaultPolicy{Say: "sorry", Play: "sorry.wav", Forward: "14155550101", Hangup: "USER_BUSY"},
			`[{"action":"speak","text":"sorry"},{"action":"play","file_name":"sorry.wav"},{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550101}]},{"action":"hangup","cause":"USER_BUSY"}]`},
		{call.FaultPolicy{Play: "https://h/sorry.wav", Forward: "sip:desk"},
			`[{"action":"play","file_url":"https://h/sorry.wav"},{"action":"connect","from":15550002222,"connect":[{"type":"sip","user":"desk"}]},{"action":"hangup"}]`},
	}
	for _, tt := range tests {
		doc := tt.policy.Document(c)
		if got := string(doc.AppendJSON(nil)); got != tt.want || doc.Validate() != nil {
			t.Errorf("\n got %s\nwant %s\n%v", got, tt.want, doc.Validate())
		}
	}
}
