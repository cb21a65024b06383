package sip_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip"
)

// torture are the messages of RFC 4475 and what becomes of each over UDP: the status of the answer, or "" for what is
// dropped without one. The RFC leaves it to a server whether what is malformed is dropped or answered with 400; the
// library drops what it cannot read. Requests within dialogs that do not exist are 481.
var torture = map[string]string{
	// Section 3.1.1: valid, though one would not think so.
	"wsinv": "481", "intmeth": "405", "esc01": "404", "escnull": "401", "esc02": "405", "lwsdisp": "200", "longreq": "486", "dblreq": "401",
	"semiuri": "200", "transports": "200", "mpart01": "405",
	"unreason": "", "noreason": "", // responses to nothing
	// Section 3.1.2: invalid.
	"badinv01": "", "clerr": "", "ncl": "", "scalar02": "", "scalarlg": "", "quotbal": "", "ltgtruri": "", "lwsruri": "", "lwsstart": "", "trws": "",
	"escruri": "400", "baddn": "", "badvers": "", "mismatch01": "400", "mismatch02": "400", "badaspec": "",
	"baddate":  "486", // nobody reads Date here
	"regbadct": "401", "bigcode": "",
	// Section 3.2: about transactions.
	"badbranch": "200",
	// Section 3.3: about applications.
	"insuf": "400", "unkscm": "416", "novelsc": "", "unksm2": "401", "bext01": "420", "invut": "415", "regaut01": "401", "multi01": "400", "mcl01": "400",
	"bcast": "", "zeromf": "200", "cparam01": "401", "cparam02": "401", "regescrt": "401",
	"sdp01": "486", // it accepts no SDP in an answer: its own affair
	// Section 3.4: as before RFC 3261, without tags.
	"inv2543": "400",
}

// TestTorture sends each message of RFC 4475, by UDP and by TCP, while a bystander hears its call.
func TestTorture(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("testdata/rfc4475/*.dat")
	if len(files) != 49 || len(torture) != 49 {
		t.Fatalf("%d messages, %d outcomes", len(files), len(torture))
	}
	x := open(t, map[string]string{
		"play": `exports.answer = () => [{ action: 'play', file_name: 'long.wav' }]`, "user": `exports.answer = () => [{ action: 'hangup', cause: 'USER_BUSY' }]`,
	}, func(o *sip.Options) {
		o.Users = map[string]string{"watson": "s3cret"}
	})
	x.file("long.wav", 440, 5*time.Minute)
	bystander := newPhone(t, nil)
	if err := bystander.call(t.Context(), x, "play"); err != nil {
		t.Fatal(err)
	}
	t.Run("messages", func(t *testing.T) {
		for _, f := range files {
			name := strings.TrimSuffix(filepath.Base(f), ".dat")
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				data, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				if got := tortured(t, x.Port(), name, data); got != torture[name] {
					t.Errorf("answered with %q, want %q", got, torture[name])
				}
				conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", x.Port()))
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				if _, err := conn.Write(append(data, "\r\n\r\n"...)); err != nil {
					t.Fatal(err)
				}
			})
		}
	})
	bystander.hears(440)
	bystander.hangUp()
	if got := tortured(t, x.Port(), "afterwards", []byte("OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKx\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n")); got != "200" {
		t.Errorf("afterwards it answers %q", got)
	}
}

var topVia = regexp.MustCompile(`(?i)branch[ \t]*=(z9hG4bK)?`)

// tortured sends a message from a socket of its own and returns the final status.
func tortured(t *testing.T, port int, name string, data []byte) string {
	t.Helper()
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP("127.44.75.1")}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	// Without rport the answer goes to the port that Via names; and all have one branch, as copies of one would.
	if at := topVia.FindIndex(data); at != nil {
		branch := "branch=z9hG4bK" + name
		if name == "badbranch" {
			branch = "branch=z9hG4bK"
		}
		data = slices.Concat(data[:at[0]], []byte("rport;"+branch), data[at[1]:])
	}
	for _, host := range []string{"iftgw.example.com", "sip33.example.com"} {
		data = bytes.Replace(data, []byte(host+"\r\n"), []byte(host+";rport\r\n"), 1)
	}
	if _, err := conn.Write(data); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKlast%d\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: last%d\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n", time.Now().UnixNano(), 1); err != nil {
		t.Fatal(err)
	}
	status, last := "", false
	buf := make([]byte, 8192)
	for {
		wait := patience
		if last {
			wait = 200 * time.Millisecond
		}
		_ = conn.SetReadDeadline(time.Now().Add(wait))
		n, err := conn.Read(buf)
		if err != nil {
			return status
		}
		m := string(buf[:n])
		switch {
		case strings.Contains(m, "Call-ID: last1\r\n"):
			last = true
		case strings.HasPrefix(m, "SIP/2.0 1"):
		case strings.HasPrefix(m, "SIP/2.0 "):
			status = m[8:11]
			if last {
				return status
			}
		}
	}
}
