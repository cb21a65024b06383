package media_test

import (
	"net"
	"runtime"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// TestReportsNeedNoGoroutines has many sessions report to each other, each at a port of its own. They close in turn, so
// that some still hear reports while others leave, and begin again when nobody was left.
func TestReportsNeedNoGoroutines(t *testing.T) {
	const pairs, ticks = 8, 200 // the first report comes within 188
	for range 3 {
		before := runtime.NumGoroutine()
		var all []*media.Session
		for range pairs {
			conns := [2]*net.UDPConn{pair(t), pair(t)}
			for i, conn := range conns {
				s := media.NewSession(conn, media.SessionOptions{})
				t.Cleanup(s.Close)
				s.Start(media.Format{Remote: addr(conns[1-i]), EventType: 101, Send: true, Receive: true})
				all = append(all, s)
			}
		}
		f := media.NewFrame(media.Rate)
		for range 2 * ticks { // reports that come before the other side listens are lost
			for _, s := range all {
				s.WriteFrame(f)
			}
		}
		for i, s := range all {
			eventually(t, "a session has a report", func() bool {
				all[i^1].WriteFrame(f)
				return s.Stats().Reports > 0
			})
		}
		if n := runtime.NumGoroutine() - before; n > len(all)+1 {
			t.Errorf("%d goroutines for %d sessions", n, len(all))
		}
		for _, s := range all {
			s.Close()
			s.Close()
		}
		eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
	}
}
