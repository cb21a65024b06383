package rest_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/server/rest"
)

var classicPaths = []string{
	"/v1/make_call", "/v1/pcmo_make_call", "/v2/global_pcmo_make_call", "/v1/call/action", "/v1/piopiy/cmiuuid_cdr",
	"/v1/piopiy/requestid_cdr", "/v2/piopiy/get_channels", "/v1/endpoint/add_sip", "/v1/endpoint/update_sip",
	"/v1/endpoint/get_sip", "/v1/endpoint/list_sip", "/v1/endpoint/remove_sip",
}

var v3Paths = []string{
	"/v3/voice/pcmo/call", "/v3/voice/pcmo/transfer", "/v3/voice/flow/call", "/v3/voice/ai/call", "/v3/voice/call/hangup",
	"/v3/calls/" + callID + "/actions/transfer", "/v3/calls/" + callID + "/actions/hangup",
}

// checking is a platform that checks what reaches it.
type checking struct {
	*platform
	t *testing.T
}

func (c checking) MakeCall(ctx context.Context, o rest.Order) (rest.Queued, error) {
	c.plan(o.Plan)
	if o.From == "" || o.To == "" || strings.ContainsFunc(o.From+o.To, func(r rune) bool { return r < '0' || r > '9' }) || o.MaxDuration < 0 || o.RingTimeout < 0 {
		c.t.Errorf("a bad order: %+v", o)
	}
	return c.platform.MakeCall(ctx, o)
}

func (c checking) Transfer(ctx context.Context, id string, p rest.Plan, done func(error)) error {
	c.plan(p)
	done(nil)
	return c.platform.Transfer(ctx, id, p, done)
}

func (c checking) WarmTransfer(ctx context.Context, id string, w rest.Warm, done func(error)) error {
	if (w.ToNumber == "") == (w.SIPURI == "") || strings.ContainsAny(w.SIPURI, "\r\n \x00<>") {
		c.t.Errorf("a bad transfer: %+v", w)
	}
	for _, h := range w.Headers {
		if v, ok := h.Value.(string); !ok || strings.ContainsAny(h.Key+v, "\r\n\x00") || !strings.HasPrefix(strings.ToUpper(h.Key), "X-") {
			c.t.Errorf("a bad header: %q", h)
		}
	}
	done(nil)
	return c.platform.WarmTransfer(ctx, id, w, done)
}

func (c checking) Hangup(ctx context.Context, id string, why rest.Hangup) error {
	if why.Cause == "" || strings.ContainsAny(why.Cause+why.Reason, "\r\n\x00") || utf8.RuneCountInString(why.Reason) > 256 {
		c.t.Errorf("a bad hang-up: %+v", why)
	}
	return c.platform.Hangup(ctx, id, why)
}

// plan checks that a plan is one thing that can be performed.
func (c checking) plan(p rest.Plan) {
	set := 0
	if p.Document != nil {
		set++
		if err := p.Document.Validate(); err != nil || len(p.Document) == 0 {
			c.t.Errorf("a document that is not valid: %s", p.Document.AppendJSON(nil))
		}
	}
	if p.Pipeline != nil {
		set++
		for _, action := range p.Pipeline {
			if connect, ok := action.(*pcmo.PipelineConnect); ok {
				for i := range connect.Endpoints {
					if e := &connect.Endpoints[i]; e.Type == pcmo.EndpointAgent {
						if !slices.Contains(appNames, e.ID) {
							c.t.Errorf("an agent that is no app: %q", e.ID)
						}
						e.ID = rest.AppID(e.ID)
					}
				}
			}
		}
		if err := p.Pipeline.Validate(); err != nil {
			c.t.Errorf("a pipeline that is not valid: %s", p.Pipeline.AppendJSON(nil))
		}
	}
	if p.AnswerURL != "" {
		set++
	}
	if set > 1 {
		c.t.Errorf("a plan of %d things: %+v", set, p)
	}
}

func fuzz(f *testing.F, paths []string) {
	for _, c := range recordedCases(f) {
		for _, r := range c.Requests {
			f.Add(0, r.Body)
			f.Add(1, r.Body)
		}
	}
	for i := range paths {
		for _, body := range []string{
			`{}`, `[]`, `{"a":`, `null`, with(numbers + `,` + hangup), with(numbers + `,"answer_url":"https://h.example/a","extra_params":{"a":[1]},"duration":"7"`),
			with(`"action":"transfer","transfer_url":"http://h.example","cmiuid":"` + callID + `"`), with(`"username":"bob","password":"correct horse","page":2`),
			`{"call_id":"` + callID + `","cause":"normal","reason":"x"}`, `{"flow_id":"support","org_id":"` + callID + `",` + parties + `,"app_id":"x"}`,
			`{` + parties + `,"agent_id":"support","options":{"record":true},"variables":{"a":1}}`,
			`{"to_number":"14155550101","sip_headers":{"X-A":"b"},"hold_audio":true,"variables":{}}`, `{"sip_uri":"sip:bob@pbx.example"}`,
			`{"pipeline":[{"action":"connect","params":{},"endpoints":[{"type":"sip","uri":"sip:a@b","headers":{"X-A":"b"}}]}]}`,
		} {
			f.Add(i, body)
		}
	}
	f.Fuzz(func(t *testing.T, i int, body string) {
		path := paths[uint(i)%uint(len(paths))]
		api := rest.New(rest.Options{
			Platform: checking{newPlatform(), t}, Authorize: rest.Everybody, FindApp: findApp, Records: records{}, Endpoints: newUsers(),
			Logger: slog.New(slog.DiscardHandler),
		})
		w := httptest.NewRecorder()
		api.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		reply, _ := io.ReadAll(w.Body)
		if w.Code >= 500 || !json.Valid(reply) {
			t.Errorf("%s %q: %d %s", path, body, w.Code, reply)
		}
	})
}

func FuzzClassic(f *testing.F) { fuzz(f, classicPaths) }

func FuzzV3(f *testing.F) { fuzz(f, v3Paths) }
