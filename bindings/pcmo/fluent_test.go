package pcmo_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/pcmo"
	doc "github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// hooks is a Continuations that numbers what it is given.
type hooks struct{ labels []string }

func (h *hooks) Register(_ goja.Callable, label string) string {
	h.labels = append(h.labels, label)
	return "https://hooks.example/" + string(rune('0'+len(h.labels)))
}

// decode runs a script's answer and decodes what it returned.
func decode(t testing.TB, kit *runtimetest.Kit, script string, c pcmo.Continuations) (pcmo.Result, error) {
	t.Helper()
	s := kit.Session(map[string]string{"main.js": script})
	defer s.Close("decoded")
	var result pcmo.Result
	err := s.Call(t.Context(), "answer", nil, func(_ *goja.Runtime, v goja.Value) (err error) {
		result, err = pcmo.Decode(s, v, c)
		return err
	})
	return result, err
}

const imports = `const { pcmo, pipeline, PiopiyAction, PipelineBuilder, StreamAction } = require('piopiy');
`

func TestChain(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	for _, test := range []struct{ script, want string }{
		{`pcmo()`, `[]`},
		{`pcmo().play('welcome.wav')`, `[{"action":"play","file_name":"welcome.wav"}]`},
		{`pcmo().play('https://h.example/a.wav?x=1')`, `[{"action":"play","file_url":"https://h.example/a.wav?x=1"}]`},
		{`pcmo().speak('Hi <b>&</b> é').speak('')`, `[{"action":"speak","text":"Hi <b>&</b> é"},{"action":"speak","text":""}]`},
		{`pcmo().param('x=1').param({b: 1, a: [true]})`, `[{"action":"param","text":"x=1"},{"action":"param","text":"{\"b\":1,\"a\":[true]}"}]`},
		{`pcmo().record().hangup()`, `[{"action":"record"},{"action":"hangup"}]`},
		{`pcmo().hangup('USER_BUSY')`, `[{"action":"hangup","cause":"USER_BUSY"}]`},
		{`pcmo().bridge('+14155550101')`, `[{"action":"bridge","connect":[{"type":"pstn","number":14155550101}]}]`},
		{`pcmo().bridge([14155550101, '14155550102'], { from: '+14155550100', timeout: '20s', duration: '1h', tries: 2, strategy: 'group' })`,
			`[{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101},{"type":"pstn","number":14155550102}],"duration":3600,"timeout":20,"loop":2,"ring_type":"group"}]`},
		{`pcmo().connect(['alice', 1001], { record: true, media: 'video', timeout: 20000 })`,
			`[{"action":"connect","connect":[{"type":"sip","user":"alice"},{"type":"sip","user":"1001"}],"timeout":20,"record":true,"call_type":"video"}]`},
		{`pcmo().input('https://h.example/d', { maxDigits: 4, timeout: '7s' })`, `[{"action":"input","action_url":"https://h.example/d","max_digit":4,"timeout":7}]`},
		{`pcmo().playGetInput('menu.wav', 'https://h.example/d', { retries: 0 })`, `[{"action":"play_get_input","file_name":"menu.wav","action_url":"https://h.example/d","max_retry":0}]`},
		{`pcmo().stream('wss://h.example/s', { events: true })`, `[{"action":"stream","ws_url":"wss://h.example/s","events":true}]`},
		{`pcmo().stream('wss://h.example/s?t=1', { listen: 'both', rate: 16000, onAnswer: false })`, `[{"action":"stream","ws_url":"wss://h.example/s?t=1","listen_mode":"both","voice_quality":"16000","stream_on_answer":false}]`},
		{`pcmo().input(menu).playGetInput('m.wav', menu).hangup()`, `[{"action":"input","action_url":"https://hooks.example/1"},{"action":"play_get_input","file_name":"m.wav","action_url":"https://hooks.example/2"},{"action":"hangup"}]`},
		{`JSON.parse(JSON.stringify(pcmo().speak('x').record()))`, `[{"action":"speak","text":"x"},{"action":"record"}]`},
		{`pcmo().input(menu).toJSON()`, `[{"action":"input","action_url":"https://hooks.example/1"}]`},
		{`[...pcmo().speak('a').PCMO(), ...pcmo().input(menu).PCMO()]`, `[{"action":"speak","text":"a"},{"action":"input","action_url":"https://hooks.example/1"}]`},
		{`(() => { const c = pcmo(); try { c.input(menu, { maxDigits: 0 }) } catch {} return c.record().input('https://h.example/d') })()`, `[{"action":"record"},{"action":"input","action_url":"https://h.example/d"}]`},
		{`Promise.resolve(pcmo().hangup())`, `[{"action":"hangup"}]`},
		{`pipeline().play('a.wav').hangup()`, `[{"action":"play","file_name":"a.wav"},{"action":"hangup"}]`},
		{`pipeline().param({ n: 1, s: 'x', b: true, f: 1.5 }).record({ format: 'wav' })`, `[{"action":"param","data":{"n":1,"s":"x","b":true,"f":1.5}},{"action":"record","format":"wav"}]`},
		{`pipeline().connect(['+14155550101', 'sip:a@h.example', { agent: '00000000-0000-4000-8000-000000000001', headers: { 'X-A': 'b' } }], { from: 14155550100, strategy: 'group', timeout: '20s', duration: '10m', record: { format: 'mp3' }, machineDetection: true, music: 'm.wav', metadata: { a: 1 } })`,
			`[{"action":"connect","params":{"caller_id":"14155550100","strategy":"simultaneous","options":{"max_duration_sec":600,"ring_timeout_sec":20,"machine_detection":true,"recording":{"enabled":true,"format":"mp3"},"waiting_music":"m.wav"},"metadata":{"a":1}},"endpoints":[{"type":"pstn","number":"14155550101"},{"type":"sip","uri":"sip:a@h.example"},{"type":"agent","id":"00000000-0000-4000-8000-000000000001","headers":{"X-A":"b"}}]}]`},
		{`pipeline().playGetInput({ say: 'Press 1', language: 'en-US', voice: 'v' }, menu, { collect: ['dtmf', 'speech'], maxDigits: 1, finishOnKey: '#', timeout: '5s', digitTimeout: '2s', retries: 1, noInput: 'n.wav' })`,
			`[{"action":"play_get_input","prompt":{"type":"say","say":"Press 1","language":"en-US","voice_id":"v","speed":1},"input":["dtmf","speech"],"on_result":{"type":"url","url":"https://hooks.example/1"},"dtmf":{"max_digits":1,"finish_on_key":"#","first_digit_timeout":5,"inter_digit_timeout":2},"retries":{"max":1,"no_input_prompt":{"type":"file","file_name":"n.wav"}}}]`},
		{`pipeline().input({ pcmo: 'next' }).input('https://h.example/r').input(menu).toJSON()`,
			`[{"action":"input","on_result":{"type":"pcmo","ref":"next"}},{"action":"input","on_result":{"type":"url","url":"https://h.example/r"}},{"action":"input","on_result":{"type":"url","url":"https://hooks.example/1"}}]`},
	} {
		result, err := decode(t, kit, imports+"function menu() {}\nexports.answer = () => "+test.script, &hooks{})
		if err != nil {
			t.Errorf("%s: %v", test.script, err)
			continue
		}
		if diff := cmp.Diff(test.want, string(result.JSON)); diff != "" {
			t.Errorf("%s (-want +got)\n%s", test.script, diff)
		}
		// What is to be performed and what goes over the wire are the same document.
		same, err := doc.DecodeAny(result.JSON)
		if err != nil || same.Validate() != nil {
			t.Errorf("%s: the JSON does not read back: %v %v", test.script, err, same.Validate())
		}
		if result.Pipeline != nil {
			if diff := cmp.Diff(string(result.Pipeline.AppendJSON(nil)), string(result.JSON)); diff != "" {
				t.Errorf("%s: pipeline and JSON differ\n%s", test.script, diff)
			}
		} else if diff := cmp.Diff(string(same.Document.AppendJSON(nil)), string(result.Document.AppendJSON(nil))); diff != "" {
			t.Errorf("%s: document and JSON differ\n%s", test.script, diff)
		}
	}
}

// A mistake is a TypeError at its own line, in the author's words.
func TestChainRefuses(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	for _, test := range []struct{ script, want string }{
		{`pcmo({})`, "pcmo(): takes no arguments"},
		{`pcmo().play()`, "pcmo().play: the file name or URL must be a string, not undefined"},
		{`pcmo().play('')`, "pcmo().play: file is required"},
		{`pcmo().play('ftp://h/a.wav')`, `pcmo().play: file "ftp://h/a.wav" must be an absolute URL beginning with http:// or https://`},
		{`pcmo().speak(5)`, "pcmo().speak: the text must be a string, not 5"},
		{`pcmo().param(5)`, "pcmo().param: the value must be a text or an object, not 5"},
		{`(() => { const o = {}; o.o = o; pcmo().param(o) })()`, "$.o: leads back to what it is part of"},
		{`pcmo().hangup('busy now')`, `pcmo().hangup: cause "busy now" must be a cause such as NORMAL_CLEARING`},
		{`pcmo().bridge('sip:a@h')`, `pcmo().bridge: to "sip:a@h" is a SIP address; use connect()`},
		{`pcmo().bridge([])`, "pcmo().bridge: to must list at least one target"},
		{`pcmo().bridge([1415, 'x'])`, `pcmo().bridge: to[1].number "x" must be a phone number`},
		{`pcmo().bridge({})`, "pcmo().bridge: to must be a number or a list of them, not an object"},
		{`pcmo().bridge(1.5)`, "pcmo().bridge: to must be a phone number, not 1.5"},
		{`pcmo().bridge(14155550101, { timeout: 20 })`, `pcmo().bridge: option "timeout" must be whole seconds, at least one, such as "20s" or "1h" (a bare number means milliseconds); not 20`},
		{`pcmo().bridge(14155550101, { timeout: '20' })`, `option "timeout" must be a time`},
		{`pcmo().bridge(14155550101, { tries: 0 })`, "pcmo().bridge: tries 0 must be a whole number from 1 to 1000"},
		{`pcmo().bridge(14155550101, { strategy: 'all' })`, `pcmo().bridge: strategy "all" must be single or group`},
		{`pcmo().bridge(14155550101, { ring_type: 'group' })`, `pcmo().bridge: unknown option "ring_type"; the options are from, timeout, duration, tries, strategy`},
		{`pcmo().connect('a b')`, `pcmo().connect: to[0].user "a b" must be a SIP user without spaces`},
		{`pcmo().input()`, "pcmo().input: the target must be a function or a URL, not undefined"},
		{`pcmo().input('menu')`, `pcmo().input: target "menu" must be an absolute URL`},
		{`pcmo().input(() => 1, { maxDigits: 1.5 })`, `pcmo().input: option "maxDigits" must be a whole number, not 1.5`},
		{`pcmo().input(() => 1, { max_digit: 1 })`, `unknown option "max_digit"; the options are maxDigits, timeout`},
		{`pcmo().playGetInput('m.wav', () => 1, { retries: -1 })`, "pcmo().playGetInput: retries -1 must be a whole number from 0"},
		{`pcmo().stream('https://h')`, `pcmo().stream: url "https://h" must be an absolute URL beginning with ws:// or wss://`},
		{`pcmo().stream('wss://h', { rate: 12000 })`, "pcmo().stream: rate 12000 must be 8000 or 16000"},
		{`pcmo().stream('wss://h', { listen: 'all' })`, `pcmo().stream: listen "all" must be caller, callee or both`},
		{`(0, pcmo().play)('a.wav')`, "pcmo().play: must be called on what pcmo() returned"},
		{`pcmo().play.call(pipeline(), 'a.wav')`, "pcmo().play: must be called on what pcmo() returned"},
		{`(() => { 'use strict'; pcmo().x = 1 })()`, "dynamic object"},
		{`const long = []; long.length = 4000000000; pcmo().play(long)`, "must be a string, not an array"},
		{`const long = []; long.length = 4000000000; pcmo().bridge([long])`, "to[0] must be a phone number, not an array"},
		{`pipeline().connect('14155550101')`, `pipeline().connect: option "from" is required`},
		{`pipeline().connect({ number: 1, sip: 'x' }, { from: 14155550100 })`, "to must say exactly one of number, sip and agent"},
		{`pipeline().connect({ agent: 'x' }, { from: 14155550100 })`, `pipeline().connect: to[0].id "x" must be a UUID`},
		{`pipeline().connect('14155550101', { from: 14155550100, timeout: '2s' })`, "ring_timeout_sec 2 must be a whole number from 5 to 120"},
		{`pipeline().param({ a: {} })`, "the data.a must be a string, a number or true or false, not an object"},
		{`pipeline().playGetInput({ text: 'x' }, () => 1)`, `unknown option "text"; the options are say, language, voice, speed`},
		{`pipeline().input(5)`, "the target must be a function, a URL or { pcmo: name }, not 5"},
	} {
		f := kit.Fault(imports + "\n" + test.script)
		if f.Kind != runtime.FaultException || f.Name != "TypeError" || !strings.Contains(f.Message, test.want) {
			t.Errorf("%s\n got %s %s\nwant %s", test.script, f.Name, f.Message, test.want)
		}
		if f.Position.Line != 4 {
			t.Errorf("%s: reported at %s", test.script, f.Position)
		}
	}
}

func TestDecode(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	for _, test := range []struct {
		script, want string
		labels       []string
	}{
		{`undefined`, ``, nil},
		{`null`, ``, nil},
		{`[]`, `[]`, nil},
		{`[{ text: 'x', action: 'speak', extra: [1, null, undefined, NaN, -0, 1e21] }]`, `[{"text":"x","action":"speak","extra":[1,null,null,null,0,1e+21]}]`, nil},
		{`[{ action: 'input', action_url: menu }]`, `[{"action":"input","action_url":"https://hooks.example/1"}]`, []string{"menu"}},
		{`[{ action: 'input', action_url: (() => () => 1)() }]`, `[{"action":"input","action_url":"https://hooks.example/1"}]`, []string{"the function at $[0].action_url"}},
		{`[{ action: 'play', file_name: 'a\ud800"b' }]`, `[{"action":"play","file_name":"a\ud800\"b"}]`, nil},
		{`(() => { const a = new PiopiyAction(); a.playGetInput(menu, 'm.wav', { max_digit: 1 }); return a.PCMO() })()`,
			`[{"action":"play_get_input","file_name":"m.wav","action_url":"https://hooks.example/1","max_digit":1,"max_retry":1,"timeout":5}]`, []string{"menu"}},
		{`(() => { const a = new PiopiyAction(); a.hangup(); return a })()`, `[{"action":"hangup"}]`, nil},
		{`new PipelineBuilder().input(menu)`, `[{"action":"input","on_result":{"type":"url","url":"https://hooks.example/1"}}]`, []string{"menu"}},
		{`[{ action: 'input', on_result: { type: 'url', url: menu } }]`, `[{"action":"input","on_result":{"type":"url","url":"https://hooks.example/1"}}]`, []string{"menu"}},
		{`({ PCMO: () => pcmo().hangup() })`, `[{"action":"hangup"}]`, nil},
		{`({ pcmo: [{ action: 'hangup' }] })`, `[{"action":"hangup"}]`, nil},
		{`[{ action: 'play', file_url: { toJSON: k => 'https://h.example/' + k } }]`, `[{"action":"play","file_url":"https://h.example/file_url"}]`, nil},
		{`new Proxy([{ action: 'hangup' }], {})`, `[{"action":"hangup"}]`, nil},
		{`[new String('x')].map(text => ({ action: 'speak', text }))`, `[{"action":"speak","text":"x"}]`, nil},
		{`[{ action: 'record', [Symbol('s')]: 1, s: Symbol('x'), b: new Boolean(false), n: new Number(5) }]`, `[{"action":"record","b":false,"n":5}]`, nil},
	} {
		h := &hooks{}
		result, err := decode(t, kit, imports+"function menu() {}\nexports.answer = () => "+test.script, h)
		if err != nil {
			t.Errorf("%s: %v", test.script, err)
			continue
		}
		if string(result.JSON) != test.want || result.Nothing != (test.want == "") {
			t.Errorf("%s\n got %s\nwant %s", test.script, result.JSON, test.want)
		}
		if diff := cmp.Diff(test.labels, h.labels); diff != "" {
			t.Errorf("%s: labels (-want +got)\n%s", test.script, diff)
		}
	}
	result, err := decode(t, kit, `exports.answer = () => ({ pcmo: [{ action: 'speak', text: 'x', voice: 'y' }] })`, nil)
	if err != nil || len(result.Warnings) != 2 {
		t.Errorf("warnings %q, error %v", result.Warnings, err)
	}
	if _, ok := result.Document[0].(*doc.Speak); !ok {
		t.Errorf("document %v", result.Document)
	}
}

func TestDecodeRefuses(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	for _, test := range []struct{ script, want string }{
		{`'[]'`, "$: is a string; return the array of actions itself"},
		{`5`, "$: is 5; return an array of actions"},
		{`true`, "$: is true"},
		{`({})`, "$: is an object; return an array of actions"},
		{`() => []`, "$: is a function"},
		{`new StreamAction()`, "a StreamAction is for the media socket"},
		{`({ PCMO: () => 5 })`, "$: PCMO() gave 5"},
		{`[{ action: 'speak' }, { action: 'play', file_url: 'menu' }]`, `$[1].file_url: "menu": must be an absolute URL`},
		{`[{ action: 'sing' }, { action: 'dance' }]`, `$[0].action: "sing": is not an action of the classic dialect, which knows bridge, connect`},
		{`[{ action: 'speak', text: menu }]`, "$[0].text: is a function; a function may stand only at action_url or on_result"},
		{`[{ action: 'speak', text: 'x', list: [menu] }]`, "$[0].list[0]: is a function"},
		{`(() => { const a = []; a.push(a); return a })()`, "$[0]: leads back to what it is part of"},
		{`(() => { let a = 'x'; for (let i = 0; i < 30; i++) a = [a, a]; return a })()`, "has more than 20000 values"},
		{`(() => { let a = []; for (let i = 0; i < 100; i++) a = [a]; return a })()`, "is nested more than 64 deep"},
		{`[{ action: 'speak', text: 'x'.repeat(300000) }]`, "$[0].text: is a text of 300000 characters; the whole may have 256 KiB"},
		{`Array.from({ length: 19 }, () => ({ action: 'speak', text: 'x'.repeat(20000) }))`, "is longer than 256 KiB"},
		{`(() => { const a = []; a.length = 4000000000; return a })()`, "has more than 20000 values"},
		{`pipeline()`, "$: is a pipeline without actions"},
	} {
		_, err := decode(t, kit, imports+"function menu() {}\nexports.answer = () => "+test.script, &hooks{})
		var f *runtime.Fault
		if !errors.As(err, &f) || f.Kind != runtime.FaultResult || !strings.Contains(f.Message, test.want) {
			t.Errorf("%s\n got %v\nwant %s", test.script, err, test.want)
		}
	}
	for _, script := range []string{`[{ action: 'input', action_url: menu }]`, `pcmo().input(menu)`, `pipeline().input(menu)`} {
		_, err := decode(t, kit, imports+"function menu() {}\nexports.answer = () => "+script, nil)
		if err == nil || !strings.Contains(err.Error(), "nothing can bring digits back") {
			t.Errorf("%s without continuations: %v", script, err)
		}
	}
}

// What the returned value's own code throws is told with the author's line.
func TestDecodeScriptThrows(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	for _, script := range []string{
		`[{ action: 'speak', get text() { throw new RangeError('boom') } }]`,
		`[{ action: 'speak', text: { toJSON() { throw new RangeError('boom') } } }]`,
		`({ PCMO() { throw new RangeError('boom') } })`,
		`new Proxy([], { get() { throw new RangeError('boom') } })`,
		`({ get PCMO() { throw new RangeError('boom') } })`,
	} {
		_, err := decode(t, kit, "exports.answer = () =>\n  "+script, nil)
		var f *runtime.Fault
		if !errors.As(err, &f) || f.Kind != runtime.FaultException || f.Name != "RangeError" || f.Message != "boom" || f.Position.Line != 2 {
			t.Errorf("%s: %v", script, err)
		}
	}
}

// A chain can be returned twice: its functions get a URL each time, and it is not changed by it.
func TestChainAgain(t *testing.T) {
	kit := runtimetest.New(t, pcmo.New(pcmo.Options{}))
	s := kit.Session(map[string]string{"main.js": imports + "const menu = pcmo().input(() => {});\nexports.answer = () => menu"})
	h := &hooks{}
	var got []string
	for range 2 {
		err := s.Call(t.Context(), "answer", nil, func(_ *goja.Runtime, v goja.Value) error {
			r, err := pcmo.Decode(s, v, h)
			got = append(got, string(r.JSON))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if got[0] == got[1] || !strings.Contains(got[1], "hooks.example/2") {
		t.Error(got)
	}
}
