package websocket

import (
	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/webidl"
)

// The event classes, by their place in eventClasses.
const (
	messageClass = iota
	closeClass
	errorClass
)

// eventClasses are the classes of events that sockets fire (HTML, section 9.1; this standard, section 6; HTML, section
// 8.1.4.6), with their members and what those are when nothing is said.
var eventClasses = [...]struct {
	name    string
	members []member
}{
	messageClass: {"MessageEvent", []member{{"data", nil}, {"origin", ""}, {"lastEventId", ""}}},
	closeClass:   {"CloseEvent", []member{{"wasClean", false}, {"code", 0}, {"reason", ""}}},
	errorClass:   {"ErrorEvent", []member{{"message", ""}, {"error", nil}}},
}

type member struct {
	name      string
	otherwise any // nil is null
}

// event is the state of an event with members.
type event struct {
	abort.Event
	values []goja.Value // in the order of the class's members
}

func (in *instance) eventClass(i int) *goja.Object {
	if in.events[i] != nil {
		return in.events[i]
	}
	vm, class := in.s.VM(), eventClasses[i]
	var members []webidl.Member
	var names []string
	for n, m := range class.members {
		names = append(names, m.name)
		members = append(members, webidl.Member{Name: m.name, Get: func(c goja.FunctionCall) goja.Value {
			values := webidl.Receiver[*event](in.s, c, class.name+"."+m.name).values
			if n >= len(values) { // of a class that has fewer
				panic(in.s.NewError("TypeError", class.name+"."+m.name+": Illegal invocation"))
			}
			return values[n]
		}})
	}
	in.events[i] = webidl.Define(in.s, webidl.Class{
		Name: class.name, Length: 1, Parent: abort.EventClass(in.s), Members: members,
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			base, options := abort.ParseEvent(in.s, class.name, c, names...)
			e := &event{Event: base}
			for _, m := range class.members {
				v := options.Value(m.name)
				switch m.otherwise.(type) {
				case string:
					if v != nil {
						v = webidl.String(v)
					}
				case bool:
					if v != nil {
						v = vm.ToValue(v.ToBoolean())
					}
				case int:
					if v != nil {
						v = vm.ToValue(uint16(v.ToInteger()))
					}
				}
				if v == nil {
					v = vm.ToValue(m.otherwise)
				}
				e.values = append(e.values, v)
			}
			webidl.Attach(in.s, this, e)
		},
	})
	return in.events[i]
}

// fire dispatches an event of a class to the socket's listeners, if there are any.
func (k *socket) fire(kind string, class int, values ...any) {
	if !k.Listens(kind) {
		return
	}
	vm := k.in.s.VM()
	e := &event{Event: abort.NewEvent(k.in.s, kind)}
	for _, v := range values {
		e.values = append(e.values, vm.ToValue(v))
	}
	k.Dispatch(k.in.s, k.object, webidl.New(k.in.s, k.in.eventClass(class), e), &e.Event)
}

// fireOpen dispatches the plain event that says that the socket is open.
func (k *socket) fireOpen() {
	if k.Listens("open") {
		e := abort.NewEvent(k.in.s, "open")
		k.Dispatch(k.in.s, k.object, webidl.New(k.in.s, abort.EventClass(k.in.s), &e), &e)
	}
}
