// Package siptest drives real SIP programs as the other side of tests.
package siptest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
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

// taken are the sockets by which this process keeps the ports that FreePort has returned: the programs that are to use
// a port bind it only later, and tests of other packages run beside these.
var taken sync.Map

// FreePort returns a port that nothing uses now, nor those right after it, outside of what the system gives to others.
// No process gets it again while this one runs.
func FreePort(t testing.TB) int {
	t.Helper()
	for range 200 {
		port := 20000 + portsApart*rand.IntN(2000)
		if take(port) && freeFrom(port) {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// take binds a port at an address of loopback that nothing else uses.
func take(port int) bool {
	conn, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.77:%d", port))
	if err != nil { // also where loopback has one address only: then the process keeps apart what is its own
		_, known := taken.LoadOrStore(port, nil)
		return !known && !errors.Is(err, syscall.EADDRINUSE)
	}
	taken.Store(port, conn)
	return true
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
