package call_test

import (
	"fmt"
	"strings"
	"testing"

	bindcall "github.com/piopiy/piopiyd/bindings/call"
)

func TestCannotCarry(t *testing.T) {
	for _, tt := range []struct{ name, source, want string }{
		{"a verb", "await call.hold()\n  call.mute({ party: 'caller' })", "1:12 call.hold, 2:8 call.mute"},
		{"what it can", `call.say('x'); call.dial('x', { timeout: 1 }); call.transfer('x'); call.gather({ digits: true })`, ""},
		{"options", `call.transfer(to, { warm: true }); call.dial(a, { timeout: '5s', 'whisper': 'hi', accept })`,
			"1:21 call.transfer with warm, 1:66 call.dial with whisper, 1:83 call.dial with accept"},
		{"options that are not asked for", `call.transfer(to, { warm: false }); call.dial(a, { headers2: 1, x: { accept: 1 } })`, ""},
		{"words alone", `call.gather({ speech: true, digits: false })`, "1:29 call.gather with digits"},
		{"comments and strings", "// call.hold()\n/* call.hold()\n call.hold() */ 'call.hold()' + \"call.hold() \\\" call.hold()\"", ""},
		{"a template", "`call.hold() ${call.hold()} ${`${call.mute()} call.mute()`} call.hold()`", "1:21 call.hold, 1:39 call.mute"},
		{"a regular expression", `x = /call.hold()['"]/; call.hold()`, "1:29 call.hold"},
		{"a division", `x = a / 2; call.hold(); y = b / 3`, "1:17 call.hold"},
		{"after a bracket", `x = f(1) / 2; call.hold(); y = b / 3 + "/"`, "1:20 call.hold"},
		{"a string that is not closed", "x = 'call.hold()\ncall.hold()", "2:6 call.hold"},
		{"over lines", "call\n  .hold()\ncall?.hold?.()\ncall!.hold()", "2:4 call.hold, 3:7 call.hold, 4:7 call.hold"},
		{"other names", `export async function answer(c) { c.hold() }; const f = (they: Call) => they.hold()`, "1:37 call.hold, 1:78 call.hold"},
		{"arrows", `exports.answer = async c => c.hold()`, "1:31 call.hold"},
		{"somebody else's", `door.hold(); answer.call.name; recall.hold(); call.hold; call.holder()`, ""},
		{"within something", `this.call.hold(); f(...call.list)`, "1:11 call.hold"},
		{"an argument", `call.ring(); call.ring('3s'); call.bridge(other); call.startRecording()`, "1:19 call.ring with a time, 1:36 call.bridge"},
		{"a stream without a URL", `call.stream(); call.stream({ listen: 'both' }); call.stream(call.streamUrl, { listen: 'both' })`, "1:6 call.stream without a URL, 1:21 call.stream without a URL"},
		{"nothing", "", ""},
		{"cut", "call.", ""},
		{"cut in a call", "call.dial({ a: `${", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, u := range bindcall.CannotCarry("cloud", tt.source) {
				got = append(got, fmt.Sprintf("%d:%d %s", u.Line, u.Column, u))
			}
			if strings.Join(got, ", ") != tt.want {
				t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), tt.want)
			}
			if found := bindcall.CannotCarry("sip", tt.source); found != nil {
				t.Errorf("the driver sip can do all: %v", found)
			}
		})
	}
}

func FuzzCannotCarry(f *testing.F) {
	f.Add("`${call.hold()}` /x/ 'a\\\nb' /* */ // x")
	f.Add("call.dial({ accept: '1' })")
	f.Fuzz(func(t *testing.T, source string) {
		lines := strings.Split(source, "\n")
		for _, u := range bindcall.CannotCarry("cloud", source) {
			name := u.Option
			if name == "" {
				name = u.Verb
			}
			if u.Line > len(lines) || u.Column > len(lines[u.Line-1]) || !strings.HasPrefix(strings.TrimLeft(lines[u.Line-1][u.Column-1:], `'"`), name) {
				t.Errorf("%+v is not there", u)
			}
		}
	})
}
