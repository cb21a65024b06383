// Package siptest drives real SIP programs as the other side of tests.
package siptest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// Program skips the test, aloud, where a program of a Debian package is not installed. In CI nothing is skipped:
// there it fails. baresip takes no call where loopback is the only network: then it is as good as not there.
func Program(t testing.TB, name, pkg string) {
	t.Helper()
	if _, err := exec.LookPath(name); err == nil {
		if name == "baresip" && !networked() {
			t.Skip("SKIPPED: baresip needs a network interface with an IPv4 address beside loopback (such as: ip link add dummy0 type dummy)")
		}
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is not installed, and CI skips nothing (Debian: apt-get install %s)", name, pkg)
	}
	t.Skipf("SKIPPED: %s is not installed (Debian: apt-get install %s)", name, pkg)
}

// networked reports whether there is an IPv4 address beside loopback.
func networked() bool {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return false
	}
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return true
		}
	}
	return false
}

// portsApart is how many ports belong to one from FreePort: SIPp takes four in a row for sound and pictures.
const portsApart = 6

// given are the ports that FreePort has returned.
var given sync.Map

// FreePort returns a port that nothing uses now, nor those right after it, outside of what the system gives to others.
// It returns no port twice.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := 20000 + portsApart*rand.IntN(2000)
		if _, taken := given.LoadOrStore(port, true); !taken && freeFrom(port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func freeFrom(port int) bool {
	for i := range portsApart {
		if !free(port + i) {
			return false
		}
	}
	return true
}

func free(port int) bool {
	at := fmt.Sprintf("127.0.0.1:%d", port)
	udp, err := net.ListenPacket("udp", at)
	if err != nil {
		return false
	}
	_ = udp.Close()
	tcp, err := net.Listen("tcp", at)
	if err != nil {
		return false
	}
	_ = tcp.Close()
	return true
}

// patience is how long other programs may take.
const patience = 30 * time.Second

// Wait asks again and again, for what only another program knows.
func Wait(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// Contains reports whether a tone is in samples of 8 kHz for 100 ms.
func Contains(samples []int16, hz float64) bool {
	for i := 0; i+800 <= len(samples); i += 400 {
		if audio.Level(samples[i:i+800], hz, media.Rate) > 2500 {
			return true
		}
	}
	return false
}
