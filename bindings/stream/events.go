package stream

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// Hearing is implemented by streams whose peer is the call engine: it takes audio as binary frames at the stream's
// rate, answers marks, and tells how much of the app's audio the caller has heard since the stream began.
type Hearing interface {
	Played() time.Duration
}

const (
	// maxListeners bounds the listeners for one event.
	maxListeners = 10
	// maxMarks bounds the marks that wait to be played, and maxMarkName their names, in bytes.
	maxMarks    = 100
	maxMarkName = 256
)

// eventNames are what a script can listen for.
var eventNames = []string{"text", "dtmf", "error", "end"}

// listen implements on(event, listener).
func (k *socket) listen(a runtime.Args) {
	event := a.String(0, "event")
	if !slices.Contains(eventNames, event) {
		a.Throw("there is no event %q; the events are %s", event, strings.Join(eventNames, ", "))
	}
	if len(k.listeners[event]) >= maxListeners {
		a.Throw("more than %d listeners", maxListeners)
	}
	if k.listeners == nil {
		k.listeners = map[string][]goja.Callable{}
	}
	k.listeners[event] = append(k.listeners[event], a.Function(1, "listener"))
}

// tell calls the listeners for an event.
func (k *socket) tell(event string, args ...any) error {
	for _, f := range k.listeners[event] {
		values := make([]goja.Value, len(args))
		for i, v := range args {
			values[i] = k.session.VM().ToValue(v)
		}
		if _, err := f(k.object, values...); err != nil {
			return err
		}
	}
	return nil
}

// notice is a text frame of the peer: the first one, and what the call engine tells (protocol page section 4; DESIGN,
// the media WebSocket).
type notice struct {
	Event   string   `json:"event"`
	Rate    int      `json:"rate"`
	Digit   string   `json:"digit"`
	Name    string   `json:"name"`
	Marks   []string `json:"marks"`
	Message string   `json:"message"`
}

// announce reads the stream's rate in the first frame, at once: the frames of sound that follow it do not wait for a turn.
func (k *socket) announce(text []byte) {
	var n notice
	if bytes.Contains(text, []byte(`"start"`)) && json.Unmarshal(text, &n) == nil && n.Event == "start" && (n.Rate == 8000 || n.Rate == 16000) {
		k.rate.Store(int32(n.Rate))
	}
}

// deliverText takes a text frame in a turn of its own.
func (k *socket) deliverText(text string) error {
	var n notice
	if strings.HasPrefix(text, "{") && json.Unmarshal([]byte(text), &n) == nil {
		if err := k.notice(n); err != nil {
			return err
		}
	}
	return k.tell("text", text)
}

func (k *socket) notice(n notice) error {
	switch n.Event {
	case "dtmf":
		return k.tell("dtmf", n.Digit)
	case "error":
		return k.tell("error", n.Message)
	case "played":
		k.settleMark(n.Name, true)
	case "cleared":
		for _, name := range n.Marks {
			k.settleMark(name, false)
		}
	}
	return nil
}

// mark is a place in what the script plays, and who waits until it is heard.
type mark struct {
	name    string
	resolve func(any) error
	cancel  func() // of the timer, where the peer does not tell
}

// mark implements mark(name): a promise of true once all that was played before has been heard, and of false when it
// never will be.
func (k *socket) mark(a runtime.Args) goja.Value {
	name := a.String(0, "the mark's name")
	if len(name) > maxMarkName {
		a.Throw("the name of a mark may have %d bytes, not %d", maxMarkName, len(name))
	}
	if len(k.playback.marks) >= maxMarks {
		a.Throw("%d marks wait to be played; await one before the next", maxMarks)
	}
	vm := k.session.VM()
	promise, resolve, _ := vm.NewPromise()
	if k.session.DryRun() {
		return vm.ToValue(promise)
	}
	if k.isClosed() {
		_ = resolve(false)
		return vm.ToValue(promise)
	}
	m := &mark{name: name, resolve: resolve, cancel: func() {}}
	if k.hearing != nil {
		k.flushResampler(a)
		text, _ := json.Marshal(struct {
			Type string `json:"type"`
			Name string `json:"name"`
		}{"mark", name})
		k.put(a, outgoing{text: true, data: text})
	} else {
		m.cancel = k.session.AfterFunc(k.playback.left(), func() error { k.settleFirst(m, true); return nil })
	}
	k.playback.marks = append(k.playback.marks, m)
	return vm.ToValue(promise)
}

// settleMark settles the oldest mark of a name.
func (k *socket) settleMark(name string, heard bool) {
	for _, m := range k.playback.marks {
		if m.name == name {
			k.settleFirst(m, heard)
			return
		}
	}
}

func (k *socket) settleFirst(m *mark, heard bool) {
	k.playback.marks = slices.DeleteFunc(k.playback.marks, func(other *mark) bool { return other == m })
	m.cancel()
	_ = m.resolve(heard)
}

// forgetMarks settles the marks that are never heard.
func (k *socket) forgetMarks() {
	for len(k.playback.marks) > 0 {
		k.settleFirst(k.playback.marks[0], false)
	}
}

// isClosed reports whether nothing is sent any more.
func (k *socket) isClosed() bool {
	k.mu.Lock()
	closed := k.closed
	k.mu.Unlock()
	return closed || k.outbox.isShut()
}
