package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// bench is one run: what is measured, and where its files are.
type bench struct {
	options
	root        string // of the repository
	work        string // temporary
	self        string // this program, which is also the floor
	node        string // Node, or "" when it is not there
	nodeVersion string
	peer        string // the folder of the Node peer
}

func newBench(ctx context.Context, o options) (_ *bench, err error) {
	b := &bench{options: o}
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		return nil, errors.New("processor time and memory are read from /proc: the bench needs Linux")
	}
	if o.pin {
		if runtime.NumCPU() < 2 {
			return nil, errors.New("-pin needs two cores")
		}
		if _, err := exec.LookPath("taskset"); err != nil {
			return nil, errors.New("-pin needs taskset (util-linux)")
		}
	}
	if b.root, err = moduleRoot(ctx); err != nil {
		return nil, err
	}
	if b.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if b.work, err = os.MkdirTemp("", "piopiyd-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.close()
		}
	}()
	if b.binary == "" {
		b.binary = filepath.Join(b.work, "piopiyd")
		if err := b.build(ctx, b.binary); err != nil {
			return nil, err
		}
	} else if b.binary, err = filepath.Abs(b.binary); err != nil {
		return nil, err
	}
	b.findNode(ctx)
	return b, nil
}

func (b *bench) close() { _ = os.RemoveAll(b.work) }

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}

// build makes the real daemon.
func (b *bench) build(ctx context.Context, out string, flags ...string) error {
	args := append(append([]string{"build", "-o", out}, flags...), "./cmd/piopiyd")
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = b.root
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build ./cmd/piopiyd: %w\n%s", err, tail(text))
	}
	return nil
}

// findNode looks for Node and installs Express beside the peer. Without either the rest is measured all the same.
func (b *bench) findNode(ctx context.Context) {
	b.nodeVersion = "a Go handler only"
	node, err := exec.LookPath("node")
	if err != nil {
		fmt.Println("Node is not installed: Express is not measured")
		return
	}
	b.peer = filepath.Join(b.root, "bench", "peers", "node")
	if _, err := os.Stat(filepath.Join(b.peer, "node_modules", "express")); err != nil {
		cmd := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
		cmd.Dir = b.peer
		if text, err := cmd.CombinedOutput(); err != nil {
			fmt.Printf("npm install: %v: Express is not measured\n%s\n", err, tail(text))
			return
		}
	}
	version, err := exec.CommandContext(ctx, node, "-p", `process.version + ", Express " + require(process.argv[1] + "/node_modules/express/package.json").version`, b.peer).Output()
	if err != nil {
		fmt.Printf("node: %v: Express is not measured\n", err)
		return
	}
	b.node, b.nodeVersion = node, "Node "+strings.TrimSpace(string(version))
}

// piopiyd starts the daemon on a folder of scripts, with its journal in a folder of its own.
func (b *bench) piopiyd(ctx context.Context, binary, scripts, cpu string, env ...string) (*server, error) {
	dir, err := os.MkdirTemp(b.work, "daemon-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("listen: %s\nscripts: %s\ndata: %s\nlog: {format: json}\nsip: {listen: 'off'}\napps:\n  frozen: {isolation: frozen}\n", addr, scripts, filepath.Join(dir, "data"))
	return serve(ctx, binary, addr, cpu, dir, settings, env)
}

// serve starts the daemon in a folder with the settings of its configuration file.
func serve(ctx context.Context, binary, addr, cpu, dir, settings string, env []string) (*server, error) {
	file := filepath.Join(dir, "piopiyd.yaml")
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	ready := func() bool {
		reply, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false
		}
		_ = reply.Body.Close()
		return reply.StatusCode == http.StatusOK
	}
	s, err := start(ctx, "piopiyd", addr, cpu, dir, ready, env, binary, "serve", "--config", file)
	if err != nil {
		return nil, err
	}
	s.quiet = func() (bool, error) {
		n, err := metric(addr, "piopiyd_sessions")
		return n == 0, err
	}
	return s, nil
}

// express starts the Node peer; workers 0 is one process.
func (b *bench) express(ctx context.Context, name string, workers int, cpu string) (*server, error) {
	dir, err := os.MkdirTemp(b.work, "node-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(addr)
	log := filepath.Join(dir, "output.log")
	ready := func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "ready")
	}
	return start(ctx, name, addr, cpu, dir, ready, []string{"NODE_ENV=production"}, b.node, filepath.Join(b.peer, "server.js"), b.scripts(), port, strconv.Itoa(workers))
}

func (b *bench) floor(ctx context.Context, cpu string) (*server, error) {
	dir, err := os.MkdirTemp(b.work, "floor-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	return start(ctx, "Go handler", addr, cpu, dir, listening(addr), nil, b.self, "floor", addr)
}

// scripts is the folder of the measured scripts.
func (b *bench) scripts() string { return filepath.Join(b.root, "bench", "scripts") }
