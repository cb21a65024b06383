package kv_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// The memory store comes from this package; the leak check covers sessions and their operations.
func checkLeaks(t *testing.T) {
	t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
}

func eval(t testing.TB, k *runtimetest.Kit, body string) string {
	t.Helper()
	got, _ := k.Eval("return JSON.stringify(await (async () => {" + body + "\n})()) ?? 'undefined'").(string)
	return got
}

func TestScripts(t *testing.T) {
	for script, want := range map[string]string{
		`return [await kv.get('none') === undefined, await kv.get('none', 5), await kv.has('none')]`:                             `[true,5,false]`,
		`await kv.set('a', { b: [1, null, '€'], a: true }); return [await kv.get('a'), await kv.get('a', 1), await kv.has('a')]`: `[{"b":[1,null,"€"],"a":true},{"b":[1,null,"€"],"a":true},true]`,
		`await kv.set('a', null); return [await kv.get('a', 5), await kv.has('a')]`:                                              `[null,true]`,
		`return await kv.set('a', 1)`: `undefined`,
		`await kv.set('a', 1); return [await kv.delete('a'), await kv.delete('a'), await kv.get('a') === undefined]`:                                                                                                `[true,false,true]`,
		`return [await kv.increment('n'), await kv.increment('n', 5), await kv.increment('n', -0.5), await kv.get('n')]`:                                                                                            `[1,6,5.5,5.5]`,
		`return [await kv.increment('n', 1, { ttl: '1h' }), await kv.increment('n', 1, { ttl: 1000 })]`:                                                                                                             `[1,2]`,
		`await kv.set('n', 0); return [await kv.increment('n', 1, { ttl: '1h' }), await kv.increment('n', 1, { ttl: 1000 })]`:                                                                                       `[1,2]`,
		`await kv.set('a', { x: 1, y: [2] }); return [await kv.compareAndSet('a', { y: [2], x: 1 }, 'new'), await kv.get('a')]`:                                                                                     `[true,"new"]`,
		`await kv.set('a', 'free'); return [await kv.compareAndSet('a', 'busy', 'new'), await kv.get('a')]`:                                                                                                         `[false,"free"]`,
		`return [await kv.compareAndSet('a', undefined, 1), await kv.compareAndSet('a', undefined, 2), await kv.get('a')]`:                                                                                          `[true,false,1]`,
		`await kv.set('a', null); return [await kv.compareAndSet('a', undefined, 1), await kv.compareAndSet('a', null, 2)]`:                                                                                         `[false,true]`,
		`await kv.set('a', [1, 2]); return [await kv.compareAndSet('a', [2, 1], 1), await kv.compareAndSet('a', [1], 1), await kv.compareAndSet('a', { 0: 1 }, 1)]`:                                                 `[false,false,false]`,
		`return [await kv.update('l', (l = []) => [...l, 'x']), await kv.update('l', async l => { await null; return [...l, 'y'] }), await kv.get('l')]`:                                                            `[["x"],["x","y"],["x","y"]]`,
		`await kv.set('a', 1); return [await kv.update('a', v => undefined), await kv.update('none', v => undefined) === undefined, await kv.get('a')]`:                                                             `[1,true,1]`,
		`let n = 0; await kv.set('a', 1); const v = await kv.update('a', async v => { if (n++ < 2) await kv.set('a', v + 10); return v + 1 }); return [v, n]`:                                                       `[22,3]`,
		`await Promise.all([...Array(10)].map(() => kv.update('c', (v = 0) => v + 1))); return kv.get('c')`:                                                                                                         `10`,
		`for (const k of ['b', 'a:2', 'a:1', 'c']) await kv.set(k, k.length); return [await kv.list(), await kv.list({ prefix: 'a:' }), await kv.list({ after: 'a:1', limit: 2 }), await kv.list({ prefix: 'z' })]`: `[["a:1","a:2","b","c"],["a:1","a:2"],["a:2","b"],[]]`,
		`await kv.set('a:1', { x: 1 }); await kv.set('a:2', 2); return Object.fromEntries(await kv.entries({ prefix: 'a:' }))`:                                                                                      `{"a:1":{"x":1},"a:2":2}`,
		`return [Object.prototype.toString.call(kv), kv === require('piopiy/kv').kv, kv.set.length]`:                                                                                                                `["[object kv]",true,2]`,
		`await kv.set('€'.repeat(170), 1); return (await kv.list())[0].length`:                                                                                                                                      `170`,
	} {
		k := runtimetest.New(t, kv.New(kv.NewMemoryStore()))
		if got := eval(t, k, script); got != want {
			t.Errorf("%s\n got %s\nwant %s", script, got, want)
		}
	}
}

func TestMistakes(t *testing.T) {
	k := runtimetest.New(t, kv.New(kv.NewMemoryStore()))
	for script, want := range map[string]string{
		`kv.get()`:                        "kv.get: the key must be a string, not undefined",
		`kv.get(5)`:                       "the key must be a string",
		`kv.get('')`:                      "the key is empty",
		`kv.get('k'.repeat(513))`:         "the key has 513 bytes; the limit is 512",
		`kv.get('€'.repeat(171))`:         "the key has 513 bytes; the limit is 512",
		`kv.get('\ud800')`:                "broken character",
		`kv.set('a')`:                     "the value is undefined; use kv.delete",
		`kv.set('a', () => 1)`:            "a function",
		`kv.set('a', Symbol())`:           "cannot be written",
		`kv.set('a', NaN)`:                "NaN",
		`kv.set('a', 1 / 0)`:              "Infinity",
		`kv.set('a', Promise.resolve(1))`: "await it first",
		`kv.set('a', new Map([[1, 2]]))`:  "Object.fromEntries",
		`kv.set('a', new Uint8Array(4))`:  "base64",
		`kv.set('a', 'x'.repeat(65536))`:  "65538 bytes as JSON; the limit is 65536",
		`kv.set('a', (() => { const o = {}; o.o = o; return o })())`:  "circular",
		`kv.set('a', 1, { tll: 5 })`:                                  `unknown option "tll"; the options are ttl`,
		`kv.set('a', 1, { ttl: 0 })`:                                  "longer than 0",
		`kv.set('a', 1, { ttl: 'soon' })`:                             `option "ttl" must be a time`,
		`kv.set('a', 1, 5)`:                                           "options must be an object",
		`kv.increment('a', 'x')`:                                      "finite number",
		`kv.set('text', 'x').then(() => kv.increment('text'))`:        `kv.increment: "text" does not hold a number`,
		`kv.compareAndSet('a', 1)`:                                    "the value is undefined",
		`kv.update('a', 5)`:                                           "change must be a function",
		`kv.update('a', () => () => 1)`:                               "a function",
		`kv.update('a', () => { throw new TypeError('mine') })`:       "mine",
		`kv.update('a', async () => { throw new TypeError('mine') })`: "mine",
		`kv.list({ prefx: 'a' })`:                                     `unknown option "prefx"`,
		`kv.list({ limit: 0 })`:                                       "from 1 to 1000",
		`kv.list('a:')`:                                               "options must be an object",
	} {
		got := eval(t, k, "try { await ("+script+") } catch (e) { return e.name + ': ' + e.message }")
		if !strings.HasPrefix(got, `"TypeError: `) || !strings.Contains(strings.ReplaceAll(got, `\"`, `"`), want) {
			t.Errorf("%s\n got %s\nwant a TypeError that says %s", script, got, want)
		}
	}
}

// What one session writes, the next one reads; other apps do not.
func TestShared(t *testing.T) {
	store := kv.NewMemoryStore()
	k := runtimetest.New(t, kv.New(store))
	eval(t, k, `await kv.set('a', 1)`)
	if got := eval(t, k, `return kv.get('a')`); got != "1" {
		t.Error(got)
	}
	if _, _, err := store.Get(t.Context(), "other", "a"); !errors.Is(err, kv.ErrNotFound) {
		t.Error(err)
	}
}

func TestImport(t *testing.T) {
	k := runtimetest.New(t, kv.New(kv.NewMemoryStore()))
	s := k.Session(map[string]string{"main.ts": "import { kv as a } from 'piopiy/kv'\nexport async function main() { await a.set('x', 1); return a === kv && await kv.get('x') }"})
	if got, err := runtimetest.Call(t.Context(), s, "main"); got != int64(1) || err != nil {
		t.Error(got, err)
	}
}

// Many sessions count together and lose nothing.
func TestSessionsCompete(t *testing.T) {
	checkLeaks(t)
	k := runtimetest.New(t, kv.New(kv.NewMemoryStore()))
	s := k.Session(map[string]string{"main.js": "exports.main = () => 1"}) // loads the app
	s.Close("loaded")
	var sessions sync.WaitGroup
	for range 8 {
		session := k.Session(map[string]string{"main.js": `exports.main = async () => {
			for (let i = 0; i < 10; i++) { await kv.increment('n'); await kv.update('u', (v = 0) => v + 1) }
		}`})
		sessions.Go(func() {
			if _, err := runtimetest.Call(t.Context(), session, "main"); err != nil {
				t.Error(err)
			}
		})
	}
	sessions.Wait()
	if got := eval(t, k, `return [await kv.get('n'), await kv.get('u')]`); got != "[80,80]" {
		t.Error(got)
	}
}

func TestJournal(t *testing.T) {
	k := runtimetest.New(t, kv.New(kv.NewMemoryStore()))
	eval(t, k, `await kv.set('a', 's3cret', { ttl: '1m' }); await kv.get('a'); await kv.get('b', 's3cret'); await kv.compareAndSet('a', 's3cret', 's3cret2')
		await kv.update('a', v => v + 's3cret'); await kv.list({ prefix: 'a' }); await kv.set('t', 'x'); await kv.increment('t').catch(() => 0); await kv.delete('a')`)
	var got []string
	for _, e := range k.Journal.Entries(t.Name()) {
		if e.Kind == "kv" {
			got = append(got, string(e.Data))
		}
	}
	want := []string{
		`{"op":"set","key":"a","size":8,"ttl":"1m0s"}`,
		`{"op":"get","key":"a","found":true,"size":8}`,
		`{"op":"get","key":"b","found":false}`,
		`{"op":"compareAndSet","key":"a","done":true,"size":9}`,
		`{"op":"update","key":"a","done":true,"size":15}`,
		`{"op":"list","key":"a","keys":1}`,
		`{"op":"set","key":"t","size":3}`,
		`{"op":"increment","key":"t","error":"TypeError: kv.increment: \"t\" does not hold a number"}`,
		`{"op":"delete","key":"a","found":true}`,
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	store := kv.NewMemoryStore()
	k := runtimetest.New(t, kv.New(store))
	files := fstest.MapFS{"main.js": {Data: []byte("kv.set('a', 1); kv.increment('b'); kv.update('c', () => 1); exports.main = () => 1")}}
	if _, err := k.Runtime().Check(t.Context(), "test", files, "main.js"); err != nil {
		t.Fatal(err)
	}
	if keys, err := store.List(t.Context(), "test", "", "", 10); len(keys) != 0 || err != nil {
		t.Error(keys, err)
	}
}

// broken is a store whose every operation fails, or hangs until its context ends.
type broken struct{ hang bool }

func (b broken) err(ctx context.Context) error {
	if b.hang {
		<-ctx.Done()
	}
	return fmt.Errorf("no space left")
}

func (b broken) Get(ctx context.Context, _, _ string) ([]byte, uint64, error) {
	return nil, 0, b.err(ctx)
}
func (b broken) Set(ctx context.Context, _, _ string, _ []byte, _ time.Duration) (uint64, error) {
	return 0, b.err(ctx)
}
func (b broken) CompareAndSet(ctx context.Context, _, _ string, _ []byte, _ uint64, _ time.Duration) (uint64, error) {
	return 0, b.err(ctx)
}
func (b broken) Delete(ctx context.Context, _, _ string) (bool, error) { return false, b.err(ctx) }
func (b broken) Increment(ctx context.Context, _, _ string, _ float64) (float64, error) {
	return 0, b.err(ctx)
}
func (b broken) List(ctx context.Context, _, _, _ string, _ int) ([]string, error) {
	return nil, b.err(ctx)
}

func TestBrokenStore(t *testing.T) {
	k := runtimetest.New(t, kv.New(broken{}))
	for _, script := range []string{
		"kv.get('a')", "kv.has('a')", "kv.set('a', 1)", "kv.delete('a')", "kv.increment('a')", "kv.increment('a', 1, { ttl: 5 })",
		"kv.compareAndSet('a', 1, 2)", "kv.update('a', v => 1)", "kv.list()", "kv.entries()",
	} {
		got := eval(t, k, "try { await "+script+" } catch (e) { return [e.name, e.code, e.message.includes('no space left')] }")
		if got != `["Error","ESTORE",true]` {
			t.Errorf("%s: %s", script, got)
		}
	}
}

// An operation that hangs ends with its session.
func TestSessionEndsItsOperations(t *testing.T) {
	checkLeaks(t)
	k := runtimetest.New(t, kv.New(broken{hang: true}))
	s := k.Session(map[string]string{"main.js": "exports.main = async () => { kv.get('a'); kv.update('a', v => 1) }"})
	if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
		t.Fatal(err)
	}
	s.Close("over")
	<-s.Done()
}
