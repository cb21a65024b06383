package sip_test

import (
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/sdp"
)

// TestACallerHolds holds the exchange for longer than a phone may be silent: that ends no call. Once the caller is
// back, it does.
func TestACallerHolds(t *testing.T) {
	t.Parallel()
	for _, direction := range []sdp.Direction{sdp.SendOnly, sdp.Inactive} {
		t.Run(string(direction), func(t *testing.T) {
			t.Parallel()
			const silence = time.Second
			x := open(t, map[string]string{"desk": `exports.answer = () => [{ action: 'play', file_name: 'menu.wav' }]`}, func(o *sip.Options) { o.MediaTimeout = silence })
			x.file("menu.wav", 880, 20*time.Second)
			p := newPhone(t, nil)
			if err := p.call(t.Context(), x, "desk"); err != nil {
				t.Fatal(err)
			}
			p.hears(880)
			p.untick() // from here on it sends nothing
			p.untick = nil
			offer := func(d sdp.Direction, want sdp.Direction) {
				t.Helper()
				local := p.local()
				local.Version++
				local.Direction = d
				answer, err := p.dialog.Reinvite(t.Context(), local.Offer())
				if err != nil {
					t.Fatal(err)
				}
				if got, err := sdp.Parse(answer); err != nil || got.Direction != want {
					t.Errorf("%s is answered with %v, %v", d, got, err)
				}
			}
			offer(direction, map[sdp.Direction]sdp.Direction{sdp.SendOnly: sdp.RecvOnly, sdp.Inactive: sdp.Inactive}[direction])
			select {
			case e := <-p.over:
				t.Fatalf("the call ended while it was held: %+v", e)
			case <-time.After(3 * silence):
			}
			back := time.Now()
			offer(sdp.SendRecv, sdp.SendRecv)
			if e := p.ends(); !strings.Contains(e.Reason, "cause=102") {
				t.Errorf("ended with %+v", e)
			}
			if after := time.Since(back); after < silence {
				t.Errorf("ended %v after the caller was back", after)
			}
		})
	}
}
