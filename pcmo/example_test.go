package pcmo_test

import (
	"fmt"

	"github.com/piopiy/piopiyd/pcmo"
)

func Example() {
	doc := pcmo.Document{
		&pcmo.Speak{Text: "One moment."},
		&pcmo.Bridge{
			From:           "14155550100",
			Targets:        []pcmo.Target{pcmo.PSTN("14155550101")},
			TimeoutSeconds: new(20),
		},
	}
	if err := doc.Validate(); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(string(doc.AppendJSON(nil)))
	// Output:
	// [{"action":"speak","text":"One moment."},{"action":"bridge","from":14155550100,"connect":[{"type":"pstn","number":14155550101}],"timeout":20}]
}

func ExampleDecode() {
	doc, err := pcmo.Decode([]byte(`[
		{"action":"play","file_name":"welcome.wav"},
		{"action":"bridge","from":"+14155550100","connect":[{"type":"pstn","number":"tel"}],"timeout":"20"}
	]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(doc[1].(*pcmo.Bridge).RingTimeout())
	fmt.Println(doc.Validate())
	// Output:
	// 20s
	// $[1].connect[0].number: "tel": must be a phone number: 3 to 16 digits with country code, without leading 0
}

func ExampleDecodeAny() {
	got, err := pcmo.DecodeAny([]byte(`[{"action":"param","data":{"tier":"gold"}},{"action":"hangup"}]`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(got.Dialect, len(got.Actions()))
	// Output:
	// pipeline 2
}
