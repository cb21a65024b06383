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

// verbMistakes are wrong uses of verbs, and at the end right ones that look odd.
const verbMistakes = `import { calls } from 'piopiy/calls'
export async function answer(call: Call) {
  // @ts-expect-error: a misspelt verb
  await call.sya('hello')
  // @ts-expect-error: a text is needed
  await call.say()
  // @ts-expect-error: the option is called maxDigits
  await call.gather({ say: 'Press 1', maxDigit: 1 })
  // @ts-expect-error: say or play, not both
  await call.gather({ say: 'Press 1', play: 'menu.wav' })
  // @ts-expect-error: one key ends it
  await call.gather({ say: 'Your number', finishOnKey: '##' })
  // @ts-expect-error: a validator says yes or no
  await call.gather({ validate: digits => digits.length })
  // @ts-expect-error: not a time
  await call.pause('5 seconds')
  // @ts-expect-error: nobody knows when that is
  await call.dial('14155550101', { timeout: 'soon' })
  // @ts-expect-error: there are sequential and group
  await call.dial(['14155550101'], { strategy: 'random' })
  // @ts-expect-error: a list of lists is as deep as it gets
  await call.dial([['14155550101', ['14155550102']]])
  const leg = await call.dial('14155550101')
  // @ts-expect-error: it is called answered
  if (leg.status === 'connected') return
  // @ts-expect-error: results are not written to
  leg.duration = 0
  // @ts-expect-error: gather was not awaited
  call.gather().digits
  // @ts-expect-error: there are caller, callee and both
  await call.mute({ party: 'me' })
  // @ts-expect-error: sound is sent at 8000 or 16000 Hz
  await call.stream(call.streamUrl, { sampleRate: 44100 })
  // @ts-expect-error: the script's own stream has 8000 or 16000 Hz too
  await call.stream({ sampleRate: 24000 })
  // @ts-expect-error: a stream to a server is not the script's
  for await (const frame of await call.stream('wss://example.com')) frame.fill(0)
  for await (const frame of await call.stream({ listen: 'both' })) frame.fill(0)
  // @ts-expect-error: no such event
  call.on('answer', () => {})
  // @ts-expect-error: a warm transfer is to somebody, not to a document
  await call.transfer([{ action: 'hangup' }], { warm: true })
  // @ts-expect-error: may be undefined
  calls.get('id').say('hello')
  // @ts-expect-error: only the script's own call has events
  calls.get('id')?.on('hangup', () => {})
  // @ts-expect-error: what is listed has no verbs
  calls.list()[0].hangup()
  // @ts-expect-error: whom?
  await calls.make({ from: call.to })

  await call.hangup('A_CAUSE_OF_MY_OWN')
  await call.dial('+1 415 555 0101', { timeout: '1h30m', accept: '1', whisper: { play: 'whisper.wav' } })
  await call.dial(['14155550101', ['sip:a@pbx.example', 'agent']])
  await call.play(['one.wav', 'two.wav'], { loop: 2 })
  for await (const e of call.events()) if (e.status === 'hangup') console.log(e.leg)
  try { await call.transfer('14155550101', { warm: true }) } catch (e) { if ((e as TransferError).reason === 'busy') return }
}
`

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
	put("verb_mistakes.ts", verbMistakes)
	for prefix, files := range map[string]fs.FS{"templates": scripts.Files(), "stdlib": stdlib.Files()} {
		err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
			extension := filepath.Ext(name)
			if err != nil || extension != ".ts" && extension != ".js" {
				return err
			}
			text, err := fs.ReadFile(files, name)
			if extension == ".js" {
				name = "js/" + name
			}
			put(prefix+"/"+name, string(text))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, page := range pages(t) {
		for i, b := range read(t, page) {
			switch name := fmt.Sprintf("%s-%d.", strings.ReplaceAll(strings.Trim(page, "./"), "/", "-"), i); {
			case b.Language == "ts":
				put("docs/"+name+"ts", "// "+b.Place+"\n"+b.Text)
			case b.Language == "js" && len(b.Notes) == 0: // what is noted runs elsewhere
				put("docs/js/"+name+"js", "// "+b.Place+"\n"+b.Text)
			}
		}
	}
	put("javascript/tsconfig.json", javascript)
	for _, project := range []string{dir, filepath.Join(dir, "javascript")} {
		if out, err := exec.Command(tsc, "--project", project).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", project, err, out)
		}
	}
}

// javascript checks scripts without types of their own as an editor would.
const javascript = `{
  "extends": "../tsconfig.json",
  "compilerOptions": { "checkJs": true, "noImplicitAny": false },
  "include": ["../**/js", "../piopiy.d.ts"]
}`

// compiler returns a tsc, installed once into the user's cache with npm. Without npm the test is skipped, and without a
// network too, but not where CI is set: what is installed there is to be used.
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
		skip := t.Skipf
		if os.Getenv("CI") != "" {
			skip = t.Fatalf
		}
		skip("types are not checked: %s cannot be installed: %v\n%s", typescript, err, out)
	}
	return tsc
}
