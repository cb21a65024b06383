package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/speech"
	"github.com/piopiy/piopiyd/server"
)

// openSIP opens the call engine, whose calls wait for Serve. Where the default address is in use it leaves the
// daemon without one and says so: somebody who tries a second piopiyd has not asked for SIP.
func (d *Daemon) openSIP(inbox call.Inbox) error {
	if d.cfg.SIP.Listen == config.SIPOff {
		d.noSIP = "sip.listen is off"
		return nil
	}
	o, err := d.sipOptions(inbox)
	if err != nil {
		return err
	}
	d.sip, err = sip.New(o)
	switch taken := errors.Is(err, syscall.EADDRINUSE); {
	case err == nil:
		return nil
	case strings.HasPrefix(err.Error(), "sip.tls.listen") && taken:
		return fmt.Errorf("%w: perhaps another piopiyd or a PBX has it; choose another sip.tls.listen", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: ports below 1024 need a privilege; choose a higher one with --sip-listen, or serve no SIP with --sip-listen off", err)
	case !taken:
		return err
	case d.cfg.SIP.Listen == config.SIPAuto && d.cfg.SIP.TLS.Listen == "":
		d.noSIP = o.Listen + " is in use; choose another address with --sip-listen"
		d.log.Warn("SIP is not served: its address is in use, perhaps by another piopiyd or a PBX",
			"address", o.Listen, "next", "choose another with --sip-listen or sip.listen, such as 127.0.0.1:5070; off ends this warning")
		return nil
	}
	return fmt.Errorf("%w: perhaps another piopiyd or a PBX has it; choose another address with --sip-listen, a free one with --sip-listen 127.0.0.1:0, or serve no SIP with --sip-listen off", err)
}

// sipOptions translates the configuration.
func (d *Daemon) sipOptions(inbox call.Inbox) (sip.Options, error) {
	c := d.cfg.SIP
	d.reports = newCountedInbox(inbox, d.metrics)
	o := sip.Options{
		Listen: c.Listen, Advertise: c.Advertise, StrictRTP: c.StrictRTP, Codecs: c.Codecs,
		TLSListen: c.TLS.Listen, TLSCert: c.TLS.Cert, TLSKey: c.TLS.Key, TLSRoots: c.TLS.Roots, SRTP: sip.SRTPMode(c.SRTP),
		Users: map[string]string{}, Realm: c.Realm, KnownOnly: c.KnownOnly,
		AllowHosts: c.AllowHosts, AllowPrefixes: allowedPrefixes(d.cfg), AppLimits: map[string]sip.AppLimit{},
		Route: d.route, HasApp: func(app string) bool { return app == restApp || d.hasApp(app) }, AllowRefer: c.AllowRefer, Live: &d.live, Inbox: carriedInbox{d.reports, d.journal.Underway()}, Asker: d.web,
		Fault: faultPolicy(d.cfg.Fault), Faults: faultPolicies(d.cfg), Observe: d.observe,
		MediaDir: c.Media, RecordingsDir: filepath.Join(d.cfg.Data, "recordings"),
		SeparateChannels: c.SeparateChannels,
		// Web servers of the configuration may be private; everything else that an app names is under fetch's guard.
		Dial:     d.web.client.DialContext,
		MaxCalls: c.MaxCalls, MaxDuration: c.MaxDuration, MediaTimeout: c.MediaTimeout, DrainTimeout: max(d.cfg.Drain.Timeout, time.Millisecond),
		Logger: d.log,
	}
	base := strings.TrimRight(d.cfg.PublicURL, "/")
	if base == "" {
		base = "http://" + reachable(d.cfg.Listen)
	}
	o.RecordingURL = func(file string) string { return base + "/v2/piopiy/play?file=" + url.QueryEscape(file) }
	if c.Listen == config.SIPAuto {
		o.Listen = config.SIPDefault
	}
	var err error
	if o.RTPLow, o.RTPHigh, err = c.RTPRange(); err != nil {
		return o, fmt.Errorf("sip.rtp_ports: %w", err)
	}
	if o.Voice, err = speech.New(voiceOptions(d.cfg)); err != nil {
		return o, err
	}
	if o.Recognizer, err = newRecognizer(d.cfg); err != nil {
		return o, err
	}
	for name, password := range c.Users {
		o.Users[name] = string(password)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Trunks)) {
		t := c.Trunks[name]
		o.Trunks = append(o.Trunks, sip.Trunk{
			Name: name, Address: t.Address, Transport: t.Transport, User: t.User, Password: string(t.Password), Prefixes: t.Prefixes,
			CallerID: t.CallerID, Sources: t.Sources, Register: t.Register, Expires: t.Expires,
		})
	}
	for name, app := range d.cfg.Apps {
		if app.Dial != nil && (app.Dial.Calls > 0 || app.Dial.PerMinute > 0) {
			o.AppLimits[name] = sip.AppLimit{Calls: app.Dial.Calls, PerMinute: app.Dial.PerMinute}
		}
	}
	return o, nil
}

// allowedPrefixes returns what apps may call by app, "" for all of them; nil leaves it to the trunks.
func allowedPrefixes(cfg config.Config) map[string][]string {
	allowed := map[string][]string{}
	if len(cfg.SIP.AllowPrefixes) > 0 {
		allowed[""] = cfg.SIP.AllowPrefixes
	}
	for name, app := range cfg.Apps {
		if app.Dial != nil && len(app.Dial.Prefixes) > 0 {
			allowed[name] = app.Dial.Prefixes
		}
	}
	if len(allowed) == 0 {
		return nil
	}
	return allowed
}

// route finds the app for what a phone has called: a configured number, or an app's name.
func (d *Daemon) route(to string) (app string, ok bool) {
	if app, ok := d.numbers[strings.TrimPrefix(to, "+")]; ok {
		return app, true
	}
	return to, d.hasApp(to)
}

func (d *Daemon) hasApp(name string) bool {
	_, script := d.runtime.App(name)
	return script || d.web.has(name)
}

// numbersOf returns the apps by the numbers that belong to them, digits only.
func numbersOf(cfg config.Config) map[string]string {
	numbers := map[string]string{}
	for name, app := range cfg.Apps {
		for _, number := range app.Numbers {
			numbers[strings.TrimPrefix(number, "+")] = name
		}
	}
	return numbers
}

// sipAddress is where phones on this machine find the engine, HOST:PORT; "" where it is not served.
func (d *Daemon) sipAddress() string {
	if d.sip == nil {
		return ""
	}
	host, _, err := net.SplitHostPort(d.cfg.SIP.Listen)
	if err != nil { // auto
		host, _, _ = net.SplitHostPort(config.SIPDefault)
	}
	return reachable(net.JoinHostPort(host, strconv.Itoa(d.sip.Port())))
}

// sipPlace says what of SIP is served, and where.
func (d *Daemon) sipPlace() string {
	if d.sip == nil {
		return "not served: " + d.noSIP
	}
	text := d.sipAddress() + ", UDP and TCP"
	if port := d.sip.TLSPort(); port != 0 {
		host, _, _ := net.SplitHostPort(d.cfg.SIP.TLS.Listen)
		text += "; " + reachable(net.JoinHostPort(host, strconv.Itoa(port))) + ", TLS"
	}
	return text
}

// tryCall is a command that calls the first app that answers, or "".
func (d *Daemon) tryCall(list []server.App) string {
	address := d.sipAddress()
	if address == "" {
		return ""
	}
	for _, a := range byPreference(list) {
		if takesCalls(a) {
			// Without an account of its own baresip calls nobody.
			return "baresip -e '/uanew sip:me@127.0.0.1;regint=0' -e '/dial sip:" + a.Name + "@" + strings.TrimSuffix(address, ":5060") + "'"
		}
	}
	return ""
}
