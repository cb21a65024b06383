package rest

import (
	"encoding/json"
	"regexp"
	"strconv"
	"unicode/utf8"
)

// SIP users (protocol page 3.5). Passwords are returned in clear, as PIOPIY does: an admin reads them from there.

const endpointPage = 10

// endpointReply is the reply of add_sip and get_sip.
type endpointReply struct {
	Code       string `json:"code"`
	Username   string `json:"username"`
	Password   string `json:"password"`
	ConnectURL string `json:"connect_URL"`
	Audio      bool   `json:"audio"`
	// Video is false: the daemon carries audio only.
	Video bool   `json:"video"`
	Type  string `json:"type"`
}

const endpointOK = "cmi-200"

func newEndpointReply(e Endpoint) endpointReply {
	return endpointReply{Code: endpointOK, Username: e.Username, Password: e.Password, ConnectURL: e.ConnectURL, Audio: true, Type: "SIP"}
}

var usernamePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// The page has no rules for names and passwords. A name is the user part of a SIP URI that needs no escapes; a
// password has eight characters at least, since anybody may try them.
func (in *fields) username() string {
	s := in.text("username", true)
	if s != "" && !usernamePattern.MatchString(s) {
		in.fail("username", "must be 1 to 64 letters, digits, dots, hyphens and underscores, beginning with a letter or digit")
	}
	return s
}

func (in *fields) password() string {
	s := in.text("password", true)
	if n := utf8.RuneCountInString(s); s != "" && (n < 8 || n > 128 || hasControls(s)) {
		in.fail("password", "must be 8 to 128 characters on one line")
	}
	return s
}

// endpoint runs one operation on the SIP users of the request's app.
func (a *API) endpoint(q *request, in *fields, do func(app string) (any, error)) (any, *refusal) {
	if in.refused != nil {
		return nil, in.refused
	}
	if a.opts.Endpoints == nil {
		return nil, notServed("SIP users")
	}
	app := a.app(q)
	if app == "" && !q.grant.All {
		return nil, a.refuse(q.ctx, ErrNoApp)
	}
	reply, err := do(app)
	if err != nil {
		return nil, a.refuse(q.ctx, err)
	}
	return reply, nil
}

func (a *API) addEndpoint(q *request, in *fields) (any, *refusal) {
	e := Endpoint{Username: in.username(), Password: in.password()}
	return a.endpoint(q, in, func(app string) (any, error) {
		made, err := a.opts.Endpoints.Add(q.ctx, app, e)
		return newEndpointReply(made), err
	})
}

func (a *API) updateEndpoint(q *request, in *fields) (any, *refusal) {
	e := Endpoint{Username: in.username(), Password: in.password()}
	return a.endpoint(q, in, func(app string) (any, error) {
		now, err := a.opts.Endpoints.Update(q.ctx, app, e)
		return struct {
			Code     string `json:"code"`
			Username string `json:"username"`
			Password string `json:"password"`
			Message  string `json:"msg"`
		}{endpointOK, now.Username, now.Password, "updated"}, err
	})
}

func (a *API) getEndpoint(q *request, in *fields) (any, *refusal) {
	name := in.username()
	return a.endpoint(q, in, func(app string) (any, error) {
		e, err := a.opts.Endpoints.Get(q.ctx, app, name)
		return newEndpointReply(e), err
	})
}

func (a *API) removeEndpoint(q *request, in *fields) (any, *refusal) {
	name := in.username()
	return a.endpoint(q, in, func(app string) (any, error) {
		return struct {
			Code     string `json:"code"`
			Username string `json:"username"`
			Message  string `json:"msg"`
		}{endpointOK, name, "removed"}, a.opts.Endpoints.Remove(q.ctx, app, name)
	})
}

// listEndpoints lists ten users of a page; pages count from 1, and 0 is the first too.
func (a *API) listEndpoints(q *request, in *fields) (any, *refusal) {
	page := in.page()
	return a.endpoint(q, in, func(app string) (any, error) {
		list, count, err := a.opts.Endpoints.List(q.ctx, app, (page-1)*endpointPage, endpointPage)
		type row struct {
			Username string `json:"username"`
			Password string `json:"password"`
		}
		var reply struct {
			Code string `json:"code"`
			List struct {
				Count int   `json:"count"`
				Rows  []row `json:"rows"`
			} `json:"list"`
		}
		reply.Code, reply.List.Count, reply.List.Rows = endpointOK, count, []row{}
		for _, e := range list {
			reply.List.Rows = append(reply.List.Rows, row{e.Username, e.Password})
		}
		return reply, err
	})
}

func (in *fields) page() int {
	v, ok := in.value("page", false)
	if !ok {
		return 1
	}
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1_000_000 {
		in.fail("page", "must be a page number: 1, 2, …")
	}
	return max(1, n)
}
