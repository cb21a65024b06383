package stdlib_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings"
	bindcall "github.com/piopiy/piopiyd/bindings/call"
	"github.com/piopiy/piopiyd/bindings/stream"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/stdlib/dts"
)

// walk is a script that shows what there really is: each thing by the name that piopiy.d.ts gives it.
const walk = `
import * as sdk from 'piopiy'
import * as pcmoModule from 'piopiy/pcmo'
import * as kvModule from 'piopiy/kv'
import * as envModule from 'piopiy/env'
import * as cryptoModule from 'piopiy/crypto'
import * as hoursModule from 'piopiy/hours'
import * as accountModule from 'piopiy/account'
import * as audioModule from 'piopiy/audio'
import { calls } from 'piopiy/calls'
const { Piopiy, pcmo, pipeline } = sdk

const label = key => typeof key !== 'symbol' ? key : key.description.startsWith('Symbol.') ? key.description : ''
const own = o => Reflect.ownKeys(o).map(label).filter(k => k !== 'constructor')
function all(o) {
  const names = []
  for (; o && o !== Object.prototype; o = Object.getPrototypeOf(o)) names.push(...own(o))
  return names
}
function has(o, names) { return names.filter(n => n === 'Symbol.iterator' || n in o) }
function showClass(name, C) {
  report('class ' + name, own(C.prototype))
  report('static ' + name, own(C).filter(k => k !== 'length' && k !== 'name' && k !== 'prototype'))
}
function show(name, o) { report('interface ' + name, all(o)) }

const isVerb = o => name => typeof o[name] === 'function'
async function failing(verb) { try { await verb() } catch (e) { report('interface ' + e.name, own(e).filter(k => k !== 'message' && k !== 'stack').concat('name')) } }

export async function answer(call) {
  if (call.driver === 'cloud') return failing(() => call.mute())
  report('globals', globals.filter(n => n in globalThis).concat([typeof require, typeof module, typeof exports].includes('undefined') ? [] : ['require', 'module', 'exports']))
  for (const [name, m] of Object.entries({ 'piopiy': require('piopiy'), 'piopiy/pcmo': require('piopiy/pcmo'), 'piopiy/kv': require('piopiy/kv'),
    'piopiy/env': require('piopiy/env'), 'piopiy/crypto': require('piopiy/crypto'), 'piopiy/calls': require('piopiy/calls'), 'piopiy/audio': require('piopiy/audio') })) report('module ' + name, own(m).filter(k => k !== '__esModule'))
  report('module piopiy/hours', Object.keys(hoursModule))
  report('module piopiy/account', Object.keys(accountModule))
  for (const name of globals) if (typeof globalThis[name] === 'function' && globalThis[name].prototype && /^[A-Z]/.test(name)) showClass(name, globalThis[name])
  for (const name of ['PiopiyAction', 'StreamAction', 'PipelineBuilder']) report('class ' + name, own(sdk[name].prototype).concat(own(new sdk[name]())))
  for (const name of ['Resampler', 'VoiceActivity']) showClass(name, audioModule[name])
  const other = calls.get(call.id), doing = ['on', 'events']
  report('interface Call', all(call).concat(verbs.filter(isVerb(call))))
  report('interface CallVerbs', verbs.filter(isVerb(call)).filter(v => !doing.includes(v)))
  report('interface OtherCall', all(other).concat(verbs.filter(isVerb(other))).filter(v => !doing.includes(v)))
  show('calls', calls); show('CallInfo', calls.list()[0])
  show('MadeCall', await calls.make({ to: '14155550101' }))
  show('GatherResult', await call.gather({ say: 'Press a key' }))
  show('RecordResult', await call.record({ maxLength: '1s' }))
  show('DialResult', await call.dial('14155550101'))
  await failing(() => call.transfer('14155550102', { warm: true }))
  await failing(() => call.ring())
  const socket = await call.stream(); show('Stream', socket); socket.close()
  show('Console', console); show('Crypto', crypto); show('SubtleCrypto', crypto.subtle); show('KV', kv); show('EnvReader', env)
  show('hours', hoursModule.hours)
  const body = new Response('x').body
  show('ReadableStream', body); show('ReadableStreamDefaultReader', body.getReader())
  const classic = new Piopiy(1, 's'), v3 = new Piopiy('t')
  show('ClassicClient', classic); show('ClassicVoice', classic.voice); show('TokenClient', v3)
  show('AiAgent', v3.ai); show('Voice', v3.voice); show('Pcmo', v3.pcmo); show('Flow', v3.flow)
  report('interface PcmoChain', has(pcmo(), members.PcmoChain)); report('interface PipelineChain', has(pipeline(), members.PipelineChain))
  report('interface ErrorConstructor', has(Error, members.ErrorConstructor)); report('interface RegExpConstructor', has(RegExp, members.RegExpConstructor))
  Error.captureStackTrace({}); RegExp.escape('')
  for (const [name, f] of Object.entries(refused)) {
    try { await f(call) } catch (e) {
      const options = /the options are (.*)$/.exec(e.message)
      report('options ' + name, options ? options[1].split(', ') : ['?', e.message])
    }
  }
  return pcmo().bridge(14155550101).input(next).stream(call.streamUrl)
}
function next(input, call) { show('CallInput', input); return pcmo().stream(call.streamUrl) }
export function event(e) { show('CallEvent', e) }
export async function cdr(r, call) {
  show('CDR', r)
  if (r.leg === 'a') await failing(() => call.say('too late'))
}
export function stream(socket) {
  show('Stream', socket)
  try { socket.play('', { nonsense: 1 }) } catch (e) { report('options PlayOptions', /the options are (.*)$/.exec(e.message)[1].split(', ')) }
}
const refused = {
  BridgeOptions: () => pcmo().bridge(14155550101, { nonsense: 1 }),
  ConnectOptions: () => pcmo().connect('a', { nonsense: 1 }),
  InputOptions: () => pcmo().input(next, { nonsense: 1 }),
  PlayInputOptions: () => pcmo().playGetInput('a.wav', next, { nonsense: 1 }),
  StreamOptions: () => pcmo().stream('wss://h', { nonsense: 1 }),
  PipelineConnectOptions: () => pipeline().connect(14155550101, { nonsense: 1 }),
  PipelineDigits: () => pipeline().input(next, { nonsense: 1 }),
  RequestInit: () => new Request('https://h', { nonsense: 1 }),
  VoiceOptions: call => call.say('a', { nonsense: 1 }),
  PlaySoundOptions: call => call.play('a.wav', { nonsense: 1 }),
  AnnounceOptions: call => call.announce('a', { nonsense: 1 }),
  GatherOptions: call => call.gather({ nonsense: 1 }),
  RecordOptions: call => call.record({ nonsense: 1 }),
  DialOptions: call => call.dial('a', { nonsense: 1 }),
  TransferOptions: call => call.transfer('a', { nonsense: 1 }),
  CallBridgeOptions: call => call.bridge('a', { nonsense: 1 }),
  ConferenceOptions: call => call.conference('a', { nonsense: 1 }),
  HoldOptions: call => call.hold({ nonsense: 1 }),
  MuteOptions: call => call.mute({ nonsense: 1 }),
  SendDigitsOptions: call => call.sendDigits('1', { nonsense: 1 }),
  CallStreamOptions: call => call.stream('wss://h', { nonsense: 1 }),
  OwnStreamOptions: call => call.stream({ nonsense: 1 }),
  WebSocketOptions: () => new WebSocket('wss://h', { nonsense: 1 }),
  VoiceActivityOptions: () => new audioModule.VoiceActivity({ nonsense: 1 }),
  MakeCallOptions: () => calls.make({ nonsense: 1 }),
}
`

// refuses are members that are there to say that they are not available.
var refuses = map[string][]string{
	"interface ReadableStream": {"tee", "pipeTo", "pipeThrough"},
	"interface SubtleCrypto":   {"encrypt", "decrypt", "deriveBits", "deriveKey", "wrapKey", "unwrapKey"},
}

// Everything that piopiy.d.ts declares is there, and everything that our modules bring is declared.
func TestDeclarationsAreTrue(t *testing.T) {
	file, err := dts.Parse(stdlib.Declarations)
	if err != nil {
		t.Fatal(err)
	}
	declared := declaredNames(file)
	live, provided := walkLive(t, declared)

	if missing := without(provided, declared["globals"]); len(missing) > 0 {
		t.Errorf("globals that modules provide and piopiy.d.ts does not declare: %v", missing)
	}
	legacy := regexp.MustCompile(`_ERR$`)
	for what, names := range live {
		if strings.HasSuffix(what, " Iterator") {
			continue // the language's own
		}
		names = slices.DeleteFunc(without(names, refuses[what]), func(n string) bool {
			return legacy.MatchString(n) || n == "Symbol.toStringTag" || n == ""
		})
		want, ok := declared[what]
		if !ok && len(names) > 0 {
			t.Errorf("%s is not declared; it has %v", what, names)
		}
		if undeclared := without(names, want); ok && len(undeclared) > 0 && what != "globals" {
			t.Errorf("%s: there at run time and not declared: %v", what, undeclared)
		}
		if absent := without(want, names); len(absent) > 0 {
			t.Errorf("%s: declared and not there at run time: %v", what, absent)
		}
	}
	for what := range declared {
		if _, ok := live[what]; !ok && !shapesOnly[what] {
			t.Errorf("%s is declared, and this test does not look at it", what)
		}
	}
}

// shapesOnly are interfaces of plain objects that scripts make or get; the tests of their modules know them.
var shapesOnly = map[string]bool{
	"interface ListOptions": true, "interface ClassicCallOptions": true, "interface ActionDialOptions": true,
	"interface MakeCallReply": true, "interface PipelineInputOptions": true, "interface ReplacedError": true, "interface StreamError": true, "interface InterruptedError": true,
}

// declaredNames returns the declared names by what they belong to.
func declaredNames(file *dts.File) map[string][]string {
	names := map[string][]string{"globals": nil}
	add := func(what string, list ...string) { names[what] = append(names[what], list...) }
	byName := map[string]dts.Declaration{}
	for _, d := range file.All() {
		byName[d.Name] = d
	}
	for _, d := range file.All() {
		if d.Module == "piopiy/test" {
			continue // apps have it not; testrunner's tests look at it
		}
		exported := strings.HasPrefix(d.Signature, "export ")
		switch {
		case d.Module != "" && exported && d.Kind != "interface" && d.Kind != "type":
			add("module "+d.Module, d.Name)
		case d.Module == "" && d.Kind != "interface" && d.Kind != "type":
			add("globals", d.Name)
		}
		var instance, static []string
		chain := append([]string{}, d.Extends...)
		for _, m := range d.Members {
			switch {
			case m.Name == "new" || m.Name == "constructor":
			case m.Static:
				static = append(static, m.Name)
			default:
				instance = append(instance, m.Name)
			}
		}
		switch d.Kind {
		case "interface":
			for ; len(chain) > 0; chain = chain[1:] {
				for _, m := range byName[chain[0]].Members {
					instance = append(instance, m.Name)
				}
				chain = append(chain, byName[chain[0]].Extends...)
			}
			what := "interface "
			if strings.HasSuffix(d.Name, "Options") && d.Name != "ListOptions" && d.Name != "ClassicCallOptions" && d.Name != "ActionDialOptions" && d.Name != "PipelineInputOptions" || d.Name == "RequestInit" || d.Name == "PipelineDigits" {
				what = "options "
			}
			add(what+d.Name, instance...)
		case "class":
			add("class "+d.Name, instance...)
			if len(static) > 0 {
				add("static "+d.Name, static...)
			}
		case "const":
			if d.Name == "hours" || d.Name == "calls" {
				add("interface "+d.Name, instance...)
			}
		}
	}
	for what, list := range names {
		slices.Sort(list)
		names[what] = slices.Compact(list)
	}
	return names
}

// walkLive runs the script through a simulated call and returns the names it saw, and the globals that modules provide.
func walkLive(t *testing.T, declared map[string][]string) (live map[string][]string, provided []string) {
	t.Helper()
	modules, err := bindings.Standard(bindings.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range modules {
		provided = append(provided, m.Provides().Globals...)
	}
	provided = without(provided, []string{"Intl", "Iterator"}) // the language's own, declared by TypeScript
	seen := &reports{names: map[string][]string{}}
	clock, under, quiet := sim.NewClock(sim.Epoch), &call.Live{}, slog.New(slog.DiscardHandler)
	modules = append(modules, bindcall.NewCalls(bindcall.CallsOptions{Live: under, Originator: exchange{}}), seen)
	rt, err := runtime.New(runtime.Config{
		Callbacks: bindcall.Callbacks, Modules: modules, Stdlib: stdlib.Files(), Clock: clock, Logger: quiet,
		Settings: map[string]runtime.Settings{"test": {Env: map[string]string{}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	members := map[string][]string{}
	for what, names := range declared {
		if name, ok := strings.CutPrefix(what, "interface "); ok {
			members[name] = names
		}
	}
	constants := "const globals = " + literal(t, without(declared["globals"], []string{"require", "module", "exports"})) + ", members = " + literal(t, members) + ", verbs = " + literal(t, bindcall.Verbs()) + "\n"
	source := fstest.MapFS{"test.js": {Data: []byte(constants + walk)}}
	if _, err := rt.Load(t.Context(), "test", runtime.FS(source), "test.js"); err != nil {
		t.Fatal(err)
	}
	handler := bindcall.NewHandler(bindcall.Options{Runtime: rt, Stream: stream.New, Live: under, Logger: quiet})
	if _, err := handler.Answer(t.Context(), &call.Call{ID: "hook", App: "test", Driver: "cloud"}); err != nil {
		t.Error(err)
	}
	transcript := sim.Dial(t, handler).With(sim.Options{Clock: clock, Live: under}).Press("1,-,1").Callee("14155550102=busy").Transcript()
	for _, e := range transcript.Entries {
		if e.Kind == sim.Problem || e.Error != "" {
			t.Logf("%s", transcript)
			break
		}
	}
	seen.mu.Lock()
	defer seen.mu.Unlock()
	return seen.names, provided
}

func literal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func without(list, drop []string) []string {
	var rest []string
	for _, name := range list {
		if !slices.Contains(drop, name) && !slices.Contains(rest, name) {
			rest = append(rest, name)
		}
	}
	return rest
}

// exchange places no calls, but says that it does.
type exchange struct{}

func (exchange) Originate(context.Context, call.Order) (*call.Call, error) {
	return &call.Call{ID: "made", RequestID: "asked"}, nil
}

// reports is a module whose global report(what, names) tells the test.
type reports struct {
	mu    sync.Mutex
	names map[string][]string
}

func (*reports) Name() string               { return "report" }
func (*reports) Provides() runtime.Provides { return runtime.Provides{Globals: []string{"report"}} }
func (r *reports) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return reporter{r, s}, nil
}

type reporter struct {
	to *reports
	s  *runtime.Session
}

func (r reporter) Import(string) goja.Value { return nil }

func (r reporter) Global(string) goja.Value {
	return r.s.VM().ToValue(func(what string, names []string) {
		r.to.mu.Lock()
		defer r.to.mu.Unlock()
		r.to.names[what] = names
	})
}
