package runtime

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// extensions are tried in this order after a path without one.
var extensions = []string{".ts", ".mts", ".cts", ".js", ".mjs", ".cjs", ".json"}

// resolve finds what a specifier means, in the order: modules written in Go, the standard library, a file below
// the scripts root, a package in a node_modules folder below the scripts root.
func (b *bundler) resolve(a api.OnResolveArgs) (api.OnResolveResult, error) {
	specifier := strings.TrimPrefix(a.Path, "node:")
	for _, name := range []string{a.Path, specifier} {
		if _, ok := b.rt.imports[name]; !ok {
			continue
		}
		if a.Kind == api.ResolveJSImportStatement || a.Kind == api.ResolveJSDynamicImport {
			return api.OnResolveResult{Path: name, Namespace: nativeNamespace}, nil
		}
		return api.OnResolveResult{Path: name, External: true}, nil
	}
	importer := a.Importer
	if a.Namespace == stdlibNamespace && isRelative(a.Path) {
		if name, ok := b.probeFile(b.rt.stdlib, path.Join(path.Dir(importer), a.Path)); ok {
			return api.OnResolveResult{Path: name, Namespace: stdlibNamespace}, nil
		}
		return api.OnResolveResult{}, fmt.Errorf("the standard library has no %q", a.Path)
	}
	switch {
	case isRelative(a.Path):
		name := path.Join(path.Dir(importer), a.Path)
		if name == ".." || strings.HasPrefix(name, "../") {
			return api.OnResolveResult{}, fmt.Errorf("%q leads out of the scripts folder; an import cannot leave it", a.Path)
		}
		if found, ok := b.probeFile(b.files, name); ok {
			return api.OnResolveResult{Path: found, Namespace: "scripts"}, nil
		}
		return api.OnResolveResult{}, fmt.Errorf("no file %q beside %s (tried %s, and index files)", a.Path, importer, strings.Join(extensions, " "))
	case strings.HasPrefix(a.Path, "/"), strings.Contains(a.Path, `\`), strings.Contains(a.Path, "://"):
		return api.OnResolveResult{}, fmt.Errorf("%q is not a path inside the scripts folder: begin with ./ or ../, or name a package", a.Path)
	}
	if b.rt.stdlib != nil {
		if found, ok := b.probeFile(b.rt.stdlib, specifier); ok {
			return api.OnResolveResult{Path: found, Namespace: stdlibNamespace}, nil
		}
	}
	if found, ok, err := b.resolvePackage(path.Dir(importer), a.Path, a.Kind); ok || err != nil {
		return api.OnResolveResult{Path: found, Namespace: "scripts"}, err
	}
	return api.OnResolveResult{}, b.unknownModule(a.Path)
}

func isRelative(p string) bool {
	return p == "." || p == ".." || strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../")
}

// unknownModule says what to do about a bare specifier that nothing serves.
func (b *bundler) unknownModule(specifier string) error {
	known := make([]string, 0, len(b.rt.imports))
	for name := range b.rt.imports {
		known = append(known, name)
	}
	slices.Sort(known)
	if strings.HasPrefix(specifier, "piopiy") {
		return fmt.Errorf("there is no module %q; built in are %s", specifier, strings.Join(known, ", "))
	}
	if strings.HasPrefix(specifier, "node:") || slices.Contains(nodeModules, specifier) {
		return fmt.Errorf("%q is a Node module; call scripts use the web's APIs instead (fetch, URL, crypto, TextEncoder) and the piopiy modules", specifier)
	}
	return fmt.Errorf("there is no package %q: install it below the scripts folder (npm install %s there), or begin the path of a file with ./", specifier, specifier)
}

var nodeModules = []string{"assert", "buffer", "child_process", "crypto", "dns", "events", "fs", "http", "https", "net", "os", "path", "process", "stream", "tls", "url", "util", "vm", "worker_threads", "zlib"}

// probeFile finds a file for a path that may lack its extension or name a folder.
func (b *bundler) probeFile(files fs.FS, name string) (string, bool) {
	name = path.Clean(name)
	if b.isFile(files, name) {
		return name, true
	}
	for _, ext := range extensions {
		if b.isFile(files, name+ext) {
			return name + ext, true
		}
	}
	// TypeScript writes the output's name: ./a.js may be ./a.ts on disk.
	if base, ok := strings.CutSuffix(name, ".js"); ok && b.isFile(files, base+".ts") {
		return base + ".ts", true
	}
	for _, ext := range extensions {
		if b.isFile(files, path.Join(name, "index"+ext)) {
			return path.Join(name, "index"+ext), true
		}
	}
	return "", false
}

func (b *bundler) isFile(files fs.FS, name string) bool {
	info, err := fs.Stat(files, name)
	if err == nil && info.Mode().IsRegular() {
		return true
	}
	// A link that leaves the root: let the read report it by name.
	if err != nil && strings.Contains(err.Error(), "escapes") {
		return true
	}
	return false
}

// resolvePackage finds a bare specifier in the node_modules folders from dir up to the scripts root.
func (b *bundler) resolvePackage(dir, specifier string, kind api.ResolveKind) (string, bool, error) {
	name, sub := splitPackage(specifier)
	for {
		root := path.Join(dir, "node_modules", name)
		if info, err := fs.Stat(b.files, root); err == nil && info.IsDir() {
			found, err := b.packageFile(root, sub, kind)
			return found, err == nil, err
		} else if err != nil && strings.Contains(err.Error(), "escapes") {
			return "", false, readableError(root, err)
		}
		if dir == "." || dir == "/" || dir == "" {
			return "", false, nil
		}
		dir = path.Dir(dir)
	}
}

func splitPackage(specifier string) (name, sub string) {
	parts := strings.SplitN(specifier, "/", 3)
	if strings.HasPrefix(specifier, "@") && len(parts) > 1 {
		return parts[0] + "/" + parts[1], strings.Join(parts[2:], "/")
	}
	return parts[0], strings.Join(parts[1:], "/")
}

// packageFile finds a package's file by its package.json: exports first, then module, main, index.
func (b *bundler) packageFile(root, sub string, kind api.ResolveKind) (string, error) {
	var manifest struct {
		Exports json.RawMessage `json:"exports"`
		Module  string          `json:"module"`
		Main    string          `json:"main"`
	}
	if text, err := b.file("scripts", path.Join(root, "package.json")); err == nil {
		if err := json.Unmarshal(text, &manifest); err != nil {
			return "", fmt.Errorf("%s/package.json: %w", root, err)
		}
	}
	if len(manifest.Exports) > 0 && string(manifest.Exports) != "null" {
		target, ok := exportTarget(manifest.Exports, "./"+sub, conditionsFor(kind))
		if !ok {
			return "", fmt.Errorf("package %s does not export %q", root, path.Join(".", sub))
		}
		name := path.Join(root, target)
		if !strings.HasPrefix(name, root+"/") {
			return "", fmt.Errorf("package %s exports a file outside itself: %q", root, target)
		}
		if b.isFile(b.files, name) {
			return name, nil
		}
		return "", fmt.Errorf("package %s exports %q, which is not there", root, target)
	}
	candidates := []string{sub}
	if sub == "" {
		candidates = []string{manifest.Module, manifest.Main, "index"}
		if kind == api.ResolveJSRequireCall {
			candidates = []string{manifest.Main, manifest.Module, "index"}
		}
	}
	for _, c := range candidates {
		if c == "" {
			continue
		}
		if found, ok := b.probeFile(b.files, path.Join(root, c)); ok && strings.HasPrefix(found, root+"/") {
			return found, nil
		}
	}
	return "", fmt.Errorf("package %s has no entry file", root)
}

// conditionsFor includes what packages name their builds for the web: scripts have its APIs and none of Node's.
func conditionsFor(kind api.ResolveKind) []string {
	if kind == api.ResolveJSRequireCall {
		return []string{"piopiy", "worker", "browser", "require", "default"}
	}
	return []string{"piopiy", "worker", "browser", "module", "import", "default"}
}

// exportTarget looks a subpath ("./", "./x") up in package.json's exports, by Node's rules: conditions in the
// order written, one * pattern, null excludes.
func exportTarget(exports json.RawMessage, sub string, conditions []string) (string, bool) {
	if sub == "./" {
		sub = "."
	}
	keys, values, isObject := orderedObject(exports)
	isMap := isObject && len(keys) > 0 && strings.HasPrefix(keys[0], ".")
	if !isMap {
		if sub != "." {
			return "", false
		}
		return conditionTarget(exports, conditions, "")
	}
	for i, key := range keys {
		if key == sub {
			return conditionTarget(values[i], conditions, "")
		}
	}
	best, star, value := "", "", json.RawMessage(nil)
	for i, key := range keys {
		before, after, ok := strings.Cut(key, "*")
		if ok && strings.HasPrefix(sub, before) && strings.HasSuffix(sub, after) && len(sub) >= len(before)+len(after) && len(before) >= len(best) {
			best, star, value = before, sub[len(before):len(sub)-len(after)], values[i]
		}
	}
	if value == nil || strings.Contains(star, "..") {
		return "", false
	}
	return conditionTarget(value, conditions, star)
}

func conditionTarget(value json.RawMessage, conditions []string, star string) (string, bool) {
	var text string
	if json.Unmarshal(value, &text) == nil && text != "" {
		return strings.ReplaceAll(text, "*", star), true
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) == nil {
		for _, item := range list {
			if target, ok := conditionTarget(item, conditions, star); ok {
				return target, true
			}
		}
		return "", false
	}
	keys, values, _ := orderedObject(value)
	for i, key := range keys {
		if slices.Contains(conditions, key) {
			if target, ok := conditionTarget(values[i], conditions, star); ok {
				return target, true
			}
		}
	}
	return "", false
}

// orderedObject splits a JSON object into keys and values in their written order.
func orderedObject(text json.RawMessage) (keys []string, values []json.RawMessage, ok bool) {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, false
	}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, nil, false
		}
		var v json.RawMessage
		if err := dec.Decode(&v); err != nil {
			return nil, nil, false
		}
		keys, values = append(keys, t.(string)), append(values, v)
	}
	return keys, values, true
}
