package runtime

import (
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// Source size limits. A parser recurses on its input, so size and nesting are bounded before it sees them.
const (
	maxSourceSize  = 256 << 10
	maxPackageSize = 4 << 20
	maxAppSize     = 16 << 20
	maxNesting     = 1000
)

// engineFeatures lists what goja does not run natively and esbuild lowers or refuses. A test notices when goja
// learns one of them.
var engineFeatures = map[string]bool{
	"async-generator":                 false,
	"for-await":                       false,
	"dynamic-import":                  false,
	"import-meta":                     false,
	"top-level-await":                 false,
	"using":                           false,
	"decorators":                      false,
	"bigint":                          false,
	"regexp-unicode-property-escapes": false,
	"regexp-match-indices":            false,
	"regexp-set-notation":             false,
}

// build turns an app's entry file and all it imports into a version. It reads files, runs nothing.
// On failure the returned version holds just the inputs, so that the caller knows which files to watch.
func (rt *Runtime) build(app string, settings Settings, files fs.FS, entry string) (*Version, error) {
	b := &bundler{rt: rt, files: files, read: map[string][]byte{}}
	format, banner := api.FormatCommonJS, "(function (exports, require, module, __native) {"
	if text, err := b.file("scripts", path.Clean(entry)); err == nil && moduleSyntax.Match(text) {
		// As an ES module the bundle needs none of the helpers that make one look like CommonJS, which every session
		// would run.
		format, banner = api.FormatESModule, banner+` "use strict";`
	}
	result := api.Build(api.BuildOptions{
		EntryPoints:    []string{entry},
		Bundle:         true,
		Write:          false,
		Format:         format,
		Platform:       api.PlatformNeutral,
		Target:         api.ES2022,
		Supported:      engineFeatures,
		Sourcemap:      api.SourceMapExternal,
		SourcesContent: api.SourcesContentExclude,
		Outfile:        "bundle.js",
		Charset:        api.CharsetUTF8,
		KeepNames:      false,
		TreeShaking:    api.TreeShakingTrue,
		LegalComments:  api.LegalCommentsNone,
		TsconfigRaw:    `{"compilerOptions":{"verbatimModuleSyntax":false,"useDefineForClassFields":true}}`,
		Banner:         map[string]string{"js": banner},
		Footer:         map[string]string{"js": "})"},
		Define:         map[string]string{"self": "globalThis", "global": "globalThis"}, // by which packages look for it
		LogLevel:       api.LogLevelSilent,
		LogLimit:       20,
		Plugins:        []api.Plugin{{Name: "piopiyd", Setup: b.setup}},
	})
	v := &Version{app: app, settings: settings, created: time.Now(), inputs: b.inputs(), drained: make(chan struct{})}
	v.id = versionID(app, settings, rt.stdlibID(), v.inputs)
	if err := messagesError(result.Errors); err != nil {
		return v, err
	}
	for _, w := range result.Warnings {
		if w.ID == "bigint" || strings.Contains(w.Text, "Big integer") {
			return v, messagesError([]api.Message{w})
		}
		v.warnings = append(v.warnings, messageFault(w).Error())
	}
	for _, file := range result.OutputFiles {
		if path.Ext(file.Path) != ".map" {
			v.code = assignExports(string(file.Contents))
			continue
		}
		// The names that errors show are paths below the scripts root.
		v.sourceMap = strings.ReplaceAll(string(file.Contents), `"scripts:`, `"`)
	}
	return v, v.compile(rt.cfg.Coverage)
}

// moduleSyntax finds an import or export declaration. Where it errs, the bundle is right all the same, and slower.
var moduleSyntax = regexp.MustCompile(`(?m)^\s*(export|import)[\s{*"']`)

// assignExports turns the export declaration at the end of an ES module into assignments.
func assignExports(code string) string {
	const open, end = "\nexport {\n", "\n};\n"
	from := strings.LastIndex(code, open)
	if from < 0 {
		return code
	}
	length := strings.Index(code[from:], end)
	if length < 0 {
		return code
	}
	var assignments strings.Builder
	assignments.WriteByte('\n')
	for name := range strings.SplitSeq(code[from+len(open):from+length], ",\n") {
		local, exported, renamed := strings.Cut(strings.TrimSpace(name), " as ")
		if !renamed {
			exported = local
		}
		if !strings.HasPrefix(exported, `"`) {
			exported = strconv.Quote(exported)
		}
		fmt.Fprintf(&assignments, "exports[%s] = %s;\n", exported, local)
	}
	return code[:from] + assignments.String() + code[from+length+len(end):]
}

// bundler reads files on behalf of esbuild, each at most once, so that one version can never mix two states of
// a file.
type bundler struct {
	rt    *Runtime
	files fs.FS

	mu    sync.Mutex // esbuild asks from many goroutines
	read  map[string][]byte
	total int
}

const (
	stdlibNamespace = "piopiy"
	nativeNamespace = "native"
)

func (b *bundler) setup(build api.PluginBuild) {
	build.OnResolve(api.OnResolveOptions{Filter: ".*"}, func(a api.OnResolveArgs) (api.OnResolveResult, error) {
		if a.Kind == api.ResolveEntryPoint {
			// esbuild puts "./" before a name that it also finds in the process's working directory.
			return api.OnResolveResult{Path: path.Clean(a.Path), Namespace: "scripts"}, nil
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.resolve(a)
	})
	load := func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.load(a.Namespace, a.Path)
	}
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: "scripts"}, load)
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: stdlibNamespace}, load)
	build.OnLoad(api.OnLoadOptions{Filter: ".*", Namespace: nativeNamespace}, func(a api.OnLoadArgs) (api.OnLoadResult, error) {
		contents := nativeModule(a.Path, b.rt.exports[a.Path])
		return api.OnLoadResult{Contents: &contents}, nil
	})
}

// nativeModule returns the ES module that stands for one written in Go, in a form whose unused exports esbuild
// leaves out.
func nativeModule(specifier string, exports []string) string {
	if exports == nil {
		return fmt.Sprintf("module.exports = __native(%q)\n", specifier)
	}
	var out strings.Builder
	for _, name := range exports {
		if name == "default" {
			fmt.Fprintf(&out, "export default /* @__PURE__ */ __native(%q, 'default')\n", specifier)
			continue
		}
		fmt.Fprintf(&out, "export const %s = /* @__PURE__ */ __native(%q, %q)\n", name, specifier, name)
	}
	return out.String()
}

func (b *bundler) load(namespace, name string) (api.OnLoadResult, error) {
	text, err := b.file(namespace, name)
	if err != nil {
		return api.OnLoadResult{}, err
	}
	contents := string(text)
	if strings.Contains(name, "node_modules/") {
		contents = constantBigInt.ReplaceAllString(contents, "Symbol($1)")
	}
	result := api.OnLoadResult{Contents: &contents, Loader: loaderFor(name)}
	if result.Loader != api.LoaderJSON {
		if depth := nesting(text); depth > maxNesting {
			return result, fmt.Errorf("brackets are nested %d deep; the limit is %d", depth, maxNesting)
		}
	}
	return result, nil
}

// constantBigInt finds the big integers that packages such as zod make when they are loaded, for ranges that scripts
// without them never meet. A symbol stands for each: as long in the source, so that columns stay, and like nothing
// else it throws when it is computed with, compared or made a text.
var constantBigInt = regexp.MustCompile(`\bBigInt\(("-?\d+"|'-?\d+'|-?\d+)\)`)

func loaderFor(name string) api.Loader {
	switch path.Ext(name) {
	case ".ts", ".mts", ".cts":
		return api.LoaderTS
	case ".json":
		return api.LoaderJSON
	default:
		return api.LoaderJS
	}
}

// file returns a file's bytes, read once.
func (b *bundler) file(namespace, name string) ([]byte, error) {
	from, key := b.files, name
	if namespace == stdlibNamespace {
		from, key = b.rt.stdlib, "piopiy:"+name
	}
	if text, ok := b.read[key]; ok {
		return text, nil
	}
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return nil, readableError(name, err)
	}
	limit := maxSourceSize
	if strings.Contains(name, "node_modules/") || path.Ext(name) == ".json" {
		limit = maxPackageSize
	}
	if len(text) > limit {
		return nil, fmt.Errorf("%s is %d KiB; the limit is %d KiB", name, len(text)>>10, limit>>10)
	}
	if b.total += len(text); b.total > maxAppSize {
		return nil, fmt.Errorf("the app's files add up to more than %d MiB", maxAppSize>>20)
	}
	b.read[key] = text
	return text, nil
}

// readableError says what a person can do about a file that cannot be read.
func readableError(name string, err error) error {
	if strings.Contains(err.Error(), "escapes") {
		return fmt.Errorf("%s leads out of the scripts folder; an import cannot leave it, not by a link either (a link inside the folder must be relative)", name)
	}
	return err
}

func (b *bundler) inputs() []input {
	names := make([]string, 0, len(b.read))
	for name := range b.read {
		names = append(names, name)
	}
	slices.Sort(names)
	list := make([]input, len(names))
	for i, name := range names {
		list[i] = input{Path: name, Hash: hashText(b.read[name]), Text: string(b.read[name])}
	}
	return list
}

// nesting returns how deep brackets are nested, counting roughly: brackets in strings count too, closing ones
// never go below zero.
func nesting(text []byte) int {
	depth, deepest := 0, 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			if depth++; depth > deepest {
				deepest = depth
			}
		case ')', ']', '}':
			if depth > 0 {
				depth--
			}
		}
	}
	return deepest
}

func messagesError(messages []api.Message) error {
	if len(messages) == 0 {
		return nil
	}
	first := messageFault(messages[0])
	if len(messages) > 1 {
		first.Message += fmt.Sprintf(" (and %d more)", len(messages)-1)
	}
	return first
}

func messageFault(m api.Message) *Fault {
	f := &Fault{Kind: FaultException, Name: "SyntaxError", Message: strings.ReplaceAll(m.Text, `"scripts:`, `"`)}
	if strings.HasPrefix(m.Text, "Could not resolve") || m.PluginName != "" {
		f.Name = "ImportError"
	}
	switch {
	case strings.HasPrefix(m.Text, "Top-level await"):
		f.Message = "top-level await is not available: export an async function and await inside it"
	case strings.HasPrefix(m.Text, "Big integer"):
		f.Message = "BigInt is not available in call scripts: keep long ids as strings"
	}
	if l := m.Location; l != nil {
		f.Position = Position{File: cleanName(strings.TrimPrefix(l.File, "scripts:")), Line: l.Line, Column: l.Column + 1, Source: truncate(l.LineText, 200)}
	}
	for _, note := range m.Notes {
		if note.Text != "" {
			f.Message += "; " + note.Text
		}
	}
	return f
}
