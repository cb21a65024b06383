package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The floor: the measured script's logic as a Go programmer would write it by hand, with net/http and
// encoding/json. What piopiyd needs beyond it is the price of scripts, isolation and the journal.

type action struct {
	Action    string   `json:"action"`
	FileName  string   `json:"file_name,omitempty"`
	Text      string   `json:"text,omitempty"`
	ActionURL string   `json:"action_url,omitempty"`
	MaxDigit  int      `json:"max_digit,omitempty"`
	MaxRetry  int      `json:"max_retry,omitempty"`
	From      int64    `json:"from,omitempty"`
	Connect   []number `json:"connect,omitempty"`
	Duration  int      `json:"duration,omitempty"`
	Timeout   int      `json:"timeout,omitempty"`
	Loop      int      `json:"loop,omitempty"`
	RingType  string   `json:"ring_type,omitempty"`
}

type number struct {
	Type   string `json:"type"`
	Number int64  `json:"number"`
}

type callback struct {
	From        json.RawMessage `json:"from"`
	Time        int64           `json:"time"`
	DTMF        string          `json:"dtmf"`
	ExtraParams string          `json:"extra_params"`
	Status      string          `json:"status"`
	Duration    float64         `json:"duration"`
}

func (c *callback) from() string { return strings.Trim(string(c.From), `"`) }

type deskLanguage struct{ code, welcome, menu, closed string }

var deskLanguages = map[string]deskLanguage{
	"91": {"ta", "welcome_ta.wav", "menu_ta.wav", "closed_ta.wav"},
	"44": {"en", "welcome_en.wav", "menu_en.wav", "closed_en.wav"},
}

var deskAgents = []struct {
	number            int64
	languages, queues []string
	from, to          int
}{
	{914446316101, []string{"ta", "en"}, []string{"sales", "support"}, 8, 16},
	{914446316102, []string{"ta"}, []string{"support"}, 8, 20},
	{914446316103, []string{"en"}, []string{"sales"}, 10, 22},
	{914446316104, []string{"en", "ta"}, []string{"billing", "support"}, 9, 21},
}

var deskMenu = map[string]string{"1": "sales", "2": "support", "3": "billing"}

func local(ms int64) time.Time { return time.UnixMilli(ms).UTC().Add(330 * time.Minute) }

func languageOf(from string) deskLanguage {
	if l, ok := deskLanguages[from[:min(2, len(from))]]; ok {
		return l
	}
	return deskLanguages["44"]
}

func greet(c *callback) ([]action, deskLanguage) {
	language, at := languageOf(c.from()), local(c.Time)
	file := language.closed
	if minute := at.Hour()*60 + at.Minute(); at.Weekday() != time.Sunday && minute >= 9*60 && minute < 21*60 {
		file = language.welcome
	}
	return []action{{Action: "play", FileName: file}}, language
}

func connect(doc []action, queue string, language deskLanguage, at int64) []action {
	doc = append(doc, action{Action: "speak", Text: "Connecting you to " + queue + "."})
	var agents []number
	for _, a := range deskAgents {
		if hour := local(at).Hour(); slices.Contains(a.queues, queue) && slices.Contains(a.languages, language.code) && hour >= a.from && hour < a.to {
			agents = append(agents, number{"pstn", a.number})
		}
	}
	if len(agents) > 0 {
		doc = append(doc, action{Action: "bridge", From: 914446316000, Connect: agents, Duration: 3600, Timeout: 30, Loop: 2, RingType: "group"})
	}
	return append(doc, action{Action: "record"}, action{Action: "hangup"})
}

func serveFloor(addr string) error {
	mux := http.NewServeMux()
	handle := func(path string, decide func(r *http.Request, c *callback) (any, error)) {
		mux.HandleFunc("POST /hooks/"+path, func(w http.ResponseWriter, r *http.Request) {
			var c callback
			if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			reply, err := decide(r, &c)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(reply)
		})
	}
	accepted := map[string]string{"status": "accepted"}
	handle("desk/answer", func(r *http.Request, c *callback) (any, error) {
		doc, language := greet(c)
		from := c.from()
		note, err := json.Marshal(struct {
			Language string `json:"language"`
			At       int64  `json:"at"`
		}{language.code, c.Time})
		return append(doc,
			action{Action: "speak", Text: "Your number ends in " + from[max(0, len(from)-4):] + "."},
			action{Action: "param", Text: string(note)},
			action{Action: "play_get_input", FileName: language.menu, ActionURL: "http://" + r.Host + "/hooks/desk/input/menu", MaxDigit: 1, MaxRetry: 2, Timeout: 8}), err
	})
	handle("desk/input/menu", func(_ *http.Request, c *callback) (any, error) {
		var note struct{ At int64 }
		if err := json.Unmarshal([]byte(c.ExtraParams), &note); err != nil {
			return nil, err
		}
		queue, ok := deskMenu[c.DTMF]
		if !ok {
			queue = "support"
		}
		return connect(nil, queue, languageOf(c.from()), note.At), nil
	})
	handle("desk/event", func(_ *http.Request, c *callback) (any, error) {
		if strings.HasSuffix(c.Status, "hangup") {
			_ = fmt.Sprint(c.from(), languageOf(c.from()).code, local(c.Time))
		}
		return accepted, nil
	})
	handle("desk/cdr", func(_ *http.Request, c *callback) (any, error) {
		_ = c.from() + c.Status + strconv.FormatFloat(math.Ceil(c.Duration/60)*0.65, 'f', 2, 64)
		return accepted, nil
	})
	handle("straight/answer", func(_ *http.Request, c *callback) (any, error) {
		doc, language := greet(c)
		return connect(doc, "support", language, c.Time), nil
	})
	mux.HandleFunc("GET /hooks/echo/stream", func(w http.ResponseWriter, r *http.Request) { serveEcho(w, r, true) })
	mux.HandleFunc("GET /echo", func(w http.ResponseWriter, r *http.Request) { serveEcho(w, r, false) })
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}
