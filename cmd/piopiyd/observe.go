package main

import (
	"encoding/json"
	"errors"
	"log/slog"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/journal"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

// observer tells the metrics what the runtime does.
type observer struct {
	metrics *server.Metrics
	cfg     config.Config
	log     *slog.Logger
}

func (o observer) SessionStarted(app string)               { o.metrics.SessionStarted(app) }
func (o observer) SessionEnded(app string)                 { o.metrics.SessionEnded(app) }
func (o observer) TurnEnded(app string, d time.Duration)   { o.metrics.TurnEnded(app, d) }
func (o observer) Faulted(app string, k runtime.FaultKind) { o.metrics.Faulted(app, string(k)) }
func (o observer) Rebuilt(app string, err error)           { o.metrics.Rebuilt(app, err != nil) }
func (o observer) Reloaded(app string, _ *runtime.Version, took time.Duration, err error) {
	if o.cfg.Apps[app].AnswerURL != "" {
		o.log.Warn("the script is not used: the configuration makes this app a web server, by its answer_url", "app", app)
	}
	o.metrics.Reloaded(app, took, err != nil)
}

// observe writes what the call engine does into the call's journal. The actions' contents are there already, in the
// document; what a line could not do stands nowhere else.
func (d *Daemon) observe(c *call.Call, s call.Step) {
	var data any
	switch {
	case s.Err != nil:
		data = map[string]string{"error": s.Err.Error()}
	case s.Action != nil:
		data = map[string]string{"action": s.Action.Name()}
	default:
		return
	}
	text, err := json.Marshal(data)
	if err == nil {
		err = d.journal.Append(c.App, c.ID, []runtime.Entry{{Time: time.Now(), Kind: "line", Data: text}})
	}
	if err != nil && !errors.Is(err, journal.ErrLagging) {
		d.log.Warn("a step of a call could not be journalled", "app", c.App, "call", c.ID, "error", err)
	}
}
