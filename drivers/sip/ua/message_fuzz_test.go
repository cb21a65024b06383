package ua_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// FuzzMessage sends anything to an agent, by UDP and by TCP, which must go on.
func FuzzMessage(f *testing.F) {
	files, _ := filepath.Glob("../testdata/rfc4475/*.dat")
	if len(files) == 0 {
		f.Fatal("no messages to begin with")
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, method := range []string{"INVITE", "ACK", "BYE", "CANCEL", "REGISTER", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY", "SUBSCRIBE"} {
		f.Add([]byte(method + " sip:b@h SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK1\r\nFrom: <sip:al@h>;tag=1\r\nTo: <sip:al@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 " + method +
			"\r\nContact: <sip:al@h>;expires=9, *\r\nAuthorization: Digest username=\"al\", realm=\"piopiyd\", nonce=\"x\", uri=\"sip:h\", response=\"0\", nc=00000001\r\n" +
			"Require: 100rel\r\nSession-Expires: 90;refresher=uac\r\nReplaces: c;to-tag=2;from-tag=1\r\nRefer-To: <sip:x@h?Replaces=c>\r\nRAck: 1 1 INVITE\r\nEvent: refer;id=1\r\n" +
			"Content-Type: application/dtmf-relay\r\nContent-Length: 10\r\n\r\nSignal=5\r\n"))
	}
	a, err := ua.Open(ua.Options{
		Listen: "127.0.0.1:0", Users: map[string]string{"al": "s3cret"}, Invite: func(i *ua.Invitation) { i.Reject(486, "Busy Here", "") },
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_ = a.Close(ctx)
	})
	sender, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port()})
	if err != nil {
		f.Fatal(err)
	}
	probe, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _, _ = sender.Close(), probe.Close() })
	n := 0
	buf := make([]byte, 65536)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 60_000 {
			return
		}
		n++
		_, _ = sender.Write(data)
		if n%32 == 0 { // connections are dear
			conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port()))
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write(data)
			_ = conn.Close()
		}
		id := fmt.Sprintf("probe%d", n)
		for try := range 5 {
			_, _ = fmt.Fprintf(probe, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;rport;branch=z9hG4bK%s.%d\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: %s\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", id, try, id)
			_ = probe.SetReadDeadline(time.Now().Add(2 * time.Second))
			for {
				m, err := probe.Read(buf)
				if err != nil {
					break
				}
				if strings.Contains(string(buf[:m]), "Call-ID: "+id+"\r\n") {
					return
				}
			}
		}
		t.Fatal("the agent does not answer any more")
	})
}
