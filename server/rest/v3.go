package rest

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/piopiy/piopiyd/pcmo"
)

func (a *API) v3Routes() {
	post := func(path string, body rule, do func(*request) (any, *refusal)) {
		a.router.POST("/v3"+path, a.v3(body, do))
	}
	post("/voice/pcmo/call", pcmoCallBody, a.pcmoCall)
	post("/voice/pcmo/transfer", pcmoTransferBody, a.pcmoTransfer)
	post("/voice/flow/call", flowCallBody, a.flowCall)
	post("/voice/ai/call", aiCallBody, a.aiCall)
	post("/voice/agent/call", aiCallBody, a.aiCall)
	post("/voice/call/hangup", hangupBody, a.hangup)
	post("/voice/ai/hangup", hangupBody, a.hangup)
	post("/calls/:call/actions/transfer", nil, a.transferCall)
	post("/calls/:call/actions/hangup", callHangupBody, a.hangup)
	a.router.GET("/v3/calls/:call", a.v3(nil, a.showCall))
	a.router.GET("/v3/transfers/:request", a.v3(nil, a.showTransfer))
}

// v3 serves one path of v3: the token first, then the body, then what was asked for.
func (a *API) v3(body rule, do func(*request) (any, *refusal)) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		reply, refused := a.serveV3(w, r, p, body, do)
		if refused != nil {
			refused.writeV3(w)
			return
		}
		writeJSON(w, http.StatusOK, reply)
	}
}

func (a *API) serveV3(w http.ResponseWriter, r *http.Request, p httprouter.Params, body rule, do func(*request) (any, *refusal)) (any, *refusal) {
	grant, refused, err := a.admit(r, Credentials{Token: bearer(r)})
	switch {
	case errors.Is(err, ErrCredentials):
		return nil, &refusal{status: http.StatusUnauthorized, word: "unauthorized", message: "the header Authorization: Bearer TOKEN is missing or wrong"}
	case refused != nil:
		return nil, refused
	}
	q := &request{ctx: r.Context(), params: p, grant: grant}
	if r.Method == http.MethodPost {
		q.body, refused = readObject(w, r)
		// Where nothing has to be said, no body says it.
		if refused == errNoBody && p.ByName("call") != "" {
			refused = nil
		}
		if refused != nil {
			return nil, refused
		}
	}
	if body != nil {
		if refused := a.check(q, body, false); refused != nil {
			return nil, refused
		}
	}
	return do(q)
}

func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// check applies the rules of a body.
func (a *API) check(q *request, body rule, ownCallerID bool) *refusal {
	c := &check{findApp: a.opts.FindApp, ownCallerID: ownCallerID}
	body(c, "", q.body)
	return c.refusal()
}

// queued is the reply to what goes on after it.
type queued struct {
	Message   string `json:"message"`
	CallID    string `json:"call_id"`
	RequestID string `json:"request_id"`
}

// pcmoCall is POST /v3/voice/pcmo/call. The app_id names the app that the call belongs to. The agent_id is checked
// and otherwise not used: a pipeline names the agents it connects.
func (a *API) pcmoCall(q *request) (any, *refusal) {
	app, ok := a.opts.FindApp(q.text("app_id"))
	if !ok || !q.grant.allows(app) {
		return nil, &refusal{status: http.StatusForbidden, word: "app_not_active", message: "app_id names no app that is loaded here and that the token may use", field: "app_id"}
	}
	doc, refused := a.pipeline(q, "")
	if refused != nil {
		return nil, refused
	}
	return a.order(q, Order{App: app, Plan: Plan{Pipeline: doc}})
}

// flowCall is POST /v3/voice/flow/call. A flow is an app: the one that flow_id names answers, and the call belongs to
// it. The org_id and app_id are checked and otherwise not used, since one daemon is one organisation.
func (a *API) flowCall(q *request) (any, *refusal) {
	app, ok := a.opts.FindApp(q.text("flow_id"))
	if !ok || !q.grant.allows(app) {
		return nil, &refusal{status: http.StatusNotFound, word: "flow_not_found", message: "flow_id names no app that is loaded here and that the token may use", field: "flow_id"}
	}
	return a.order(q, Order{App: app})
}

// aiCall is POST /v3/voice/ai/call and /v3/voice/agent/call. An agent is an app: the one that agent_id names answers.
func (a *API) aiCall(q *request) (any, *refusal) {
	app, refused := a.agent(q, q.text("agent_id"), "agent_id")
	if refused != nil {
		return nil, refused
	}
	return a.order(q, Order{App: app})
}

func (a *API) agent(q *request, id, field string) (string, *refusal) {
	app, ok := a.opts.FindApp(id)
	if !ok || !q.grant.allows(app) {
		return "", &refusal{status: http.StatusForbidden, word: "ai_agent_not_running", message: field + " names no app that is loaded here and that the token may use", field: field}
	}
	return app, nil
}

// order makes the call of a v3 request.
func (a *API) order(q *request, o Order) (any, *refusal) {
	o.From, o.To = q.text("caller_id"), q.text("to_number")
	var refused *refusal
	if o.ExtraParams, refused = q.variables(); refused != nil {
		return nil, refused
	}
	if options, ok := q.body.values["options"].(object); ok {
		o.MaxDuration, o.RingTimeout = seconds(options.values["max_duration_sec"]), seconds(options.values["ring_timeout_sec"])
		o.Record, _ = options.values["record"].(bool)
	}
	made, err := a.opts.Platform.MakeCall(q.ctx, o)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	a.ordered(q, o, made)
	return queued{"call_queued", made.CallID, made.RequestID}, nil
}

// ordered logs an order: who and what, no numbers.
func (a *API) ordered(q *request, o Order, made Queued) {
	a.opts.Logger.InfoContext(q.ctx, "a call was ordered by REST", "app", o.App, "call", made.CallID, "request", made.RequestID)
}

// variables are what travels with the call, as JSON text; "" for none.
func (q *request) variables() (string, *refusal) {
	v, ok := q.body.values["variables"].(object)
	if !ok || len(v.keys) == 0 {
		return "", nil
	}
	text := string(compact(q.body.raw["variables"]))
	if len(text) > mostExtra {
		return "", &refusal{status: http.StatusBadRequest, word: "validation_error", message: "variables " + extraRule, field: "variables"}
	}
	return text, nil
}

// text is a member that the rules say is a string, "" when it is absent.
func (q *request) text(name string) string {
	s, _ := q.body.values[name].(string)
	return s
}

func seconds(v any) time.Duration {
	f, _ := float(v)
	return time.Duration(f) * time.Second
}

// pipeline reads the document of a v3 request; connects without a caller_id get callerID.
func (a *API) pipeline(q *request, callerID string) (pcmo.Pipeline, *refusal) {
	doc, err := pcmo.DecodePipeline(q.body.raw["pipeline"])
	if err != nil {
		return nil, badDocument("pipeline", err)
	}
	for _, action := range doc {
		connect, ok := action.(*pcmo.PipelineConnect)
		if !ok {
			continue
		}
		if connect.CallerID == "" {
			connect.CallerID = pcmo.Number(callerID)
		}
		for i := range connect.Endpoints {
			if e := &connect.Endpoints[i]; e.Type == pcmo.EndpointAgent {
				e.ID = canonicalID(e.ID)
			}
		}
	}
	if err := doc.Validate(); err != nil {
		return nil, badDocument("pipeline", err)
	}
	return doc, a.agents(q, doc)
}

// agents puts the names of apps where a pipeline has the ids of agents.
func (a *API) agents(q *request, doc pcmo.Pipeline) *refusal {
	for i, action := range doc {
		connect, ok := action.(*pcmo.PipelineConnect)
		if !ok {
			continue
		}
		for j := range connect.Endpoints {
			e := &connect.Endpoints[j]
			if e.Type != pcmo.EndpointAgent {
				continue
			}
			var refused *refusal
			if e.ID, refused = a.agent(q, e.ID, "pipeline["+strconv.Itoa(i)+"].endpoints["+strconv.Itoa(j)+"].id"); refused != nil {
				return refused
			}
		}
	}
	return nil
}

// badDocument names what is wrong with a document that stands under a key of the body.
func badDocument(key string, err error) *refusal {
	f := &refusal{status: http.StatusBadRequest, word: "validation_error"}
	var problems pcmo.Errors
	if errors.As(err, &problems) {
		for _, p := range problems[:min(len(problems), mostErrors)] {
			at := key + strings.TrimPrefix(strings.TrimPrefix(p.Path, "$"), "."+key)
			f.all = append(f.all, fieldError{at, at + " " + p.Rule})
		}
	}
	if len(f.all) == 0 {
		f.all = []fieldError{{key, key + " " + err.Error()}}
	}
	f.field, f.message = f.all[0].Field, f.all[0].Message
	return f
}
