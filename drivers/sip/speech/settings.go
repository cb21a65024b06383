package speech

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/language"
)

// The providers of [Options].
const (
	// Auto is the embedded voice for English, and espeak-ng for the languages that the embedded voice lacks.
	Auto = "auto"
	// Embedded is the voice that piopiyd carries with it; English only.
	Embedded = "embedded"
	// ESpeakNG is the program espeak-ng.
	ESpeakNG = "espeak-ng"
	// Flite is the program flite; English only.
	Flite = "flite"
	// CommandLine is any program that writes WAV; see [Command].
	CommandLine = "command"
	// HTTPServer is any server that speaks OpenAI's protocol; see [Server].
	HTTPServer = "server"
)

// Options are the settings of a voice, as in the configuration under sip.speech.
type Options struct {
	// Provider is one of [Auto] (also when empty), [Embedded], [ESpeakNG], [Flite], [CommandLine] and [HTTPServer].
	Provider string
	// Command is the program and its arguments, for [CommandLine]; see [Command].
	Command []string
	// URL is the base of a server's API, such as http://127.0.0.1:8880/v1, and Model its model, for [HTTPServer].
	URL, Model string
	// Voice and Language are those of requests that name none. The language is a BCP 47 tag; empty is en-US.
	Voice, Language string
	// APIKey is the server's bearer token.
	APIKey string
	// Speed is the pace of requests that name none, from 0.25 to 4; 0 is 1.
	Speed float64
	// CacheDir is the folder that keeps what was said, and the compiled voice. Empty: nothing is kept.
	CacheDir string
	// MaxCacheBytes bounds what CacheDir keeps; what was not said for longest goes first (default 256 MiB).
	MaxCacheBytes int64
	// MaxChars bounds a text, in characters (default 4096).
	MaxChars int
	// Timeout bounds how long a text may take to be made into sound (default 30 s).
	Timeout time.Duration
	// Dial opens connections to the server; nil is the network without bounds.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// New returns the voice of settings: a [Cache] in CacheDir. Whether a server can be reached shows when something is
// said; a program that is not there is an error now. An error is a [*SettingError].
func New(o Options) (Synth, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	synth, err := o.provider()
	if err != nil {
		return nil, err
	}
	return newCache(synth, o), nil
}

// Find returns the voice of a fresh machine, the one of [Auto]. Nothing is kept.
func Find() Synth { return newCache(auto{}, Options{}) }

func (o Options) provider() (Synth, error) {
	const key = "sip.speech.provider"
	switch o.Provider {
	case "", Auto:
		return auto{}, nil
	case Embedded:
		return embedded{}, nil
	case ESpeakNG:
		program, err := findESpeak()
		if err != nil {
			return nil, settingError(key, "espeak-ng is not installed, or not on the PATH: install it, or take %s", Embedded)
		}
		return program, nil
	case Flite:
		path, err := exec.LookPath("flite")
		if err != nil {
			return nil, settingError(key, "flite is not installed, or not on the PATH: install it, or take %s, which is the same voice", Embedded)
		}
		return fliteProgram{path: path}, nil
	case CommandLine:
		if err := checkCommand("sip.speech.command", o.Command); err != nil {
			return nil, err
		}
		return Command{Args: slices.Clone(o.Command)}, nil
	case HTTPServer:
		if err := checkURL("sip.speech.url", o.URL); err != nil {
			return nil, err
		}
		return Server{URL: o.URL, Key: o.APIKey, Model: cmp.Or(o.Model, "tts-1"), Voice: cmp.Or(o.Voice, "alloy"), Client: newClient(o.Dial)}, nil
	}
	return nil, settingError(key, "%q is none of %s", short(o.Provider), strings.Join([]string{Auto, Embedded, ESpeakNG, Flite, CommandLine, HTTPServer}, ", "))
}

func (o Options) check() error {
	if o.Language != "" {
		if _, err := language.Parse(o.Language); err != nil {
			return settingError("sip.speech.language", "%q is no BCP 47 tag, such as en-IN", short(o.Language))
		}
	}
	if o.Speed != 0 && !(o.Speed >= minSpeed && o.Speed <= maxSpeed) {
		return settingError("sip.speech.speed", "%g is not from %g to %g", o.Speed, minSpeed, float64(maxSpeed))
	}
	if tag := o.Language; tag != "" && !english(tag) && (o.Provider == Embedded || o.Provider == Flite) {
		return settingError("sip.speech.language", "%s speaks English, not %s: set sip.speech.provider to %s, %s or %s", o.Provider, short(tag), ESpeakNG, CommandLine, HTTPServer)
	}
	if tag := o.Language; tag != "" && !english(tag) && (o.Provider == "" || o.Provider == Auto) {
		if _, err := findESpeak(); err != nil {
			return settingError("sip.speech.language", "the embedded voice speaks English, not %s: install espeak-ng, or set sip.speech.provider to %s or %s", short(tag), CommandLine, HTTPServer)
		}
	}
	for key, set := range map[string]bool{"url": o.URL != "", "api_key": o.APIKey != "", "model": o.Model != ""} {
		if set && o.Provider != HTTPServer {
			return settingError("sip.speech."+key, "it is for a server only: set sip.speech.provider to %s, or remove it", HTTPServer)
		}
	}
	if len(o.Command) > 0 && o.Provider != CommandLine {
		return settingError("sip.speech.command", "it is for a command only: set sip.speech.provider to %s, or remove it", CommandLine)
	}
	return nil
}

func checkCommand(key string, args []string) error {
	if len(args) == 0 || args[0] == "" {
		return settingError(key, "it is missing: name the program and its arguments as a list")
	}
	if _, err := exec.LookPath(args[0]); err != nil {
		return settingError(key, "%s is not on the PATH, or cannot be run: install it, or name its full path", args[0])
	}
	return nil
}

func checkURL(key, address string) error {
	if address == "" {
		return settingError(key, "it is missing: name the base of the server's API, such as http://127.0.0.1:8880/v1")
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return settingError(key, "it is no http or https address, such as http://127.0.0.1:8880/v1")
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return settingError(key, "it holds a user, a query or a fragment: a key belongs in api_key")
	}
	return nil
}

// SettingError says what is wrong with a setting.
type SettingError struct {
	// Key is the setting's name in the configuration, such as sip.speech.url.
	Key string
	// Problem is what is wrong and what to do about it.
	Problem string
}

// Error implements error.
func (e *SettingError) Error() string { return e.Key + ": " + e.Problem }

func settingError(key, format string, args ...any) error {
	return &SettingError{Key: key, Problem: fmt.Sprintf(format, args...)}
}
