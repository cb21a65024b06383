package rest

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"

	"github.com/piopiy/piopiyd/pcmo"
)

// The requests of v1 and v2 carry appid and secret in the body. Numbers may be strings and strings numbers, unknown
// keys are ignored, and null is as good as absent. A secret is only asked for where Authorize insists.

// face is how one path of v1 and v2 says what is wrong.
type face struct {
	// missing is the code for a member that is missing or wrong, credentials the one for wrong credentials.
	missing, credentials int
	// text says that codes are strings such as "cmi-200".
	text bool
}

// The codes that the protocol page lists. Of call/action it knows none; it gets those of make_call, with the general
// 502 for a missing member.
var (
	answerURLFace = face{missing: 501, credentials: 420}
	pcmoFace      = face{missing: 422, credentials: 420}
	actionFace    = face{missing: 502, credentials: 420}
	cdrFace       = face{missing: 404, credentials: 404}
	channelsFace  = face{missing: 407, credentials: 407}
	endpointFace  = face{missing: 502, credentials: 420, text: true}
	playFace      = face{missing: 502, credentials: 420}
)

// endpointPrefix begins the paths whose codes are strings.
const endpointPrefix = "/v1/endpoint/"

func (a *API) classicRoutes() {
	for _, path := range []string{"/v1/make_call", "/v1/global_make_call"} {
		a.classic(path, answerURLFace, func(q *request, in *fields) (any, *refusal) { return a.makeCall(q, in, false) })
	}
	for _, path := range []string{"/v1/pcmo_make_call", "/v1/global_pcmo_make_call", "/v2/ind_pcmo_make_call", "/v2/global_pcmo_make_call"} {
		a.classic(path, pcmoFace, func(q *request, in *fields) (any, *refusal) { return a.makeCall(q, in, true) })
	}
	a.classic("/v1/call/action", actionFace, a.action)
	a.classic("/v1/call/global_action", actionFace, a.action)
	a.classic("/v1/piopiy/cmiuuid_cdr", cdrFace, a.callRecord)
	a.classic("/v1/piopiy/requestid_cdr", cdrFace, a.requestRecords)
	a.classic("/v2/piopiy/get_channels", channelsFace, a.channels)
	a.classic(endpointPrefix+"add_sip", endpointFace, a.addEndpoint)
	a.classic(endpointPrefix+"update_sip", endpointFace, a.updateEndpoint)
	a.classic(endpointPrefix+"get_sip", endpointFace, a.getEndpoint)
	a.classic(endpointPrefix+"list_sip", endpointFace, a.listEndpoints)
	a.classic(endpointPrefix+"remove_sip", endpointFace, a.removeEndpoint)
}

// classic serves one path of v1 or v2.
func (a *API) classic(path string, f face, do func(*request, *fields) (any, *refusal)) {
	a.router.POST(path, func(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
		reply, refused := a.serveClassic(w, r, f, do)
		if refused != nil {
			refused.writeClassic(w, f.text)
			return
		}
		writeJSON(w, http.StatusOK, reply)
	})
}

func (a *API) serveClassic(w http.ResponseWriter, r *http.Request, f face, do func(*request, *fields) (any, *refusal)) (any, *refusal) {
	body, refused := readObject(w, r)
	if refused != nil {
		return nil, refused
	}
	in := &fields{body: body, face: f}
	c := Credentials{AppID: in.text("appid", false), Secret: in.text("secret", false)}
	if in.refused != nil {
		return nil, in.refused
	}
	grant, refused, err := a.admit(r, c)
	switch {
	case errors.Is(err, ErrCredentials):
		in.text("appid", true)
		in.text("secret", true)
		if in.refused == nil {
			in.refused = &refusal{status: http.StatusUnauthorized, code: f.credentials, word: "unauthorized", message: "appid or secret is wrong"}
		}
		return nil, in.refused
	case refused != nil:
		return nil, refused
	}
	return do(&request{ctx: r.Context(), body: body, grant: grant, account: c.AppID}, in)
}

// app is the app that a request of v1 and v2 acts for, "" when neither credentials nor appid say.
func (a *API) app(q *request) string {
	if q.grant.App != "" || q.account == "" {
		return q.grant.App
	}
	app, _ := a.opts.FindApp(q.account)
	return app
}

// fields reads the members of a body of v1 and v2; the first that is wrong is the refusal.
type fields struct {
	body    object
	face    face
	refused *refusal
}

func (in *fields) fail(name, message string) {
	if in.refused == nil {
		in.refused = &refusal{status: http.StatusBadRequest, code: in.face.missing, word: "validation_error", message: name + " " + message, field: name}
	}
}

// value returns a member and whether it is there.
func (in *fields) value(name string, required bool) (any, bool) {
	v := in.body.values[name]
	if v == nil || v == "" {
		if required {
			in.fail(name, "is required")
		}
		return nil, false
	}
	return v, true
}

// text reads a string or number as text.
func (in *fields) text(name string, required bool) string {
	v, ok := in.value(name, required)
	if !ok {
		return ""
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	in.fail(name, "must be a string")
	return ""
}

var numberPattern = regexp.MustCompile(`^[0-9]{2,16}$`)

// phone reads a number: digits, with or without "+". Short ones are let through, for the users of a PBX.
func (in *fields) phone(name string) string {
	raw, ok := in.body.raw[name]
	if _, there := in.value(name, true); !ok || !there {
		return ""
	}
	var n pcmo.Number
	if err := json.Unmarshal(raw, &n); err != nil || !numberPattern.MatchString(string(n)) {
		in.fail(name, "must be a phone number: digits with the country code, as in 14155550100")
		return ""
	}
	return string(n)
}

// seconds reads a number of seconds up to a day; 0 is as good as absent, as in the Node SDK.
func (in *fields) seconds(name string) time.Duration {
	v, ok := in.value(name, false)
	if !ok {
		return 0
	}
	if s, isText := v.(string); isText {
		v = json.Number(s)
	}
	f, ok := float(v)
	if !ok || f < 0 || f > 86400 || f != float64(int(f)) {
		in.fail(name, "must be a whole number of seconds from 0 to 86400")
		return 0
	}
	return time.Duration(f) * time.Second
}

func (in *fields) url(name string) string {
	s := in.text(name, true)
	if s != "" && !isWebURL(s) {
		in.fail(name, "must be a URL that starts with http:// or https://")
	}
	return s
}

// mostExtra bounds extra_params and variables, which stand in each event and record of the call.
const (
	mostExtra = 8 << 10
	extraRule = "must be at most 8 KiB long"
)

// extraParams reads what travels with the call: the JSON text of an object, or a string as it is.
func (in *fields) extraParams() string {
	text := ""
	switch v := in.body.values["extra_params"].(type) {
	case nil:
	case string:
		text = v
	case object:
		if len(v.keys) > 0 { // the SDKs send {} for none
			text = string(compact(in.body.raw["extra_params"]))
		}
	default:
		in.fail("extra_params", "must be an object or a string")
	}
	if len(text) > mostExtra {
		in.fail("extra_params", extraRule)
	}
	return text
}

// document reads a PCMO: an array, or a string that holds one. The warnings say what was read past.
func (in *fields) document(name string) (pcmo.Document, []string) {
	v, ok := in.value(name, true)
	if !ok {
		return nil, nil
	}
	raw := []byte(in.body.raw[name])
	if s, isText := v.(string); isText {
		raw = []byte(s)
	}
	doc, warned, err := pcmo.DecodeWarn(raw)
	if err == nil {
		err = doc.Validate()
	}
	if err != nil {
		f := badDocument(name, err)
		f.code = in.face.missing
		if in.refused == nil {
			in.refused = f
		}
		return nil, nil
	}
	if len(doc) == 0 {
		in.fail(name, "must hold at least one action")
	}
	var warnings []string
	for _, w := range warned {
		warnings = append(warnings, name+strings.TrimPrefix(strings.TrimPrefix(w.Path, "$"), "."+name)+" "+w.Rule)
	}
	return doc, warnings
}
