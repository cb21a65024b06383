package realtimetest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/audio"
)

// rate is that of the sound in both directions, in Hz.
const rate = 24000

// session is one connection: the conversation with one caller. Its goroutine is that of the connection.
type session struct {
	server *Server
	conn   *websocket.Conn
	done   chan struct{}

	ear      ear
	heard    int // utterances so far
	items    int
	item     string // the answer that is or was said last
	speaking bool   // the caller hears it, as far as is known
	began    bool   // session.update came
	sent     map[string]time.Duration
}

func newSession(s *Server, conn *websocket.Conn) *session {
	return &session{server: s, conn: conn, done: make(chan struct{}), ear: newEar(s.options.Silence), sent: map[string]time.Duration{}}
}

// event is what a client sends, as far as it matters.
type event struct {
	Type    string          `json:"type"`
	Audio   string          `json:"audio"`
	ItemID  string          `json:"item_id"`
	Content *int            `json:"content_index"`
	End     *float64        `json:"audio_end_ms"`
	Session json.RawMessage `json:"session"`
}

func (c *session) run() {
	defer close(c.done)
	defer func() { _ = c.conn.Close() }()
	c.send(map[string]any{"type": "session.created", "session": map[string]any{"type": "realtime"}})
	for {
		kind, data, err := c.conn.ReadMessage()
		if err != nil {
			c.server.note(Event{Type: "closed"})
			return
		}
		var e event
		if err := json.Unmarshal(data, &e); err != nil || kind != websocket.TextMessage {
			c.refuse("an event must be JSON text")
			continue
		}
		if e.Type == "input_audio_buffer.append" {
			c.hear(e)
			continue
		}
		c.server.note(Event{Type: e.Type, Item: e.ItemID, Heard: millis(e.End)})
		switch e.Type {
		case "session.update":
			c.update(e)
		case "conversation.item.truncate":
			c.truncate(e)
		default:
			c.refuse("unknown event " + e.Type)
		}
	}
}

func millis(ms *float64) time.Duration {
	if ms == nil {
		return 0
	}
	return time.Duration(*ms * float64(time.Millisecond))
}

// update takes what a session is to be like: sound of 16 bits at 24 kHz, and turns that the server tells.
func (c *session) update(e event) {
	var s struct {
		Type  string
		Audio struct {
			Input struct {
				Format struct {
					Type string
					Rate int
				}
				TurnDetection struct{ Type string } `json:"turn_detection"`
			}
			Output struct {
				Format struct {
					Type string
					Rate int
				}
			}
		}
		Tools []struct{ Type, Name string }
	}
	switch err := json.Unmarshal(e.Session, &s); {
	case err != nil:
		c.refuse(err.Error())
	case s.Type != "realtime", s.Audio.Input.Format.Type != "audio/pcm", s.Audio.Input.Format.Rate != rate, s.Audio.Output.Format.Type != "audio/pcm", s.Audio.Output.Format.Rate != rate,
		s.Audio.Input.TurnDetection.Type != "server_vad", len(s.Tools) != 1, s.Tools[0].Type != "function":
		c.refuse(fmt.Sprintf("a session that cannot be had: %s", e.Session))
	default:
		c.began = true
		c.send(map[string]any{"type": "session.updated", "session": e.Session})
	}
}

// hear takes a piece of what the caller says.
func (c *session) hear(e event) {
	pcm, err := base64.StdEncoding.DecodeString(e.Audio)
	if err != nil || len(pcm)%2 != 0 || !c.began {
		c.refuse(fmt.Sprintf("sound that cannot be used, %d bytes, %v", len(pcm), err))
		return
	}
	for _, change := range c.ear.hear(audio.FromPCM(nil, pcm)) {
		item := fmt.Sprintf("caller_%d", c.heard)
		if change == began {
			c.send(map[string]any{"type": "input_audio_buffer.speech_started", "audio_start_ms": c.ear.at().Milliseconds(), "item_id": item})
			if c.speaking {
				c.speaking = false
				c.send(map[string]any{"type": "response.done", "response": map[string]any{"status": "cancelled", "status_details": map[string]any{"reason": "turn_detected"}}})
			}
			continue
		}
		c.heard++
		c.send(map[string]any{"type": "input_audio_buffer.speech_stopped", "audio_end_ms": c.ear.at().Milliseconds(), "item_id": item})
		c.send(map[string]any{"type": "input_audio_buffer.committed", "item_id": item})
		c.answer()
	}
}

// answer says something, and calls the function when it is time.
func (c *session) answer() {
	o := c.server.options
	c.items++
	c.item = fmt.Sprintf("answer_%d", c.items)
	c.send(map[string]any{"type": "response.created", "response": map[string]any{"status": "in_progress"}})
	length := o.Answer
	if c.heard == o.Human {
		length = time.Second
	}
	c.say(length)
	c.speaking = true
	if c.heard == o.Human {
		c.send(map[string]any{
			"type": "response.function_call_arguments.done", "item_id": "call_item", "call_id": "call_1", "name": "transfer_to_human", "arguments": "{}",
		})
	}
	c.send(map[string]any{"type": "response.done", "response": map[string]any{"status": "completed"}})
}

// say sends a tone in pieces of 100 ms.
func (c *session) say(length time.Duration) {
	kind := "response.output_audio.delta"
	if c.server.options.Beta {
		kind = "response.audio.delta"
	}
	sound := audio.Tone(c.server.options.Tone, length, rate)
	c.sent[c.item] = length
	for len(sound) > 0 {
		n := min(rate/10, len(sound))
		c.send(map[string]any{
			"type": kind, "item_id": c.item, "output_index": 0, "content_index": 0, "delta": base64.StdEncoding.EncodeToString(audio.AppendPCM(nil, sound[:n])),
		})
		sound = sound[n:]
	}
}

// truncate forgets what the caller has not heard of an answer.
func (c *session) truncate(e event) {
	length, known := c.sent[e.ItemID]
	switch {
	case !known || e.Content == nil || e.End == nil:
		c.refuse("there is no such content")
	case millis(e.End) > length || *e.End < 0:
		c.refuse(fmt.Sprintf("Audio content of %v is already shorter than %v", length, millis(e.End)))
	default:
		c.sent[e.ItemID] = millis(e.End)
		c.send(map[string]any{"type": "conversation.item.truncated", "item_id": e.ItemID, "content_index": 0, "audio_end_ms": *e.End})
	}
}

func (c *session) refuse(message string) {
	c.send(map[string]any{"type": "error", "error": map[string]any{"type": "invalid_request_error", "message": message}})
}

// send sends an event; what cannot be sent any more is lost.
func (c *session) send(e map[string]any) {
	kind, _ := e["type"].(string)
	if kind != "response.output_audio.delta" && kind != "response.audio.delta" {
		c.server.note(Event{Type: kind})
	}
	_ = c.conn.WriteJSON(e)
}
