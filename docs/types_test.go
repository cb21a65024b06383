package docs_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/stdlib"
)

// typescript is the compiler's version that the declarations are checked with.
const typescript = "typescript@7.0.2"

// mistakes are what the declarations must refuse: tsc reports every one of these comments that no error follows.
const mistakes = `import { pcmo } from 'piopiy/pcmo'
import { Piopiy } from 'piopiy'
export function answer(call: Call) {
  // @ts-expect-error: the option is called strategy here
  pcmo().bridge('14155550101', { ring_type: 'group' })
  // @ts-expect-error: a misspelt field
  call.from.lenght
  // @ts-expect-error: not Node
  process.env.HOME
  // @ts-expect-error: not a browser
  document.title
  // @ts-expect-error: the SDK wants numbers
  new Piopiy(1, 's').voice.call('14155550101', 14155550100, 14155550102)
  // @ts-expect-error: may be undefined
  new URL(env.CRM_URL)
  // @ts-expect-error: a promise must be awaited
  const n: number = kv.increment('x')
  return pcmo().stream(call.streamUrl, { rate: 16000 })
}
// @ts-expect-error: a string is no document
export const wrong: AnswerCallback = () => 'hello'
export const right: AnswerCallback = () => [{ action: 'speak', text: 'hello' }]
`

// All scripts that we show are right in the eyes of TypeScript, with the files that piopiyd init writes.
func TestScriptsTypeCheck(t *testing.T) {
	tsc := compiler(t)
	dir := t.TempDir()
	put := func(name, text string) {
		name = filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("piopiy.d.ts", stdlib.Declarations)
	put("tsconfig.json", stdlib.TSConfig)
	put("mistakes.ts", mistakes)
	for prefix, files := range map[string]fs.FS{"templates": scripts.Files(), "stdlib": stdlib.Files()} {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(name) != ".ts" {
				return err
			}
			text, err := fs.ReadFile(files, name)
			put(prefix+"/"+name, string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range pages(t) {
		for i, b := range read(t, page) {
			if b.Language == "ts" {
				put(fmt.Sprintf("docs/%s-%d.ts", strings.ReplaceAll(strings.Trim(page, "./"), "/", "-"), i), "// "+b.Place+"\n"+b.Text)
			}
		}
	}
	command := exec.Command(tsc, "--project", dir)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// compiler returns a tsc, installed once into the user's cache with npm. Without npm, or without a network, the test is
// skipped.
func compiler(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("types are not checked: the test is not short")
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("types are not checked: there is no npm")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skipf("types are not checked: %v", err)
	}
	dir := filepath.Join(cache, "piopiyd", strings.ReplaceAll(typescript, "@", "-"))
	tsc := filepath.Join(dir, "node_modules", ".bin", "tsc")
	if _, err := os.Stat(tsc); err == nil {
		return tsc
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Skipf("types are not checked: %v", err)
	}
	if out, err := exec.Command(npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", dir, typescript).CombinedOutput(); err != nil {
		t.Skipf("types are not checked: %s cannot be installed: %v\n%s", typescript, err, out)
	}
	return tsc
}
