package websocket_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	ws "github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// What the standard says, in its own words: each script runs against a server that echoes.
func TestStandard(t *testing.T) {
	bothWays(t, func(t *testing.T, k *runtimetest.Kit, url string) {
		for script, want := range map[string]string{
			`const s = new WebSocket(URL + '/a?b=c'), before = [s.readyState, s.url === URL + '/a?b=c', s.protocol, s.extensions, s.bufferedAmount, s.binaryType]
		 await once(s, 'open'); return [...before, s.readyState]`: `[0,true,"","",0,"arraybuffer",1]`,
			`const s = new WebSocket(URL), seen = []
		 s.onopen = function (e) { seen.push(e.type, this === s, e.target === s, e.isTrusted, e instanceof Event); s.send('hello é 😀') }
		 s.onmessage = e => { seen.push(e.data, e.origin === URL, e.constructor.name); s.close(3001, 'bye') }
		 const e = await once(s, 'close'); return [...seen, e.code, e.reason, e.wasClean, e.constructor.name, s.readyState]`: `["open",true,true,true,true,"hello é 😀",true,"MessageEvent",3001,"",true,"CloseEvent",3]`,
			`const s = await new WebSocket(URL).opened, got = []
		 s.onmessage = e => got.push(e.data)
		 const bytes = new Uint8Array([9, 1, 2, 3, 9])
		 s.send(bytes.subarray(1, 4)); bytes.fill(7); s.send(new Int16Array([1]).buffer); s.send(new DataView(new ArrayBuffer(2), 1)); s.send(''); s.send(12); s.send(null)
		 while (got.length < 6) await once(s, 'message')
		 return got.map(d => typeof d === 'string' ? d : [d instanceof ArrayBuffer, ...new Uint8Array(d)])`: `[[true,1,2,3],[true,1,0],[true,0],"","12","null"]`,
			`return [WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED, WebSocket.prototype.CLOSED, WebSocket.length, WebSocket.name, WebSocket.prototype instanceof EventTarget, String(new WebSocket(URL))]`: `[0,1,2,3,3,1,"WebSocket",true,"[object WebSocket]"]`,
			`const s = new WebSocket(URL); s.close(); const types = []
		 s.onerror = e => types.push(e.type, e.message, e.error.code); const e = await once(s, 'close'); return [...types.slice(0, 1), types[2], e.code, e.wasClean, s.readyState]`: `["error","EABORTED",1006,false,3]`,
			`const s = await new WebSocket(URL).opened; s.close(); s.close(1000); const state = s.readyState; s.send('lost'); const e = await once(s, 'close')
		 s.send('lost too'); s.close(); return [state, s.bufferedAmount, e.code, e.reason, e.wasClean]`: `[2,12,1005,"",true]`,
			`const s = await new WebSocket(URL).opened; s.close(1000); return (await once(s, 'close')).code`:                                                                                `1000`,
			`const s = new WebSocket(URL, 'chat.v2'); await s.opened; return s.protocol`:                                                                                                    `"chat.v2"`,
			`const s = new WebSocket(URL, ['other', 'chat.v2']); await s.opened; return s.protocol`:                                                                                         `"chat.v2"`,
			`const s = new WebSocket(URL, { protocols: ['chat.v2'] }); await s.opened; return s.protocol`:                                                                                   `"chat.v2"`,
			`const s = new WebSocket(URL.replace('ws:', 'HTTP:')); return s.url === URL + '/'`:                                                                                              `true`,
			`const s = new WebSocket(URL), f = () => {}; s.onopen = f; const set = s.onopen === f; s.onopen = null; return [set, s.onopen, s.onmessage]`:                                    `[true,null,null]`,
			`const s = new WebSocket(URL); let n = 0; s.onopen = () => n += 100; s.onopen = () => n++; s.addEventListener('open', { handleEvent() { n += 10 } }); await s.opened; return n`: `11`,
			`const s = new WebSocket(URL), c = new AbortController(); let n = 0; s.addEventListener('open', () => n++, { signal: c.signal }); c.abort(); await s.opened; return n`:          `0`,
			`class Mine extends WebSocket { shout(t) { this.send(t.toUpperCase()) } } const s = new Mine(URL); await s.opened; s.shout('hi'); return (await once(s, 'message')).data`:       `"HI"`,
			`const s = new WebSocket(URL), o = s.opened; return [o === s.opened, await o === s]`:                                                                                            `[true,true]`,
			// Iteration.
			`const s = await new WebSocket(URL).opened; s.send('a'); s.send('b'); s.send('c'); const got = []
		 for await (const m of s) { got.push(m); if (m === 'c') s.close(); } return [got, s.readyState]`: `[["a","b","c"],3]`,
			`const s = new WebSocket(URL); s.onopen = () => { s.send('a'); s.send('b'); s.send('c') }; const got = []
		 for await (const m of s) { got.push(m); break } for await (const m of s) { got.push(m); if (m === 'c') break } return [got, s.readyState]`: `[["a","b","c"],1]`,
			`const s = await new WebSocket(URL).opened, it = s[Symbol.asyncIterator](), asked = [it.next(), it.next(), it.next()]
		 s.send('1'); s.send('2'); await asked[1]; s.close(); return [await Promise.all(asked), await it.next(), await it.return(7)]`: `[[{"value":"1","done":false},{"value":"2","done":false},{"done":true}],{"done":true},{"value":7,"done":true}]`,
			`const s = await new WebSocket(URL).opened; s.send('a'); const heard = []; s.onmessage = e => heard.push(e.data)
		 for await (const m of s) { heard.push('i' + m); break } return heard`: `["a","ia"]`,
			// What comes before anybody listens is not lost.
			`const s = await new WebSocket(URL).opened; s.send('early'); await new Promise(f => setTimeout(f, 100)); return (await once(s, 'message')).data`: `"early"`,
			// The events can be made by hand.
			`const m = new MessageEvent('message', { data: 1, origin: 'o' }), c = new CloseEvent('close', { code: 70000, reason: 'r', wasClean: 1 }), e = new ErrorEvent('error')
		 return [m.data, m.origin, m.lastEventId, m.type, c.code, c.reason, c.wasClean, e.message, e.error, new MessageEvent('x').data, c instanceof Event, m.isTrusted]`: `[1,"o","","message",4464,"r",true,"",null,null,true,false]`,
			`let got; const t = new EventTarget(); t.addEventListener('message', e => got = e.data); t.dispatchEvent(new MessageEvent('message', { data: 5 })); return got`: `5`,
		} {
			if got := eval(t, k, url, script); got != want {
				t.Errorf("%s\n got %s\nwant %s", script, got, want)
			}
		}
	})
}

func TestMistakesAreNamed(t *testing.T) {
	bothWays(t, func(t *testing.T, k *runtimetest.Kit, url string) {
		for script, want := range map[string]string{
			`new WebSocket()`:                                                    "TypeError: WebSocket: 0 of at least 1",
			`new WebSocket('/path')`:                                             "SyntaxError: WebSocket: the URL must begin with ws:// or wss://",
			`new WebSocket('ftp://h')`:                                           "must begin with ws://",
			`new WebSocket('ws://')`:                                             "SyntaxError: WebSocket: the URL cannot be understood",
			`new WebSocket('ws://h/#x')`:                                         "SyntaxError: WebSocket: the URL has a fragment",
			`new WebSocket('ws://u:secret@h/')`:                                  "send an Authorization header instead",
			`new WebSocket(URL, 'a b')`:                                          "SyntaxError: WebSocket: a protocol is a word",
			`new WebSocket(URL, '')`:                                             "a protocol is a word",
			`new WebSocket(URL, ['a', 'A'])`:                                     "SyntaxError: WebSocket: a protocol is named twice",
			`new WebSocket(URL, Array(33).fill('a'))`:                            "more than 32 protocols",
			`new WebSocket(URL, { header: {} })`:                                 `TypeError: WebSocket: unknown option "header"; the options are protocols, headers, timeout`,
			`new WebSocket(URL, { headers: 'a' })`:                               `option "headers" must be an object`,
			`new WebSocket(URL, { headers: { 'a b': 1 } })`:                      "a header's name is a word",
			`new WebSocket(URL, { headers: { Upgrade: 'x' } })`:                  "the header Upgrade belongs to the handshake",
			`new WebSocket(URL, { headers: { 'sec-websocket-key': 'x' } })`:      "the header Sec-Websocket-Key belongs to the handshake",
			`new WebSocket(URL, { headers: { 'Sec-WebSocket-Protocol': 'x' } })`: `is made from the option "protocols"`,
			`new WebSocket(URL, { headers: { A: 's3cret\r\nB: c' } })`:           "the value of the header A holds a character that headers cannot have",
			`new WebSocket(URL, { headers: [['a']] })`:                           "must hold pairs of a name and a value",
			`new WebSocket(URL, { headers: { a: 'x'.repeat(70000) } })`:          "more than 100 headers, or more than 65536 bytes",
			`new WebSocket(URL, { timeout: 0 })`:                                 `option "timeout" must be more than 0`,
			`WebSocket(URL)`:                                                     "TypeError",
			`new WebSocket(URL).send('x')`:                                       "InvalidStateError: WebSocket.send: the socket is still connecting; await socket.opened first",
			`(await new WebSocket(URL).opened).send()`:                           "TypeError: WebSocket.send: 0 of at least 1",
			`(await new WebSocket(URL).opened).send({})`:                         "TypeError: WebSocket.send: the data must be text, an ArrayBuffer or a view of one, not an object; a Blob has arrayBuffer(), objects go through JSON.stringify",
			`(await new WebSocket(URL).opened).send(new Blob(['x']))`:            "a Blob has arrayBuffer()",
			`(await new WebSocket(URL).opened).send(undefined)`:                  "the data must be text",
			`(await new WebSocket(URL).opened).send('x'.repeat((4 << 20) + 1))`:  "QuotaExceededError: WebSocket.send: a message of 4194305 bytes; the limit is 4194304: send it in pieces",
			`new WebSocket(URL).close(1001)`:                                     "InvalidAccessError: WebSocket.close: the code must be 1000, or 3000 to 4999, not 1001",
			`new WebSocket(URL).close(3000.5)`:                                   "not 3000.5",
			`new WebSocket(URL).close(1000, 'é'.repeat(62))`:                     "SyntaxError: WebSocket.close: the reason may have 123 bytes, not 124",
			`new WebSocket(URL).binaryType = 'blob'`:                             "NotSupportedError: WebSocket.binaryType: \"blob\" is not available",
			`WebSocket.prototype.send.call({}, 'x')`:                             "Illegal invocation",
			`new CloseEvent('x'); Object.getOwnPropertyDescriptor(MessageEvent.prototype, 'data').get.call({})`: "Illegal invocation",
			`for (let i = 0; i < 17; i++) new WebSocket(URL)`:                                                   "RangeError: WebSocket: 16 sockets are open; close one first",
			`new WebSocket(URL)[Symbol.asyncIterator]().next.call({})`:                                          "Illegal invocation",
			`const it = new WebSocket(URL)[Symbol.asyncIterator](); for (let i = 0; i < 65; i++) it.next()`:     "RangeError: WebSocket: more than 64 messages are awaited",
		} {
			got := eval(t, k, url, "return failing(async () => { "+script+" })")
			if !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) || strings.Contains(got, "ecret") {
				t.Errorf("%s\n got %s\nwant %s", script, got, want)
			}
		}
	})
}

func TestHeaders(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{UserAgent: "piopiyd/1"})
	url := serve(t, func(c *ws.Conn, r *http.Request) {
		_ = c.WriteMessage(ws.TextMessage, []byte(fmt.Sprintf("%s %v%v%v%v%s", r.Host, r.Header["Authorization"], r.Header["X-Two"], r.Header["User-Agent"], r.Header["Origin"], r.URL.RawQuery)))
		_, _, _ = c.ReadMessage()
	})
	for options, want := range map[string]string{
		`{ headers: { authorization: 'Bearer k', 'X-Two': 2, host: 'other.example' } }`: "other.example [Bearer k][2][piopiyd/1][]q=1",
		`{ headers: new Headers({ Authorization: 'Bearer k', 'User-Agent': 'me' }) }`:   "HOST [Bearer k][][me][]q=1",
		`{ headers: [['X-Two', 'a'], ['x-two', 'b']] }`:                                 "HOST [][a b][piopiyd/1][]q=1",
		`undefined`: "HOST [][][piopiyd/1][]q=1",
	} {
		got := eval(t, k, url+"?q=1", "const s = new WebSocket(URL, "+options+"); return (await once(s, 'message')).data")
		if want = strings.Replace(want, "HOST", strings.TrimPrefix(url, "ws://"), 1); got != `"`+want+`"` {
			t.Errorf("%s: got %s, want %s", options, got, want)
		}
	}
}

// The journal tells that a socket was there and what went over it, and nothing that was said.
func TestJournal(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, echo)
	eval(t, k, url, `const s = await new WebSocket(URL + '/path?token=s3cret', { headers: { Authorization: 's3cret' }, protocols: 'chat.v2' }).opened
		s.send('s3cret'); await once(s, 'message'); s.close(3000, 's3cret'); await once(s, 'close')
		await failing(() => new WebSocket('ws://192.168.1.1/x?key=s3cret').opened)`)
	want := []map[string]any{
		{"n": 1.0, "state": "open", "url": url + "/path?token=…", "protocol": "chat.v2"},
		{"n": 1.0, "state": "closed", "code": 3000.0, "received": map[string]any{"messages": 1.0, "bytes": 6.0}, "sent": map[string]any{"messages": 1.0, "bytes": 6.0}},
		{"n": 2.0, "state": "closed", "code": 1006.0, "url": "ws://192.168.1.1/x?key=…", "error": "EBLOCKED"},
	}
	if d := cmp.Diff(want, journal(t, k)); d != "" {
		t.Error(d)
	}
	for _, e := range k.Journal.Entries(t.Name()) {
		if strings.Contains(string(e.Data), "s3cret") {
			t.Errorf("the journal holds %s", e.Data)
		}
	}
}
