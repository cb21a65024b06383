package webapp

import (
	"encoding/json"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Journal takes the journal entries of calls that a web server decides about. The kinds and their contents are those
// of scripts' journals as far as there are such: answer, input, pcmo, warning, fault, event, cdr, end. An event or CDR
// that was not taken is undelivered, once for each try.
type Journal interface {
	// Note takes one entry; data is JSON. It must not block. A fault's data holds the first 2 KiB of the reply.
	Note(app, callID, kind string, at time.Time, data json.RawMessage)
}

type (
	inputNote struct {
		Continuation string `json:"continuation"`
		Digits       string `json:"digits"`
		Speech       string `json:"speech,omitempty"`
	}
	warningNote struct {
		Callback string `json:"callback"`
		Warning  string `json:"warning"`
	}
	undeliveredNote struct {
		Callback string `json:"callback"`
		Error    string `json:"error"`
	}
	faultNote struct {
		Kind    string `json:"kind"`
		Message string `json:"message"`
		Status  int    `json:"http_status,omitempty"`
		Reply   string `json:"reply,omitempty"`
	}
	endNote struct {
		Reason string `json:"reason"`
	}
)

func answerNote(c *call.Call) any {
	return struct {
		From        string         `json:"from"`
		To          string         `json:"to"`
		Direction   call.Direction `json:"direction,omitempty"`
		Driver      string         `json:"driver"`
		Time        int64          `json:"time"`
		ExtraParams string         `json:"extra_params,omitempty"`
	}{c.From, c.To, c.Direction, c.Driver, c.Time.UnixMilli(), c.ExtraParams}
}

// note writes to the journal. A script's call is journalled by its session, also when it asks somebody's action_url.
func (h *Handler) note(app, id, kind string, data any) {
	if _, ours := h.opts.Apps[app]; !ours || h.opts.Journal == nil {
		return
	}
	var raw json.RawMessage
	switch d := data.(type) {
	case []byte:
		raw = d
	case json.RawMessage:
		raw = d
	default:
		var err error
		if raw, err = json.Marshal(data); err != nil {
			h.log.Error("a journal entry cannot be written", "app", app, "call", id, "kind", kind, "error", err)
			return
		}
	}
	h.opts.Journal.Note(app, id, kind, h.opts.Clock.Now(), raw)
}
