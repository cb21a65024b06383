package testrunner_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/testrunner"
)

const menu = `
export async function answer(call) {
  const { digits } = await call.gather({ say: 'Sales, press 1. Support, press 2.', maxDigits: 1, timeout: '5s', retries: 2 })
  if (digits === '1') {
    const leg = await call.dial(['14155550101', '14155550102'], { strategy: 'group', timeout: '20s', callerId: call.to })
    if (leg.status === 'answered') return
    await call.say('Nobody is here.')
  }
  await call.say('Thank you.')
}`

func TestSteps(t *testing.T) {
	passes(t, menu, `
  const c = await call('app', { from: '+14155550100' })
  expect(c.from).toBe('14155550100')
  await c.hears('Sales, press 1')
  await c.press('1')
  await c.dials('+14155550101').busy()
  await c.dials(/0102$/).answers({ after: '4s', talk: '30s' })
  await c.talks()
  expect(c.ended).toBeUndefined()
  await c.ends()
  expect(c.ended).toMatch({ by: 'app', cause: 'NORMAL_CLEARING' })
  expect(c.heard).toEqual(['Sales, press 1. Support, press 2.'])`)
}

func TestSilence(t *testing.T) {
	passes(t, menu, `
  const c = await call()
  await c.hears('press 1'); await c.staysSilent()
  await c.hears('press 1'); await c.staysSilent()
  await c.hears('press 1'); await c.staysSilent()
  await c.hears('Thank you')
  await c.hangsUp()
  expect(c.ended).toMatch({ by: 'app' })`)
}

func TestDeadEnds(t *testing.T) {
	for name, test := range map[string]struct{ app, why string }{
		"dead air":      {`export async function answer(call) { await call.say('Hi'); await new Promise(done => setTimeout(done, 30000)); await call.say('Bye') }`, "heard nothing for too long"},
		"dead pause":    {`export async function answer(call) { await call.say('Hi'); await call.pause('12s') }`, "heard nothing for too long"},
		"never ended":   {`export async function answer(call) { await call.conference('room') }`, "nobody hung up; cut off after 2h"},
		"endless menu":  {`export async function answer(call) { for (;;) await call.gather({ say: 'Press 1', timeout: '5s' }) }`, "dead end"},
		"endless words": {`const { pcmo } = require('piopiy/pcmo'); const menu = () => pcmo().speak('Again').input(menu, { maxDigits: 1, timeout: '5s' }); exports.answer = menu`, "goes in a circle"},
		"fault":         {`export async function answer(call) { await call.say('Hi'); call.nonsense() }`, "the script failed: app.ts:1:"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, test.app, `await call()`, test.why) })
	}
	for name, app := range map[string]string{
		"a message is no dead air": `export async function answer(call) { await call.record({ say: 'Speak', maxLength: '2m' }) }`,
		"nor is a document's":      `exports.answer = () => [{ action: 'record' }]`,
		"nor is a conversation":    `export async function answer(call) { await call.dial('14155550101', { timeout: '30s' }) }`,
		"nor is being on hold":     `export async function answer(call) { await call.say('Hi'); await call.hold(); await call.pause('30s'); await call.unhold() }`,
		"nor is a short silence":   `export async function answer(call) { await call.say('Hi'); await call.pause('9s'); await call.say('Bye') }`,
		"nor is somebody's stream": `export async function answer(call) { await call.stream('wss://ai.example.com/'); await call.pause('25s') }`,
	} {
		t.Run(name, func(t *testing.T) {
			passes(t, app, `const c = await call(undefined, { callee: { after: '15s', talk: '40s' } }); await c.ends()`)
		})
	}
}

func TestSteppingFails(t *testing.T) {
	for name, test := range map[string]struct{ body, why string }{
		"not heard":       {"const c = await call()\nawait c.hears('Goodbye')", "app.test.ts:4:15: AssertionError: the caller did not hear “Goodbye”; the app hung up after"},
		"out of order":    {"const c = await call()\nawait c.hears('Thank you')\nawait c.hears('Sales')", "app.test.ts:5:15: AssertionError: the caller did not hear “Sales”"},
		"not dialled":     {"const c = await call()\nawait c.press('1')\nawait c.dials('14155550109').busy()", "app.test.ts:5:15: AssertionError: the app did not dial “14155550109”"},
		"nobody asked":    {"const c = await call()\nawait c.hears('Thank')\nawait c.press('1')", "the app did not take the keys 1"},
		"nobody listened": {"const c = await call()\nawait c.says('Chennai')", "nobody listened to “Chennai”"},
		"expectation":     {"const c = await call()\nawait c.ends()\nexpect(c.ended).toMatch({ by: 'caller' })", `app.test.ts:5:25: AssertionError: expected {"by":"app","cause":"NORMAL_CLEARING"`},
		"bad keys":        {"const c = await call()\nawait c.press('x')", "TypeError: call.press: the keys must be"},
		"bad option":      {"await call('app', { form: '1' })", `unknown option "form"`},
		"no such app":     {"await call('ap')", `there is no app "ap"; there are: app`},
		"never settles":   {"await new Promise(() => {})", "never settles"},
		"endless loop":    {"for (;;) {}", "one turn of the script took longer than 1s"},
		"forgotten await": {"const c = await call()\nc.hears('Goodbye')", "did not hear “Goodbye”"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, menu, test.body, test.why) })
	}
}

func TestConsole(t *testing.T) {
	r := passes(t, `export const answer = () => { console.log('from the app') }`, `
  console.log('from the test', { n: 1 })
  await (await call()).ends()`)
	if diff := cmp.Diff([]string{"from the test { n: 1 }", "from the app"}, r.Logged); diff != "" {
		t.Error(diff)
	}
}

func TestTooLong(t *testing.T) {
	source := "import { test } from 'piopiy/test'\ntest('it', async () => { await new Promise(() => setInterval(() => {}, 1)) })"
	o := options(t, map[string]string{"app.ts": menu, "app.test.ts": source})
	o.Timeout = 300 * time.Millisecond
	report, err := testrunner.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r := report.Results[0]; r.Status != testrunner.Failed || !strings.Contains(strings.Join(r.Problems, ""), "the test took longer than 300ms") {
		t.Errorf("%+v", r)
	}
}
