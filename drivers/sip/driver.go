// Package sip carries the calls of SIP phones: it answers them, plays and records, collects digits, connects other
// phones and streams sound, all by itself. It is the driver for a machine without a carrier's platform.
//
// A call to sip:APP@host is answered by the app APP (Options.Route decides). Signalling is in package ua, sound in
// package media, voices in package speech; this package makes a [call.Line] of them.
package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// Name is the driver's name.
const Name = "sip"

// Options set up a Driver. Only Inbox has no default.
type Options struct {
	// Listen is the address for SIP over UDP and TCP (default 127.0.0.1:5060).
	Listen string
	// TLSListen is the address for SIP over TLS (1.2 and later), host:port; empty: there is none, and nobody can be
	// called over TLS. TLSCert and TLSKey are the PEM files of its certificate chain and key; they are read again
	// when they change.
	TLSListen       string
	TLSCert, TLSKey string
	// TLSRoots is a PEM file of authorities that the certificates of trunks and hosts may come from, beside those
	// that the system trusts.
	TLSRoots string
	// SRTP says whether sound is encrypted (default [SRTPOff]).
	SRTP SRTPMode
	// Advertise is the host that phones reach us at, where it is not the address that packets leave from: behind a
	// NAT. An IP address; it goes into SIP and SDP.
	Advertise string
	// RTPLow and RTPHigh bound the UDP ports for sound (default 0, 0: the system chooses).
	RTPLow, RTPHigh int
	// Codecs are the codecs that are spoken, in the order they are offered, of PCMU, PCMA, G722 (the default) and OPUS. A
	// caller's own order counts.
	Codecs []string
	// StrictRTP takes sound only from the address that the phone's description names. Otherwise the first source
	// counts, which is what phones behind a NAT need.
	StrictRTP bool

	// Users are the phones that may register and be called: name to password.
	Users map[string]string
	// Realm is what their passwords are for (default "piopiyd").
	Realm string
	// KnownOnly takes calls from users and trunks only; everybody else is asked for a password.
	KnownOnly bool
	// Trunks are the carriers that numbers are called through; calls from their addresses need no password.
	Trunks []Trunk
	// AllowHosts are the hosts that apps may call by sip: URI beside the users: names, addresses or networks
	// (CIDR). Everything else is refused.
	AllowHosts []string
	// AllowPrefixes are the beginnings of the numbers, digits with country code ("*" for all), that an app may call,
	// by app; those of "" may be called by all apps. nil: whatever the trunks' own Prefixes say. They restrict what
	// trunks reach, and add nothing to it.
	AllowPrefixes map[string][]string
	// AppLimits bound the legs that an app calls, by app; "" is for apps without their own. nil: no bounds.
	AppLimits map[string]AppLimit

	// Route finds the app for a called user or number. nil: every user part names its app.
	Route func(to string) (app string, ok bool)
	// HasApp tells whether there is an app, for outbound calls. nil: the handler tells once the call is answered.
	HasApp func(app string) bool
	// AllowRefer lets phones transfer their calls (REFER): to whomever the call's app may call.
	AllowRefer bool
	// Live, where set, knows the calls while they are performed.
	Live *call.Live
	// Inbox takes events and CDRs. Required.
	Inbox call.Inbox
	// Asker asks other people's web servers for what follows an input.
	Asker call.Asker
	// Fault is the fault policy of apps without one in Faults.
	Fault  call.FaultPolicy
	Faults map[string]call.FaultPolicy
	// Observe, where set, is told of every step of every call.
	Observe func(*call.Call, call.Step)

	// Voice says texts; nil finds espeak-ng or flite on the machine. SpeechDir keeps what was said.
	Voice     speech.Synth
	SpeechDir string
	// Recognizer understands what callers say; nil: nothing does, and gathering words collects none.
	Recognizer speech.Recognizer
	// MediaDir holds the files that apps play by name; empty: there are none.
	MediaDir string
	// RecordingsDir takes recordings, named by call id; empty: nothing can be recorded.
	RecordingsDir string
	// RecordingURL returns the address of a recording, by its file's name, for events and CDRs; nil: they have none.
	RecordingURL func(file string) string
	// SeparateChannels records the caller on the left and what the caller hears on the right.
	SeparateChannels bool
	// Dial opens connections to web servers, for audio and streams: it is what keeps apps from reaching private
	// addresses. nil: no web server can be reached.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxCalls bounds the calls at a time (default 1000); MaxDuration a call's length (default 4 h).
	MaxCalls    int
	MaxDuration time.Duration
	// MediaTimeout ends a call whose phone has sent no sound for so long (default 5 min).
	MediaTimeout time.Duration
	// DrainTimeout is how long Serve waits for calls once its context has ended (default 30 s); then it ends them.
	DrainTimeout time.Duration
	Logger       *slog.Logger

	waits waits
	// dialDNS is ua.Options.DialDNS.
	dialDNS func(ctx context.Context, network, address string) (net.Conn, error)
}

func (o Options) withDefaults() (Options, error) {
	if o.Inbox == nil {
		return o, errors.New("sip: no Inbox: nobody takes the events and CDRs")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:5060"
	}
	if o.Advertise != "" {
		if _, err := netip.ParseAddr(o.Advertise); err != nil {
			return o, fmt.Errorf("sip.advertise: %q is no IP address", o.Advertise)
		}
	}
	if err := o.SRTP.check(); err != nil {
		return o, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.waits == (waits{}) {
		o.waits = usualWaits
	}
	if o.Voice == nil {
		o.Voice = speech.Find()
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 1000
	}
	orElse(&o.MaxDuration, 4*time.Hour)
	orElse(&o.MediaTimeout, 5*time.Minute)
	orElse(&o.DrainTimeout, 30*time.Second)
	return o, nil
}

func orElse(d *time.Duration, value time.Duration) {
	if *d <= 0 {
		*d = value
	}
}

// Driver carries SIP calls.
type Driver struct {
	opts   Options
	log    *slog.Logger
	agent  *ua.Agent
	ports  *media.Ports
	pacer  media.Pacer
	clips  *clips
	routes *routes
	limits *limits
	codecs []media.Codec

	handler atomic.Pointer[call.Handler]
	serving chan struct{} // closed when there is one
	active  atomic.Int64
	work    sync.WaitGroup

	rooms rooms

	mu       sync.Mutex
	lines    map[*line]struct{}
	stopping bool // no new calls
	stopped  bool // and none that were
}

// New returns a driver that listens already: calls wait a little for Serve, and are refused with 503 without it. Close it, or Serve it.
func New(o Options) (*Driver, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &Driver{opts: o, log: o.Logger, serving: make(chan struct{}), lines: map[*line]struct{}{}, clips: newClips(o), limits: newLimits(o.AppLimits)}
	if d.codecs, err = codecsNamed(o.Codecs); err != nil {
		return nil, err
	}
	if d.routes, err = newRoutes(o); err != nil {
		return nil, err
	}
	if d.agent, err = ua.Open(ua.Options{
		Listen: o.Listen, TLSListen: o.TLSListen, TLSCert: o.TLSCert, TLSKey: o.TLSKey, TLSRoots: o.TLSRoots, Advertise: o.Advertise,
		Users: o.Users, Realm: o.Realm, KnownOnly: o.KnownOnly, Trusted: d.routes.trusted, Peers: d.routes.peers(o.Users),
		Invite: d.invited, Logger: o.Logger, DialDNS: o.dialDNS,
	}); err != nil {
		return nil, err
	}
	for _, t := range o.Trunks {
		if !t.Register {
			continue
		}
		if err := d.agent.Register(ua.Trunk{
			Name: t.Name, Address: t.Address, Transport: t.Transport, User: t.User, Password: t.Password, Expires: t.Expires,
		}); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	host, _, _ := net.SplitHostPort(o.Listen)
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr = netip.IPv4Unspecified()
	}
	if d.ports, err = media.NewPorts(addr, o.RTPLow, o.RTPHigh); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Name is the driver's name.
func (d *Driver) Name() string { return Name }

// Port returns the port of SIP.
func (d *Driver) Port() int { return d.agent.Port() }

// TLSPort returns the port of SIP over TLS, 0 if there is none.
func (d *Driver) TLSPort() int { return d.agent.TLSPort() }

// Trunks returns how the registrations with trunks fare, those with Register set.
func (d *Driver) Trunks() []ua.TrunkState { return d.agent.Trunks() }

// Serving reports whether calls are taken: Serve has begun, and is not draining.
func (d *Driver) Serving() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.handler.Load() != nil && !d.stopping
}

// Calls returns how many calls there are.
func (d *Driver) Calls() int { return int(d.active.Load()) }

// Registered reports whether a user can be called now.
func (d *Driver) Registered(user string) bool { return len(d.agent.Contacts(user)) > 0 }

// Serve brings calls to h until ctx ends; then it refuses new ones, waits for those under way and, after the drain
// time, ends them. It closes the driver.
func (d *Driver) Serve(ctx context.Context, h call.Handler) error {
	d.handler.Store(&h)
	close(d.serving)
	<-ctx.Done()
	d.agent.Drain()
	d.mu.Lock()
	d.stopping = true
	d.mu.Unlock()
	idle := make(chan struct{})
	go func() {
		defer close(idle)
		d.work.Wait()
	}()
	timer := time.NewTimer(d.opts.DrainTimeout)
	defer timer.Stop()
	var err error
	select {
	case <-idle:
	case <-timer.C:
		d.log.Warn("calls are ended because the drain time is over", "calls", d.Calls())
		err = context.Cause(ctx)
		d.mu.Lock()
		d.stopped = true
		for l := range d.lines {
			l.stop()
		}
		d.mu.Unlock()
		timer.Reset(lastWords)
		select {
		case <-idle:
		case <-timer.C:
			d.log.Error("calls are given up: they do not end", "calls", d.Calls())
			err = errors.Join(err, fmt.Errorf("sip: %d calls did not end", d.Calls()))
		}
	}
	return errors.Join(err, d.Close())
}

// lastWords is how long calls that are ended may take: a goodbye, and the delivery of what is left to report.
const lastWords = goodbye + acceptTime

// Close lets go of the sockets. Calls that are left get a BYE, and two seconds to answer it.
func (d *Driver) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return d.agent.Close(ctx)
}

// serveSoon is how long a call that comes before Serve waits for it: addresses are announced before the first call can be
// taken.
const serveSoon = time.Second

// invited carries one call, from the INVITE to its end.
func (d *Driver) invited(inv *ua.Invitation) {
	h := d.handler.Load()
	if h == nil {
		select {
		case <-d.serving:
		case <-time.After(serveSoon):
		}
		h = d.handler.Load()
	}
	if h == nil || d.enter() != nil {
		inv.Reject(503, "Service Unavailable", "")
		return
	}
	defer d.leave()
	if inv.Replaces != nil {
		d.replace(inv)
		return
	}
	app, ok := inv.To, inv.To != ""
	if d.opts.Route != nil {
		app, ok = d.opts.Route(inv.To)
	}
	if !ok {
		d.log.Info("a call to nobody", "to", inv.To, "source", inv.Source)
		inv.Reject(404, "Not Found", "")
		return
	}
	c := d.newCall(inv, app)
	l, err := d.incoming(c, inv)
	if err != nil {
		status, phrase := refusal(err)
		d.log.Info("a call cannot be taken", "app", app, "source", inv.Source, "status", status, "error", err)
		inv.Reject(status, phrase, "")
		return
	}
	l.run(*h)
}

// enter counts a call in, unless the driver stops or has too many.
func (d *Driver) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stopping:
		return call.ErrDraining
	case d.active.Load() >= int64(d.opts.MaxCalls):
		return fmt.Errorf("%w: there are %d, as many as may be (sip.max_calls)", call.ErrBusy, d.opts.MaxCalls)
	}
	d.active.Add(1)
	d.work.Add(1)
	return nil
}

// leave counts a call out.
func (d *Driver) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.active.Add(-1)
	d.work.Done()
}

// countIn counts in what is done beside calls by who is not counted already; d.work.Done ends it. It reports false when
// there are no calls any more, and will be none.
func (d *Driver) countIn() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping && d.active.Load() == 0 {
		return false
	}
	d.work.Add(1)
	return true
}

func (d *Driver) newCall(inv *ua.Invitation, app string) *call.Call {
	c := &call.Call{
		ID: uuid.NewString(), App: app, Driver: Name, Direction: call.Inbound, Time: time.Now(),
		From: party(inv.From, inv.FromHost), To: party(inv.To, ""),
	}
	name(c)
	return c
}

// name gives a call its addresses. They are answered in this process; nobody resolves the name (RFC 6761 section
// 6.4).
func name(c *call.Call) {
	app := c.App
	c.InputURL = func(token string) string { return "http://piopiyd.invalid/hooks/" + app + "/input/" + token }
	c.StreamURL = "ws://piopiyd.invalid/hooks/" + app + "/stream?call=" + c.ID
}

// party names a party: digits for numbers, a URI for others; without a host the user alone.
func party(user, host string) string {
	if digits := strings.TrimPrefix(user, "+"); digits != "" && strings.Trim(digits, "0123456789") == "" {
		return digits
	}
	if host == "" {
		return user
	}
	if user == "" {
		return "sip:" + host
	}
	return "sip:" + user + "@" + host
}

// performer performs one call.
func (d *Driver) performer(h call.Handler, l *line) *call.Performer {
	fault, ok := d.opts.Faults[l.call.App]
	if !ok {
		fault = d.opts.Fault
	}
	return &call.Performer{Handler: h, Asker: d.opts.Asker, Reporter: &reporter{line: l}, Live: d.opts.Live, Fault: fault, Observe: l.observe}
}
