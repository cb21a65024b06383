package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/media"
	"github.com/piopiy/piopiyd/drivers/sip/siptest"
)

// TestTLS has a phone that speaks TLS and encrypts its sound, where nothing else is taken, and one that does not.
func TestTLS(t *testing.T) {
	siptest.Program(t, "baresip", "baresip-core")
	dir := t.TempDir()
	cert, key := certificate(t)
	lay(t, dir, map[string]string{
		"cert.pem": cert, "key.pem": key,
		"media/tone.wav":   string(media.EncodeWAV(media.Tone(660, 30*time.Second))),
		"scripts/hello.js": "exports.answer = () => [{ action: 'play', file_name: 'tone.wav' }]",
		"piopiyd.yaml": `
sip:
  tls: {listen: 127.0.0.1:0, cert: cert.pem, key: key.pem}
  srtp: required
`})
	d := startSIP(t, dir)
	if d.tls == "" {
		t.Fatal("TLS is not served")
	}
	phone := siptest.StartPhone(t, siptest.Account{User: "alice", Server: d.tls, Transport: "tls", More: "mediaenc=srtp-mand", Modules: []string{"srtp"}}, 1000)
	phone.Dial("sip:hello@" + d.tls + ";transport=tls")
	phone.Hears(660)
	phone.Hangup()
	phone.Quit()

	plain := siptest.StartPhone(t, siptest.Account{User: "bob", Server: d.sip}, 1000)
	plain.Dial("sip:hello@" + d.sip)
	siptest.Wait(t, "the plain phone is refused", func() bool { return strings.Contains(plain.Says(), "488") })
	plain.Quit()
	d.stop()
}

// certificate makes a certificate of 127.0.0.1 that its own key has signed, and the key.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "piopiyd"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
}
