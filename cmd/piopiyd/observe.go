package main

import (
	"log/slog"
	"time"

	"github.com/piopiy/piopiyd/config"
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
func (o observer) Reloaded(app string, _ *runtime.Version, took time.Duration, err error) {
	if o.cfg.Apps[app].AnswerURL != "" {
		o.log.Warn("the script is not used: the configuration makes this app a web server, by its answer_url", "app", app)
	}
	o.metrics.Reloaded(app, took, err != nil)
}
