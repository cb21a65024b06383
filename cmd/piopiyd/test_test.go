package main

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// output is what a command has printed so far.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) has(text string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.Contains(o.text.String(), text)
}

// Every save runs the tests again: of the app, and of the test.
func TestWatchTests(t *testing.T) {
	dir := t.TempDir()
	app := "exports.answer = () => [{ action: 'speak', text: 'WORDS' }]"
	lay(t, dir, map[string]string{
		"scripts/hello.js":      strings.ReplaceAll(app, "WORDS", "Hello."),
		"scripts/hello.test.js": "const { test, call } = require('piopiy/test')\ntest('greets', async () => { await (await call()).hears('Hello') })",
	})
	t.Chdir(dir)
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := &output{}, make(chan int, 1)
	go func() { ended <- runWith(ctx, []string{"test", "--watch"}, terminal{out: out, err: out}) }()
	siptest.Wait(t, "the first run", func() bool { return out.has("1 passed in") && out.has("watching ./scripts") })
	lay(t, dir, map[string]string{"scripts/hello.js": strings.ReplaceAll(app, "WORDS", "Good day.")})
	siptest.Wait(t, "the app's edit", func() bool { return out.has("1 failed, 0 passed") })
	lay(t, dir, map[string]string{"scripts/hello.test.js": "const { test, call } = require('piopiy/test')\ntest('is polite', async () => { await (await call()).hears('Good day') })"})
	siptest.Wait(t, "the test's edit", func() bool { return out.has("ok    hello.test.js > is polite") })
	cancel()
	if code := <-ended; code != 0 {
		t.Errorf("exit code %d", code)
	}
}
