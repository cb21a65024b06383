package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// refusal is why a request is not done. Each generation has its own way to say it: v3 answers with the HTTP status
// and {"error": word}; v1 and v2 answer 200 with a code, unless the refusal is not about what was asked but about the
// request as such.
type refusal struct {
	// status is the HTTP status of v3.
	status int
	// code is the code of v1 and v2; 0 is status.
	code int
	// word is the error of v3.
	word string
	// message is for people; it names the field.
	message string
	// field is what is wrong, where that is one field.
	field string
	// all are all fields that are wrong, where there are more.
	all []fieldError
	// requestID names the transfer that is in the way.
	requestID string
	// retry says when to come back.
	retry time.Duration
}

// fieldError is one thing wrong with a body.
type fieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// asHTTP says that v1 and v2 answer this refusal with an HTTP status too: a request that could not be read or was not
// looked at, and our own failures.
func (f *refusal) asHTTP() bool {
	switch f.status {
	case http.StatusBadRequest:
		return f.word == "invalid_json"
	case http.StatusRequestEntityTooLarge, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusForbidden:
		return f.code == 0
	}
	return false
}

// refuse turns an error of one of the interfaces into a refusal.
func (a *API) refuse(ctx context.Context, err error) *refusal {
	for _, known := range []struct {
		err    error
		status int
		word   string
	}{
		{ErrNoCall, http.StatusNotFound, "call_not_found"},
		{call.ErrOver, http.StatusNotFound, "call_not_found"},
		{ErrNotConnected, http.StatusConflict, "call_not_answered"},
		{ErrTransferInProgress, http.StatusConflict, "transfer_in_progress"},
		{ErrNotAllowed, http.StatusForbidden, "call_not_allowed"},
		{ErrNoAudio, http.StatusNotFound, "audio_not_found"},
		{ErrNoApp, http.StatusForbidden, "app_not_active"},
		{ErrBusy, http.StatusServiceUnavailable, "busy"},
		{ErrDraining, http.StatusServiceUnavailable, "shutting_down"},
		{ErrNoEndpoint, http.StatusNotFound, "endpoint_not_found"},
		{ErrEndpointExists, http.StatusConflict, "endpoint_exists"},
		{ErrReadOnly, http.StatusForbidden, "endpoint_read_only"},
		{ErrNoRecording, http.StatusNotFound, "recording_not_found"},
	} {
		if errors.Is(err, known.err) {
			f := &refusal{status: known.status, code: known.status, word: known.word, message: known.err.Error()}
			if known.status == http.StatusServiceUnavailable {
				f.retry = 5 * time.Second
			}
			return f
		}
	}
	var unsupported *call.UnsupportedError
	if errors.As(err, &unsupported) {
		return &refusal{status: http.StatusNotImplemented, code: http.StatusNotImplemented, word: "not_supported", message: unsupported.Error()}
	}
	var state *call.StateError
	if errors.As(err, &state) {
		return &refusal{status: http.StatusConflict, code: http.StatusConflict, word: "call_state", message: state.Error()}
	}
	if ctx.Err() != nil {
		return &refusal{status: http.StatusServiceUnavailable, code: http.StatusServiceUnavailable, word: "cancelled", message: "the request was given up before it was done"}
	}
	a.opts.Logger.ErrorContext(ctx, "a REST request failed", "error", err)
	return &refusal{status: http.StatusInternalServerError, word: "internal", message: "the request could not be done; the log says why"}
}

// writeV3 answers as v3 does.
func (f *refusal) writeV3(w http.ResponseWriter) {
	body := struct {
		Error     string       `json:"error"`
		Message   string       `json:"message,omitempty"`
		Field     string       `json:"field,omitempty"`
		Errors    []fieldError `json:"errors,omitempty"`
		RequestID string       `json:"request_id,omitempty"`
	}{f.word, f.message, f.field, nil, f.requestID}
	if len(f.all) > 1 {
		body.Errors = f.all
	}
	f.retryAfter(w)
	if f.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="piopiyd"`)
	}
	writeJSON(w, f.status, body)
}

func (f *refusal) retryAfter(w http.ResponseWriter) {
	if f.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int((f.retry+time.Second-1)/time.Second)))
	}
}

// writeClassic answers as v1 and v2 do; text says that the code is a string such as "cmi-200".
func (f *refusal) writeClassic(w http.ResponseWriter, text bool) {
	code := f.code
	if code == 0 {
		code = f.status
	}
	body := struct {
		Code      any    `json:"code"`
		CMICode   int    `json:"cmi_code"`
		Status    string `json:"status"`
		Error     string `json:"error"`
		Field     string `json:"field,omitempty"`
		RequestID string `json:"request_id,omitempty"`
	}{code, code, "error", f.message, f.field, f.requestID}
	if text {
		body.Code = "cmi-" + strconv.Itoa(code)
	}
	status := http.StatusOK
	if f.asHTTP() {
		status = f.status
	}
	f.retryAfter(w)
	writeJSON(w, status, body)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
}
