package config

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/runtime"
)

// validate adds to c what is wrong with values that could be read.
func validate(cfg *Config, c *collector) {
	v := &validator{c}
	v.listen(cfg)
	if cfg.PublicURL != "" {
		v.url("public_url", cfg.PublicURL)
	}
	v.filled("scripts", cfg.Scripts)
	v.filled("data", cfg.Data)
	v.sources("trusted_proxies", cfg.TrustedProxies)
	v.oneOf("log.level", cfg.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", cfg.Log.Format, "auto", "text", "json")
	v.size("hooks.max_body", cfg.Hooks.MaxBody, KiB, 64*MiB)
	v.webhooks(cfg.Webhooks)
	v.limits(cfg.Limits)
	v.number("versions.keep", cfg.Versions.Keep, 2, 1000)
	v.fetch(cfg.Fetch)
	v.journal(cfg.Journal)
	v.delivery(cfg.Delivery)
	v.span("drain.timeout", cfg.Drain.Timeout, 0, time.Hour)
	v.url("piopiy.url_v1", cfg.Piopiy.URLV1)
	v.url("piopiy.url_v2", cfg.Piopiy.URLV2)
	v.url("piopiy.url_v3", cfg.Piopiy.URLV3)
	v.sip(cfg.SIP)
	v.fault("fault", cfg.Fault)
	v.apps(cfg.Apps)
}

type validator struct{ *collector }

// listen checks the address, and that an address which others can reach is guarded.
func (v *validator) listen(cfg *Config) {
	v.address("listen", cfg.Listen, "127.0.0.1:8080", ", or :8080 for every address")
	if !cfg.Loopback() && cfg.API.Token == "" {
		v.blame("listen", "%q can be reached from other machines, so api.token must be set; make one with: openssl rand -hex 24", cfg.Listen)
	}
	if cfg.API.Token != "" && len(cfg.API.Token) < 16 {
		v.blame("api.token", "the token is shorter than 16 characters; make one with: openssl rand -hex 24")
	}
	v.plainSecret("api.token", cfg.API.Token)
}

// Loopback reports whether Listen is an address that only this machine can reach.
func (c Config) Loopback() bool { return isLoopback(c.Listen) }

func (v *validator) limits(l Limits) {
	v.span("limits.turn", l.Turn, time.Millisecond, 10*time.Minute)
	v.span("limits.grace", l.Grace, time.Millisecond, time.Minute)
	v.span("limits.callback", l.Callback, time.Millisecond, 24*time.Hour)
	v.span("limits.lifetime", l.Lifetime, time.Second, 30*24*time.Hour)
	v.number("limits.timers", l.Timers, 1, 1e7)
	v.number("limits.pending", l.Pending, 1, 1e6)
	v.number("limits.stack", l.Stack, 50, 100_000)
	v.number("limits.string_length", l.StringLength, 1024, 1<<30)
	v.number("limits.array_length", l.ArrayLength, 1024, 1<<30)
	v.size("limits.buffer_size", l.BufferSize, KiB, 2*GiB)
	v.size("limits.journal_size", l.JournalSize, KiB, GiB)
	v.number("limits.sessions", l.Sessions, 1, 1e8)
	if l.Memory != 0 {
		v.size("limits.memory", l.Memory, 64*MiB, 64*TiB)
	}
}

func (v *validator) fetch(f Fetch) {
	for i, entry := range f.Allow {
		client, err := outbound.NewClient(outbound.Options{Allow: []string{entry}})
		if err != nil {
			v.blame(item("fetch.allow", i), "%s", strings.TrimPrefix(err.Error(), "fetch.allow: "))
			continue
		}
		client.Close()
	}
	v.span("fetch.timeout", f.Timeout, time.Millisecond, time.Hour)
	v.size("fetch.max_body", f.MaxBody, KiB, GiB)
}

func (v *validator) journal(j Journal) {
	v.span("journal.max_age", j.MaxAge, time.Minute, 20*365*24*time.Hour)
	v.size("journal.max_bytes", j.MaxBytes, MiB, 1024*TiB)
	for server := range strings.SplitSeq(j.NATSURL, ",") {
		if j.NATSURL == "" {
			break
		}
		u, err := url.Parse(strings.TrimSpace(server))
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			v.blame("journal.nats_url", "must be the address of a NATS server, such as nats://nats.internal:4222")
			break
		}
	}
	if j.NATSCredentials != "" && j.NATSURL == "" {
		v.blame("journal.nats_credentials", "has no effect without journal.nats_url")
	}
	if j.Node == "" || strings.Trim(j.Node, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
		v.blame("journal.node", "%q must be letters, digits, _ and - only", j.Node)
	}
	v.number("journal.replicas", j.Replicas, 1, 5)
	if j.Replicas > 1 && j.NATSURL == "" {
		v.blame("journal.replicas", "%d needs a cluster: set journal.nats_url, or leave it at 1", j.Replicas)
	}
}

func (v *validator) delivery(d Delivery) {
	if len(d.Retry) == 0 {
		v.blame("delivery.retry", "at least one time is needed, such as [1s, 30s, 5m]")
	}
	for i, wait := range d.Retry {
		v.span(item("delivery.retry", i), wait, 10*time.Millisecond, 24*time.Hour)
	}
	v.span("delivery.event_max_age", d.EventMaxAge, time.Second, 30*24*time.Hour)
	v.span("delivery.cdr_max_age", d.CDRMaxAge, time.Second, 365*24*time.Hour)
}

func (v *validator) fault(path string, f Fault) {
	if strings.Contains(f.Play, "://") {
		v.url(path+".play", f.Play)
	}
	if strings.HasPrefix(f.Forward, "sip:") {
		if len(f.Forward) == len("sip:") {
			v.blame(path+".forward", "sip: needs a user, as in sip:support@pbx.example")
		}
	} else if f.Forward != "" && !isNumber(f.Forward) {
		v.blame(path+".forward", "%q is neither a phone number with its country code (+14155550101) nor sip:USER", f.Forward)
	}
	if f.Hangup != "" && strings.Trim(f.Hangup, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		v.blame(path+".hangup", "%q is not a cause; write for instance USER_BUSY or NORMAL_TEMPORARY_FAILURE", f.Hangup)
	}
}

func (v *validator) webhooks(w Webhooks) {
	if w.Secret != "" && len(w.Secret) < 16 {
		v.blame("webhooks.secret", "the secret is shorter than 16 characters; make one with: openssl rand -hex 24")
	}
}

// webServer checks the keys of an app that is a web server.
func (v *validator) webServer(path string, app App) {
	for _, u := range []struct{ key, text string }{{".answer_url", app.AnswerURL}, {".event_url", app.EventURL}, {".cdr_url", app.CDRURL}} {
		switch {
		case u.text == "":
		case app.AnswerURL == "":
			v.blame(path+u.key, "has no effect without answer_url; a script takes events and CDRs by exporting event and cdr")
		default:
			v.url(path+u.key, u.text)
		}
	}
	if app.AnswerURL != "" && len(app.Env) > 0 {
		v.blame(path+".env", "has no effect with answer_url: it is for scripts")
	}
}

// credentials checks an app's credentials for the REST API: half of a pair opens nothing.
func (v *validator) credentials(path string, c *AppAPI) {
	switch {
	case c == nil:
	case c.AppID != "" && (len(c.AppID) > 10 || c.AppID[0] == '0' || strings.Trim(c.AppID, "0123456789") != ""):
		v.blame(path+".app_id", "%q is not an app id: write up to 10 digits, such as 2222123", c.AppID)
	case c.AppID != "" && c.Secret == "":
		v.blame(path+".secret", "is missing: app_id opens nothing without it")
	case c.AppID == "" && c.Secret != "":
		v.blame(path+".app_id", "is missing: secret opens nothing without it")
	}
}

func (v *validator) apps(apps map[string]App) {
	owner, ids := map[string]string{}, map[string]string{}
	for _, name := range sortedNames(apps) {
		app, path := apps[name], "apps."+name
		if name == "" || len(name) > 100 || strings.ContainsAny(name, "/\\?#% \t\n") || strings.HasPrefix(name, ".") {
			v.blame(path, "%q cannot be an app's name: it is a folder or file below scripts and part of an address", name)
		}
		if app.Isolation != string(runtime.Newborn) {
			v.oneOf(path+".isolation", app.Isolation, string(runtime.Newborn), string(runtime.Frozen))
		}
		v.webServer(path, app)
		v.dial(path+".dial", app.Dial)
		v.credentials(path+".api", app.API)
		if app.API != nil && app.API.AppID != "" {
			if other := ids[app.API.AppID]; other != "" {
				v.blame(path+".api.app_id", "%s is the app id of %s already", app.API.AppID, other)
			}
			ids[app.API.AppID] = name
		}
		if app.Fault != nil {
			v.fault(path+".fault", *app.Fault)
		}
		for i, number := range app.Numbers {
			at := item(path+".numbers", i)
			if !isNumber(number) {
				v.blame(at, "%q is not a phone number: write its digits with the country code, such as 14155550101", number)
				continue
			}
			digits := strings.TrimPrefix(number, "+")
			if other, taken := owner[digits]; taken {
				v.blame(at, "%q belongs to the app %q already", number, other)
			}
			owner[digits] = name
		}
		v.sources(path+".sources", app.Sources)
		if (app.User == "") != (app.Password == "") {
			v.blame(path, "user and password must be set together")
		}
		if strings.Trim(string(app.Token), "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") != "" {
			v.blame(path+".token", "it becomes part of an address: use letters, digits, - . _ and ~ only")
		}
		v.plainSecret(path+".password", app.Password)
		for key := range app.Env {
			if key == "" {
				v.blame(path+".env", "a name is empty")
			}
		}
	}
}

// plainSecret refuses what cannot travel in a header.
func (v *validator) plainSecret(path string, s Secret) {
	for _, r := range string(s) {
		if r < ' ' || r == 0x7f {
			v.blame(path, "it holds a control character, perhaps a line break at its end")
			return
		}
	}
}

func (v *validator) filled(path, value string) {
	if strings.TrimSpace(value) == "" {
		v.blame(path, "must not be empty")
	}
}

func (v *validator) url(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		v.blame(path, "must be an address such as https://calls.example.com")
	case u.User != nil:
		v.blame(path, "must not hold a user name or password")
	case isWhole(path):
		if u.Fragment != "" {
			v.blame(path, "must not hold a #: what follows it never reaches a server")
		}
	case u.RawQuery != "" || u.Fragment != "":
		v.blame(path, "must not hold a ? or #: paths are added to its end")
	}
}

// isWhole reports whether a path's URL is used as it stands, and not as the beginning of others.
func isWhole(path string) bool {
	return path == "fault.play" || strings.HasPrefix(path, "apps.")
}

func (v *validator) sources(path string, list []string) {
	for i, text := range list {
		if _, err := netip.ParsePrefix(text); err == nil {
			continue
		}
		if _, err := netip.ParseAddr(text); err != nil {
			v.blame(item(path, i), "%q is neither an address nor a CIDR such as 203.0.113.0/24", text)
		}
	}
}

func (v *validator) oneOf(path, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	meant := ""
	if near := nearest(value, allowed); near != "" {
		meant = "; did you mean " + near + "?"
	}
	v.blame(path, "%q must be %s or %s%s", value, strings.Join(allowed[:len(allowed)-1], ", "), allowed[len(allowed)-1], meant)
}

func (v *validator) number(path string, n, least, most int) {
	if n < least || n > most {
		v.blame(path, "%d must be from %d to %d", n, least, most)
	}
}

func (v *validator) size(path string, s, least, most Size) {
	if s < least || s > most {
		v.blame(path, "%s must be from %s to %s", s, least, most)
	}
}

func (v *validator) span(path string, d, least, most time.Duration) {
	if d < least || d > most {
		v.blame(path, "%s must be from %s to %s", formatDuration(d), formatDuration(least), formatDuration(most))
	}
}

// isNumber reports whether text is a phone number with its country code.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "+")
	return len(digits) >= 3 && len(digits) <= 16 && digits[0] != '0' && strings.Trim(digits, "0123456789") == ""
}

func item(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
