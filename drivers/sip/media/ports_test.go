package media_test

import (
	"net/netip"
	"testing"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

func TestPorts(t *testing.T) {
	addr := netip.MustParseAddr("127.0.0.1")
	for _, bad := range [][2]int{{80, 90}, {5000, 4000}, {5000, 70000}, {5000, 5000}} {
		if _, err := media.NewPorts(addr, bad[0], bad[1]); err == nil {
			t.Errorf("%v is a range", bad)
		}
	}
	ports, err := media.NewPorts(addr, 18001, 18005)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for {
		conn, err := ports.Open()
		if err != nil {
			break
		}
		defer func() { _ = conn.Close() }()
		port := int(conn.LocalAddr().(interface{ AddrPort() netip.AddrPort }).AddrPort().Port())
		if port%2 != 0 || port < 18002 || port > 18004 || seen[port] {
			t.Errorf("port %d", port)
		}
		seen[port] = true
	}
	if len(seen) > 2 {
		t.Errorf("%d ports", len(seen))
	}
}

func TestQueue(t *testing.T) {
	q := media.NewQueue(media.Rate, 400)
	if dropped := q.Write(make([]int16, 500)); dropped != 100 || q.Len() != 400 {
		t.Errorf("%d dropped, %d kept", dropped, q.Len())
	}
	f := media.NewFrame(media.Rate)
	q.Pause(true)
	if q.ReadFrame(f) {
		t.Error("a paused queue is heard")
	}
	q.Pause(false)
	frames := 0
	for q.ReadFrame(f) {
		frames++
	}
	if frames != 3 {
		t.Errorf("%d frames, want 3: the last one is filled up", frames)
	}
	q.Write(make([]int16, 300))
	if q.Clear() != 300 || q.ReadFrame(f) {
		t.Error("a cleared queue is heard")
	}
}

func TestRecorderRefusesAFileThatIsThere(t *testing.T) {
	path := t.TempDir() + "/a.wav"
	first, err := media.NewRecorder(path, media.RecorderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	if second, err := media.NewRecorder(path, media.RecorderOptions{}); err == nil {
		_ = second.Close()
		t.Error("a recording is overwritten")
	}
}
