package call

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/dop251/goja"

	bindpcmo "github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/runtime"
)

func itoa(i int) string { return strconv.Itoa(i) }

func (v *verbs) hangup(a runtime.Args) goja.Value {
	return v.end("hangup", a, call.CauseNormal)
}

func (v *verbs) reject(a runtime.Args) goja.Value {
	return v.end("reject", a, call.CauseRejected)
}

func (v *verbs) end(verb string, a runtime.Args, cause string) goja.Value {
	if a.Has(0) {
		cause = a.String(0, "the cause")
	}
	if err := (pcmo.Document{&pcmo.Hangup{Cause: cause}}).Validate(); err != nil {
		a.Throw("the cause must be a word such as USER_BUSY: %v", err)
	}
	return v.do(task{verb: verb, turn: inOrder, hosted: hangsUp(cause), live: simply(func(_ context.Context, c *call.Control) error {
		return c.Hangup(call.Ending{By: call.SideApp, Cause: cause})
	})})
}

// maxTargets bounds how many parties one dial rings.
const maxTargets = 50

func (v *verbs) dial(a runtime.Args) goja.Value {
	o := a.Options(1, "strategy", "timeout", "maxDuration", "callerId", "record", "music", "whisper", "accept", "machineDetection", "headers")
	plan := call.DialPlan{
		CallerID: strings.TrimPrefix(o.String("callerId", ""), "+"), Timeout: o.Duration("timeout", 40*time.Second),
		MaxDuration: o.Duration("maxDuration", 90*time.Minute), Accept: o.String("accept", ""), DetectMachine: o.Bool("machineDetection", false),
	}
	if o.Bool("record", false) {
		plan.Record = &call.RecordOptions{}
	}
	if o.Has("music") {
		plan.Music = call.Sound(o.String("music", ""))
	}
	if o.Has("whisper") {
		plan.Whisper = v.prompt(a, o.Value("whisper"), o)
	}
	if len(plan.Accept) > 1 || !isKeys(plan.Accept) {
		a.Throw(`option "accept" must be one key of 0-9, * and #`)
	}
	plan.Groups = v.groups(a, o)
	return v.do(task{verb: "dial", turn: inTurn, hosted: dials(plan, v.dialled), live: func(ctx context.Context, c *call.Control) (outcome, error) {
		got, err := c.Dial(ctx, plan)
		return v.dialled(got), err
	}})
}

func targetName(t call.Target) string {
	if t.User != "" {
		return t.User
	}
	return t.Number.Digits()
}

// groups reads whom to dial: one target or a list; with strategy "group" those of the list ring at once, else one
// after the other. A list within the list is a group by itself.
func (v *verbs) groups(a runtime.Args, o runtime.Options) [][]call.Target {
	together := false
	switch strategy := o.String("strategy", "sequential"); strategy {
	case "group", "simultaneous":
		together = true
	case "sequential", "single":
	default:
		a.Throw(`option "strategy" must be "sequential" or "group", not %.20q`, strategy)
	}
	headers := v.headers(a, o)
	var groups [][]call.Target
	total := 0
	add := func(names []string) {
		group := make([]call.Target, len(names))
		for i, name := range names {
			group[i] = target(a, name, headers)
		}
		if total += len(names); total > maxTargets {
			a.Throw("at most %d targets can be dialled", maxTargets)
		}
		groups = append(groups, group)
	}
	const what = "the number or SIP address to dial"
	list, ok := a.Value(0).(*goja.Object)
	if !ok || list.ClassName() != "Array" || together {
		names := v.strings(a, a.Value(0), what, maxTargets, partyText)
		if together {
			add(names)
			return groups
		}
		for _, name := range names {
			add([]string{name})
		}
		return groups
	}
	n := int(list.Get("length").ToInteger())
	if n == 0 || n > maxTargets {
		a.Throw("%s: the list has %d entries; 1 to %d are allowed", what, n, maxTargets)
	}
	for i := range n {
		add(v.strings(a, list.Get(itoa(i)), what, maxTargets, partyText))
	}
	return groups
}

// target reads a party: a number with country code, a SIP address, or the name of a SIP user.
func target(a runtime.Args, name string, headers []call.Header) call.Target {
	t := call.Target{Headers: headers}
	digits := strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(name)
	switch {
	case strings.ContainsAny(name, "@:"):
		t.Target = pcmo.SIP(name)
	case pcmo.IsNumber(digits):
		t.Target = pcmo.PSTN(pcmo.Number(strings.TrimPrefix(digits, "+")))
	default:
		t.Target = pcmo.SIP(name)
	}
	if strings.ContainsAny(name, "\r\n<>\"") || len(name) > 256 {
		a.Throw("%.40q is neither a number nor a SIP address", name)
	}
	return t
}

// headers reads the option headers: names to texts.
func (v *verbs) headers(a runtime.Args, o runtime.Options) []call.Header {
	object, ok := o.Value("headers").(*goja.Object)
	if !ok {
		return nil
	}
	var headers []call.Header
	for _, name := range object.Keys() {
		text := object.Get(name).String()
		if len(headers) >= 20 || len(text) > 1024 || strings.ContainsAny(name+text, "\r\n") {
			a.Throw(`option "headers": at most 20 headers of one line each, of at most 1024 characters`)
		}
		headers = append(headers, call.Header{Name: name, Value: text})
	}
	return headers
}

// transfer lets somebody else take the call. With warm the other is asked first and the promise settles when the two
// talk; without it the call goes on with the other party, or with the document given.
func (v *verbs) transfer(a runtime.Args) goja.Value {
	o := a.Options(1, "warm", "timeout", "maxDuration", "callerId", "confirm", "whisper", "music", "headers")
	to, isName := partyText(a.Value(0))
	if !isName {
		return v.perform(a)
	}
	t := target(a, to, v.headers(a, o))
	w := call.Warm{
		Target: t, CallerID: strings.TrimPrefix(o.String("callerId", ""), "+"), Timeout: o.Duration("timeout", 40*time.Second),
		MaxDuration: o.Duration("maxDuration", 90*time.Minute), Confirm: o.Bool("confirm", false),
	}
	if o.Has("whisper") {
		w.Whisper = v.prompt(a, o.Value("whisper"), o)
	}
	if o.Has("music") {
		w.Music = call.Sound(o.String("music", ""))
	}
	if o.Bool("warm", false) {
		return v.do(task{verb: "transfer", turn: inTurn, live: simply(func(ctx context.Context, c *call.Control) error { return c.Transfer(ctx, w) })})
	}
	ring, limit := int(w.Timeout/time.Second), int(w.MaxDuration/time.Second)
	connect := &pcmo.Connect{From: pcmo.Number(w.CallerID), Targets: []pcmo.Target{t.Target}, TimeoutSeconds: &ring, DurationSeconds: &limit}
	return v.do(task{verb: "transfer", turn: inOrder, hosted: transfers(w), live: simply(func(_ context.Context, c *call.Control) error { return c.Perform([]pcmo.Action{connect}) })})
}

// perform lets a document take the place of what is performed.
func (v *verbs) perform(a runtime.Args) goja.Value {
	var functions bindpcmo.Continuations
	if v.conv != nil {
		functions = continuations{v.conv, v.conv.current()}
	}
	result, err := bindpcmo.Decode(v.session, a.Value(0), functions)
	if err != nil {
		a.Fail(err)
	}
	doc := []pcmo.Action(result.Document)
	if result.Pipeline != nil {
		doc = result.Pipeline
	}
	return v.do(task{verb: "perform", turn: inOrder, hosted: performs(result), live: simply(func(_ context.Context, c *call.Control) error { return c.Perform(doc) })})
}

func (v *verbs) refer(a runtime.Args) goja.Value {
	t := target(a, a.String(0, "the number or SIP address"), nil)
	return v.do(task{verb: "refer", live: simply(func(ctx context.Context, c *call.Control) error { return c.Refer(ctx, t) })})
}

func (v *verbs) conference(a runtime.Args) goja.Value {
	o := a.Options(1, "muted", "endOnLeave")
	room := a.String(0, "the conference's name")
	if room == "" || len(room) > 100 {
		a.Throw("the conference's name must have 1 to 100 characters")
	}
	join := call.JoinOptions{Muted: o.Bool("muted", false), EndOnLeave: o.Bool("endOnLeave", false)}
	return v.do(task{verb: "conference", turn: inTurn, live: simply(func(ctx context.Context, c *call.Control) error { return c.Join(ctx, room, join) })})
}

func (v *verbs) leave(runtime.Args) goja.Value {
	return v.do(task{verb: "leave", turn: inOrder, live: simply(func(_ context.Context, c *call.Control) error { c.Leave(); return c.Err() })})
}

func hold(held bool) func(*verbs, runtime.Args) goja.Value {
	verb := map[bool]string{true: "hold", false: "unhold"}[held]
	return func(v *verbs, a runtime.Args) goja.Value {
		var music call.Prompt
		if o := a.Options(0, "music"); held && o.Has("music") {
			music = call.Sound(o.String("music", ""))
		}
		return v.do(task{verb: verb, turn: holding, live: simply(func(ctx context.Context, c *call.Control) error { return c.Hold(ctx, held, music) })})
	}
}

func mute(muted bool) func(*verbs, runtime.Args) goja.Value {
	verb := map[bool]string{true: "mute", false: "unmute"}[muted]
	return func(v *verbs, a runtime.Args) goja.Value {
		who := party(a, a.Options(0, "party"), "party")
		return v.do(task{verb: verb, turn: inOrder, live: simply(func(ctx context.Context, c *call.Control) error { return c.Mute(ctx, who, muted) })})
	}
}

func (v *verbs) sendDigits(a runtime.Args) goja.Value {
	digits := a.String(0, "the digits")
	if digits == "" || len(digits) > 100 || !isKeys(digits) {
		a.Throw("the digits must be 1 to 100 of 0-9, *, # and A-D")
	}
	to := party(a, a.Options(1, "to"), "to")
	return v.do(task{verb: "sendDigits", turn: inOrder, live: simply(func(ctx context.Context, c *call.Control) error { return c.SendDigits(ctx, digits, to) })})
}
