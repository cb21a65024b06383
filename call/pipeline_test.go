package call_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// scripted is a line whose gathers and dials come out as told, at once.
type scripted struct {
	brokenLine
	gathered []call.Gathered
	gathers  []call.Gather
	dials    []call.Dial
	answers  string // who answers
	records  []call.RecordOptions
}

func (l *scripted) Gather(_ context.Context, g call.Gather) (call.Gathered, error) {
	l.gathers = append(l.gathers, g)
	l.note("gather " + g.Prompt.String())
	if len(l.gathered) == 0 {
		return call.Gathered{}, nil
	}
	got := l.gathered[0]
	l.gathered = l.gathered[1:]
	return got, nil
}

func (l *scripted) Record(_ context.Context, o call.RecordOptions) error {
	l.records = append(l.records, o)
	l.note("record")
	return nil
}

func (l *scripted) Dial(_ context.Context, d call.Dial) ([]call.DialOutcome, error) {
	l.dials = append(l.dials, d)
	var outcomes []call.DialOutcome
	for i, t := range d.Targets {
		to := t.User + t.Number.Digits()
		l.note("dial " + to)
		d.Progress(i, "leg-"+to, call.StatusStarted)
		o := call.DialOutcome{LegID: "leg-" + to, Status: call.StatusMissed, Cause: call.CauseBusy, Started: time.Unix(1, 0), Ended: time.Unix(2, 0)}
		if to == l.answers {
			o.Status, o.Cause, o.Answered, o.Ended = call.StatusAnswered, "", time.Unix(2, 0), time.Time{}
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, nil
}

func (l *scripted) Bridge(_ context.Context, id string, limit time.Duration) (call.Ending, error) {
	l.note("bridge " + id + " for " + limit.String())
	return call.Ending{By: call.SideCallee, Cause: call.CauseNormal}, nil
}

// apps is a Handler of several apps, by name.
type apps struct {
	call.Handler
	docs   map[string][]pcmo.Action
	params *string
}

func (a apps) Answer(_ context.Context, c *call.Call) (call.Reply, error) {
	doc, ok := a.docs[c.App]
	if !ok {
		return call.Reply{}, call.ErrNoApp
	}
	if c.App != "main" {
		*a.params = c.ExtraParams
	}
	return call.Reply{Document: doc}, nil
}

const agents = `[{"action":"connect","params":{"caller_id":"15550002222","strategy":"simultaneous","options":{"ring_timeout_sec":9,"max_duration_sec":60,` +
	`"machine_detection":true,"waiting_music":"https://h/music.wav","recording":{"enabled":true,"channels":"dual","format":"wav"}},"metadata":{"order":"A1"}},` +
	`"endpoints":[{"type":"pstn","number":"14155550101"},{"type":"sip","uri":"sip:desk@pbx.example","headers":{"X-Queue":"vip"}},{"type":"agent","id":"00000000-0000-4000-8000-00000000000a"}]},` +
	`{"action":"play","file_name":"after.wav"}]`

func TestPipelines(t *testing.T) {
	prompted := func(rest string) string {
		return `[{"action":"play_get_input","prompt":{"type":"say","say":"Pin?","language":"en-IN","voice_id":"asha","speed":1.2},` + rest + `},{"action":"play","file_name":"rest.wav"}]`
	}
	for _, tt := range []struct {
		name, doc, asked, done string
		gathered               []call.Gathered
		answers                string
		reply                  []pcmo.Action
	}{
		{
			name: "too few digits are asked for again with the prompt for that, none with the other",
			doc: prompted(`"input":["dtmf"],"dtmf":{"min_digits":3,"max_digits":6,"finish_on_key":"#","first_digit_timeout":4,"inter_digit_timeout":2,"flush_buffer":true},` +
				`"retries":{"max":2,"no_input_prompt":{"type":"file","file_name":"none.wav"},"invalid_prompt":{"type":"file","file_name":"short.wav"}},"on_result":{"type":"url","url":"https://shop.example/pin"}`),
			gathered: []call.Gathered{{Digits: "12"}, {}, {Digits: "1234", Finished: true}}, reply: []pcmo.Action{&pcmo.Speak{Text: "thanks"}},
			asked: "https://shop.example/pin 1234", done: "answer, gather Pin?, gather short.wav, gather none.wav, play thanks, hangup app NORMAL_CLEARING",
		},
		{
			name: "words", doc: prompted(`"input":["speech"],"on_result":{"type":"url","url":"https://shop.example/city"}`),
			gathered: []call.Gathered{{Speech: "chennai"}}, asked: "https://shop.example/city ", done: "answer, gather Pin?, hangup app NORMAL_CLEARING",
		},
		{
			name: "a result that goes to another app", doc: `[{"action":"input","dtmf":{"max_digits":1},"on_result":{"type":"pcmo","ref":"menu"}}]`,
			gathered: []call.Gathered{{Digits: "1"}}, done: "answer, gather , play menu.wav, hangup app NORMAL_CLEARING",
		},
		{
			name: "the first endpoint that answers", doc: agents, answers: "sip:desk@pbx.example",
			done: "dial 14155550101, dial sip:desk@pbx.example, answer, record, bridge leg-sip:desk@pbx.example for 1m0s, play after.wav, hangup app NORMAL_CLEARING",
		},
		{
			name: "an agent takes the call when nobody else does", doc: agents,
			done: "dial 14155550101, dial sip:desk@pbx.example, answer, play agent.wav, hangup app NORMAL_CLEARING",
		},
		{
			name: "parameters add up", doc: `[{"action":"param","data":{"a":1}},{"action":"param","data":{"b":"<x>"}},{"action":"record","format":"wav","channels":"single"},{"action":"hangup"}]`,
			done: "answer, record, hangup app NORMAL_CLEARING",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			doc, err := pcmo.DecodePipeline([]byte(tt.doc))
			if err == nil {
				err = doc.Validate()
			}
			if err != nil {
				t.Fatal(err)
			}
			line, web, params := &scripted{gathered: tt.gathered, answers: tt.answers}, &web{reply: tt.reply}, ""
			handler := apps{params: &params, docs: map[string][]pcmo.Action{
				"main": doc, "menu": {&pcmo.Play{FileName: "menu.wav"}}, "00000000-0000-4000-8000-00000000000a": {&pcmo.Play{FileName: "agent.wav"}},
			}}
			p := &call.Performer{Handler: handler, Asker: web, Reporter: web}
			p.Run(t.Context(), &call.Call{ID: "a", App: "main", Direction: call.Inbound, From: "15550001111", To: "15550002222", Time: time.Now()}, line)
			if got := strings.Join(line.done, ", "); got != tt.done {
				t.Errorf("%s\nwant %s", got, tt.done)
			}
			if got := strings.Join(web.asked, ", "); got != tt.asked {
				t.Errorf("asked %s\nwant %s", got, tt.asked)
			}
			switch tt.name {
			case "parameters add up":
				if !strings.Contains(string(web.last), `"extra_params":"{\"a\":1,\"b\":\"<x>\"}"`) {
					t.Error(string(web.last))
				}
			case "an agent takes the call when nobody else does":
				if params != `{"order":"A1"}` {
					t.Errorf("the agent was given %s", params)
				}
				d := line.dials[0]
				if d.Timeout != 9*time.Second || !d.DetectMachine || d.Music.URL != "https://h/music.wav" || d.CallerID != "15550002222" ||
					d.Targets[1].Headers[0] != (call.Header{Name: "X-Queue", Value: "vip"}) || d.Targets[0].Headers[0] != (call.Header{Name: call.ExtraParamsHeader, Value: `{"order":"A1"}`}) {
					t.Errorf("%+v", d)
				}
			case "words":
				if g := line.gathers[0]; !g.Speech || !g.SpeechOnly || g.Language != "en-IN" || g.Prompt.Voice != "asha" || g.Prompt.Speed != 1.2 {
					t.Errorf("%+v", g)
				}
			case "too few digits are asked for again with the prompt for that, none with the other":
				g := line.gathers[0]
				if g.MaxDigits != 6 || g.FinishKey != "#" || !g.Flush || g.FirstDigit != 4*time.Second || g.NextDigit != 2*time.Second || line.gathers[1].Flush {
					t.Errorf("%+v", g)
				}
			case "the first endpoint that answers":
				if line.records[0] != (call.RecordOptions{Format: "wav", Channels: "dual"}) {
					t.Errorf("%+v", line.records)
				}
			}
		})
	}
}
