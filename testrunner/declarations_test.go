package testrunner_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/stdlib"
	"github.com/piopiy/piopiyd/stdlib/dts"
)

// What piopiy.d.ts declares of piopiy/test is there, and nothing else is.
func TestDeclarationsAreTrue(t *testing.T) {
	file, err := dts.Parse(stdlib.Declarations)
	if err != nil {
		t.Fatal(err)
	}
	declared := map[string][]string{}
	for _, d := range file.All() {
		if d.Module != "piopiy/test" || d.Kind == "type" {
			continue
		}
		if d.Kind != "interface" {
			declared["exports"] = append(declared["exports"], d.Name)
			continue
		}
		for _, m := range d.Members {
			declared[d.Name] = append(declared[d.Name], m.Name)
		}
	}
	for _, name := range []string{"TestDial", "TestOutgoing"} {
		declared[name] = append(declared[name], "then") // of PromiseLike
	}
	declared["StubSocket"] = append(declared["StubSocket"], declared["StubHandshake"]...)
	for name, list := range declared {
		slices.Sort(list)
		declared[name] = slices.Compact(list)
	}
	app := `
import { calls } from 'piopiy/calls'
export async function answer(call) {
  const reply = await fetch('https://h/', { method: 'POST', body: '{}' })
  const socket = await new WebSocket('wss://h/').opened
  socket.send('{}')
  socket.send(new Uint8Array(1))
  await calls.make({ to: '1415', pcmo: [] })
  await call.dial('14155550101')
  const stream = await call.stream()
  stream.play(new Int16Array(800))
  await stream.mark('end')
  stream.close()
}`
	r := play(t, app, `
  const module = require('piopiy/test')
  const stub = stubFetch('https://h/', 200)
  const members = o => [...Object.keys(o), ...Object.getOwnPropertyNames(Object.getPrototypeOf(o)).filter(name => name !== 'constructor')]
  let handshake
  const sockets = stubWebSocket('wss://h/', { refuse: h => { handshake = h } })
  const c = await call('app')
  const dial = c.dials()
  const shown = {
    exports: Object.keys(module), TestCall: Object.keys(c), TestDial: Object.keys(dial), Expectation: Object.keys(expect(1)), FetchStub: Object.keys(stub),
  }
  await dial
  shown.TestOutgoing = Object.keys(callTo())
  shown.TestAudio = Object.keys(await c.hearsAudio())
  await c.ends()
  const [socket] = sockets.sockets
  await socket.closes()
  Object.assign(shown, { WebSocketStub: Object.keys(sockets), StubHandshake: Object.keys(handshake), StubSocket: members(socket), StubClosed: Object.keys(socket.closed) })
  shown.StubMessage = [...new Set(socket.received.flatMap(Object.keys))]
  try { stubWebSocket('', { nonsense: 1 }) } catch (e) { shown.StubServer = /there are (.*)$/.exec(e.message)[1].split(/, | and /) }
  shown.TestEnding = Object.keys(c.ended).concat('error')
  shown.KvStub = Object.keys(stubKv('k'))
  try { stubKv('k', { nonsense: 1 }) } catch (e) { shown.StubKvOptions = /the options are (.*)$/.exec(e.message)[1].split(', ') }
  shown.StubRequest = Object.keys(stub.requests[0])
  try { await call('app', { nonsense: 1 }) } catch (e) { shown.TestCallOptions = /the options are (.*)$/.exec(e.message)[1].split(', ') }
  throw new Error('SHOWN' + JSON.stringify(shown))`)
	_, text, _ := strings.Cut(strings.Join(r.Problems, "\n"), "SHOWN")
	text, _, _ = strings.Cut(text, "\n")
	there := map[string][]string{}
	if err := json.Unmarshal([]byte(text), &there); err != nil {
		t.Fatalf("%v: %s", err, r.Problems)
	}
	for _, list := range there {
		slices.Sort(list)
	}
	if diff := cmp.Diff(there, declared); diff != "" {
		t.Errorf("there (-), declared (+):\n%s", diff)
	}
}
