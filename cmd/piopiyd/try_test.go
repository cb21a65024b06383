package main

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestTryLine does what the banner proposes, with a baresip that nobody has set up, and expects a call. Whether it
// lasts depends on the machine's sound card.
func TestTryLine(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	dir := t.TempDir()
	lay(t, dir, map[string]string{"scripts/hello.js": "exports.answer = () => [{ action: 'speak', text: 'Hello.' }]"})
	d := startSIP(t, dir)
	line := regexp.MustCompile(`(?m)^  baresip (.*)$`).FindStringSubmatch(d.banner)
	if line == nil {
		t.Fatalf("no line to try:\n%s", d.banner)
	}
	phone := exec.Command("baresip", append([]string{"-f", t.TempDir()}, words(line[1])...)...)
	phone.WaitDelay = time.Second
	in, err := phone.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := phone.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = phone.Process.Kill()
		_ = phone.Wait()
		_ = in.Close()
	}()
	siptest.Wait(t, "the call is listed", func() bool { return strings.Contains(d.run("calls"), " hello ") })
	d.logged(`"a call ended"`)
	d.stop()
}
