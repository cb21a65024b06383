package fetch_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", "text/plain")
	fmt.Fprintf(w, "%s %s type=%s length=%d %q", r.Method, r.URL.RequestURI(), r.Header.Get("Content-Type"), r.ContentLength, body)
}

// scripts runs scripts against a server; each must return what is wanted, as JSON.
func scripts(t *testing.T, k *runtimetest.Kit, h http.HandlerFunc, cases map[string]string) {
	t.Helper()
	s := serve(t, h)
	for script, want := range cases {
		if got := eval(t, k, s, script); got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

func TestRequests(t *testing.T) {
	scripts(t, newKit(t, outbound.Options{}), echo, map[string]string{
		`return (await fetch(BASE + '/a/../b?c=d e')).text()`:                                                                                                                 `"GET /b?c=d%20e type= length=0 \"\""`,
		`return (await fetch(new URL('/x', BASE))).text()`:                                                                                                                    `"GET /x type= length=0 \"\""`,
		`return (await fetch(new Request(BASE, { method: 'PUT', body: 'b' }))).text()`:                                                                                        `"PUT / type=text/plain;charset=UTF-8 length=1 \"b\""`,
		`return (await fetch(new Request(BASE, { method: 'PUT', body: 'b' }), { body: 'c' })).text()`:                                                                         `"PUT / type=text/plain;charset=UTF-8 length=1 \"c\""`,
		`return (await fetch(BASE, { method: 'POST' })).text()`:                                                                                                               `"POST / type= length=0 \"\""`,
		`return (await fetch(BASE, { method: 'patch', body: '€' })).text()`:                                                                                                   `"PATCH / type=text/plain;charset=UTF-8 length=3 \"€\""`,
		`return (await fetch(BASE, { method: 'POST', body: new URLSearchParams({ a: 'b c' }) })).text()`:                                                                      `"POST / type=application/x-www-form-urlencoded;charset=UTF-8 length=5 \"a=b+c\""`,
		`return (await fetch(BASE, { method: 'POST', body: new Uint8Array([104, 105]) })).text()`:                                                                             `"POST / type= length=2 \"hi\""`,
		`return (await fetch(BASE, { method: 'POST', body: '{}', headers: { 'content-type': 'a/b' } })).text()`:                                                               `"POST / type=a/b length=2 \"{}\""`,
		`return (await fetch(BASE, { method: 'DELETE', body: null, mode: 'cors', cache: 'no-store' })).text()`:                                                                `"DELETE / type= length=0 \"\""`,
		`const r = await fetch(BASE, { method: 'HEAD' }); return [r.status, r.body, await r.text()]`:                                                                          `[200,null,""]`,
		`const rs = await Promise.all([...Array(20).keys()].map(i => fetch(BASE + '/' + i).then(r => r.text()))); return rs.every((t, i) => t.startsWith('GET /' + i + ' '))`: `true`,
	})
}

func TestResponses(t *testing.T) {
	big := strings.Repeat("0123456789", 40_000)
	scripts(t, newKit(t, outbound.Options{}), func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/json?x#y", http.StatusFound)
		case "/none":
			w.WriteHeader(http.StatusNoContent)
		case "/big":
			_, _ = io.WriteString(w, big)
		case "/html":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>s3cret</html>")
		case "/deep":
			_, _ = io.WriteString(w, strings.Repeat("[", 100_000))
		case "/header":
			w.Header().Set("X-Back", r.Header.Get("X-There"))
		case "/gzip":
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, "zipped")
			_ = z.Close()
		default:
			w.Header()["Content-Type"] = []string{"application/json"}
			w.Header()["Set-Cookie"] = []string{"a=1", "b=2"}
			w.Header()["X-Many"] = []string{"1", "2"}
			w.Header()["Date"] = nil
			_, _ = io.WriteString(w, `{"b":1,"a":[true,null,"\u20ac"]}`)
		}
	}, map[string]string{
		`const r = await fetch(BASE); return [r.status, r.statusText, r.ok, r.type, r.url === BASE + '/', r.redirected, r.bodyUsed]`: `[200,"OK",true,"basic",true,false,false]`,
		`return (await fetch(BASE)).json()`:                                                                                                                                                      `{"b":1,"a":[true,null,"€"]}`,
		`return [...(await fetch(BASE)).headers]`:                                                                                                                                                `[["content-length","32"],["content-type","application/json"],["set-cookie","a=1"],["set-cookie","b=2"],["x-many","1, 2"]]`,
		`const r = await fetch(BASE); try { r.headers.set('a', 'b') } catch (e) { return e.name }`:                                                                                               `"TypeError"`,
		`const r = await fetch(BASE + '/moved#z'); return [r.status, r.url.replace(BASE, ''), r.redirected]`:                                                                                     `[200,"/json?x",true]`,
		`const r = await fetch(BASE + '/moved', { redirect: 'manual' }); return [r.status, r.headers.get('location')]`:                                                                           `[302,"/json?x#y"]`,
		`try { await fetch(BASE + '/moved', { redirect: 'error' }) } catch (e) { return [e.name, e.code] }`:                                                                                      `["TypeError","EREDIRECT"]`,
		`const r = await fetch(BASE + '/none'); return [r.status, r.body, await r.text()]`:                                                                                                       `[204,null,""]`,
		`const r = await fetch(BASE + '/big'); return (await r.text()).length`:                                                                                                                   `400000`,
		`const r = await fetch(BASE + '/big'); const c = r.clone(); const [a, b] = await Promise.all([r.text(), c.arrayBuffer()]); return [a.length, b.byteLength]`:                              `[400000,400000]`,
		`const r = await fetch(BASE + '/big'); const c = r.clone(); await r.body.cancel(); return (await c.text()).length`:                                                                       `400000`,
		`const r = await fetch(BASE + '/big'); let n = 0; for await (const c of r.body) n += c.length; return n`:                                                                                 `400000`,
		`const r = await fetch(BASE + '/big'); let n = 0; for await (const c of r.body) { n++; break }; return [n, r.bodyUsed]`:                                                                  `[1,true]`,
		`const d = (await fetch(BASE + '/big')).body.getReader(); const all = await Promise.all([...Array(40)].map(() => d.read())); return all.reduce((n, c) => n + (c.value?.length ?? 0), 0)`: `400000`,
		`const r = await fetch(BASE + '/html'); try { await r.json() } catch (e) { return [e.name, e.message.includes('502'), e.message.includes('text/html'), e.message.includes('s3cret')] }`:  `["SyntaxError",true,true,false]`,
		`try { await (await fetch(BASE + '/deep')).json() } catch (e) { return e.name }`:                                                                                                         `"RangeError"`,
		`const r = await fetch(BASE + '/header', { headers: { 'x-there': 'ü' } }); return r.headers.get('x-back')`:                                                                               `"ü"`,
		`const r = await fetch(BASE + '/gzip'); return [await r.text(), r.headers.get('content-encoding')]`:                                                                                      `["zipped","gzip"]`,
		`const r = await fetch(BASE + '/gzip'); return (await r.bytes()).length`:                                                                                                                 `6`,
		`const r = await fetch(BASE); return (await r.blob()).type`:                                                                                                                              `"application/json"`,
	})
}

// Mistakes must be told, each with the name of what is wrong.
func TestMistakes(t *testing.T) {
	k := newKit(t, outbound.Options{})
	for script, want := range map[string]string{
		`fetch()`: "TypeError",
		`fetch('http://a.example', { methd: 'POST' })`:                                    `unknown option "methd"`,
		`fetch('http://a.example', 5)`:                                                    "options must be an object",
		`fetch('/relative')`:                                                              "absolute",
		`fetch('http://u:p@a.example')`:                                                   "Authorization",
		`fetch('file:///etc/passwd')`:                                                     `"file"`,
		`fetch('http://a.example', { body: 'x' })`:                                        "cannot have a body",
		`fetch('http://a.example', { method: 'POST', body: { a: 1 } })`:                   "JSON.stringify",
		`fetch('http://a.example', { method: 'POST', body: [1] })`:                        "JSON.stringify",
		`fetch('http://a.example', { method: 'POST', body: Promise.resolve('x') })`:       "await it first",
		`fetch('http://a.example', { method: 'POST', body: new Response('x').body })`:     "read it first",
		`fetch('http://a.example', { headers: { 'content-length': '5' } })`:               "content-length",
		`fetch('http://a.example', { headers: { connection: 'close' } })`:                 `"connection"`,
		`fetch('http://a.example', { headers: { 'transfer-encoding': 'chunked' } })`:      `"transfer-encoding"`,
		`fetch('http://a.example', { headers: { a: 'b\nc' } })`:                           "line break",
		`fetch('http://a.example', { timeout: 'soon' })`:                                  `option "timeout"`,
		`fetch('http://a.example', { timeout: -1 })`:                                      `option "timeout"`,
		`fetch('http://a.example', { signal: {} })`:                                       "AbortSignal",
		`fetch('http://a.example', { integrity: 'sha256-x' })`:                            `"integrity"`,
		`fetch('http://a.example', { method: 'TRACE' })`:                                  "TRACE",
		`new Response('x').body.tee()`:                                                    "clone()",
		`fetch({ toString() { throw new TypeError('from the script') } })`:                "from the script",
		`fetch('http://a.example', { get method() { throw new TypeError('a getter') } })`: "a getter",
	} {
		got := eval(t, k, nil, "try { await ("+script+") } catch (e) { return e.name + ': ' + e.message }")
		if !strings.HasPrefix(got, `"TypeError: `) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) {
			t.Errorf("%s\n got %s\nwant a TypeError that says %s", script, got, want)
		}
	}
}

func TestFailuresReachTheScript(t *testing.T) {
	k := newKit(t, outbound.Options{MaxBody: 1000, Allow: []string{"127.0.0.1"}})
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 2000)) })
	const report = "catch (e) { return [e.name, e.code, e instanceof TypeError, e.cause?.code, e.message] }"
	for script, want := range map[string]string{
		`await fetch('http://127.0.0.1:1/')`:                            `["TypeError","ECONNREFUSED",true,"ECONNREFUSED","fetch failed: nothing listens at 127.0.0.1:1"]`,
		`await fetch('http://10.0.0.1/')`:                               `["TypeError","EBLOCKED",true,"EBLOCKED","fetch failed: 10.0.0.1 is a private address, which scripts may not reach; if they should, add \"10.0.0.1\" to fetch.allow in the configuration"]`,
		`const r = await fetch(BASE); await r.text()`:                   `["TypeError","ETOOBIG",true,"ETOOBIG","fetch failed: the body is larger than the limit of 1000 bytes (fetch.max_body in the configuration)"]`,
		`const r = await fetch(BASE); for await (const c of r.body) {}`: `["TypeError","ETOOBIG",true,"ETOOBIG","fetch failed: the body is larger than the limit of 1000 bytes (fetch.max_body in the configuration)"]`,
	} {
		if got := eval(t, k, s, "try {"+script+"} "+report); got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

// An uncaught failure names the line of the script where the fetch was begun.
func TestFailuresNameTheLine(t *testing.T) {
	k := newKit(t, outbound.Options{})
	session := k.Session(map[string]string{"main.ts": "import { load } from './crm'\nexport async function main() {\n  await load()\n}", "crm.ts": "export async function load() {\n  const r = await fetch('http://127.0.0.1:1/')\n  return r.json()\n}"})
	_, err := runtimetest.Call(t.Context(), session, "main")
	var f *runtime.Fault
	if !errors.As(err, &f) || f.Position.String() != "crm.ts:2:25" || !strings.Contains(f.Message, "nothing listens") {
		t.Errorf("%v at %s", err, f.Position)
	}
}

// stalled is a server whose answers never come, or come by half. Requests are counted as they arrive and leave.
func stalled(t *testing.T) (h http.HandlerFunc, arrived, left chan string) {
	arrived, left = make(chan string, 10), make(chan string, 10)
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/half" {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "first")
			w.(http.Flusher).Flush()
		}
		arrived <- r.URL.Path
		<-r.Context().Done()
		left <- r.URL.Path
	}, arrived, left
}

func TestAbort(t *testing.T) {
	h, arrived, left := stalled(t)
	s := serve(t, h)
	k := newKit(t, outbound.Options{})
	for script, want := range map[string]string{
		`await fetch(BASE, { signal: AbortSignal.abort() })`:                                                                                            `"AbortError true"`,
		`await fetch(BASE, { signal: AbortSignal.abort('because') })`:                                                                                   `"because"`,
		`const c = new AbortController(); setTimeout(() => c.abort(), 10); await fetch(BASE, { signal: c.signal })`:                                     `"AbortError true"`,
		`const c = new AbortController(); setTimeout(() => c.abort(new RangeError('x')), 10); await fetch(BASE, { signal: c.signal })`:                  `"RangeError false"`,
		`const c = new AbortController(); const p = fetch(BASE, { signal: c.signal }); c.abort(); await p`:                                              `"AbortError true"`,
		`await fetch(BASE, { signal: AbortSignal.timeout(10) })`:                                                                                        `"TimeoutError true"`,
		`await fetch(new Request(BASE, { signal: AbortSignal.timeout(10) }))`:                                                                           `"TimeoutError true"`,
		`await fetch(BASE, { timeout: '10ms' })`:                                                                                                        `"TimeoutError true"`,
		`await fetch(BASE, { timeout: 10 })`:                                                                                                            `"TimeoutError true"`,
		`const c = new AbortController(); const r = await fetch(BASE + '/half', { signal: c.signal }); setTimeout(() => c.abort(), 10); await r.text()`: `"AbortError true"`,
		`const c = new AbortController(); const r = await fetch(BASE + '/half', { signal: c.signal }); for await (const b of r.body) c.abort()`:         `"AbortError true"`,
		`const r = await fetch(BASE + '/half', { timeout: 30 }); await r.text()`:                                                                        `"TimeoutError true"`,
	} {
		got := eval(t, k, s, "try {"+script+"} catch (e) { return e.name ? e.name + ' ' + (e instanceof DOMException) : e }")
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
		select {
		case <-arrived:
			<-left // the connection is gone as well
		default: // it was aborted before the server knew of it
		}
	}
}

// Whatever a session has under way ends with it.
func TestSessionEndsItsFetches(t *testing.T) {
	for _, body := range []string{
		"fetch(BASE); fetch(BASE)",
		"const r = await fetch(BASE + '/half'); return",
		"const r = await fetch(BASE + '/half'); r.text()",
		"const r = await fetch(BASE + '/half'); const c = r.clone(); c.text(); r.body.getReader().read()",
	} {
		h, arrived, left := stalled(t)
		s := serve(t, h)
		k := newKit(t, outbound.Options{})
		session := k.Session(map[string]string{"main.js": "const BASE = '" + s.URL + "'\nexports.main = async function () {" + body + "\n}"})
		if _, err := runtimetest.Call(t.Context(), session, "main"); err != nil {
			t.Errorf("%s: %v", body, err)
		}
		n := 1 + strings.Count(body, "; fetch(")
		for range n {
			<-arrived
		}
		session.Close("hung up")
		<-session.Done()
		for range n {
			<-left
		}
	}
}

// Chunks reach the script as they come: the server sends the second only when the script has the first.
func TestBodiesAreStreamed(t *testing.T) {
	next := make(chan struct{})
	scripts(t, newKit(t, outbound.Options{}), func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			next <- struct{}{}
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "chunk %d\n", i)
			w.(http.Flusher).Flush()
			<-next
		}
	}, map[string]string{
		`const got = []
		for await (const c of (await fetch(BASE)).body) { got.push(String.fromCharCode(...c)); await fetch(BASE + '/next') }
		return got`: `["chunk 0\n","chunk 1\n","chunk 2\n"]`,
	})
}

func TestPendingLimit(t *testing.T) {
	h, _, _ := stalled(t)
	k := newKit(t, outbound.Options{})
	k.Config.Limits.Pending = 2
	got := eval(t, k, serve(t, h), `fetch(BASE); fetch(BASE); try { await fetch(BASE) } catch (e) { return e.name }`)
	if got != `"RangeError"` {
		t.Error(got)
	}
}

func TestDryRunFetchesNothing(t *testing.T) {
	var hits atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
	k := newKit(t, outbound.Options{})
	files := fstest.MapFS{"main.js": {Data: []byte("const c = new AbortController(); fetch('" + s.URL + "', { signal: c.signal }); c.abort(); exports.main = () => 1")}}
	if _, err := k.Runtime().Check(t.Context(), "test", files, "main.js"); err != nil {
		t.Fatal(err)
	}
	if hits.Load() != 0 {
		t.Error("the check of a version made a request")
	}
}

func TestJournal(t *testing.T) {
	late := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/late":
			w.WriteHeader(201)
			w.(http.Flusher).Flush()
			<-late
		case "/moved":
			http.Redirect(w, r, "/?s3cret=s3cret", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "s3cret body")
	})
	k := newKit(t, outbound.Options{})
	eval(t, k, s, `
		await (await fetch(BASE + '/a?token=s3cret', { method: 'POST', body: 's3cret', headers: { authorization: 's3cret' } })).text()
		await fetch(BASE + '/moved')
		await fetch('http://127.0.0.1:1/?s3cret').catch(() => 0)
		const r = await fetch(BASE + '/late')
		globalThis.promise = r.text()`+"\n"+`const done = fetch(BASE + '/x'); await done; return 1`)
	close(late)
	var all bytes.Buffer
	var got []string
	for _, e := range k.Journal.Entries(t.Name()) {
		all.Write(e.Data)
		if e.Kind == "fetch" {
			text := strings.ReplaceAll(string(e.Data), s.URL, "BASE")
			text = strings.Replace(text, `,"bytes":11`, "", 1) // a body that takes its time has an entry of its own
			before, after, _ := strings.Cut(text, `"ms":`)
			got = append(got, e.Kind+" "+before+strings.TrimLeft(after, "0123456789"))
		}
	}
	want := []string{
		`fetch {"n":1,"method":"POST","url":"BASE/a?token=…","status":200,}`,
		`fetch {"n":2,"method":"GET","url":"BASE/moved","status":200,,"redirected":"BASE/?s3cret=…"}`,
		`fetch {"n":3,"method":"GET","url":"http://127.0.0.1:1/?…",,"error":"ECONNREFUSED"}`,
		`fetch {"n":4,"method":"GET","url":"BASE/late","status":201,}`,
		`fetch {"n":5,"method":"GET","url":"BASE/x","status":200,}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !strings.Contains(all.String(), `"bytes":11`) {
		t.Error("the journal does not say how long the first body was: " + all.String())
	}
	if strings.Contains(strings.ReplaceAll(all.String(), "?s3cret=…", ""), "s3cret") {
		t.Error("the journal holds a secret: " + all.String())
	}
}

// A body that comes late has an entry of its own.
func TestJournalOfLateBodies(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/go" {
			close(release)
			return
		}
		w.WriteHeader(200)
		w.(http.Flusher).Flush()
		<-release
		_, _ = io.WriteString(w, "late")
	})
	k := newKit(t, outbound.Options{})
	eval(t, k, s, `const r = await fetch(BASE); await fetch(BASE + '/go'); return r.text()`)
	var entries []string
	for _, e := range k.Journal.Entries(t.Name()) {
		if e.Kind == "fetch" || e.Kind == "fetch_body" {
			entries = append(entries, e.Kind)
		}
		if e.Kind == "fetch_body" && !strings.Contains(string(e.Data), `"bytes":4`) {
			t.Error(string(e.Data))
		}
	}
	if got := strings.Join(entries, " "); got != "fetch fetch fetch_body" {
		t.Error(got)
	}
}
