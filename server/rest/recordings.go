package rest

import (
	"errors"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
)

// longestDownload is how long a recording may take to be fetched.
const longestDownload = 15 * time.Minute

// play is GET /v2/piopiy/play, /v3/piopiy/play and /v1/play (protocol page 3.6): the recording that file names, whole
// or in ranges. Credentials are appid and secret of the query, where /v1/play calls the secret token, or a bearer
// token. Refusals are JSON with an HTTP status of their own, so that no player takes them for sound.
func (a *API) play(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	if refused := a.servePlay(w, r); refused != nil {
		if strings.HasPrefix(r.URL.Path, "/v3/") {
			refused.writeV3(w)
			return
		}
		refused.retryAfter(w)
		code := refused.code
		if code == 0 {
			code = refused.status
		}
		writeJSON(w, refused.status, map[string]any{"code": code, "cmi_code": code, "status": "error", "error": refused.message})
	}
}

func (a *API) servePlay(w http.ResponseWriter, r *http.Request) *refusal {
	query := r.URL.Query()
	c := Credentials{AppID: query.Get("appid"), Secret: query.Get("secret"), Token: bearer(r)}
	if c.Secret == "" {
		c.Secret = query.Get("token")
	}
	grant, refused, err := a.admit(r, c)
	switch {
	case errors.Is(err, ErrCredentials):
		return &refusal{status: http.StatusUnauthorized, code: playFace.credentials, word: "unauthorized", message: "appid or secret is missing or wrong"}
	case refused != nil:
		return refused
	}
	file := query.Get("file")
	switch {
	case file == "":
		return &refusal{status: http.StatusBadRequest, code: playFace.missing, word: "validation_error", message: "file is required", field: "file"}
	case !isFileName(file):
		return &refusal{status: http.StatusBadRequest, code: playFace.missing, word: "validation_error", message: "file must be a file name, without folders", field: "file"}
	case a.opts.Recordings == nil:
		return notServed("recordings")
	}
	recording, err := a.opts.Recordings.Open(r.Context(), file)
	if err != nil {
		return a.refuse(r.Context(), err)
	}
	defer recording.Close()
	if !grant.allows(recording.App) {
		return a.refuse(r.Context(), ErrNoRecording)
	}
	kind := recording.ContentType
	if kind == "" {
		kind = mime.TypeByExtension(path.Ext(file))
	}
	if !strings.HasPrefix(kind, "audio/") {
		kind = "application/octet-stream"
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "private, no-store")
	// Where the server's own deadline cannot be moved, it holds.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(longestDownload))
	http.ServeContent(w, r, file, recording.Modified, recording)
	return nil
}

// isFileName reports whether a name from outside is one of a file and leads nowhere else.
func isFileName(s string) bool {
	return len(s) <= 255 && s != "." && s != ".." && !strings.ContainsAny(s, `/\:`) && !hasControls(s)
}
