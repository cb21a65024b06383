package call

import (
	"strings"

	"github.com/piopiy/piopiyd/pcmo"
)

func (p FaultPolicy) document(c *Call) pcmo.Document {
	var doc pcmo.Document
	if p.Say != "" {
		doc = append(doc, &pcmo.Speak{Text: p.Say})
	}
	switch {
	case p.Play == "":
	case strings.Contains(p.Play, "://"):
		doc = append(doc, &pcmo.Play{FileURL: p.Play})
	default:
		doc = append(doc, &pcmo.Play{FileName: p.Play})
	}
	if user, isSIP := strings.CutPrefix(p.Forward, "sip:"); isSIP {
		doc = append(doc, &pcmo.Connect{From: ownNumber(c), Targets: []pcmo.Target{pcmo.SIP(user)}})
	} else if p.Forward != "" {
		doc = append(doc, &pcmo.Bridge{From: ownNumber(c), Targets: []pcmo.Target{pcmo.PSTN(pcmo.Number(p.Forward))}})
	}
	return append(doc, &pcmo.Hangup{Cause: p.Hangup})
}

// ownNumber is the platform's number in the call, the caller id of legs that the platform dials.
func ownNumber(c *Call) pcmo.Number {
	own := c.To
	if c.Direction == Outbound {
		own = c.From
	}
	own = strings.TrimPrefix(own, "+")
	if len(own) < 3 || len(own) > 16 || own[0] == '0' || strings.Trim(own, "0123456789") != "" {
		return ""
	}
	return pcmo.Number(own)
}
