package ua_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

func TestReasonsAreRead(t *testing.T) {
	for header, want := range map[string][]ua.Reason{
		"": nil, "garbage": nil, ";;=": nil, "SIP;cause=x": nil, "SIP;cause=-1": nil, `Q.850;text="cause=3`: nil,
		"q.850 ; Cause = 16":                                     {{"Q.850", 16, ""}},
		`SIP;cause=200;text="a, \"b\"; c"`:                       {{"SIP", 200, `a, "b"; c`}},
		`SIP;cause=486 ;text=Busy, Q.850;cause=17;text="busy",X`: {{"SIP", 486, "Busy"}, {"Q.850", 17, "busy"}},
	} {
		if diff := cmp.Diff(want, ua.Reasons(header)); diff != "" {
			t.Errorf("%q: %s", header, diff)
		}
	}
}

func FuzzReasons(f *testing.F) {
	f.Add(`SIP;cause=200;text="a, \"b\"; c", Q.850;cause=16`)
	f.Fuzz(func(t *testing.T, header string) {
		for _, r := range ua.Reasons(header) {
			if r.Protocol == "" || r.Cause < 0 || r.Cause > 65535 {
				t.Errorf("%q: %+v", header, r)
			}
		}
	})
}
