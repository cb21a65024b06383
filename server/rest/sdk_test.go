package rest_test

import (
	"bufio"
	"encoding/json"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/server/rest"
)

// recordedCase is one call of a method of PIOPIY's npm SDK: what it sent, or what it threw.
type recordedCase struct {
	Name     string `json:"name"`
	JS       string `json:"js"`
	Requests []struct {
		Method  string            `json:"method"`
		Path    string            `json:"path"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"requests"`
	Reply  json.RawMessage `json:"reply"`
	Throws *struct {
		Message string `json:"message"`
	} `json:"throws"`
}

// recordedCases are the recordings of the unmodified SDK.
func recordedCases(t testing.TB) []recordedCase {
	f, err := os.Open("../../bindings/pcmo/testdata/sdk-recorded.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var list []recordedCase
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var c recordedCase
		if err := json.Unmarshal(scanner.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

// sdkKit is an API where all ids name an app and all calls are there.
func sdkKit(t *testing.T) *kit {
	k := newKit(t, func(o *rest.Options) {
		o.FindApp = func(id string) (string, bool) { return "support", id != "" }
		o.Authorize = rest.NewAccounts([]rest.Account{{Token: "token-1", Grant: rest.Grant{All: true}}}).Authorize
	})
	return k
}

// What the SDK sends although it cannot be done, and the field that is refused: a call would fail at that action, with
// nobody told why.
var refusedAlthoughSent = map[string]string{
	"voice.call app_id ''":                                                                                "app_id",
	"pcmo.transfer [{action:'play',file_name:''}]":                                                        "pipeline[0].file_name",
	"pcmo.transfer [{action:'param',data:{a:Infinity}}]":                                                  "pipeline[0].data.a", // JSON makes it null
	"pcmo.transfer [{action:'input',on_result:{type:'url',url:'https://'}}]":                              "pipeline[0].on_result.url",
	"pcmo.transfer [{action:'input',on_result:{type:'pcmo',ref:''}}]":                                     "pipeline[0].on_result.ref",
	"pcmo.transfer [{action:'connect',params:{caller_id:'14155550100'},endpoints:[{type:'sip',uri:''}]}]": "pipeline[0].endpoints[0].uri",
	"pcmo.transfer [{action:'play_get_input',prompt:{type:'say',say:'',language:'',voice_id:'',speed:0.5},input:['dtmf'],on_result:{type:'url',url:'https://h.example/r'}}]": "pipeline[0].prompt.say",
}

// Everything that the SDK sends is accepted.
func TestRecordedRequests(t *testing.T) {
	sent := 0
	paths := map[string]int{}
	unused := maps.Clone(refusedAlthoughSent)
	for _, c := range recordedCases(t) {
		for _, r := range c.Requests {
			k := sdkKit(t)
			response := k.do(exchange{method: r.Method, path: r.Path, body: r.Body, token: strings.TrimPrefix(r.Headers["authorization"], "Bearer ")})
			body, _ := io.ReadAll(response.Body)
			var reply struct{ Message, Field string }
			if err := json.Unmarshal(body, &reply); err != nil {
				t.Fatal(err)
			}
			sent++
			paths[r.Path]++
			delete(unused, c.Name)
			want, refused := refusedAlthoughSent[c.Name]
			switch {
			case refused && (response.StatusCode != 400 || reply.Field != want):
				t.Errorf("%s: %d %s, want %s to be refused", c.Name, response.StatusCode, body, want)
			case !refused && (response.StatusCode != 200 || len(k.platform.seen()) != 1):
				t.Errorf("%q: %d %s\n%s", c.Name, response.StatusCode, body, r.Body)
			}
		}
	}
	if sent < 80 || len(paths) != 5 {
		t.Errorf("only %d requests, to %v", sent, paths)
	}
	for name := range unused {
		t.Errorf("%s was not recorded", name)
	}
}

// What the SDK refuses to send, the API refuses too. The SDK's own checks mirror those of PIOPIY's server.
func TestRecordedRefusals(t *testing.T) {
	accepted := slices.Sorted(maps.Keys(acceptedAlthoughThrown))
	checked := 0
	for _, c := range recordedCases(t) {
		if c.Throws == nil || c.Reply != nil {
			continue
		}
		path, body, ok := bodyOf(t, c.JS)
		if !ok {
			continue
		}
		checked++
		k := sdkKit(t)
		response := k.do(exchange{path: path, body: body, token: "token-1"})
		reply, _ := io.ReadAll(response.Body)
		if i := slices.Index(accepted, c.Name); i >= 0 {
			accepted = slices.Delete(accepted, i, i+1)
			if response.StatusCode != 200 {
				t.Errorf("%s is refused: %s", c.Name, reply)
			}
			continue
		}
		if response.StatusCode != 400 || len(k.platform.seen()) != 0 {
			t.Errorf("%q: %d %s, SDK: %s\n%s", c.Name, response.StatusCode, reply, c.Throws.Message, body)
		}
	}
	if checked < 100 {
		t.Errorf("only %d refusals were looked at", checked)
	}
	for _, name := range accepted {
		t.Errorf("%q was not recorded", name)
	}
}

// What the SDK throws for and the API accepts, and why.
var acceptedAlthoughThrown = map[string]string{
	"pcmo.call agent_id not a UUID": "an agent is an app, and apps have names",
	"flow.call 'x', '00000000-0000-4000-8000-000000000002', '14155550100', '14155550101', 'a'": "a flow is an app, and apps have names",
	"pcmo.transfer [{action:'record',format:undefined}]":                                       "JSON leaves undefined out",
	"pcmo.transfer [{action:'input',on_result:{type:'url',url:'HTTP://h'}}]":                   "a URL's scheme has no case (RFC 3986 section 3.1)",
	"pcmo.transfer call_id '00000000000040008000000000000001'":                                 "the Python SDK sends UUIDs without hyphens too",
}

// bodyOf runs the script of a case against an SDK that checks nothing, and returns what it would send.
func bodyOf(t *testing.T, script string) (path, body string, ok bool) {
	vm := goja.New()
	vm.Set("post", func(p string, v goja.Value) {
		text, err := vm.RunString(`JSON.stringify`)
		if err != nil {
			t.Fatal(err)
		}
		stringify, _ := goja.AssertFunction(text)
		out, err := stringify(nil, v)
		if err == nil {
			path, body, ok = p, out.String(), true
		}
	})
	_, err := vm.RunString(`
		const named = (names, args) => {
			if (args.length === 1 && args[0] && typeof args[0] === 'object') return args[0];
			const o = {};
			names.forEach((name, i) => { if (args[i] !== undefined && args[i] !== null) o[name] = args[i] });
			return o;
		};
		const transfer = (call_id, pipeline) => post('/v3/voice/pcmo/transfer', { call_id, pipeline });
		const piopiy = {
			pcmo: { transfer, call: (...a) => post('/v3/voice/pcmo/call', named(['caller_id', 'to_number', 'app_id', 'pipeline', 'options', 'variables', 'agent_id'], a)) },
			flow: { call: (...a) => post('/v3/voice/flow/call', named(['flow_id', 'org_id', 'caller_id', 'to_number', 'app_id', 'options', 'variables'], a)) },
			ai: { transfer, hangup: (call_id, cause, reason) => post('/v3/voice/call/hangup', { call_id, cause, reason }) },
			voice: { transfer },
		};
		(async () => { ` + script + ` })()`)
	return path, body, ok && err == nil
}
