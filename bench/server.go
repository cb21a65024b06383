package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// server is a process that is measured.
type server struct {
	name  string
	addr  string
	cmd   *exec.Cmd
	dir   string // what it leaves behind
	logs  string // where its output goes
	quiet func() (bool, error)
}

const startTimeout = 60 * time.Second

// start runs a command and waits until it answers on addr. cpu is the core it is kept on, or "".
func start(ctx context.Context, name, addr, cpu, dir string, ready func() bool, env []string, command ...string) (*server, error) {
	if cpu != "" {
		command = append([]string{"taskset", "-c", cpu}, command...)
	}
	s := &server{name: name, addr: addr, dir: dir, logs: filepath.Join(dir, "output.log"), cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	out, err := os.Create(s.logs)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for began := time.Now(); !ready(); time.Sleep(20 * time.Millisecond) {
		if err := s.cmd.Process.Signal(syscall.Signal(0)); err != nil || time.Since(began) > startTimeout || exited(s.cmd.Process.Pid) {
			s.stop()
			text, _ := os.ReadFile(s.logs)
			return nil, fmt.Errorf("%s did not start: %s", name, tail(text))
		}
	}
	return s, nil
}

func tail(text []byte) string {
	if len(text) > 2000 {
		text = text[len(text)-2000:]
	}
	return strings.TrimSpace(string(text))
}

func exited(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && bytes.Contains(stat, []byte(") Z "))
}

// stop ends the process and its children.
func (s *server) stop() {
	if s == nil || s.cmd.Process == nil {
		return
	}
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}

// pids returns the process and its children, grandchildren included.
func (s *server) pids() []int {
	list := []int{s.cmd.Process.Pid}
	for i := 0; i < len(list); i++ {
		tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", list[i]))
		for _, task := range tasks {
			text, _ := os.ReadFile(task)
			for _, field := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil {
					list = append(list, pid)
				}
			}
		}
	}
	return list
}

// tick is the unit of /proc/PID/stat: USER_HZ, which is 100 on every architecture Linux has for Go.
const tick = 10 * time.Millisecond

// cpu returns the processor time the server has used, user and system.
func (s *server) cpu() (time.Duration, error) {
	var total time.Duration
	for _, pid := range s.pids() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, err
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 13 {
			return 0, errors.New("/proc/PID/stat is not as expected")
		}
		for _, f := range fields[11:13] { // utime, stime
			n, err := strconv.ParseInt(f, 10, 64)
			if err != nil {
				return 0, err
			}
			total += time.Duration(n) * tick
		}
	}
	return total, nil
}

// cpuTime is cpu with the kernel's own precision, for short spans. It does not count children.
func (s *server) cpuTime() (time.Duration, error) {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(tasks) == 0 {
		return 0, fmt.Errorf("/proc/PID/task/*/schedstat cannot be read: %w", err)
	}
	var total time.Duration
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		on, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(on, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is not as expected", task)
		}
		total += time.Duration(n)
	}
	return total, nil
}

// rss returns the resident memory of the server in bytes.
func (s *server) rss() (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0, errors.New("/proc/PID/statm is not as expected")
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// settle waits until the server has nothing left to do.
func (s *server) settle(ctx context.Context) error {
	if s.quiet == nil {
		return nil
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		quiet, err := s.quiet()
		switch {
		case err != nil || quiet:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case time.Since(began) > startTimeout:
			return fmt.Errorf("%s still has work a minute after the load ended", s.name)
		}
	}
}

// metric sums the samples of a Prometheus metric.
func metric(addr, name string) (float64, error) {
	reply, err := http.Get("http://" + addr + "/metrics")
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	sum := 0.0
	for lines := bufio.NewScanner(reply.Body); lines.Scan(); {
		rest, found := strings.CutPrefix(lines.Text(), name)
		if !found || rest == "" || rest[0] != ' ' && rest[0] != '{' {
			continue
		}
		value, err := strconv.ParseFloat(rest[strings.LastIndexByte(rest, ' ')+1:], 64)
		if err != nil {
			return 0, err
		}
		sum += value
	}
	return sum, nil
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func listening(addr string) func() bool {
	return func() bool {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	}
}

// pin keeps this process on cores, as taskset writes them.
func pin(cores string) error {
	out, err := exec.Command("taskset", "-acp", cores, strconv.Itoa(os.Getpid())).CombinedOutput()
	if err != nil {
		return fmt.Errorf("taskset: %w: %s", err, tail(out))
	}
	return nil
}

func cpuModel() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown processor"
}
