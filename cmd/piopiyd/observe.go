package main

import (
	"time"

	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

// observer tells the metrics what the runtime does.
type observer struct{ metrics *server.Metrics }

func (o observer) SessionStarted(app string)               { o.metrics.SessionStarted(app) }
func (o observer) SessionEnded(app string)                 { o.metrics.SessionEnded(app) }
func (o observer) TurnEnded(app string, d time.Duration)   { o.metrics.TurnEnded(app, d) }
func (o observer) Faulted(app string, k runtime.FaultKind) { o.metrics.Faulted(app, string(k)) }
func (o observer) Reloaded(app string, _ *runtime.Version, took time.Duration, err error) {
	o.metrics.Reloaded(app, took, err != nil)
}
