package config

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// SIP is the built-in call engine: the phones and carriers that call the apps without the platform.
type SIP struct {
	// Listen is the address for SIP over UDP and TCP, HOST:PORT; port 0 takes a free one. "auto" is 127.0.0.1:5060,
	// or nothing when that is in use; "off" is nothing.
	Listen string `yaml:"listen"`
	// Advertise is the IP address that phones reach this machine at, where it is not the one that packets leave
	// from: behind a NAT.
	Advertise string `yaml:"advertise"`
	// RTPPorts are the UDP ports for sound, LOW-HIGH; a party of a call takes two. Empty lets the system choose.
	RTPPorts string `yaml:"rtp_ports"`
	// Codecs are the codecs that are spoken, in the order they are offered: PCMU, PCMA, G722 and OPUS. Left out, all but
	// OPUS, which costs many times as much. A caller's own order counts.
	Codecs []string `yaml:"codecs"`
	// StrictRTP is whether sound is taken only from the address that a phone's description names. Phones behind a NAT
	// need it off: then the first source counts.
	StrictRTP bool `yaml:"strict_rtp"`
	TLS       TLS  `yaml:"tls"`
	// SRTP is whether sound is encrypted: off, optional (where the phone can, and only on calls over TLS) or required.
	SRTP        string      `yaml:"srtp"`
	Speech      Speech      `yaml:"speech"`
	Recognition Recognition `yaml:"recognition"`
	// Media is the folder of the audio files that apps play by name. It may be absent.
	Media string `yaml:"media"`
	// SeparateChannels is whether recordings have the caller on the left and what the caller hears on the right.
	SeparateChannels bool `yaml:"separate_channels"`
	// MaxCalls is how many calls there may be at a time; more are answered with 503.
	MaxCalls int `yaml:"max_calls"`
	// MaxDuration is the longest that a call may last.
	MaxDuration time.Duration `yaml:"max_duration"`
	// MediaTimeout is how long a phone may send no sound before its call is ended.
	MediaTimeout time.Duration `yaml:"media_timeout"`
	// Realm is what the passwords of users are for: the word that phones show beside the question for one.
	Realm string `yaml:"realm"`
	// KnownOnly is whether calls are refused from everybody but users and trunks.
	KnownOnly bool `yaml:"known_only"`
	// AllowRefer is whether phones may transfer their calls, by REFER, to whomever the call's app may call.
	AllowRefer bool `yaml:"allow_refer"`
	// AllowHosts are the hosts that apps may call as sip:USER@HOST: names, addresses and CIDRs.
	AllowHosts []string `yaml:"allow_hosts"`
	// AllowPrefixes are the beginnings of the numbers that all apps may call, digits with country code, "*" for all.
	// Where it and every app's dial.prefixes are empty, the prefixes of the trunks alone decide.
	AllowPrefixes []string `yaml:"allow_prefixes"`
	// Users are the phones that may register and be called as sip:NAME: name and password.
	Users map[string]Secret `yaml:"users"`
	// Trunks are the carriers that numbers are called through, by name: the one with the longest prefix, and when that
	// does not work the next. Calls from their addresses need no password.
	Trunks map[string]Trunk `yaml:"trunks"`
}

// TLS is about SIP over TLS, beside UDP and TCP.
type TLS struct {
	// Listen is the address for SIP over TLS, HOST:PORT, usually with port 5061. Empty is none.
	Listen string `yaml:"listen"`
	// Cert is the PEM file of the certificate and its chain. It is read again when it changes.
	Cert string `yaml:"cert"`
	// Key is the PEM file of the certificate's key.
	Key string `yaml:"key"`
	// Roots is a PEM file of authorities that the certificates of trunks and hosts may come from, beside those that
	// the system trusts.
	Roots string `yaml:"roots"`
}

// Speech is about the voice that says texts.
type Speech struct {
	// Provider is who speaks: auto (the embedded voice for English, the program espeak-ng for other languages),
	// embedded, espeak-ng, flite, command, or server.
	Provider string `yaml:"provider"`
	// Command is the program, and its arguments, of the provider command: it reads the text and writes WAV.
	Command []string `yaml:"command"`
	// URL is the base address of the provider server, which speaks OpenAI's protocol, such as
	// http://127.0.0.1:8880/v1.
	URL string `yaml:"url"`
	// Model is the server's model.
	Model string `yaml:"model"`
	// Voice is the provider's name of the voice, for texts that name none.
	Voice string `yaml:"voice"`
	// Language is the language of texts that name none, such as en-IN. Empty is en-US.
	Language string `yaml:"language"`
	// APIKey is the server's bearer token.
	APIKey Secret `yaml:"api_key"`
	// Speed is the pace of texts that name none, from 0.25 to 4.
	Speed float64 `yaml:"speed"`
}

// Recognition is about understanding what callers say, for apps that ask for words.
type Recognition struct {
	// Provider is who understands: off (nobody), command, or server.
	Provider string `yaml:"provider"`
	// Command is the program, and its arguments, of the provider command: it reads WAV and writes text.
	Command []string `yaml:"command"`
	// URL is the base address of the provider server, which speaks OpenAI's protocol, such as
	// http://127.0.0.1:8000/v1.
	URL string `yaml:"url"`
	// Model is the server's model. Empty is whisper-1.
	Model string `yaml:"model"`
	// Language is the language of callers where an app names none, such as en-IN. Empty leaves it to the provider.
	Language string `yaml:"language"`
	// APIKey is the server's bearer token.
	APIKey Secret `yaml:"api_key"`
}

// Trunk is a carrier.
type Trunk struct {
	// Address is the carrier's SIP server, HOST:PORT, or its domain alone: then SRV records say where its servers are,
	// and calls go to the next of them when one fails.
	Address string `yaml:"address"`
	// Transport is how it is reached: udp, tcp, or tls, which needs sip.tls.
	Transport string `yaml:"transport"`
	// User is the name that answers its challenges, and that it may prove its own calls with. Empty where it knows
	// this machine by its address.
	User string `yaml:"user"`
	// Password is the password that belongs to user.
	Password Secret `yaml:"password"`
	// Prefixes are the beginnings of the numbers that may be called through it, digits with country code, "*" for
	// all. Without one none may.
	Prefixes []string `yaml:"prefixes"`
	// CallerID is the number shown to those who are called, instead of the app's choice.
	CallerID string `yaml:"caller_id"`
	// Sources are the addresses and CIDRs that its calls come from, beside its own address.
	Sources []string `yaml:"sources"`
	// Register is whether to register with it, so that it sends its calls here.
	Register bool `yaml:"register"`
	// Expires is how long a registration is asked to hold.
	Expires time.Duration `yaml:"expires"`
}

// Dial is what an app may call.
type Dial struct {
	// Prefixes are the beginnings of the numbers that the app may call beside sip.allow_prefixes. Once one app has
	// some, numbers that no list has are refused to all apps.
	Prefixes []string `yaml:"prefixes"`
	// Calls is how many parties the app may be calling or talking to at a time. 0 is no bound.
	Calls int `yaml:"calls"`
	// PerMinute is how many parties the app may call within a minute. 0 is no bound.
	PerMinute int `yaml:"per_minute"`
}

// Words of sip.listen.
const (
	// SIPAuto serves SIP at SIPDefault unless somebody else does.
	SIPAuto = "auto"
	// SIPOff serves no SIP.
	SIPOff = "off"
	// SIPDefault is where SIPAuto listens.
	SIPDefault = "127.0.0.1:5060"
)

func defaultSIP() SIP {
	return SIP{
		Listen: SIPAuto, SRTP: "off", Speech: Speech{Provider: "auto", Speed: 1}, Recognition: Recognition{Provider: "off"}, Media: "./media", MaxCalls: 1000, MaxDuration: 4 * time.Hour, MediaTimeout: 5 * time.Minute, Realm: "piopiyd",
	}
}

// defaultTrunk returns the settings that an entry of sip.trunks begins with.
func defaultTrunk() Trunk { return Trunk{Transport: "udp", Expires: time.Hour} }

// RTPRange returns the ports of RTPPorts; 0, 0 leaves the choice to the system.
func (s SIP) RTPRange() (low, high int, err error) {
	if s.RTPPorts == "" {
		return 0, 0, nil
	}
	from, to, ok := strings.Cut(s.RTPPorts, "-")
	low, lowErr := strconv.Atoi(strings.TrimSpace(from))
	high, highErr := strconv.Atoi(strings.TrimSpace(to))
	switch {
	case !ok || lowErr != nil || highErr != nil:
		return 0, 0, errors.New("is not LOW-HIGH; write for instance 10000-20000")
	case low < 1024 || high > 65535 || high <= low:
		return 0, 0, errors.New("must lie within 1024-65535 and hold two ports at least")
	}
	return low, high, nil
}

// Loopback reports whether SIP is reachable by this machine only.
func (s SIP) Loopback() bool {
	return (s.Listen == SIPAuto || s.Listen == SIPOff || isLoopback(s.Listen)) && (s.TLS.Listen == "" || isLoopback(s.TLS.Listen))
}

// leastPassword is how long the passwords of users must be that others than this machine may try.
const leastPassword = 8

func (v *validator) sip(s SIP) {
	if s.Listen != SIPAuto && s.Listen != SIPOff {
		v.address("sip.listen", s.Listen, "127.0.0.1:5060", "; auto and off are the other choices")
	}
	for i, name := range s.Codecs {
		v.oneOf(item("sip.codecs", i), strings.ToUpper(name), "PCMU", "PCMA", "G722", "OPUS")
	}
	if s.Advertise != "" {
		if _, err := netip.ParseAddr(s.Advertise); err != nil {
			v.blame("sip.advertise", "%q is not an IP address; a name would not do, because phones are told where to send sound", s.Advertise)
		}
	}
	if _, _, err := s.RTPRange(); err != nil {
		v.blame("sip.rtp_ports", "%q %v", s.RTPPorts, err)
	}
	v.tls(s)
	v.oneOf("sip.srtp", s.SRTP, "off", "optional", "required")
	v.oneOf("sip.speech.provider", s.Speech.Provider, "auto", "embedded", "espeak-ng", "flite", "command", "server")
	v.oneOf("sip.recognition.provider", s.Recognition.Provider, "off", "command", "server")
	if r := s.Recognition; r.Provider == "off" && (r.URL != "" || len(r.Command) > 0) {
		v.blame("sip.recognition.provider", "is off although a url or a command is set: set it to server or command, or remove them")
	}
	v.plainSecret("sip.speech.api_key", s.Speech.APIKey)
	v.plainSecret("sip.recognition.api_key", s.Recognition.APIKey)
	v.number("sip.max_calls", s.MaxCalls, 1, 1e6)
	v.span("sip.max_duration", s.MaxDuration, time.Second, 7*24*time.Hour)
	v.span("sip.media_timeout", s.MediaTimeout, time.Second, 24*time.Hour)
	if s.Realm == "" || strings.ContainsAny(s.Realm, "\"\\\r\n") {
		v.blame("sip.realm", "%q must be a word, such as a domain name, without quotes", s.Realm)
	}
	for i, host := range s.AllowHosts {
		_, prefixErr := netip.ParsePrefix(host)
		_, addrErr := netip.ParseAddr(host)
		if prefixErr != nil && addrErr != nil && (host == "" || strings.Trim(strings.ToLower(host), hostSigns) != "") {
			v.blame(item("sip.allow_hosts", i), "%q is neither a host name, nor an address, nor a CIDR; ports do not belong here", host)
		}
	}
	v.prefixes("sip.allow_prefixes", s.AllowPrefixes)
	for _, name := range sortedNames(s.Users) {
		v.user(s, name)
	}
	for _, name := range sortedNames(s.Trunks) {
		v.trunk("sip.trunks."+name, name, s.Trunks[name], s.TLS.Listen != "")
	}
}

const hostSigns = "abcdefghijklmnopqrstuvwxyz0123456789-._"

// userSigns are those that stand for themselves in a SIP URI (RFC 3261 section 25.1) and in a command line.
const userSigns = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~+"

func (v *validator) tls(s SIP) {
	t := s.TLS
	if t.Listen == "" {
		for _, f := range []struct{ key, value string }{{"sip.tls.cert", t.Cert}, {"sip.tls.key", t.Key}, {"sip.tls.roots", t.Roots}} {
			if f.value != "" {
				v.blame(f.key, "has no effect without sip.tls.listen, such as 0.0.0.0:5061")
			}
		}
		return
	}
	v.address("sip.tls.listen", t.Listen, "0.0.0.0:5061", "")
	if t.Cert == "" || t.Key == "" {
		v.blame("sip.tls.listen", "TLS needs a certificate: set sip.tls.cert and sip.tls.key to PEM files")
	}
	if s.Listen == SIPOff {
		v.blame("sip.tls.listen", "has no effect while sip.listen is off")
	}
}

func (v *validator) user(s SIP, name string) {
	path := "sip.users." + name
	password := string(s.Users[name])
	switch {
	case name == "" || strings.Trim(name, userSigns) != "":
		v.blame(path, "%q cannot be a user's name: use letters, digits, - _ . ~ and + only", name)
	case password == "":
		v.blame(path, "a password is needed; make one with: openssl rand -hex 12")
	case !s.Loopback() && len(password) < leastPassword:
		v.blame(path, "the password is shorter than %d characters, and others than this machine may try it; make one with: openssl rand -hex 12", leastPassword)
	}
	v.plainSecret(path, s.Users[name])
}

func (v *validator) trunk(path, name string, t Trunk, withTLS bool) {
	if name == "" || strings.Trim(name, userSigns) != "" {
		v.blame(path, "%q cannot be a trunk's name: use letters, digits, - _ . ~ and + only", name)
	}
	if t.Address == "" {
		v.blame(path, "address is missing: the carrier's SIP server, such as sip.carrier.example:5060")
	} else if strings.Trim(strings.ToLower(t.Address), hostSigns) != "" { // not a domain alone
		v.address(path+".address", t.Address, "sip.carrier.example:5060", ", or a domain with SRV records")
	}
	v.oneOf(path+".transport", t.Transport, "udp", "tcp", "tls")
	if t.Transport == "tls" && !withTLS {
		v.blame(path+".transport", "tls needs a certificate of this machine: set sip.tls.listen, cert and key")
	}
	if t.Password != "" && t.User == "" {
		v.blame(path+".password", "has no effect without user")
	}
	if t.Register && t.User == "" {
		v.blame(path+".register", "needs user and password: who registers")
	}
	v.plainSecret(path+".password", t.Password)
	v.prefixes(path+".prefixes", t.Prefixes)
	if t.CallerID != "" && !isNumber(t.CallerID) {
		v.blame(path+".caller_id", "%q is not a phone number: write its digits with the country code, such as 14155550100", t.CallerID)
	}
	v.sources(path+".sources", t.Sources)
	v.span(path+".expires", t.Expires, time.Minute, 24*time.Hour)
}

func (v *validator) dial(path string, d *Dial) {
	if d == nil {
		return
	}
	v.prefixes(path+".prefixes", d.Prefixes)
	v.number(path+".calls", d.Calls, 0, 1e6)
	v.number(path+".per_minute", d.PerMinute, 0, 1e6)
}

func (v *validator) prefixes(path string, list []string) {
	for i, p := range list {
		if digits := strings.TrimPrefix(p, "+"); p != "*" && (digits == "" || len(digits) > 16 || strings.Trim(digits, "0123456789") != "") {
			v.blame(item(path, i), "%q is not the beginning of a number: write its digits with the country code, such as 1415, or \"*\" for all numbers", p)
		}
	}
}

// address checks HOST:PORT; other goes on with what else may stand there.
func (v *validator) address(path, value, example, other string) {
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		v.blame(path, "%q is not HOST:PORT; write for instance %s%s", value, example, other)
		return
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.blame(path, "the port %q is not a number from 0 to 65535", port)
	} else if _, err := netip.ParseAddr(host); err != nil && strings.Trim(strings.ToLower(host), hostSigns) != "" {
		v.blame(path, "%q: the host is neither a name nor an address", value)
	}
}

func isLoopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.Unmap().IsLoopback()
}
