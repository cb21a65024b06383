package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
)

// App is an app as the API shows it.
type App struct {
	Name string `json:"name"`
	// Version is the live version's id, empty when there never was a good one.
	Version string `json:"version,omitempty"`
	// Exports are the functions that the live version exports.
	Exports []string `json:"exports,omitempty"`
	// AnswerURL is set for an app that is a web server and no script: where it is asked, without the query.
	AnswerURL string `json:"answer_url,omitempty"`
	Sessions  int64  `json:"sessions"`
	// Problem says why the newest files are not live.
	Problem *Problem `json:"problem,omitempty"`
}

// Problem is why an edit was refused: a sentence, and where.
type Problem struct {
	Message string `json:"message"`
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Source  string `json:"source,omitempty"`
}

// Version is a version as the API shows it.
type Version struct {
	ID       string    `json:"id"`
	Created  time.Time `json:"created"`
	Live     bool      `json:"live"`
	Sessions int64     `json:"sessions"`
	Files    []string  `json:"files"`
}

// Apps is what the API needs to know of apps. Unknown apps and versions give an error for which
// errors.Is(err, ErrNotFound) holds.
type Apps interface {
	Apps() []App
	Versions(app string) ([]Version, error)
	// Rollback makes a version live again; an empty id means the one before the live one.
	Rollback(ctx context.Context, app, id string) (Version, error)
}

// ErrNotFound says that what was asked for is not there.
var ErrNotFound = errors.New("not found")

func (s *Server) listApps(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	writeJSON(w, http.StatusOK, map[string]any{"apps": s.opts.Apps.Apps()})
}

func (s *Server) listVersions(w http.ResponseWriter, _ *http.Request, p httprouter.Params) {
	versions, err := s.opts.Apps.Versions(p.ByName("app"))
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"app": p.ByName("app"), "versions": versions})
}

func (s *Server) rollback(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	var body struct {
		Version string `json:"version"`
	}
	decoder := json.NewDecoder(io.LimitReader(r.Body, 4<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil && !errors.Is(err, io.EOF) {
		writeError(w, http.StatusBadRequest, "bad_request", `the body must be {"version": "ID"}, or empty for the version before the live one: `+err.Error())
		return
	}
	v, err := s.opts.Apps.Rollback(r.Context(), p.ByName("app"), body.Version)
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

// private asks for the bearer token, where one is configured.
func (s *Server) private(handle httprouter.Handle) httprouter.Handle {
	return func(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
		if s.opts.Token != "" {
			token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !ok || !same(token, s.opts.Token) {
				w.Header().Set("WWW-Authenticate", `Bearer realm="piopiyd"`)
				writeError(w, http.StatusUnauthorized, "unauthorized", "the API needs the header Authorization: Bearer TOKEN, with the token of api.token")
				return
			}
		}
		handle(w, r, p)
	}
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(v)
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": code, "message": message}})
}

func writeFailure(w http.ResponseWriter, err error) {
	if errors.Is(err, ErrNotFound) {
		writeError(w, http.StatusNotFound, "not_found", err.Error())
		return
	}
	writeError(w, http.StatusInternalServerError, "internal", err.Error())
}
