package sip_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// streamServer is somebody's media WebSocket server.
func streamServer(t *testing.T, serve func(*websocket.Conn)) string {
	var upgrader websocket.Upgrader
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		serve(conn)
	}))
	t.Cleanup(server.Close)
	return strings.Replace(server.URL, "http", "ws", 1) + "/agent"
}

func TestStream(t *testing.T) {
	t.Parallel()
	heard := make(chan bool, 1)
	url := streamServer(t, func(conn *websocket.Conn) {
		kind, data, err := conn.ReadMessage()
		var greeting struct {
			Event string `json:"event"`
			Rate  int    `json:"rate"`
			From  string `json:"from"`
		}
		if err != nil || kind != websocket.TextMessage || json.Unmarshal(data, &greeting) != nil || greeting.Event != "start" || greeting.Rate != 16000 || greeting.From != "15550001111" {
			t.Errorf("the first frame is %d %s, %v", kind, data, err)
		}
		say := func(tone []int16) {
			var raw []byte
			for _, s := range tone {
				raw = binary.LittleEndian.AppendUint16(raw, uint16(s))
			}
			text := fmt.Sprintf(`{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":%q}}`, base64.StdEncoding.EncodeToString(raw))
			_ = conn.WriteMessage(websocket.TextMessage, []byte(text))
		}
		say(media.Tone(2000, 30*time.Second))
		var samples []int16
		for {
			kind, data, err := conn.ReadMessage()
			if err != nil {
				t.Error(err)
				return
			}
			if kind != websocket.BinaryMessage || len(data) != 640 {
				t.Errorf("a frame of %d bytes", len(data))
			}
			for i := 0; i < len(data); i += 2 {
				samples = append(samples, int16(binary.LittleEndian.Uint16(data[i:])))
			}
			if n := len(samples); n > 3200 && audio.Level(samples[n-3200:], 1100, 16000) > 2500 {
				break
			}
		}
		heard <- true
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"action":"break"}`))
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`garbage`))
		say(media.Tone(2500, time.Second))
		for range 75 {
			_, _, _ = conn.ReadMessage()
		}
		_ = conn.WriteMessage(websocket.TextMessage, []byte(`{"action":"stop"}`))
		_, _, _ = conn.ReadMessage()
	})
	x := open(t, map[string]string{"ai": `exports.answer = () => [{ action: 'stream', ws_url: '` + url + `', listen_mode: 'caller', voice_quality: '16000' }]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "ai"); err != nil {
		t.Fatal(err)
	}
	p.hears(2000)
	p.talk.Loop(tone(1100, time.Second))
	<-heard
	p.hears(2500)
	p.ends()
	x.reported("a in_answered", "b stream_connected", "b stream_disconnected", "a in_hangup", "a cdr answered NORMAL_CLEARING")
	if !strings.Contains(x.faults(), "no JSON object") {
		t.Errorf("faults: %s", x.faults())
	}
}

func TestStreamsThatFail(t *testing.T) {
	t.Parallel()
	gone := streamServer(t, func(conn *websocket.Conn) {
		_ = conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(4001, "no credit"), time.Now().Add(time.Second))
	})
	x := open(t, map[string]string{"ai": `exports.answer = () => [
		{ action: 'stream', ws_url: '` + gone + `x' }, { action: 'stream', ws_url: 'ws://127.0.0.1:1/agent' }, { action: 'speak', text: 'hz 640' }]`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "ai"); err != nil {
		t.Fatal(err)
	}
	p.hears(640)
	p.ends()
	x.mu.Lock()
	defer x.mu.Unlock()
	got := strings.Join(x.reports, ",")
	if !strings.Contains(got, "stream_error") || !strings.Contains(got, "stream_connected") || !strings.Contains(got, "stream_disconnected") {
		t.Errorf("reported %s", got)
	}
}

func TestTheAppsOwnStream(t *testing.T) {
	t.Parallel()
	x := open(t, map[string]string{"ai": `
		exports.answer = call => [{ action: 'stream', ws_url: call.streamUrl ?? call.streamURL, listen_mode: 'caller' }]
		exports.stream = async socket => { for await (const frame of socket) socket.play(frame) }
	`})
	p := newPhone(t, nil)
	if err := p.call(t.Context(), x, "ai"); err != nil {
		t.Fatal(err)
	}
	p.talk.Loop(tone(1300, time.Second))
	p.hears(1300) // the echo
	p.hangUp()
}
