package ua

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	msg "github.com/emiago/sipgo/sip"
)

// errExpired says that a session was not refreshed.
var errExpired = errors.New("the other side has given no sign within the session's time (RFC 4028)")

// minSE is the shortest session that we take: each refresh costs a request (RFC 4028 section 4).
const minSE = 90 * time.Second

// sessionTimer ends a dialog whose other side is gone without a word (RFC 4028). One side, the refresher, shows at
// half of the interval that it is there; the other one ends the dialog when it does not.
type sessionTimer struct {
	interval time.Duration // 0: there is none
	least    time.Duration // what the other side takes at least
	ours     bool          // we are the refresher
	at       time.Time     // of the last refresh
	timer    *time.Timer
}

func (s *sessionTimer) stop() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}

// arm begins another interval.
func (d *Dialog) arm(interval time.Duration, ours bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &d.timer
	s.stop()
	s.interval, s.ours, s.at = interval, ours, time.Now()
	switch {
	case interval == 0 || d.ended:
	case ours:
		s.timer = time.AfterFunc(interval/2, func() { d.agent.spawn(d.keepAlive) })
	default: // a little before its end, so that the BYE still arrives in time (section 10)
		s.timer = time.AfterFunc(interval-min(32*time.Second, interval/3), func() { d.lost(errExpired) })
	}
}

// keepAlive refreshes the session; when that fails until its end, the dialog is lost.
func (d *Dialog) keepAlive() {
	d.mu.Lock()
	end, wait := d.timer.at.Add(d.timer.interval), max(d.timer.interval/16, time.Second)
	d.mu.Unlock()
	ctx, cancel := context.WithDeadline(d.over, end)
	defer cancel()
	for {
		err := d.refreshSession(ctx)
		if err == nil || d.over.Err() != nil {
			return
		}
		d.agent.log.Debug("a session could not be refreshed", "call_id", d.ID(), "error", err)
		if sleep(ctx, wait) != nil {
			break
		}
	}
	if d.over.Err() == nil {
		d.lost(errExpired)
	}
}

// refreshSession shows that we are there: by UPDATE where the other side takes it, otherwise by a re-INVITE that
// changes nothing.
func (d *Dialog) refreshSession(ctx context.Context) error {
	if err := d.takeTurn(ctx); err != nil {
		return err
	}
	defer d.leaveTurn()
	d.mu.Lock()
	described := d.described
	d.mu.Unlock()
	if d.takes(msg.UPDATE) {
		_, err := d.insist(ctx, msg.UPDATE, nil, nil)
		var r *Rejected
		if !errors.As(err, &r) || r.Status != 405 && r.Status != 501 {
			return err
		}
		d.mu.Lock()
		d.allows = "" // until it says so again
		d.mu.Unlock()
	}
	_, err := d.insist(ctx, msg.INVITE, func() []byte { return described }, func(answer []byte) error {
		d.handling.Lock()
		defer d.handling.Unlock()
		if h := d.handle(); h.Answer != nil && len(answer) > 0 {
			return h.Answer(answer)
		}
		return nil
	})
	return err
}

// time puts our wish for a session timer into a re-INVITE or UPDATE: as it is now.
func (d *Dialog) time(req *msg.Request) {
	req.AppendHeader(msg.NewHeader("Supported", extensions))
	d.mu.Lock()
	interval, least, ours := d.timer.interval, max(d.timer.least, minSE), d.timer.ours
	d.mu.Unlock()
	if interval == 0 {
		return
	}
	req.AppendHeader(msg.NewHeader("Session-Expires", sessionExpires(max(interval, least), ours, "uac", "uas")))
	req.AppendHeader(msg.NewHeader("Min-SE", inSeconds(least)))
}

// timed takes over what a 2xx to a request of ours says about the timer.
func (d *Dialog) timed(res *msg.Response) {
	interval, refresher, ok := readSessionExpires(res)
	if !ok {
		d.arm(0, false)
		return
	}
	d.arm(max(interval, minSE), refresher != "uas")
}

// raise takes over the least interval of a 422, and reports whether another attempt makes sense.
func (d *Dialog) raise(res *msg.Response) bool {
	least, ok := leastOf(res)
	if !ok {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.timer.least = max(d.timer.least, least)
	return d.timer.interval > 0
}

// agree answers the wish for a session timer in an INVITE or UPDATE, and begins its interval (RFC 4028 section 9).
func (d *Dialog) agree(req *msg.Request, res *msg.Response) {
	interval, refresher, asked := readSessionExpires(req)
	supports := lists(values(req, "Supported", "k", "Require"), "timer")
	d.mu.Lock()
	before, was, early := d.timer.interval, d.timer.ours, d.early || d.ringing
	d.mu.Unlock()
	if early { // there is no session yet
		return
	}
	ours := false
	switch {
	case asked:
		ours = refresher == "uas" || refresher == "" && !supports
	case !supports || before == 0 && d.agent.opts.SessionExpires < 0:
		d.arm(0, false)
		return
	case before > 0:
		interval, ours = before, was
	default:
		interval, ours = max(d.agent.opts.SessionExpires, minSE), true
	}
	if least, ok := leastOf(req); ok {
		interval = max(interval, least)
	}
	res.AppendHeader(msg.NewHeader("Session-Expires", sessionExpires(interval, ours, "uas", "uac")))
	if !ours {
		res.AppendHeader(msg.NewHeader("Require", "timer"))
	}
	d.arm(interval, ours)
}

// tooBrief answers a request that wants a shorter session than we take.
func (a *Agent) tooBrief(req *msg.Request, tx msg.ServerTransaction) bool {
	interval, _, ok := readSessionExpires(req)
	if !ok || interval >= minSE {
		return false
	}
	a.respond(tx, req, 422, "Session Interval Too Small", msg.NewHeader("Min-SE", inSeconds(minSE)))
	return true
}

func sessionExpires(interval time.Duration, ours bool, us, them string) string {
	if ours {
		them = us
	}
	return inSeconds(interval) + ";refresher=" + them
}

func inSeconds(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// maxInterval bounds what others ask for.
const maxInterval = 24 * time.Hour

func readSessionExpires(m message) (interval time.Duration, refresher string, ok bool) {
	value, params, _ := strings.Cut(text(m, "Session-Expires", "x"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
	if err != nil {
		return 0, "", false
	}
	for p := range strings.SplitSeq(params, ";") {
		if name, v, _ := strings.Cut(p, "="); strings.EqualFold(strings.TrimSpace(name), "refresher") {
			refresher = strings.ToLower(strings.TrimSpace(v))
		}
	}
	return min(time.Duration(n)*time.Second, maxInterval), refresher, true
}

func leastOf(m message) (time.Duration, bool) {
	value, _, _ := strings.Cut(text(m, "Min-SE"), ";")
	n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
	if err != nil {
		return 0, false
	}
	return min(time.Duration(n)*time.Second, maxInterval), true
}

// extensions are what we know beyond RFC 3261: reliable provisional responses, session timers, Replaces, and REFER
// without a subscription.
const extensions = "100rel, timer, replaces, norefersub"

// foreign answers a request that requires what we do not know.
func (a *Agent) foreign(req *msg.Request, tx msg.ServerTransaction) bool {
	var unknown []string
	for want := range strings.SplitSeq(values(req, "Require"), ",") {
		if want = strings.TrimSpace(want); want != "" && !lists(extensions, want) {
			unknown = append(unknown, want)
		}
	}
	if len(unknown) == 0 {
		return false
	}
	value := strings.Join(unknown, ", ")
	if !safe(value) {
		value = fmt.Sprintf("%d extensions", len(unknown))
	}
	a.respond(tx, req, 420, "Bad Extension", msg.NewHeader("Unsupported", value))
	return true
}
