package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// engine is the daemon with its call engine, and the addresses it calls.
type engine struct {
	*server
	sip string
}

// startEngine starts the daemon with the scripts of bench/engine. env is what each app sees as env; more are further
// settings of the section sip.
func (b *bench) startEngine(ctx context.Context, env map[string]map[string]string, more ...string) (*engine, error) {
	binary, probe, err := b.instrumented(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(b.work, "engine-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	sip, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(dir, "media"), 0o750); err != nil {
		return nil, err
	}
	long := media.Sound{Samples: media.Tone(440, time.Minute), Rate: media.Rate}
	if err := os.WriteFile(filepath.Join(dir, "media", "long.wav"), long.WAV(), 0o600); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("listen: %s\nscripts: %s\ndata: %s\nlog: {format: json, level: warn}\nfetch: {allow: [127.0.0.1]}\n"+
		"sip: {listen: '%s', media: %s, max_calls: 20000, allow_hosts: [127.0.0.1]%s}\napps:\n  play: {}\n",
		addr, filepath.Join(b.root, "bench", "engine"), filepath.Join(dir, "data"), sip, filepath.Join(dir, "media"), strings.Join(append([]string{""}, more...), ", "))
	for app, values := range env {
		settings += "  " + app + ":\n    env:\n"
		for name, value := range values {
			settings += fmt.Sprintf("      %s: '%s'\n", name, value)
		}
	}
	s, err := serve(ctx, binary, addr, "", dir, settings, probe)
	if err != nil {
		return nil, err
	}
	return &engine{s, sip}, nil
}

// hasSIPp reports whether SIPp is there, and says so when it is not.
func hasSIPp(part string) bool {
	if _, err := exec.LookPath("sipp"); err == nil {
		return true
	}
	fmt.Printf("\nSKIPPED: %s. SIPp is not installed (Debian: apt-get install sip-tester)\n", part)
	return false
}

// phones is a running SIPp: many phones that call.
type phones struct {
	cmd *exec.Cmd
	dir string
}

// calling says what SIPp does.
type calling struct {
	scenario string        // uac or uas
	to       string        // host:port
	app      string        // the called app
	calls    int           // how many, in all
	rate     int           // a second
	hold     time.Duration // how long each lasts
	sound    int           // the port where the phones' sound is
	port     int           // of the phones; 0 is any
	silent   bool          // they neither send nor take sound
	keys     bool          // they offer telephone events, as 101
}

// startSIPp starts phones. They end by themselves once all calls are made.
func (b *bench) startSIPp(ctx context.Context, c calling) (*phones, error) {
	dir, err := os.MkdirTemp(b.work, "sipp-")
	if err != nil {
		return nil, err
	}
	for _, p := range []*int{&c.port, &c.sound} {
		if *p == 0 {
			if *p, err = freeUDPPort(); err != nil {
				return nil, err
			}
		}
	}
	idle, err := freeUDPPort() // SIPp wants one for sound of its own
	if err != nil {
		return nil, err
	}
	scenario := filepath.Join(b.root, "bench", "engine", c.scenario+".xml")
	if c.silent || c.keys {
		if scenario, err = c.write(scenario, dir); err != nil {
			return nil, err
		}
	}
	args := []string{
		"-sf", scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(c.port), "-mi", "127.0.0.1", "-mp", strconv.Itoa(idle),
		"-key", "mport", strconv.Itoa(c.sound), "-m", strconv.Itoa(c.calls), "-nostdin", "-buff_size", strconv.Itoa(4 << 20), "-trace_stat", "-stf", filepath.Join(dir, "out.csv"), "-fd", "1",
	}
	if c.scenario == "uac" {
		args = append(args, c.to, "-s", c.app, "-r", strconv.Itoa(c.rate), "-l", strconv.Itoa(c.calls), "-d", strconv.FormatInt(c.hold.Milliseconds(), 10))
	}
	p := &phones{exec.CommandContext(ctx, "sipp", args...), dir}
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return p, p.cmd.Start()
}

// write writes the scenario anew, with what the phones' sound is, and returns its path.
func (c calling) write(scenario, dir string) (string, error) {
	text, err := os.ReadFile(scenario)
	if err != nil {
		return "", err
	}
	const plain = "RTP/AVP 0\n"
	sound := plain
	if c.keys {
		sound = "RTP/AVP 0 101\na=rtpmap:101 telephone-event/8000\n"
	}
	if c.silent {
		sound += "a=inactive\n"
	}
	scenario = filepath.Join(dir, "scenario.xml")
	return scenario, os.WriteFile(scenario, bytes.Replace(text, []byte(plain), []byte(sound), 1), 0o600)
}

// counted is what became of calls, as SIPp counts them.
type counted struct {
	good, failed, retransmissions int
	elapsed                       time.Duration
}

// wait waits for the phones' end.
func (p *phones) wait() (c counted, err error) {
	err = p.cmd.Wait()
	var failures *exec.ExitError
	if errors.As(err, &failures) && failures.ExitCode() == 1 {
		err = nil // some calls failed: that is counted
	}
	if err != nil {
		return c, fmt.Errorf("sipp: %w", err)
	}
	file, err := os.Open(filepath.Join(p.dir, "out.csv"))
	if err != nil {
		return c, err
	}
	defer file.Close()
	r := csv.NewReader(file)
	r.Comma, r.FieldsPerRecord = ';', -1
	lines, err := r.ReadAll()
	if err != nil || len(lines) < 2 {
		return c, fmt.Errorf("sipp wrote no statistics: %w", err)
	}
	names, last := lines[0], lines[len(lines)-1]
	var began, ended float64
	for i, name := range names {
		if i >= len(last) {
			break
		}
		n, _ := strconv.Atoi(last[i])
		switch name {
		case "SuccessfulCall(C)":
			c.good = n
		case "FailedCall(C)":
			c.failed = n
		case "Retransmissions(C)":
			c.retransmissions = n
		case "StartTime":
			began = sippTime(last[i])
		case "CurrentTime":
			ended = sippTime(last[i])
		}
	}
	if c.elapsed = time.Duration((ended - began) * float64(time.Second)); c.elapsed <= 0 {
		return c, errors.New("sipp's statistics do not say how long it took")
	}
	return c, nil
}

// sippTime returns the seconds of a time as SIPp writes it: date, time and seconds since 1970, between tabs.
func sippTime(text string) float64 {
	_, rest, _ := strings.Cut(text, "\t")
	_, rest, _ = strings.Cut(rest, "\t")
	seconds, _ := strconv.ParseFloat(rest, 64)
	return seconds
}

// stop ends the phones at once.
func (p *phones) stop() {
	if p != nil && p.cmd.Process != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		_ = p.cmd.Wait()
	}
}

func freeUDPPort() (int, error) {
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }()
	return conn.LocalAddr().(*net.UDPAddr).Port, nil
}
