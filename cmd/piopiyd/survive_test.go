package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// survivor asks three times, and tells a web server of every answer before it goes on.
const survivor = `
let said = []
export async function answer(call: Call) {
  for (const word of ['one', 'two', 'three']) {
    const { digits } = await call.gather({ say: word + ' ' + said, maxDigits: 1 })
    try {
      await fetch(env.CRM + '/' + call.id + '/' + word, { method: 'POST' })
    } catch (e) {
      if ((e as Error).name !== 'InterruptedError') throw e
    }
    said.push(digits)
  }
  await call.say('said ' + said)
}
export function cdr() {}
`

// gone is the same app after an edit: nobody whose call had begun may meet it.
const gone = `export const answer = () => [{ action: 'speak', text: 'a new version' }]`

var inputURL = regexp.MustCompile(`http://[^"]*(/hooks/[^"]*/input/[^"]*)`)

// webhooks are the platform's side of one call.
type webhooks struct {
	t    *testing.T
	at   *atomic.Pointer[daemon] // the process that runs now
	call string
	step [3]chan struct{} // closed when the caller answers
}

// post asks until somebody answers: the process may be gone, or on its way back.
func (p webhooks) post(ctx context.Context, path, body string) (string, error) {
	for {
		reply, err := p.try(ctx, path, body)
		if err == nil || ctx.Err() != nil {
			return reply, err
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond): // as a platform that asks again
		}
	}
}

func (p webhooks) try(ctx context.Context, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.at.Load().http+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, text)
	}
	return string(text), err
}

// run goes through the whole call and returns the last reply.
func (p webhooks) run(ctx context.Context) (string, error) {
	reply, err := p.post(ctx, "/hooks/desk/answer", `{"cmiuuid":"`+p.call+`","from":"15550001111","to":"15550002222"}`)
	for i := 1; err == nil && i <= 3; i++ {
		<-p.step[i-1]
		m := inputURL.FindStringSubmatch(reply)
		if m == nil {
			return reply, fmt.Errorf("reply %d asks for nothing: %s", i, reply)
		}
		reply, err = p.post(ctx, m[1], fmt.Sprintf(`{"cmiuuid":%q,"from":"15550001111","to":"15550002222","dtmf":"%d"}`, p.call, i))
	}
	return reply, err
}

// Calls that wait for their callers go on where they were, on the version they began with, and nothing is done twice,
// however often the process is killed.
func TestCallsSurviveTheProcess(t *testing.T) {
	for name, end := range map[string]syscall.Signal{"kill -9": syscall.SIGKILL, "a restart": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			told, hit := map[string]int{}, make(chan struct{}, 1000)
			crm := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				told[r.URL.Path]++
				hit <- struct{}{}
			}))
			defer crm.Close()
			dir := t.TempDir()
			config, err := json.Marshal(map[string]any{
				"fetch": map[string]any{"allow": []string{"127.0.0.1"}}, "apps": map[string]any{"desk": map[string]any{"env": map[string]string{"CRM": crm.URL}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			lay(t, dir, map[string]string{"scripts/desk/main.ts": survivor, "piopiyd.yaml": string(config)})
			var now atomic.Pointer[daemon]
			now.Store(startSIP(t, dir))

			const calls = 30
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var step [3]chan struct{}
			for i := range step {
				step[i] = make(chan struct{})
			}
			type outcome struct{ call, reply string }
			done := make(chan outcome)
			started := make(chan struct{}, calls)
			for i := range calls {
				p := webhooks{t, &now, fmt.Sprintf("call%d", i), step}
				go func() {
					reply, err := p.post(ctx, "/hooks/desk/answer", `{"cmiuuid":"`+p.call+`","from":"15550001111","to":"15550002222"}`)
					started <- struct{}{}
					if err == nil && strings.Contains(reply, "one ") {
						reply, err = p.run(ctx)
					}
					if err != nil {
						reply = err.Error()
					}
					done <- outcome{p.call, reply}
				}()
			}
			for range calls {
				<-started
			}
			if err := os.WriteFile(filepath.Join(dir, "scripts/desk/main.ts"), []byte(gone), 0o600); err != nil {
				t.Fatal(err)
			}
			for i := range step {
				d := now.Load()
				close(step[i])
				for range calls / 5 { // the process ends while the callers answer
					<-hit
				}
				_ = d.cmd.Process.Signal(end)
				<-d.ended
				now.Store(startSIP(t, dir))
			}
			for range calls {
				got := <-done
				if want := `[{"action":"speak","text":"said 1,2,3"},{"action":"hangup"}]`; strings.TrimSpace(got.reply) != want {
					t.Errorf("%s ended with %s", got.call, got.reply)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			for path, n := range told {
				if n > 1 {
					t.Errorf("%s was told %d times", path, n)
				}
			}
			if len(told) < calls {
				t.Errorf("only %d of %d answers were told of", len(told), 3*calls)
			}
			log, err := os.ReadFile(now.Load().log)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(log, []byte("could not be rebuilt")) {
				t.Errorf("the log tells of trouble:\n%s", log)
			}
			t.Logf("%d calls, %d answers told of", calls, len(told))
		})
	}
}

// counting says at its end which events it has heard of.
const counting = `
let heard = []
export async function answer(call: Call) {
  await call.gather({ say: 'one', maxDigits: 1 })
  await call.say('heard ' + heard)
}
export function event(e: CallEvent) { heard.push(e.status) }
export function cdr() {}
`

// An event that names its call by a leg's or a request's id alone finds it after a kill -9 too, once another has named both.
func TestACallIsKnownByItsOtherIdsAfterAKill(t *testing.T) {
	dir := t.TempDir()
	lay(t, dir, map[string]string{"scripts/desk/main.ts": counting})
	var now atomic.Pointer[daemon]
	now.Store(startSIP(t, dir))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	p := webhooks{t: t, at: &now, call: "call1"}
	post := func(path, body string) string {
		t.Helper()
		reply, err := p.try(ctx, path, body)
		if err != nil {
			t.Fatal(err)
		}
		return reply
	}
	told := func(want string) {
		t.Helper()
		siptest.Wait(t, "the script hears of "+want, func() bool {
			d := now.Load()
			return strings.Contains(d.get("/api/calls/call1/timeline"), `"`+want+`"`) && strings.Contains(d.get("/api/deliveries"), "[]")
		})
	}
	kill := func() {
		_ = now.Load().cmd.Process.Kill()
		<-now.Load().ended
		now.Store(startSIP(t, dir))
	}
	reply := post("/hooks/desk/answer", `{"cmiuuid":"call1","from":"15550001111","to":"15550002222"}`)
	post("/hooks/desk/event", `{"conversation_uuid":"call1","cmiuuid":"leg1","request_id":"request1","status":"in_answered","leg":"B","time":1770000001000}`)
	told("in_answered")
	kill()
	post("/hooks/desk/event", `{"cmiuuid":"leg1","status":"in_bridged","leg":"B","time":1770000002000}`)
	told("in_bridged")
	kill()
	post("/hooks/desk/event", `{"cmiuuid":"request1","status":"in_ringing","leg":"B","time":1770000003000}`)
	told("in_ringing")
	reply = post(inputURL.FindStringSubmatch(reply)[1], `{"cmiuuid":"call1","from":"15550001111","to":"15550002222","dtmf":"1"}`)
	if want := `[{"action":"speak","text":"heard answered,bridged,ringing"},{"action":"hangup"}]`; strings.TrimSpace(reply) != want {
		t.Errorf("the call ends with %s, want %s", reply, want)
	}
	if calls := now.Load().calls(); len(calls) != 1 {
		t.Errorf("there are the calls %+v", calls)
	}
}
