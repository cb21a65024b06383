package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

func lay(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// daemon is a running piopiyd.
type daemon struct {
	t              *testing.T
	dir, http, sip string
	tls            string // SIP over TLS
	banner         string
	log            string
	cmd            *exec.Cmd
	ended          chan struct{}
}

var sipsServed = regexp.MustCompile(`(?m)^SIP .*; (\S+:\d+), TLS$`)

var sipServed = regexp.MustCompile(`(?m)^SIP +(\S+:\d+), UDP and TCP`)

// startSIP starts piopiyd in a folder, with free ports.
func startSIP(t *testing.T, dir string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: dir, log: filepath.Join(dir, "log"), ended: make(chan struct{})}
	path, err := exec.LookPath("piopiyd")
	if err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(path, "serve", "--listen", "127.0.0.1:0", "--sip-listen", "127.0.0.1:0")
	d.cmd.Dir, d.cmd.Env = dir, append(os.Environ(), "TZ=UTC", "PIOPIYD_LIMITS_TURN=20s") // the machine may be busy
	log, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = log
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
		_ = log.Close()
		if t.Failed() {
			text, _ := os.ReadFile(d.log)
			t.Logf("piopiyd logs:\n%s", text)
		}
	})
	var banner strings.Builder
	lines := bufio.NewReader(out)
	for !strings.Contains(banner.String(), "\nSave a script") {
		line, err := lines.ReadString('\n')
		banner.WriteString(line)
		if err != nil {
			break
		}
	}
	go func() {
		defer close(d.ended)
		_, _ = io.Copy(io.Discard, lines)
		_ = d.cmd.Wait()
	}()
	web, phones := served.FindStringSubmatch(banner.String()), sipServed.FindStringSubmatch(banner.String())
	if web == nil || phones == nil {
		t.Fatalf("piopiyd does not say where it serves:\n%s", banner.String())
	}
	d.http, d.sip, d.banner = web[1], phones[1], banner.String()
	if m := sipsServed.FindStringSubmatch(banner.String()); m != nil {
		d.tls = m[1]
	}
	return d
}

// stop ends the daemon in good order.
func (d *daemon) stop() {
	d.t.Helper()
	d.term()
	d.ends(0)
}

// term asks the daemon to stop.
func (d *daemon) term() { _ = d.cmd.Process.Signal(syscall.SIGTERM) }

// ends waits for the daemon's end.
func (d *daemon) ends(code int) {
	d.t.Helper()
	select {
	case <-d.ended:
	case <-time.After(patience):
		d.t.Fatal("piopiyd does not end")
	}
	if got := d.cmd.ProcessState.ExitCode(); got != code {
		d.t.Errorf("piopiyd ended with %d, want %d", got, code)
	}
}

// logged waits until the daemon has logged it.
func (d *daemon) logged(text string) {
	d.t.Helper()
	siptest.Wait(d.t, "logged: "+text, func() bool {
		log, err := os.ReadFile(d.log)
		if err != nil {
			d.t.Fatal(err)
		}
		return strings.Contains(string(log), text)
	})
}

func (d *daemon) get(path string) string {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(d.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, d.http+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// run runs a command against the daemon.
func (d *daemon) run(args ...string) string {
	d.t.Helper()
	cmd := exec.Command(d.cmd.Path, args...)
	cmd.Dir, cmd.Env = d.dir, append(os.Environ(), "TZ=UTC", "PIOPIYD_LISTEN="+strings.TrimPrefix(d.http, "http://"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Errorf("piopiyd %v: %v\n%s", args, err, out)
	}
	return string(out)
}
