// Command piopiyd answers phone calls with JavaScript and TypeScript, and takes every edit of them live.
//
//	piopiyd                      serve the scripts in ./scripts
//	piopiyd init                 begin with a template
//	piopiyd check                compile and try all apps
//	piopiyd call APP --press 1   play a call in the terminal
//
// docs/running.md describes the configuration and how to run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/piopiy/piopiyd/config"
)

func main() {
	// Scripts, logs and reports live in one time zone: TZ's, or else UTC, never whatever the machine is set to.
	if os.Getenv("TZ") == "" {
		time.Local = time.UTC
	}
	os.Exit(run())
}

// commands is the command line.
type commands struct {
	globals

	Serve    serveCommand    `cmd:"" default:"withargs" help:"Answer calls with the scripts, and take every edit of them live (the default)."`
	Check    checkCommand    `cmd:"" help:"Compile and try apps without serving them; say what is wrong and where."`
	Init     initCommand     `cmd:"" help:"Begin with a template."`
	Types    typesCommand    `cmd:"" help:"Write what an editor needs to complete and check scripts."`
	Call     callCommand     `cmd:"" help:"Play a simulated call in the terminal, on a virtual clock."`
	Test     testCommand     `cmd:"" help:"Run the tests beside the scripts, in the simulator."`
	Run      runCommand      `cmd:"" help:"Call a function that a script exports, such as one that places a call, and print its result."`
	Calls    callsCommand    `cmd:"" help:"List recent calls."`
	Timeline timelineCommand `cmd:"" help:"Show the journal of a call: all that entered and left the script."`
	Replay   replayCommand   `cmd:"" help:"Run recorded calls again with today's scripts, or edited ones, and show what callers would have met otherwise."`
	Versions versionsCommand `cmd:"" help:"List the apps and their live versions, or the versions of one app."`
	Rollback rollbackCommand `cmd:"" help:"Make an earlier version of an app live again."`
	Show     configCommand   `cmd:"" name:"config" help:"Print the configuration in force, with secrets masked."`

	Version kong.VersionFlag `help:"Print the version and exit."`
}

// globals are the flags that every command takes.
type globals struct {
	Config  string `env:"PIOPIYD_CONFIG" placeholder:"FILE" help:"Configuration file (default ./piopiyd.yaml, which may be absent)."`
	Scripts string `placeholder:"DIR" help:"Folder of the apps (default ./scripts)."`
	Data    string `placeholder:"DIR" help:"Folder of the journal (default ./data)."`
}

const defaultConfig = "piopiyd.yaml"

// load reads the configuration with the flags on top.
func (g globals) load(more ...config.Override) (config.Config, error) {
	return g.loadChecked(nil, more...)
}

// loadChecked is load with checks of what this machine must have.
func (g globals) loadChecked(checks []config.Check, more ...config.Override) (config.Config, error) {
	path, explicit := g.Config, true
	if path == "" {
		path, explicit = defaultConfig, false
	}
	overrides := append(given("scripts", g.Scripts, "--scripts"), given("data", g.Data, "--data")...)
	return config.LoadChecked(path, explicit, os.Environ(), checks, append(overrides, more...)...)
}

// given is an override by a flag, if the flag is set.
func given(path, value, flag string) []config.Override {
	if value == "" {
		return nil
	}
	return []config.Override{{Path: path, Value: value, Flag: flag}}
}

// errSilent ends a command that has already said what is wrong.
var errSilent = errors.New("the command failed")

func run() int {
	return runWith(context.Background(), os.Args[1:], terminal{in: os.Stdin, out: os.Stdout, err: os.Stderr, colour: colourful(os.Stdout)})
}

// runWith runs one command line and returns the exit code: 0, 1 when the command failed, 2 when it was not
// understood.
func runWith(ctx context.Context, args []string, t terminal) int {
	var line commands
	exited := -1
	parser, err := kong.New(&line,
		kong.Name("piopiyd"),
		kong.Description("Phone calls in JavaScript: save the file, and the next call runs it."),
		kong.Vars{"version": version()},
		kong.Writers(t.out, t.err),
		kong.Exit(func(code int) { exited = code }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	if err != nil {
		panic(err) // a mistake in the struct above
	}
	parsed, err := parser.Parse(args)
	if exited >= 0 {
		return exited // --help or --version
	}
	if err != nil {
		t.fail(err)
		_, _ = fmt.Fprintln(t.err, "Run piopiyd --help for the commands and their flags.")
		return 2
	}
	if parsed.Selected().Name != "serve" { // which drains
		var stop context.CancelFunc
		ctx, stop = signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
		defer stop()
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(t, line.globals); err != nil {
		if !errors.Is(err, errSilent) {
			t.fail(err)
		}
		return 1
	}
	return 0
}

// version names the build.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "piopiyd (unknown build)"
	}
	text := "piopiyd " + info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			text += " " + s.Value[:12]
		}
	}
	return text + " " + info.GoVersion
}

type configCommand struct {
	Example bool `help:"Print the annotated example of a configuration file instead."`
}

// Run prints the configuration.
func (c configCommand) Run(t terminal, g globals) error {
	text := config.Example()
	if !c.Example {
		cfg, err := g.load()
		if err != nil {
			return err
		}
		text = cfg.YAML()
	}
	_, err := io.WriteString(t.out, text)
	return err
}
