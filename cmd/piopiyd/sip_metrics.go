package main

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server"
)

// measureSIP shows the call engine to Prometheus.
func (d *Daemon) measureSIP() {
	d.metrics.Gauge("piopiyd_sip_calls", "SIP calls under way.", func() float64 { return float64(d.sip.Calls()) })
	d.metrics.Gauge("piopiyd_sip_registered_users", "SIP users that can be called now.", d.registered)
	d.metrics.Gauges("piopiyd_sip_trunk_registered", "Whether a trunk that is registered with takes calls to here, by trunk.", "trunk", func() map[string]float64 {
		states := map[string]float64{}
		for _, t := range d.sip.Trunks() {
			states[t.Name] = 0
			if t.Registered {
				states[t.Name] = 1
			}
		}
		return states
	})
}

// registered counts the users that can be called now.
func (d *Daemon) registered() float64 {
	n := 0.0
	for _, name := range d.sip.Users() {
		if d.sip.Registered(name) {
			n++
		}
	}
	return n
}

// countedInbox counts the legs whose records it takes.
type countedInbox struct {
	call.Inbox
	legs, packets func(n float64, labels ...string)

	mu     sync.Mutex
	causes map[string]bool
}

// maxCauses bounds the label values that scripts could make.
const maxCauses = 50

func newCountedInbox(inbox call.Inbox, m *server.Metrics) *countedInbox {
	return &countedInbox{
		Inbox: inbox, causes: map[string]bool{},
		legs:    m.Counter("piopiyd_sip_legs_total", "SIP legs that have ended, by leg, status and cause.", "leg", "status", "cause"),
		packets: m.Counter("piopiyd_sip_rtp_packets_total", "RTP packets of legs that have ended: sent, received, lost.", "what"),
	}
}

// AcceptCDR implements call.Inbox.
func (in *countedInbox) AcceptCDR(ctx context.Context, r *call.CDR) (bool, error) {
	fresh, err := in.Inbox.AcceptCDR(ctx, r)
	if !fresh {
		return fresh, err
	}
	var d struct {
		HangupCause string `json:"hangup_cause"`
		Quality     struct{ Sent, Received, Lost float64 }
	}
	_ = json.Unmarshal(r.Raw, &d) // made in this process
	in.legs(1, string(r.Leg), string(r.Status), in.cause(d.HangupCause))
	in.packets(d.Quality.Sent, "sent")
	in.packets(d.Quality.Received, "received")
	in.packets(d.Quality.Lost, "lost")
	return fresh, err
}

func (in *countedInbox) cause(cause string) string {
	in.mu.Lock()
	defer in.mu.Unlock()
	if !in.causes[cause] {
		if len(in.causes) >= maxCauses {
			return "other"
		}
		in.causes[cause] = true
	}
	return cause
}
