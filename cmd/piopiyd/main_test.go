package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain makes the test binary stand for piopiyd, and for the small HTTP client of the scripts.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"piopiyd": main, "post": post, "try": try})
}

// TestCommandLine plays testdata/script. A script has, beside what testscript gives it:
//
//	start [flag...]         start piopiyd on a free port; ADDR is its address, and commands find it
//	signal TERM|KILL|HUP    send the daemon a signal
//	ended CODE              wait for the daemon's end and expect an exit code; its stderr is in daemon.err
//	logged PATTERN          wait until the daemon has logged it
//	exec post URL BODY      post, and print status and body
//	exec post -until PATTERN URL BODY   post until the answer matches; %d in BODY counts
//	sipport FILE            SIPPORT is the port of SIP that the banner in a file names
//	webserver SECRET        start a web server that decides about calls; CRM is its address, and web.log what it was
//	                        asked and told, with "signed" before what SECRET has signed
//	exec try FILE           do what the curl line in a file says
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			e.Setenv("HOME", e.WorkDir)
			e.Values[daemonKey{}] = &process{}
			e.Defer(func() { e.Values[daemonKey{}].(*process).kill() })
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"start": startCmd, "signal": signalCmd, "ended": endedCmd, "logged": loggedCmd, "webserver": webServerCmd, "sipport": sipPortCmd,
		},
	})
}

const patience = 30 * time.Second

type daemonKey struct{}

// process is the daemon that a script has started.
type process struct {
	cmd     *exec.Cmd
	errPath string
	exited  chan struct{}
}

func (p *process) kill() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

var served = regexp.MustCompile(`^piopiyd serves (http://(\S+))`)

func startCmd(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(daemonKey{}).(*process)
	path, err := exec.LookPath("piopiyd")
	ts.Check(err)
	*p = process{errPath: ts.MkAbs("daemon.err"), exited: make(chan struct{})}
	cmd := exec.Command(path, append([]string{"serve", "--listen", "127.0.0.1:0", "--sip-listen", "127.0.0.1:0"}, args...)...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = append(os.Environ(), "TZ=UTC", "PIOPIYD_LIMITS_TURN=20s") // the machine may be busy
	for _, name := range []string{
		"PIOPIYD_CONFIG", "PIOPIYD_API_TOKEN", "PIOPIYD_DRAIN_TIMEOUT", "PIOPIYD_LISTN", "PIOPIYD_WEBHOOKS_SECRET",
		"PIOPIYD_APPS_CRM_ANSWER_URL", "PIOPIYD_APPS_CRM_CDR_URL", "PIOPIYD_APPS_BAD_ANSWER_URL",
	} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	logs, err := os.Create(p.errPath)
	ts.Check(err)
	cmd.Stderr = logs
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	p.cmd = cmd
	lines := bufio.NewReader(out)
	var banner bytes.Buffer
	for !strings.Contains(banner.String(), "\nSave a script") {
		line, err := lines.ReadString('\n')
		banner.WriteString(line)
		if err != nil {
			break
		}
	}
	go func() {
		_, _ = io.Copy(io.Discard, lines)
		_ = cmd.Wait()
		_ = logs.Close()
		close(p.exited)
	}()
	ts.Check(os.WriteFile(ts.MkAbs("banner"), banner.Bytes(), 0o644))
	m := served.FindStringSubmatch(banner.String())
	if m == nil {
		text, _ := os.ReadFile(p.errPath)
		ts.Fatalf("piopiyd did not start:\n%s\n%s", banner.String(), text)
	}
	ts.Setenv("ADDR", m[1])
	ts.Setenv("PIOPIYD_LISTEN", m[2])
}

func sipPortCmd(ts *testscript.TestScript, _ bool, args []string) {
	m := sipServed.FindStringSubmatch(ts.ReadFile(args[0]))
	if m == nil {
		ts.Fatalf("no address of SIP in:\n%s", ts.ReadFile(args[0]))
	}
	ts.Setenv("SIPPORT", m[1][strings.LastIndex(m[1], ":")+1:])
}

func signalCmd(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "KILL": syscall.SIGKILL, "HUP": syscall.SIGHUP, "INT": syscall.SIGINT}
	ts.Check(ts.Value(daemonKey{}).(*process).cmd.Process.Signal(signals[args[0]]))
}

func endedCmd(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(daemonKey{}).(*process)
	select {
	case <-p.exited:
	case <-time.After(patience):
		text, _ := os.ReadFile(p.errPath)
		ts.Fatalf("piopiyd did not end:\n%s", text)
	}
	if code := p.cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[0] {
		text, _ := os.ReadFile(p.errPath)
		ts.Fatalf("piopiyd ended with %d, want %s:\n%s", code, args[0], text)
	}
	p.cmd = nil
}

func loggedCmd(ts *testscript.TestScript, _ bool, args []string) {
	p := ts.Value(daemonKey{}).(*process)
	pattern := regexp.MustCompile(args[0])
	for deadline := time.Now().Add(patience); ; {
		text, err := os.ReadFile(p.errPath)
		ts.Check(err)
		if pattern.Match(text) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s was not logged:\n%s", args[0], text)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// post is the scripts' HTTP client.
func post() {
	args, until := os.Args[1:], (*regexp.Regexp)(nil)
	if args[0] == "-until" {
		until = regexp.MustCompile(args[1])
		args = args[2:]
	}
	for n, deadline := 1, time.Now().Add(patience); ; n++ {
		text, err := send(args[0], strings.ReplaceAll(args[1], "%d", strconv.Itoa(n)), "", "")
		switch {
		case until == nil || err == nil && until.MatchString(text):
			finish(text, err)
		case time.Now().After(deadline):
			finish("", fmt.Errorf("never answered %s; the last answer: %s %w", until, text, errors.Join(err)))
		}
		<-time.After(10 * time.Millisecond)
	}
}

var curlLine = regexp.MustCompile(`curl -sS(?: -u (\S+):(\S+))? (\S+) -H 'Content-Type: application/json' -d '([^']*)'`)

// try does what a printed curl line says.
func try() {
	text, err := os.ReadFile(filepath.Clean(os.Args[1]))
	if err != nil {
		finish("", err)
	}
	m := curlLine.FindSubmatch(text)
	if m == nil {
		finish("", fmt.Errorf("no curl line in: %s", text))
	}
	finish(send(string(m[3]), string(m[4]), string(m[1]), string(m[2])))
}

func finish(text string, err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(text)
	os.Exit(0)
}

func send(url, body, user, password string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return fmt.Sprintf("%d %s", res.StatusCode, bytes.TrimSpace(text)), err
}
