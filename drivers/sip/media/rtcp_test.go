package media_test

import (
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// eventually waits until what is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !is(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not so after 5 s: %s", what)
		}
	}
}

// pair opens a socket whose next port is free, and closed.
func pair(t *testing.T) *net.UDPConn {
	t.Helper()
	for range 50 {
		conn := open(t)
		next := addr(conn)
		beside, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(next.Addr(), next.Port()+1)))
		if err == nil {
			_ = beside.Close()
			return conn
		}
		_ = conn.Close()
	}
	t.Fatal("no two ports in a row are free")
	return nil
}

func TestReports(t *testing.T) {
	for name, change := range map[string]func(*media.Format){
		"two ports": func(*media.Format) {},
		"one port":  func(f *media.Format) { f.RTCPMux = true },
		"encrypted": func(f *media.Format) {
			key := media.SRTPKey{Suite: media.AES128SHA1Tag80}
			f.RTCPMux, f.SRTP = true, media.SRTPKeys{Send: key, Receive: key}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sides [2]*media.Session
			conns := [2]*net.UDPConn{pair(t), pair(t)}
			for i, conn := range conns {
				sides[i] = media.NewSession(conn, media.SessionOptions{})
				f := media.Format{Remote: addr(conns[1-i]), EventType: 101, Send: true, Receive: true}
				change(&f)
				sides[i].Start(f)
				t.Cleanup(sides[i].Close)
			}
			a, b := sides[0], sides[1]
			f, got := media.NewFrame(media.Rate), media.NewFrame(media.Rate)
			// Half a minute: a talks and b listens, who loses every tenth packet.
			for i := range 1500 {
				b.WriteFrame(f)
				a.WriteFrame(f)
				eventually(t, "the packets have come", func() bool {
					return a.Stats().Received == uint64(i+1) && b.Stats().Received == uint64(i+1)
				})
				a.ReadFrame(got)
				b.ReadFrame(got)
			}
			for name, s := range map[string]*media.Session{"a": a, "b": b} {
				eventually(t, name+" has two reports", func() bool { return s.Stats().Reports >= 2 })
				eventually(t, name+" knows the round trip", func() bool { return s.Stats().RTT > 0 })
				s := s.Stats()
				if s.RTT > time.Second || s.RemoteLoss != 0 || s.Loss != 0 || s.MOS < 4.2 || s.MOS > 4.5 || s.Codec != media.PCMU || s.Foreign != 0 {
					t.Errorf("%s: %+v", name, s)
				}
			}
		})
	}
}

// TestReportsOfLoss plays a party by hand: what it reports, and what we report of it.
func TestReportsOfLoss(t *testing.T) {
	conn, us := open(t), pair(t)
	defer func() { _ = conn.Close() }()
	s := media.NewSession(us, media.SessionOptions{})
	defer s.Close()
	s.Start(media.Format{Remote: addr(conn), Send: true, Receive: true, RTCPMux: true, EventType: 101})
	stranger := open(t)
	defer func() { _ = stranger.Close() }()

	f := media.NewFrame(media.Rate)
	buf := make([]byte, 1500)
	var own uint32
	var reports []rtcp.ReceptionReport
	goodbyes, names := 0, map[string]bool{}
	take := func() {
		t.Helper()
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := media.ParseRTP(buf[:n]); err == nil {
			own = p.SSRC
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range packets {
			switch p := p.(type) {
			case *rtcp.SenderReport:
				if i != 0 || p.SSRC != own || p.PacketCount == 0 || p.OctetCount != p.PacketCount*160 {
					t.Errorf("packet %d: %+v", i, p)
				}
				reports = append(reports, p.Reports...)
			case *rtcp.SourceDescription:
				names[p.Chunks[0].Items[0].Text] = true
			case *rtcp.Goodbye:
				goodbyes++
			}
		}
	}
	sent := 0
	for i := range 1000 {
		if i%10 != 9 {
			p := media.Packet{Sequence: uint16(65000 + i), Timestamp: uint32(i * 160), SSRC: 77, Payload: make([]byte, 160)}
			if _, err := conn.WriteToUDPAddrPort(p.Append(nil), addr(us)); err != nil {
				t.Fatal(err)
			}
			sent++
			eventually(t, "the packet has come", func() bool { return s.Stats().Received == uint64(sent) })
		}
		s.ReadFrame(f)
		before := s.Stats().Sent
		s.WriteFrame(f)
		if s.Stats().Sent > before {
			take()
		}
	}
	for len(reports) < 2 {
		take()
	}
	last := reports[len(reports)-1]
	if last.SSRC != 77 || last.FractionLost < 20 || last.FractionLost > 31 || last.LastSequenceNumber < 65536 {
		t.Errorf("the report is %+v", last)
	}
	if len(names) != 1 {
		t.Errorf("the names are %v", names)
	}
	if st := s.Stats(); st.Loss < 0.09 || st.Loss > 0.11 || st.MOS > 3.5 || st.MOS < 2 {
		t.Errorf("%+v", st)
	}

	// What others report, or about others, or nonsense, is not believed.
	report := func(from *net.UDPConn, ssrc, about uint32) {
		data, err := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: ssrc, Reports: []rtcp.ReceptionReport{{SSRC: about, TotalLost: 500, Jitter: 80, LastSenderReport: 1}}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := from.WriteToUDPAddrPort(data, addr(us)); err != nil {
			t.Fatal(err)
		}
	}
	foreign := s.Stats().Foreign
	report(stranger, 77, own)
	report(conn, 77, own+1)
	_, _ = conn.WriteToUDPAddrPort([]byte{0x80, 201, 0, 9, 1, 2, 3}, addr(us))
	report(conn, own, own)
	report(conn, 77, own)
	eventually(t, "the report counts", func() bool { return s.Stats().Reports > 0 })
	if st := s.Stats(); st.Reports != 1 || st.Foreign != foreign+3 || st.RemoteLoss < 0.49 || st.RemoteLoss > 0.51 || st.RemoteJitter != 10*time.Millisecond || st.RTT != 0 {
		t.Errorf("%+v", st)
	}
	s.Close()
	for goodbyes == 0 {
		take()
	}
}

func TestMOS(t *testing.T) {
	for _, tt := range []struct {
		loss     float64
		delay    time.Duration
		from, to float64
	}{
		{0, 0, 4.40, 4.42}, {0, 150 * time.Millisecond, 4.3, 4.36}, {0, 400 * time.Millisecond, 3.0, 3.1}, {0.01, 60 * time.Millisecond, 4.2, 4.4},
		{0.05, 60 * time.Millisecond, 3.5, 4.0}, {0.2, 60 * time.Millisecond, 2.5, 2.6}, {1, 0, 1, 1.2}, {0, 5 * time.Second, 1, 1}, {-1, 0, 4.4, 4.42}, {7, 0, 1, 1.2},
	} {
		if got := media.MOS(tt.loss, tt.delay); got < tt.from || got > tt.to {
			t.Errorf("loss %g, delay %v: %.2f, want %g to %g", tt.loss, tt.delay, got, tt.from, tt.to)
		}
	}
}

func FuzzParseRTCP(f *testing.F) {
	good, err := rtcp.Marshal([]rtcp.Packet{
		&rtcp.SenderReport{SSRC: 1, NTPTime: 1 << 40, Reports: []rtcp.ReceptionReport{{SSRC: 2, TotalLost: 1<<24 - 1}}},
		&rtcp.SourceDescription{Chunks: []rtcp.SourceDescriptionChunk{{Source: 1, Items: []rtcp.SourceDescriptionItem{{Type: rtcp.SDESCNAME, Text: "x"}}}}},
		&rtcp.Goodbye{Sources: []uint32{1}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0x81, 205, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := media.ParseRTCP(data)
		if err == nil && r.SSRC == 0 {
			t.Error("a report of nobody")
		}
		if len(r.Blocks) > len(data)/24 {
			t.Errorf("%d blocks in %d octets", len(r.Blocks), len(data))
		}
	})
}
