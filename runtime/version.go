package runtime

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dop251/goja"
	"github.com/dop251/goja/parser"

	"github.com/piopiy/piopiyd/runtime/guard"
)

// Version is an immutable compiled snapshot of an app, named by the hash of all its inputs: every file that was
// read, the app's settings and the standard library.
type Version struct {
	app      string
	id       string
	created  time.Time
	settings Settings
	exports  []string
	inputs   []input
	code     string
	warnings []string

	sourceMap string
	program   *goja.Program
	regexps   bool // the program holds regular expression literals

	refs      atomic.Int64
	sessions  atomic.Int64
	drained   chan struct{}
	drainOnce sync.Once
	abandoned atomic.Int64
}

// input is one file that a version was made from.
type input struct {
	Path string `json:"path"`
	Hash string `json:"hash"`
	Text string `json:"text"`
}

// ID returns the version's name: 64 hexadecimal digits.
func (v *Version) ID() string { return v.id }

// ShortID returns the first 12 digits of the name, enough to tell an app's versions apart.
func (v *Version) ShortID() string {
	if len(v.id) < 12 {
		return v.id
	}
	return v.id[:12]
}

// App returns the name of the app.
func (v *Version) App() string { return v.app }

// Created returns when the version was made.
func (v *Version) Created() time.Time { return v.created }

// Settings returns the app's settings as of this version.
func (v *Version) Settings() Settings { return v.settings }

// Exports returns the names of the functions that the script exports, sorted.
func (v *Version) Exports() []string { return slices.Clone(v.exports) }

// HasExport reports whether the script exports a function of that name.
func (v *Version) HasExport(name string) bool { return slices.Contains(v.exports, name) }

// Files returns the paths of the files the version was made from, below the scripts root.
func (v *Version) Files() []string {
	var paths []string
	for _, in := range v.inputs {
		paths = append(paths, in.Path)
	}
	return paths
}

// Warnings returns what the compiler found odd but not wrong.
func (v *Version) Warnings() []string { return slices.Clone(v.warnings) }

// Sessions returns how many sessions run this version now.
func (v *Version) Sessions() int64 {
	return v.sessions.Load()
}

// Drained is closed when the version is no longer current and its last session has ended.
func (v *Version) Drained() <-chan struct{} { return v.drained }

// tryAcquire takes a reference unless the version has already drained.
func (v *Version) tryAcquire() bool {
	for {
		n := v.refs.Load()
		if n == 0 {
			return false
		}
		if v.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (v *Version) release() {
	if v.refs.Add(-1) == 0 {
		v.drainOnce.Do(func() { close(v.drained) })
	}
}

// sourceLine returns the text of a position's line.
func (v *Version) sourceLine(p Position) string {
	if v == nil || p.Line == 0 {
		return ""
	}
	for _, in := range v.inputs {
		if in.Path != p.File {
			continue
		}
		text := in.Text
		for line := 1; ; line++ {
			next := strings.IndexByte(text, '\n')
			if line == p.Line {
				if next >= 0 {
					text = text[:next]
				}
				return truncate(strings.TrimRight(text, "\r"), 200)
			}
			if next < 0 {
				return ""
			}
			text = text[next+1:]
		}
	}
	return ""
}

// compile parses and compiles the bundle once for all sessions. cover, where set, notes what runs.
func (v *Version) compile(cover *Coverage) error {
	sourceMap := func(string) ([]byte, error) { return []byte(v.sourceMap), nil }
	ast, err := goja.Parse(v.app+".bundle.js", v.code+"\n//# sourceMappingURL=map", parser.WithSourceMapLoader(sourceMap))
	if err != nil {
		return &Fault{Kind: FaultException, Name: "SyntaxError", Message: err.Error()}
	}
	v.regexps = guard.HasRegexp(ast)
	if cover != nil && v.settings.Isolation != Frozen {
		cover.instrument(ast)
	}
	v.program, err = goja.CompileAST(ast, false)
	if err != nil {
		return &Fault{Kind: FaultException, Name: "SyntaxError", Message: err.Error()}
	}
	return nil
}

// versionID hashes everything a version is made of. Order and lengths are part of it, so that no two different
// sets of inputs can collide.
func versionID(app string, settings Settings, stdlib string, inputs []input) string {
	h := sha256.New()
	set, _ := json.Marshal(settings)
	_, _ = fmt.Fprintf(h, "piopiyd version 1\n%s\n%s\n%s\n", app, set, stdlib)
	for _, in := range inputs {
		_, _ = fmt.Fprintf(h, "%d %s %s\n", len(in.Path), in.Path, in.Hash)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func hashText(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// storedBundle is what a VersionStore keeps of a version.
type storedBundle struct {
	Settings Settings `json:"settings"`
	Exports  []string `json:"exports"`
	Inputs   []input  `json:"inputs"`
	Code     string   `json:"code"`
	Map      string   `json:"map"`
	Warnings []string `json:"warnings,omitempty"`
}

func (v *Version) stored() (StoredVersion, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	err := json.NewEncoder(zip).Encode(storedBundle{v.settings, v.exports, v.inputs, v.code, v.sourceMap, v.warnings})
	if err != nil {
		return StoredVersion{}, err
	}
	if err := zip.Close(); err != nil {
		return StoredVersion{}, err
	}
	return StoredVersion{App: v.app, ID: v.id, Created: v.created, Bundle: out.Bytes()}, nil
}

func restoreVersion(s StoredVersion) (*Version, error) {
	zip, err := gzip.NewReader(bytes.NewReader(s.Bundle))
	if err != nil {
		return nil, fmt.Errorf("stored version %s of %q is damaged: %w", s.ID, s.App, err)
	}
	var b storedBundle
	if err := json.NewDecoder(io.LimitReader(zip, 256<<20)).Decode(&b); err != nil {
		return nil, fmt.Errorf("stored version %s of %q is damaged: %w", s.ID, s.App, err)
	}
	v := &Version{
		app: s.App, id: s.ID, created: s.Created, settings: b.Settings, exports: b.Exports, inputs: b.Inputs,
		code: b.Code, sourceMap: b.Map, warnings: b.Warnings, drained: make(chan struct{}),
	}
	return v, v.compile(nil)
}
