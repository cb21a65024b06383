package ua_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// secured are options with a TLS listener.
func secured(ca *siptest.Authority, o ua.Options) ua.Options {
	o.TLSListen, o.TLSCert, o.TLSKey, o.TLSRoots = "127.0.0.1:0", ca.CertFile(), ca.KeyFile(), ca.Roots()
	return o
}

// dialTLS opens a connection as a client and returns the serial number of the server's certificate.
func dialTLS(ca *siptest.Authority, port int, highest uint16) (*tls.Conn, int64, error) {
	c := &tls.Config{MaxVersion: highest, RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(ca.Cert)
	conn, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), c)
	if err != nil {
		return nil, 0, err
	}
	return conn, conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64(), nil
}

func TestTLSCall(t *testing.T) {
	ca := siptest.NewAuthority(t)
	ca.Sign(10)
	invited := make(chan string, 1)
	dialogs := make(chan *ua.Dialog, 1)
	answered := make(chan ua.End, 1)
	callee := open(t, secured(ca, ua.Options{Invite: func(i *ua.Invitation) {
		invited <- i.Transport()
		d, err := i.Accept([]byte("v=0\r\n"), ua.Handlers{
			Ended: func(e ua.End) { answered <- e }, Offer: func([]byte) ([]byte, error) { return []byte("v=0\r\n"), nil },
		})
		if err != nil {
			t.Error(err)
		}
		dialogs <- d
	}}))
	caller := open(t, secured(ca, ua.Options{}))
	to := fmt.Sprintf("sip:bob@127.0.0.1:%d;transport=tls", callee.TLSPort())
	ended := make(chan ua.End, 1)
	dialog, _, err := caller.Invite(t.Context(), ua.Outgoing{URI: to, From: "al", Offer: []byte("v=0\r\n"), Handlers: ua.Handlers{Ended: func(e ua.End) { ended <- e }}})
	if err != nil {
		t.Fatal(err)
	}
	if got := <-invited; got != "TLS" {
		t.Errorf("the call came over %s", got)
	}
	(<-dialogs).Bye(t.Context(), "") // back over the same connection
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("the BYE did not come")
	}
	_ = dialog

	stranger := siptest.NewAuthority(t)
	stranger.Sign(11)
	doubter := open(t, secured(stranger, ua.Options{}))
	if _, _, err := doubter.Invite(t.Context(), ua.Outgoing{URI: to, From: "al", Offer: []byte("v=0\r\n")}); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate of nobody known: %v", err)
	}
	plain := open(t, ua.Options{})
	if _, _, err := plain.Invite(t.Context(), ua.Outgoing{URI: to, From: "al", Offer: []byte("v=0\r\n")}); err == nil || !strings.Contains(err.Error(), "sip.tls") {
		t.Errorf("TLS without a certificate: %v", err)
	}
}

func TestTLSListener(t *testing.T) {
	ca := siptest.NewAuthority(t)
	ca.Sign(20)
	a := open(t, secured(ca, ua.Options{}))
	conn, serial, err := dialTLS(ca, a.TLSPort(), 0)
	if err != nil || serial != 20 {
		t.Fatalf("certificate %d, %v", serial, err)
	}
	if _, _, err := dialTLS(ca, a.TLSPort(), tls.VersionTLS11); err == nil {
		t.Error("TLS 1.1 is spoken")
	}

	ca.Sign(21)
	if _, serial, err := dialTLS(ca, a.TLSPort(), 0); err != nil || serial != 21 {
		t.Errorf("after it was renewed: certificate %d, %v", serial, err)
	}
	if err := os.WriteFile(ca.CertFile(), []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, serial, err := dialTLS(ca, a.TLSPort(), 0); err != nil || serial != 21 {
		t.Errorf("while it is being written: certificate %d, %v", serial, err)
	}
	ca.Sign(22)
	if _, serial, err := dialTLS(ca, a.TLSPort(), 0); err != nil || serial != 22 {
		t.Errorf("once it is whole: certificate %d, %v", serial, err)
	}

	// The connection from before goes on.
	request := "OPTIONS sip:x SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:9;branch=z9hG4bKo\r\nFrom: <sip:al@h>;tag=1\r\nTo: <sip:bob@h>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 2048)
	n, err := conn.Read(buf)
	if err != nil || !strings.HasPrefix(string(buf[:n]), "SIP/2.0 200") {
		t.Errorf("%q, %v", buf[:n], err)
	}
	if want := fmt.Sprintf(":%d;transport=tls", a.TLSPort()); !strings.Contains(header(string(buf[:n]), "Contact"), want) {
		t.Errorf("the Contact %q lacks %s", header(string(buf[:n]), "Contact"), want)
	}
	_ = conn.Close()

	for name, o := range map[string]ua.Options{
		"sip.tls.cert": {Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0"},
		"no such file": {Listen: "127.0.0.1:0", TLSListen: "127.0.0.1:0", TLSCert: ca.CertFile() + "x", TLSKey: ca.KeyFile()},
		"in PEM":       {Listen: "127.0.0.1:0", TLSRoots: ca.KeyFile()},
	} {
		o.Invite = func(*ua.Invitation) {}
		if _, err := ua.Open(o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestBaresipRegisters lets a real phone register by all transports; it is asked with SHA-256 and MD5.
func TestBaresipRegisters(t *testing.T) {
	ca := siptest.NewAuthority(t)
	ca.Sign(30)
	for _, transport := range []string{"udp", "tcp", "tls"} {
		t.Run(transport, func(t *testing.T) {
			a := open(t, secured(ca, ua.Options{Users: map[string]string{"bob": "s3cret"}}))
			port := a.Port()
			if transport == "tls" {
				port = a.TLSPort()
			}
			phone := siptest.StartPhone(t, siptest.Account{User: "bob", Password: "s3cret", Server: fmt.Sprintf("127.0.0.1:%d", port), Transport: transport}, 440)
			siptest.Wait(t, "baresip registers", func() bool {
				c := a.Contacts("bob")
				return len(c) == 1 && c[0].Transport == strings.ToUpper(transport)
			})
			c := a.Contacts("bob")[0]
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			rang := make(chan struct{}, 10)
			uri := c.URI
			if transport != "udp" && !strings.Contains(uri, "transport=") {
				uri += ";transport=" + transport
			}
			// What it answers matters not; that it is reached does.
			dialog, _, err := a.Invite(ctx, ua.Outgoing{URI: uri, To: c.Source, From: "al", Offer: []byte("v=0\r\n"), Progress: func(int, []byte) { rang <- struct{}{} }})
			var rejected *ua.Rejected
			if err != nil && !errors.As(err, &rejected) {
				t.Errorf("the phone is not reached: %v", err)
			}
			if dialog != nil {
				dialog.Bye(ctx, "")
			}
			t.Logf("it answered %v", err)
			phone.Quit()
			siptest.Wait(t, "baresip lets go", func() bool { return len(a.Contacts("bob")) == 0 })
		})
	}
}
