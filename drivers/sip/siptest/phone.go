package siptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Phone is a running baresip. It says a tone all the time and records what it hears.
type Phone struct {
	t       testing.TB
	dir     string
	control net.Conn
	cmd     *exec.Cmd
	out     buffer
	done    chan struct{}
}

// Account is what a phone calls itself.
type Account struct {
	// User and Password register at the server, host:port; a phone without a password does not register.
	User, Password, Server string
	// Codec is what the phone offers (default pcmu).
	Codec string
	// Transport is udp (the default), tcp or tls.
	Transport string
	// More are further parameters of baresip's account line, such as "mediaenc=srtp".
	More string
	// Modules are further modules of baresip, such as "srtp".
	Modules []string
	// Rate is the sample rate of its codec (default 8000).
	Rate int
}

func (a Account) line() string {
	transport, codec, register := a.Transport, a.Codec, 0
	if transport == "" {
		transport = "udp"
	}
	if codec == "" {
		codec = "pcmu"
	}
	if a.Password != "" {
		register = 300
	}
	line := fmt.Sprintf("<sip:%s@%s;transport=%s>;auth_user=%s;auth_pass=%s;regint=%d;answermode=auto;audio_codecs=%s",
		a.User, a.Server, transport, a.User, a.Password, register, codec)
	if a.More != "" {
		line += ";" + a.More
	}
	return line + "\n"
}

// StartPhone starts a phone that says a tone of hz. It ends with the test.
func StartPhone(t testing.TB, a Account, hz float64) *Phone {
	t.Helper()
	Program(t, "baresip", "baresip-core")
	p := &Phone{t: t, dir: t.TempDir(), done: make(chan struct{})}
	control := FreePort(t)
	modules := ""
	for _, m := range a.Modules {
		modules += "module " + m + ".so\n"
	}
	rate := a.Rate
	if rate == 0 {
		rate = media.Rate
	}
	p.write("tone.wav", string(media.Sound{Samples: media.Tone(hz, 30*time.Second), Rate: media.Rate}.At(rate).WAV()))
	p.write("config", fmt.Sprintf(`sip_listen 127.0.0.1:%d
sip_verify_server no
audio_source aufile,%s/tone.wav
audio_player aubridge,sink%d
ausrc_srate %d
auplay_srate %d
ausrc_channels 1
auplay_channels 1
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module sndfile.so
module aufile.so
module aubridge.so
%smodule_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:%d
snd_path %s/rec
`, FreePort(t), p.dir, control, rate, rate, modules, control, p.dir))
	p.write("accounts", a.line())
	p.write("contacts", "")
	if err := os.Mkdir(filepath.Join(p.dir, "rec"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.cmd = exec.Command("baresip", "-f", p.dir)
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.out
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(p.Quit)
	Wait(t, "baresip listens", func() bool {
		select {
		case <-p.done:
			t.Fatalf("baresip ended:\n%s", p.out.String())
		default:
		}
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", control))
		if err != nil {
			return false
		}
		p.control = conn
		go func() { _, _ = io.Copy(io.Discard, conn) }()
		return true
	})
	return p
}

func (p *Phone) write(name, text string) {
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Command gives the phone a command of its menu.
func (p *Phone) Command(name, params string) {
	text, _ := json.Marshal(map[string]string{"command": name, "params": params})
	if _, err := fmt.Fprintf(p.control, "%d:%s,", len(text), text); err != nil {
		p.t.Errorf("baresip: %v", err)
	}
}

// Dial calls a URI.
func (p *Phone) Dial(uri string) { p.Command("dial", uri) }

// Press presses a key.
func (p *Phone) Press(key string) { p.Command("sndcode", key) }

// Hangup ends the phone's call.
func (p *Phone) Hangup() { p.Command("hangup", "") }

// Quit ends the phone. What it heard is complete then.
func (p *Phone) Quit() {
	if control := p.control; control != nil {
		p.control = nil
		_, _ = fmt.Fprint(control, `18:{"command":"quit"},`)
		defer func() { _ = control.Close() }() // not before it has read that
	}
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
	if p.t.Failed() {
		p.t.Logf("baresip says:\n%s", p.out.String())
	}
}

// Says returns the end of what the phone has written about its calls.
func (p *Phone) Says() string { return p.out.String() }

// Hears waits until the phone has heard a tone.
func (p *Phone) Hears(hz float64) {
	p.t.Helper()
	Wait(p.t, fmt.Sprintf("the phone hears %g Hz", hz), func() bool { return Contains(p.Heard(), hz) })
}

// Heard returns what the phone has heard so far, at 8 kHz.
func (p *Phone) Heard() []int16 {
	p.t.Helper()
	var all []int16
	files, _ := filepath.Glob(filepath.Join(p.dir, "rec", "*dec.wav"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			p.t.Fatal(err)
		}
		all = append(all, samples(data)...)
	}
	return all
}

// samples reads a WAV file of baresip, whose header is written last.
func samples(data []byte) []int16 {
	const header = 44
	var all []int16
	for i := header; i+1 < len(data); i += 2 {
		all = append(all, int16(data[i])|int16(data[i+1])<<8)
	}
	return all
}

// buffer is a bytes.Buffer for a writer and a reader at once.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns the end of what was written.
func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.b.String()
	return text[max(0, len(text)-3000):]
}
