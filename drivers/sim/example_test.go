package sim_test

import (
	"context"
	"fmt"

	"github.com/piopiy/piopiyd/drivers/sim"
)

func Example() {
	presses, err := sim.ParsePresses("-,2,1234")
	if err != nil {
		fmt.Println(err)
		return
	}
	// support is an app of this package's tests: a menu, and a question for a pin behind its 2.
	transcript, err := sim.New(sim.Options{}).Call(context.Background(), support(), sim.Caller{App: "support", Press: presses})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range transcript.Entries {
		if e.Kind != sim.Replied { // the PCMO
			fmt.Println(e)
		}
	}
	fmt.Println(transcript.Summary())
	// Output:
	// 00:00.0  15550001111 calls 15550002222, app support
	// 00:00.0  answered
	// 00:00.0  event    in_answered (leg a)
	// 00:00.0  hears    “Thanks for calling Acme.” (1.6s)
	// 00:01.6  hears    file menu.wav (5s)
	// 00:01.6  asked    for 1 digit within 4s, attempt 1 of 3
	// 00:10.6  silent   no digits in time
	// 00:10.6  hears    file menu.wav (5s)
	// 00:10.6  asked    for 1 digit within 4s, attempt 2 of 3
	// 00:16.4  presses  2
	// 00:16.4  asked    for 4 digits within 5s
	// 00:18.1  presses  1234
	// 00:18.1  hears    “Your pin is 1234” (1.1s)
	// 00:19.2  hangup   the app hung up
	// 00:19.2  event    in_hangup (leg a)
	// 00:19.2  cdr      answered, 19.2s (leg a)
	// the app hung up after 19.2s
}
