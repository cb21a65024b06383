package cloud_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/cloud"
)

var now = time.UnixMilli(1_800_000_000_000)

// Everything the protocol page lists as seen on the wire is understood (sections 1.2 to 1.6).
func TestAnswerRequests(t *testing.T) {
	want := call.Call{ID: "u-1", App: "app", Driver: "cloud", Direction: call.Inbound, From: "15550001111", To: "15550002222", Time: time.UnixMilli(1700000000000)}
	for name, test := range map[string]struct {
		body   string
		change func(*call.Call)
	}{
		"as documented":        {`{"action":"inbound","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"u-1"}`, nil},
		"numbers":              {`{"action":"inbound","from":15550001111,"to":15550002222,"time":1700000000000,"cmiuuid":"u-1"}`, nil},
		"without action":       {`{"from":15550001111,"to":"15550002222","time":"1700000000000","cmiuuid":"u-1"}`, nil},
		"the id without its i": {`{"from":"15550001111","to":"15550002222","time":1700000000000,"cmuuid":"u-1"}`, nil},
		"outbound":             {`{"action":"outbound","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"u-1"}`, func(c *call.Call) { c.Direction = call.Outbound }},
		"another action":       {`{"action":"whatever","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"u-1"}`, nil},
		"seconds":              {`{"from":"15550001111","to":"15550002222","time":1700000000,"cmiuuid":"u-1"}`, nil},
		"no readable time":     {`{"from":"+15550001111","to":"15550002222","cmiuuid":"u-1","time":"soon"}`, func(c *call.Call) { c.Time = now }},
		"no time":              {`{"from":"15550001111","to":"15550002222","cmiuuid":"u-1"}`, func(c *call.Call) { c.Time = now }},
		"JSON text extras":     {`{"from":15550001111,"to":15550002222,"time":1700000000000,"cmiuuid":"u-1","extra_params":"{\"order\":\"A1\"}"}`, func(c *call.Call) { c.ExtraParams = `{"order":"A1"}` }},
		"plain text extras":    {`{"from":15550001111,"to":15550002222,"time":1700000000000,"cmiuuid":"u-1","extra_params":"hello"}`, func(c *call.Call) { c.ExtraParams = "hello" }},
		"object extras":        {`{"from":15550001111,"to":15550002222,"time":1700000000000,"cmiuuid":"u-1","extra_params":{"a":1}}`, func(c *call.Call) { c.ExtraParams = `{"a":1}` }},
		"a SIP caller":         {`{"from":"sip:alice@example.com","to":15550002222,"time":1700000000000,"cmiuuid":"u-1","unknown":[1]}`, func(c *call.Call) { c.From = "sip:alice@example.com" }},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloud.DecodeAnswer("app", []byte(test.body), now)
			if err != nil {
				t.Fatal(err)
			}
			want := want
			if test.change != nil {
				test.change(&want)
			}
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDigits(t *testing.T) {
	for body, want := range map[string]string{
		`{"from":15550002222,"to":15550001111,"dtmf":"1234","cmuuid":"u-1"}`: "1234",
		`{"from":15550002222,"to":15550001111,"dtmf":5,"cmuuid":"u-1"}`:      "5",
		`{"from":15550002222,"to":15550001111,"dtmf":"*#","cmuuid":"u-1"}`:   "*#",
		`{"from":15550002222,"to":15550001111,"dtmf":"","cmuuid":"u-1"}`:     "",
		`{"from":15550002222,"to":15550001111,"cmiuuid":"u-1"}`:              "",
	} {
		c, in, err := cloud.DecodeInput("app", "token", []byte(body), now)
		if err != nil || in.Digits != want || c.ID != "u-1" || in.Token != "token" {
			t.Errorf("%s: got %+v, %v", body, in, err)
		}
	}
}

func TestEvents(t *testing.T) {
	for body, want := range map[string]call.Event{
		`{"appid":1,"type":"event","direction":"inbound","leg":"a","status":"answered","time":1700000000000,"from":1,"to":2,"cmiuuid":"a","conversation_uuid":"a"}`: {CallID: "a", LegID: "a", Leg: "a", Direction: "inbound", Status: call.StatusAnswered, WireStatus: "answered"},
		`{"appid":1,"leg":"a","status":"in_answered","time":1700000000000,"from":1,"to":2,"cmiuuid":"a"}`:                                                           {CallID: "a", LegID: "a", Leg: "a", Direction: "inbound", Status: call.StatusAnswered, WireStatus: "in_answered"},
		`{"direction":"outbound","leg":"b","status":"out_bridged","time":1700000000000,"from":"1","to":2,"cmiuuid":"b","conversation_uuid":"r","request_id":"r"}`:   {CallID: "r", LegID: "b", RequestID: "r", Leg: "b", Direction: "outbound", Status: call.StatusBridged, WireStatus: "out_bridged"},
		`{"leg":"b","status":"STREAM_DISCONNECTED","time":1700000000000,"from":1,"to":2,"cmiuuid":"b","ws_status":"{}"}`:                                            {CallID: "b", LegID: "b", Leg: "b", Status: call.StatusStreamDisconnected, WireStatus: "STREAM_DISCONNECTED"},
		`{"status":"brand_new","time":1700000000000,"from":1,"to":2,"cmiuuid":"b"}`:                                                                                 {CallID: "b", LegID: "b", Leg: "a", Status: "brand_new", WireStatus: "brand_new"},
	} {
		got, err := cloud.DecodeEvent("app", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		want.App, want.From, want.To, want.Time = "app", "1", "2", time.UnixMilli(1700000000000)
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(call.Event{}, "Raw")); diff != "" {
			t.Errorf("%s\n%s", body, diff)
		}
		if string(got.Raw) != body {
			t.Errorf("raw is %s", got.Raw)
		}
	}
}

func TestCDRs(t *testing.T) {
	for body, want := range map[string]call.CDR{
		`{"appid":1,"type":"cdr","direction":"inbound","status":"answered","leg":"a","from":1,"to":2,"time":1700000000000,"start_time":1700000000,"answer_time":1700000005,"end_time":1700000015,"duration":10,"cmiuuid":"a","conversation_uuid":"a","call_rate":"0.5","balance":"1"}`: {
			CallID: "a", LegID: "a", Leg: "a", Direction: "inbound", Status: call.StatusAnswered, Start: time.Unix(1700000000, 0), Answer: time.Unix(1700000005, 0), End: time.Unix(1700000015, 0), Duration: 10 * time.Second},
		`{"direction":"outbound","status":"out_missed","leg":"b","from":"1","to":2,"time":1700000000000,"duration":"0","cmiuuid":"b","conversation_uuid":"a","request_id":"r","out":true,"api_init":true,"call_rate":0}`: {
			CallID: "a", LegID: "b", RequestID: "r", Leg: "b", Direction: "outbound", Status: call.StatusMissed, Start: time.UnixMilli(1700000000000)},
	} {
		got, err := cloud.DecodeCDR("app", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		want.App, want.From, want.To = "app", "1", "2"
		if diff := cmp.Diff(&want, got, cmpopts.IgnoreFields(call.CDR{}, "Raw")); diff != "" {
			t.Errorf("%s\n%s", body, diff)
		}
	}
}

// Bad input gets an error that names the field and the rule.
func TestWhatIsRefused(t *testing.T) {
	answer := func(b string) error { _, err := cloud.DecodeAnswer("app", []byte(b), now); return err }
	input := func(b string) error { _, _, err := cloud.DecodeInput("app", "t", []byte(b), now); return err }
	event := func(b string) error { _, err := cloud.DecodeEvent("app", []byte(b)); return err }
	cdr := func(b string) error { _, err := cloud.DecodeCDR("app", []byte(b)); return err }
	for _, test := range []struct {
		decode      func(string) error
		body, field string
		says        string
	}{
		{answer, ``, "", "empty"},
		{answer, `{`, "", "not JSON"},
		{answer, `[]`, "", "object"},
		{answer, `"x"`, "", "object"},
		{answer, `null`, "cmiuuid", "missing"},
		{answer, "{\"from\":\"\xff\"}", "", "UTF-8"},
		{answer, `{"from":"1"}`, "cmiuuid", "missing"},
		{answer, `{"cmiuuid":true}`, "cmiuuid", "boolean"},
		{answer, `{"cmiuuid":"` + strings.Repeat("x", 201) + `"}`, "cmiuuid", "longer"},
		{input, `{"cmuuid":"u","dtmf":"1;drop"}`, "dtmf", "digits"},
		{input, `{"cmuuid":"u","dtmf":"` + strings.Repeat("1", 300) + `"}`, "dtmf", "256"},
		{event, `{"cmiuuid":"u"}`, "status", "missing"},
		{event, `{"status":"answered"}`, "cmiuuid", "missing"},
		{event, `{"status":"answered","cmiuuid":"u","direction":"sideways"}`, "direction", "neither"},
		{cdr, `{"cmiuuid":"u","status":"lost"}`, "status", "neither"},
		{cdr, `{"cmiuuid":"u","status":"answered","duration":"long"}`, "duration", "seconds"},
		{cdr, `{"cmiuuid":"u","status":"answered","duration":-1}`, "duration", "seconds"},
	} {
		err := test.decode(test.body)
		var field *cloud.FieldError
		if !errors.As(err, &field) || field.Field != test.field || !strings.Contains(field.Rule, test.says) {
			t.Errorf("%.80s: got %v, want field %q and a rule that says %q", test.body, err, test.field, test.says)
		}
	}
}

func FuzzHooks(f *testing.F) {
	for _, seed := range []string{
		`{"action":"inbound","from":"15550001111","to":"15550002222","time":1700000000000,"cmiuuid":"u-1"}`,
		`{"from":15550002222,"to":15550001111,"dtmf":"2","cmuuid":"u","extra_params":"{\"order_id\":\"A1\"}"}`,
		`{"appid":1,"leg":"a","status":"in_answered","time":1700000000000,"from":1,"to":2,"cmiuuid":"a"}`,
		`{"status":"missed","cmiuuid":"u","duration":"0","start_time":1e9,"end_time":null}`,
		`{"time":1e400,"cmiuuid":{"a":[]}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		check := func(err error, ids ...string) {
			var field *cloud.FieldError
			if err != nil && !errors.As(err, &field) {
				t.Errorf("%q: %T is not a FieldError: %v", data, err, err)
			}
			for _, id := range ids {
				if err == nil && (id == "" || len(id) > 200) {
					t.Errorf("%q: accepted with the id %q", data, id)
				}
			}
		}
		if c, err := cloud.DecodeAnswer("app", data, now); err != nil {
			check(err)
		} else {
			check(nil, c.ID)
		}
		if c, in, err := cloud.DecodeInput("app", "t", data, now); err != nil {
			check(err)
		} else if check(nil, c.ID); strings.Trim(in.Digits, "0123456789*#ABCDabcd") != "" {
			t.Errorf("%q: digits %q", data, in.Digits)
		}
		if e, err := cloud.DecodeEvent("app", data); err != nil {
			check(err)
		} else {
			check(nil, e.CallID, e.LegID)
		}
		if r, err := cloud.DecodeCDR("app", data); err != nil {
			check(err)
		} else {
			check(nil, r.CallID, r.LegID)
		}
	})
}
