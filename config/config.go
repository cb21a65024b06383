// Package config reads piopiyd's configuration: one YAML file, an environment variable for every key of it, and
// a few flags on top.
//
//	cfg, err := config.Load("piopiyd.yaml", false, os.Environ())
//
// A flag wins over the environment, the environment over the file, the file over the default. [Default] returns
// the defaults; with them piopiyd runs without any file. The comments of the structs below are the reference:
// docs/running.md and the annotated [Example] are made from them.
package config

import (
	_ "embed"
	"time"

	"github.com/piopiy/piopiyd/runtime"
)

// Config is the whole configuration. A Config that Load returned is valid.
type Config struct {
	// Listen is the address that HTTP is served on, HOST:PORT; port 0 takes a free one. Beyond loopback,
	// api.token must be set.
	Listen string `yaml:"listen"`
	// PublicURL is the address under which the platform reaches this server, such as https://calls.example.com.
	// Empty takes the address that each request was sent to.
	PublicURL string `yaml:"public_url"`
	// Scripts is the folder of the apps: scripts/NAME/main.ts (or .js), or scripts/NAME.ts. Relative to the
	// working directory.
	Scripts string `yaml:"scripts"`
	// Data is the folder of the journal: calls, events and CDRs, key-value, versions. One piopiyd at a time.
	Data string `yaml:"data"`
	// TrustedProxies are the addresses and CIDRs of proxies whose X-Forwarded-For header is believed.
	TrustedProxies []string `yaml:"trusted_proxies"`

	Log      Log      `yaml:"log"`
	API      API      `yaml:"api"`
	Hooks    Hooks    `yaml:"hooks"`
	Webhooks Webhooks `yaml:"webhooks"`
	Limits   Limits   `yaml:"limits"`
	Versions Versions `yaml:"versions"`
	Fetch    Fetch    `yaml:"fetch"`
	Journal  Journal  `yaml:"journal"`
	Delivery Delivery `yaml:"delivery"`
	Drain    Drain    `yaml:"drain"`
	Piopiy   Piopiy   `yaml:"piopiy"`
	SIP      SIP      `yaml:"sip"`
	// Fault is what a caller meets when a script fails, for apps without a fault policy of their own. The steps
	// run in the order of the keys.
	Fault Fault `yaml:"fault"`
	// Apps are the settings of apps by name. An app needs no entry here.
	Apps map[string]App `yaml:"apps"`
}

// Log is about what piopiyd writes to standard error.
type Log struct {
	// Level is the lowest level that is logged: debug, info, warn or error.
	Level string `yaml:"level"`
	// Format is how: text, json, or auto, which is text on a terminal and json elsewhere.
	Format string `yaml:"format"`
}

// API is about the HTTP API below /api.
type API struct {
	// Token is the bearer token of the API. Required when listen is not a loopback address.
	Token Secret `yaml:"token"`
}

// Hooks are the platform's callbacks below /hooks.
type Hooks struct {
	// MaxBody is the largest request body that is accepted.
	MaxBody Size `yaml:"max_body"`
}

// Webhooks are the requests to apps that are web servers (apps.NAME.answer_url).
type Webhooks struct {
	// Secret is what requests to web servers are signed with, in the header X-Piopiyd-Signature. Empty sends them
	// unsigned.
	Secret Secret `yaml:"secret"`
}

// Limits are what scripts may use at most. A breach ends only its own session, through the fault policy.
type Limits struct {
	// Turn is the longest that one turn of a session's event loop may run.
	Turn time.Duration `yaml:"turn"`
	// Grace is how long a turn that was stopped may take to come back before its session is abandoned.
	Grace time.Duration `yaml:"grace"`
	// Callback is the longest that a callback may take from its call to its settled promise, waiting included.
	Callback time.Duration `yaml:"callback"`
	// Lifetime is the longest that a session may live.
	Lifetime time.Duration `yaml:"lifetime"`
	// Timers is how many timers a session may have pending.
	Timers int `yaml:"timers"`
	// Pending is how many operations a session may have under way outside the script: fetches, sockets.
	Pending int `yaml:"pending"`
	// Stack is how deep JavaScript calls may be nested.
	Stack int `yaml:"stack"`
	// StringLength is the longest string that a built-in may make, in UTF-16 units.
	StringLength int `yaml:"string_length"`
	// ArrayLength is the longest array that a built-in may make or walk, in elements.
	ArrayLength int `yaml:"array_length"`
	// BufferSize is the largest ArrayBuffer.
	BufferSize Size `yaml:"buffer_size"`
	// JournalSize is how much one session may write to its journal.
	JournalSize Size `yaml:"journal_size"`
	// Sessions is how many sessions may live at once; beyond, those that have rested longest are ended for new ones.
	Sessions int `yaml:"sessions"`
	// Memory is the heap size above which running turns are stopped and resting sessions are ended, largest
	// first. 0 is 60 % of the memory that the process may use.
	Memory Size `yaml:"memory"`
}

// Versions is about going back to earlier versions.
type Versions struct {
	// Keep is how many versions of an app are kept to roll back to.
	Keep int `yaml:"keep"`
}

// Fetch is about what scripts reach over the network.
type Fetch struct {
	// Allow is what scripts may reach although it is private, loopback or link-local: host names
	// ("crm.internal", "*.internal"), addresses and CIDRs. Names and addresses may end in a port.
	Allow []string `yaml:"allow"`
	// Timeout is the longest that a whole exchange may take, redirects and body included.
	Timeout time.Duration `yaml:"timeout"`
	// MaxBody is the largest response body, after decompression.
	MaxBody Size `yaml:"max_body"`
}

// Journal is about what is kept of calls, and where.
type Journal struct {
	// MaxAge is how long the journals of calls are kept.
	MaxAge time.Duration `yaml:"max_age"`
	// MaxBytes is how much the journals of calls may take on disk; beyond, the oldest entries go first.
	MaxBytes Size `yaml:"max_bytes"`
	// NATSURL is a NATS server with JetStream, or several separated by commas. Empty runs one inside piopiyd, with
	// no port open and its files in the data folder.
	NATSURL string `yaml:"nats_url"`
	// NATSCredentials is a NATS credentials file for nats_url.
	NATSCredentials string `yaml:"nats_credentials"`
	// Node is this piopiyd's name among those that share nats_url: letters, digits, _ and -. Two with one name
	// deliver events and CDRs twice.
	Node string `yaml:"node"`
	// Replicas is how many servers of a NATS cluster keep each piece.
	Replicas int `yaml:"replicas"`
}

// Delivery is about handing accepted events and CDRs to scripts again when a callback fails.
type Delivery struct {
	// Retry is how long to wait after the first, second, ... failure; the last one repeats.
	Retry []time.Duration `yaml:"retry"`
	// EventMaxAge is how long after its acceptance an event is still tried.
	EventMaxAge time.Duration `yaml:"event_max_age"`
	// CDRMaxAge is how long after its acceptance a CDR is still tried.
	CDRMaxAge time.Duration `yaml:"cdr_max_age"`
}

// Drain is about stopping.
type Drain struct {
	// Timeout is how long calls under way may take to end after SIGTERM.
	Timeout time.Duration `yaml:"timeout"`
}

// Piopiy is where the platform's REST API is reached by scripts that use the npm SDK's classes.
type Piopiy struct {
	// URLV1 is the base address of the v1 API.
	URLV1 string `yaml:"url_v1"`
	// URLV2 is the base address of the v2 API.
	URLV2 string `yaml:"url_v2"`
	// URLV3 is the base address of the v3 API.
	URLV3 string `yaml:"url_v3"`
}

// Fault is a fault policy: what a caller meets when the script fails. The steps run in the order of the fields.
type Fault struct {
	// LastGood is whether the app's version before the failing one answers instead, before any other step. What the
	// failing version did already, such as a fetch, may then happen twice.
	LastGood bool `yaml:"last_good"`
	// Say is a text spoken to the caller.
	Say string `yaml:"say"`
	// Play is an audio file's name or URL.
	Play string `yaml:"play"`
	// Forward is a number, or sip:USER, that the call is connected to.
	Forward string `yaml:"forward"`
	// Hangup is the cause that the call is hung up with, such as USER_BUSY. Empty names none.
	Hangup string `yaml:"hangup"`
}

// App holds the settings of one app.
type App struct {
	// AnswerURL is the address of a web server that decides about the app's calls in the place of a script: PIOPIY's
	// Answer URL.
	AnswerURL string `yaml:"answer_url"`
	// EventURL is where the web server takes live events. Only with answer_url.
	EventURL string `yaml:"event_url"`
	// CDRURL is where the web server takes CDRs. One that it does not take comes again after 5, 10 and 15 minutes,
	// then every 15, up to delivery.cdr_max_age. Only with answer_url.
	CDRURL string `yaml:"cdr_url"`
	// Env is what the script sees as env: names and texts. Values are treated as secrets.
	Env map[string]string `yaml:"env"`
	// Numbers are the dialled numbers that belong to the app: digits with country code.
	Numbers []string `yaml:"numbers"`
	// Isolation is what a session runs in: newborn (a VM of its own) or frozen (a pooled VM whose built-ins cannot
	// be changed; faster to begin).
	Isolation string `yaml:"isolation"`
	// Fault is the app's own fault policy. It replaces the general one as a whole.
	Fault *Fault `yaml:"fault"`
	// Dial is what the app may call through the trunks of sip.
	Dial *Dial `yaml:"dial"`
	// API are the app's own credentials for the REST API, which open its calls only; api.token opens those of all apps.
	API *AppAPI `yaml:"api"`
	// Token is a word that guards the app's hooks: it must follow their names, as in /hooks/NAME/answer/TOKEN.
	Token Secret `yaml:"token"`
	// User is the user name that the hooks ask for by HTTP basic authentication.
	User string `yaml:"user"`
	// Password is the password that belongs to user.
	Password Secret `yaml:"password"`
	// Sources are the only addresses and CIDRs that may call the app's hooks.
	Sources []string `yaml:"sources"`
}

// AppAPI are an app's credentials for the REST API.
type AppAPI struct {
	// AppID is the app id that requests to v1 and v2 show: up to 10 digits.
	AppID string `yaml:"app_id"`
	// Secret is the secret that belongs to app_id.
	Secret Secret `yaml:"secret"`
	// Token is the bearer token that requests to v3 show.
	Token Secret `yaml:"token"`
}

// Secret is text that is never printed: fmt, slog and YAML show it masked. Convert it to a string to use it.
type Secret string

// mask stands for a secret that is set.
const mask = "********"

// String returns a mask, or nothing when nothing is set.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return mask
}

// GoString returns what String returns.
func (s Secret) GoString() string { return `"` + s.String() + `"` }

// MarshalText returns what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

//go:embed piopiyd.example.yaml
var example string

// Example returns the annotated example of a configuration file: every key with its meaning, its environment
// variable and its default, all commented out.
func Example() string { return example }

// Default returns the configuration that holds where nothing is set.
func Default() Config {
	l := runtime.DefaultLimits()
	return Config{
		Listen:  "127.0.0.1:8080",
		Scripts: "./scripts",
		Data:    "./data",
		Log:     Log{Level: "info", Format: "auto"},
		Hooks:   Hooks{MaxBody: 256 * KiB},
		Limits: Limits{
			Turn: l.Turn, Grace: l.Grace, Callback: l.Callback, Lifetime: l.Lifetime, Timers: l.Timers,
			Pending: l.Pending, Stack: l.Stack, StringLength: l.StringLength, ArrayLength: l.ArrayLength,
			BufferSize: Size(l.BufferSize), JournalSize: Size(l.JournalSize), Sessions: 100_000,
		},
		Versions: Versions{Keep: 10},
		Fetch:    Fetch{Timeout: 8 * time.Second, MaxBody: 5 * MiB},
		Journal:  Journal{MaxAge: 7 * 24 * time.Hour, MaxBytes: 2 * GiB, Node: "main", Replicas: 1},
		Delivery: Delivery{
			Retry:       []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 2 * time.Minute, 5 * time.Minute},
			EventMaxAge: 15 * time.Minute,
			CDRMaxAge:   72 * time.Hour,
		},
		Drain: Drain{Timeout: 30 * time.Second},
		Piopiy: Piopiy{
			URLV1: "https://piopiy.telecmi.com/v1",
			URLV2: "https://rest.telecmi.com/v2",
			URLV3: "https://rest.piopiy.com/v3",
		},
		SIP:   defaultSIP(),
		Fault: Fault{Say: "Sorry, something went wrong. Please call again later."},
	}
}

// defaultApp returns the settings that an entry of apps begins with.
func defaultApp() App { return App{Isolation: string(runtime.Newborn)} }
