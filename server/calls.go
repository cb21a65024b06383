package server

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/julienschmidt/httprouter"
)

// Call is a call as the API lists it.
type Call struct {
	ID      string    `json:"id"`
	App     string    `json:"app"`
	Version string    `json:"version,omitempty"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Faults counts the faults that the call's script had.
	Faults int `json:"faults,omitempty"`
}

// Entry is one line of a call's journal.
type Entry struct {
	Seq     uint64          `json:"seq"`
	Time    time.Time       `json:"time"`
	Kind    string          `json:"kind"`
	Version string          `json:"version,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	// Op numbers the operation that begins or ends here. Outcome is what it brought, or what else a replay needs: it is
	// only there when asked for.
	Op      uint64          `json:"op,omitempty"`
	Outcome json.RawMessage `json:"outcome,omitempty"`
}

// Delivery is an event or CDR that has not reached its script yet.
type Delivery struct {
	App       string `json:"app"`
	Call      string `json:"call"`
	Kind      string `json:"kind"`
	Attempts  int    `json:"attempts"`
	LastError string `json:"last_error,omitempty"`
}

// Calls is what the API needs to know of calls and their journals.
type Calls interface {
	// List returns the newest calls of an app, or of all apps when app is empty.
	List(ctx context.Context, app string, limit int) ([]Call, error)
	// Show returns one call, or ErrNotFound.
	Show(ctx context.Context, id string) (Call, error)
	// Timeline returns a call's journal so far, with outcomes; with follow it goes on as entries come, until ctx ends.
	Timeline(ctx context.Context, id string, follow bool) iter.Seq2[Entry, error]
	// Deliveries returns what has not reached its script yet, oldest first.
	Deliveries(ctx context.Context) ([]Delivery, error)
}

func (s *Server) listCalls(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	limit := 50
	if text := r.URL.Query().Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			writeError(w, http.StatusBadRequest, "bad_request", "limit must be a whole number from 1 to 1000")
			return
		}
		limit = n
	}
	calls, err := s.opts.Calls.List(r.Context(), r.URL.Query().Get("app"), limit)
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"calls": calls})
}

func (s *Server) showCall(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	c, err := s.opts.Calls.Show(r.Context(), p.ByName("call"))
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, c)
}

func (s *Server) listDeliveries(w http.ResponseWriter, r *http.Request, _ httprouter.Params) {
	list, err := s.opts.Calls.Deliveries(r.Context())
	if err != nil {
		writeFailure(w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"deliveries": list})
}

// timeline serves a call's journal as JSON, or as server-sent events with ?follow=1.
func (s *Server) timeline(w http.ResponseWriter, r *http.Request, p httprouter.Params) {
	id, whole := p.ByName("call"), r.URL.Query().Get("outcomes") == "1"
	shown := func(e Entry) Entry {
		if !whole {
			e.Outcome = nil
		}
		return e
	}
	if r.URL.Query().Get("follow") != "1" {
		entries := []Entry{}
		for e, err := range s.opts.Calls.Timeline(r.Context(), id, false) {
			if err != nil {
				writeFailure(w, err)
				return
			}
			entries = append(entries, shown(e))
		}
		writeJSON(w, http.StatusOK, map[string]any{"call": id, "entries": entries})
		return
	}
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{})
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	_ = control.Flush()
	for e, err := range s.opts.Calls.Timeline(r.Context(), id, true) {
		if err != nil {
			text, _ := json.Marshal(err.Error())
			_, _ = fmt.Fprintf(w, "event: error\ndata: %s\n\n", text)
			return
		}
		text, err := json.Marshal(shown(e))
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Kind, text); err != nil {
			return
		}
		_ = control.Flush()
	}
}
