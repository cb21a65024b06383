package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/server"
)

type serveCommand struct {
	Listen    string `placeholder:"HOST:PORT" help:"Address to serve HTTP on (default 127.0.0.1:8080); port 0 takes a free one."`
	SIPListen string `name:"sip-listen" placeholder:"HOST:PORT" help:"Address to serve SIP on, UDP and TCP (default 127.0.0.1:5060); port 0 takes a free one; off serves none."`
}

// Run serves until a signal comes, then drains. A second signal ends it at once.
func (c serveCommand) Run(ctx context.Context, t terminal, g globals) error {
	cfg, err := g.loadChecked([]config.Check{checkSIP}, append(given("listen", c.Listen, "--listen"), given("sip.listen", c.SIPListen, "--sip-listen")...)...)
	if err != nil {
		return err
	}
	found, err := findApps(cfg)
	if err != nil {
		return err
	}
	if err := found.check(cfg); err != nil {
		return err
	}
	log := newLogger(cfg.Log, t)
	slog.SetDefault(log)
	for _, unknown := range config.UnknownEnv(os.Environ(), "PIOPIYD_CONFIG") {
		log.Warn(unknown)
	}
	defer goruntime.KeepAlive(tuneMemory())
	ctx, stop := untilSignal(ctx, log)
	defer stop()

	listener, err := listen(ctx, cfg.Listen)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	d, err := startDaemon(ctx, cfg, found.follow, log)
	if err != nil {
		return err
	}
	t.banner(cfg, found, "http://"+reachable(listener.Addr().String()), d)
	err = d.Serve(ctx, listener)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err = errors.Join(err, d.Close(closing))
	if err == nil {
		log.Info("stopped")
	}
	return err
}

// follow loads the apps, and goes on with their edits where they come from a folder.
func (a apps) follow(ctx context.Context, rt *runtime.Runtime) error {
	if a.dir == "" {
		return rt.LoadAll(ctx, a.Source)
	}
	return rt.Watch(ctx, a.dir)
}

// listen opens the address, or says who to ask when somebody else has it.
func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use, perhaps by another piopiyd; choose another address with --listen, or a free one with --listen 127.0.0.1:0", address)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s may not be opened: ports below 1024 need a privilege; choose a higher one with --listen", address)
	case err != nil:
		return nil, fmt.Errorf("listen: %w", err)
	}
	return l, nil
}

// untilSignal returns a context that ends with the first SIGINT or SIGTERM. The second ends the process.
func untilSignal(ctx context.Context, log *slog.Logger) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		asked := false
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				switch {
				case s == syscall.SIGHUP:
					log.Warn("SIGHUP has no effect: scripts are taken live without it, and the configuration is read at the start only")
				case asked:
					log.Error("stopped at once, without waiting for the calls under way", "signal", s.String())
					os.Exit(1)
				default:
					asked = true
					log.Info("stopping; the same signal again stops at once", "signal", s.String())
					cancel()
				}
			}
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel()
	}
}

// newLogger returns the logger that the configuration asks for.
func newLogger(c config.Log, t terminal) *slog.Logger {
	level := slog.LevelInfo
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Value.Kind() == slog.KindDuration { // JSON would show nanoseconds
			a.Value = slog.StringValue(a.Value.Duration().String())
		}
		return a
	}}
	f, isFile := t.err.(*os.File)
	if c.Format == "text" || c.Format == "auto" && isFile && isatty.IsTerminal(f.Fd()) {
		return slog.New(slog.NewTextHandler(t.err, options))
	}
	return slog.New(slog.NewJSONHandler(t.err, options))
}

// banner says what is served, where, and one line to try.
func (t terminal) banner(cfg config.Config, found apps, address string, d *Daemon) {
	list := appsView{d.runtime, cfg}.Apps()
	t.printf("%s\n\n", t.paint(bold, "piopiyd serves "+address))
	place := found.dir
	if place == "" {
		place = "the examples inside piopiyd, read-only; begin your own with: piopiyd init"
	}
	data := cfg.Data
	if cfg.Journal.NATSURL != "" {
		data = "NATS (journal.nats_url)"
	}
	t.printf("scripts  %s\ndata     %s\nSIP      %s\n\n", place, data, d.sipPlace())
	if len(list) == 0 {
		t.printf("There is no app yet: write %s, or begin with: piopiyd init\n", filepath.Join(cfg.Scripts, "hello.ts"))
	} else {
		t.apps(list)
	}
	if line := tryLine(cfg, address, list); line != "" {
		t.printf("\nTry one:\n  %s\n", line)
		if line := d.tryCall(list); line != "" {
			t.printf("\nOr call it with a SIP phone, such as:\n  %s\n", line)
		}
	}
	t.printf("\nSave a script and the next call runs it. Ctrl-C ends calls in good order and stops.\n")
}

// tryLine is a command that posts the documented inbound request (protocol page, section 1.2) to the first app
// that answers.
func tryLine(cfg config.Config, address string, list []server.App) string {
	for _, a := range byPreference(list) {
		if !takesCalls(a) {
			continue
		}
		settings := cfg.Apps[a.Name]
		to := "15550002222"
		if len(settings.Numbers) > 0 {
			to = strings.TrimPrefix(settings.Numbers[0], "+")
		}
		path, auth := "/hooks/"+a.Name+"/answer", ""
		if settings.Token != "" {
			path += "/TOKEN"
		}
		if settings.User != "" {
			auth = " -u " + settings.User + ":PASSWORD"
		}
		return fmt.Sprintf(`curl -sS%s %s%s -H 'Content-Type: application/json' -d '{"action":"inbound","from":"15550001111","to":"%s","time":%d,"cmiuuid":"try-%d"}'`,
			auth, address, path, to, time.Now().UnixMilli(), time.Now().Unix())
	}
	return ""
}

// takesCalls reports whether an app takes calls.
func takesCalls(a server.App) bool {
	return a.AnswerURL != "" || a.Version != "" && slices.Contains(a.Exports, "answer")
}

// byPreference puts the simplest template in front, where it is served.
func byPreference(list []server.App) []server.App {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b server.App) int {
		switch {
		case a.Name == defaultTemplate:
			return -1
		case b.Name == defaultTemplate:
			return 1
		}
		return 0
	})
	return list
}
