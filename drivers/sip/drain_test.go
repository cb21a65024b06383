package sip_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// undecided is documents, and an app that never decides.
type undecided struct{ documents }

func (u undecided) Answer(ctx context.Context, c *call.Call) (call.Reply, error) {
	if c.App == "undecided" {
		<-ctx.Done()
		return call.Reply{}, context.Cause(ctx)
	}
	return u.documents.Answer(ctx, c)
}

// vanishes calls an app, and is never heard of again once it has its answer.
func vanishes(t *testing.T, x *exchange, app string) {
	t.Helper()
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: x.Port()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	send := func(method, to, body string) {
		_, _ = fmt.Fprintf(conn, "%s sip:%s@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP %s;rport;branch=z9hG4bKgone%s\r\nFrom: <sip:al@h>;tag=1\r\nTo: %s\r\nCall-ID: gone\r\nCSeq: 1 %s\r\n"+
			"Contact: <sip:al@%s>\r\nMax-Forwards: 70\r\nContent-Length: %d\r\n\r\n%s", method, app, conn.LocalAddr(), method, to, method, conn.LocalAddr(), len(body), body)
	}
	send("INVITE", "<sip:x@h>", "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	for buf := make([]byte, 4096); ; {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if m := string(buf[:n]); strings.HasPrefix(m, "SIP/2.0 200") {
			_, to, _ := strings.Cut(m, "\r\nTo: ")
			to, _, _ = strings.Cut(to, "\r\n")
			send("ACK", to, "")
			return
		}
	}
}

// TestDrainEndsWhateverIsUnderWay stops a driver that has calls in every state: all of them are over, and reported,
// within the drain time and the time for a goodbye.
func TestDrainEndsWhateverIsUnderWay(t *testing.T) {
	t.Parallel()
	rings := func() *phone {
		return newPhone(t, func(_ *phone, i *ua.Invitation) {
			i.Ring()
			<-i.Cancelled
		})
	}
	connect := func(p *phone) string {
		return `[{"action":"connect","timeout":60,"connect":[{"type":"sip","user":"` + p.uri() + `"}]}]`
	}
	deaf := newAgent(t, func(a *agent, s *httptest.Server) {
		a.deaf = true
		s.Listener = smallBuffers{s.Listener}
	})
	const long = `{"action":"speak","text":"hz 440 long"}`
	apps := documents{
		"dialling": connect(rings()), "playing": `[` + long + `]`, "gone": `[` + long + `]`, "recording": `[{"action":"record"}]`,
		"streaming": `[{"action":"stream","ws_url":"` + deaf.url + `","voice_quality":"16000"},` + long + `]`,
		"held":      connect(answers(t)), "meeting": `[` + long + `]`, "gathering": `[{"action":"play_get_input","text":"hz 440 long","max_digit":4}]`,
		"outbound": `[` + long + `]`,
	}
	const drain = 500 * time.Millisecond
	x := serve(t, slog.New(slog.DiscardHandler), undecided{apps}, func(o *sip.Options) { o.DrainTimeout = drain })
	control := func(app string) (c *call.Control) {
		wait(t, app, func() bool {
			for _, one := range x.live.All() {
				if one.Call().App == app {
					c = one
				}
			}
			return c != nil
		})
		return c
	}
	calls := 0
	for app := range apps {
		calls++
		switch app {
		case "gone":
			vanishes(t, x, app)
		case "outbound":
			if _, err := x.Originate(t.Context(), call.Order{App: app, To: rings().uri(), Document: decode(t, apps[app])}); err != nil {
				t.Fatal(err)
			}
		case "dialling":
			p := newPhone(t, nil)
			go func() { _ = p.call(t.Context(), x, app) }()
		default:
			if err := newPhone(t, nil).call(t.Context(), x, app); err != nil {
				t.Fatalf("%s: %v", app, err)
			}
		}
		control(app)
	}
	calls++
	waiting := newPhone(t, nil)
	go func() { _ = waiting.call(t.Context(), x, "undecided") }()
	control("undecided")
	deaf.connected()
	wait(t, "the bridge", func() bool { return control("held").State().Status == call.StatusBridged })
	if err := control("held").Hold(t.Context(), true, says(550)); err != nil {
		t.Fatal(err)
	}
	joined := make(chan error, 1)
	go func() { joined <- control("meeting").Join(context.Background(), "weekly", call.JoinOptions{}) }()
	wait(t, "the phone rings", func() bool {
		return strings.Contains(x.reportedAll(), "b in_ringing") && strings.Contains(x.reportedAll(), "a out_ringing")
	})

	began := time.Now()
	x.close()
	if took := time.Since(began); took > drain+7*time.Second {
		t.Errorf("it took %v", took)
	}
	select {
	case <-joined:
	case <-time.After(patience):
		t.Error("the meeting goes on")
	}
	if all := x.reportedAll(); x.live.Len() != 0 || x.Calls() != 0 || strings.Count(all, "a cdr") != calls {
		t.Errorf("%d calls are alive, %d counted; of %d reported: %s", x.live.Len(), x.Calls(), calls, all)
	}
}
