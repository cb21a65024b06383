package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/scripts"
	"github.com/piopiy/piopiyd/scripts/realtimetest"
)

// TestVoicebotOnTheCloud has the template answer PIOPIY's webhooks: the reply greets and opens a stream to the app, over
// which the platform brings the caller's sound, is interrupted, and is told whom to connect.
func TestVoicebotOnTheCloud(t *testing.T) {
	script, err := fs.ReadFile(scripts.Files(), "voicebot/main.ts")
	if err != nil {
		t.Fatal(err)
	}
	ai := realtimetest.Start(t, realtimetest.Options{Key: "sk-test", Human: 2, Beta: true})
	crm := startCRM(t)
	dir := t.TempDir()
	lay(t, dir, map[string]string{"scripts/voicebot/main.ts": string(script), "piopiyd.yaml": fmt.Sprintf(`
fetch: {allow: ["127.0.0.1:%s", "127.0.0.1:%s"]}
apps:
  voicebot: {env: {OPENAI_URL: %q, OPENAI_API_KEY: sk-test, HUMAN: "14155550100", CDR_URL: "%s/cdr"}}
`, ai.Port(), crm.port(), ai.URL, crm.URL)})
	d := startSIP(t, dir)

	const call = "00000000-0000-4000-8000-000000000001"
	var reply []struct {
		Action, Text string
		URL          string `json:"ws_url"`
		Rate         string `json:"voice_quality"`
	}
	answer := d.hook("voicebot/answer", `{"action":"inbound","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"`+call+`"}`)
	if err := json.Unmarshal([]byte(answer), &reply); err != nil || len(reply) != 2 {
		t.Fatalf("the answer is %s", answer)
	}
	if reply[0].Action != "speak" || reply[0].Text == "" || reply[1].Action != "stream" || reply[1].Rate != "8000" {
		t.Fatalf("the answer is %s", answer)
	}

	p := streamTo(t, reply[1].URL)
	ai.Await("session.updated", 1)
	p.say(time.Second)
	p.until("the bot's answer", func() bool { return p.sound > 2*time.Second })
	began := p.say(time.Second)
	cleared := p.until("break", func() bool { return p.breaks > 0 })
	t.Logf("from the first frame of the caller's speech to break: %v", cleared.Sub(began).Round(time.Millisecond))
	if late := cleared.Sub(began); late > time.Second {
		t.Errorf("the platform was told only after %v", late)
	}
	if cut := ai.Await("conversation.item.truncated", 1); cut.Type == "" {
		t.Error("no truncation")
	}
	var document string
	p.until("whom to connect", func() bool {
		if len(p.documents) > 0 {
			document = p.documents[0]
		}
		return document != ""
	})
	const want = `[{"action":"bridge","from":15550002222,"connect":[{"type":"pstn","number":14155550100}],"timeout":30}]`
	if document != want {
		t.Errorf("the platform performs %s, want %s", document, want)
	}
	p.until("the end of the stream", func() bool { return p.closed })
	ai.Await("closed", 1)

	d.hook("voicebot/event", `{"appid":1,"leg":"a","status":"in_hangup","time":1700000020000,"from":15550001111,"to":15550002222,"cmiuuid":"`+call+`"}`)
	d.hook("voicebot/cdr", `{"appid":1,"type":"cdr","direction":"inbound","status":"answered","leg":"a","from":15550001111,"to":15550002222,"time":1700000000000,"start_time":1700000000,"answer_time":1700000005,"end_time":1700000015,"duration":10,"cmiuuid":"`+call+`","conversation_uuid":"`+call+`"}`)
	siptest.Wait(t, "the CDR", func() bool { return len(crm.all("/cdr")) == 1 })
	if r := crm.cdr("a"); r.text("callId") != call || r.number("duration") != 10 {
		t.Errorf("the CDR is %v", r)
	}
	d.stop()
}

// hook posts a webhook of the platform and returns the reply.
func (d *daemon) hook(path, body string) string {
	d.t.Helper()
	r, err := http.Post(d.http+"/hooks/"+path, "application/json", bytes.NewReader([]byte(body)))
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	text, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %d %s, %v", path, r.StatusCode, text, err)
	}
	return string(text)
}

// platform is PIOPIY's end of a media WebSocket: it sends a frame every 20 ms.
type platform struct {
	t    *testing.T
	conn *websocket.Conn

	mu        siptest.Watched
	left      int // frames of speech
	begun     chan time.Time
	sound     time.Duration
	breaks    int
	documents []string
	closed    bool
}

func streamTo(t *testing.T, url string) *platform {
	t.Helper()
	conn, _, err := websocket.DefaultDialer.DialContext(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	p := &platform{t: t, conn: conn}
	stop := make(chan struct{})
	var work sync.WaitGroup
	work.Go(p.read)
	work.Go(func() { p.send(stop) })
	t.Cleanup(func() {
		close(stop)
		_ = conn.Close()
		work.Wait()
	})
	return p
}

func (p *platform) send(stop <-chan struct{}) {
	silence, speech := make([]byte, 320), make([]byte, 320)
	for i := range 160 {
		v := int16(8000 * math.Sin(2*math.Pi*300*float64(i)/8000))
		speech[2*i], speech[2*i+1] = byte(v), byte(v>>8)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		frame := silence
		p.mu.Lock()
		if p.left > 0 {
			p.left--
			frame = speech
		}
		if p.begun != nil && frame[2] != 0 {
			p.begun <- time.Now()
			p.begun = nil
		}
		p.mu.Unlock()
		if p.conn.WriteMessage(websocket.BinaryMessage, frame) != nil {
			return
		}
	}
}

// say lets the caller speak, and returns when his first frame was sent.
func (p *platform) say(length time.Duration) time.Time {
	begun := make(chan time.Time, 1)
	p.mu.Lock()
	p.left, p.begun = int(length/(20*time.Millisecond)), begun
	p.mu.Unlock()
	return <-begun
}

func (p *platform) read() {
	for {
		_, data, err := p.conn.ReadMessage()
		var m struct {
			Action string
			Type   string
			Data   struct {
				SampleRate int
				AudioData  string
			}
		}
		p.mu.Change(func() {
			switch {
			case err != nil:
				p.closed = true
			case bytes.HasPrefix(data, []byte("[")):
				p.documents = append(p.documents, string(data))
			case json.Unmarshal(data, &m) == nil && m.Type == "streamAudio":
				pcm, err := base64.StdEncoding.DecodeString(m.Data.AudioData)
				if err != nil || m.Data.SampleRate != 8000 {
					p.t.Errorf("sound at %d Hz, %v", m.Data.SampleRate, err)
				}
				p.sound += time.Duration(len(pcm)/2) * time.Second / 8000
			case m.Action == "break":
				p.breaks++
			}
		})
		if err != nil {
			return
		}
	}
}

// until waits until ok, which is called with p.mu held, is.
func (p *platform) until(what string, ok func() bool) time.Time {
	p.t.Helper()
	if !p.mu.Until(patience, ok) {
		p.t.Fatalf("the platform does not get %s", what)
	}
	return time.Now()
}
