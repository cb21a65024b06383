package ua

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// tlsConfigs returns what TLS is spoken with: as a server, nil without TLSListen, and as a client.
func (a *Agent) tlsConfigs() (server, client *tls.Config, err error) {
	client = &tls.Config{MinVersion: tls.VersionTLS12}
	if file := a.opts.TLSRoots; file != "" {
		if client.RootCAs, err = x509.SystemCertPool(); err != nil {
			client.RootCAs = x509.NewCertPool()
		}
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("sip.tls.roots: %w", err)
		}
		if !client.RootCAs.AppendCertsFromPEM(pem) {
			return nil, nil, fmt.Errorf("sip.tls.roots: %s holds no certificate in PEM", file)
		}
	}
	if a.opts.TLSListen == "" {
		return nil, client, nil
	}
	if a.opts.TLSCert == "" || a.opts.TLSKey == "" {
		return nil, nil, errors.New("sip.tls: a listener needs a certificate: set sip.tls.cert and sip.tls.key to PEM files")
	}
	c := &certificate{cert: a.opts.TLSCert, key: a.opts.TLSKey, log: a.log}
	if c.loaded, err = c.load(); err != nil {
		return nil, nil, fmt.Errorf("sip.tls: %w", err)
	}
	c.seen = c.stamp()
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return c.current(), nil }
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil },
	}, client, nil
}

// certificate is our own. Its files are looked at for each handshake, which costs far more than that.
type certificate struct {
	cert, key string
	log       *slog.Logger

	mu     sync.Mutex
	loaded *tls.Certificate
	seen   string // the stamp of what was loaded, or could not be
}

// current returns the certificate. A file that cannot be read, for it is being written, leaves the last one.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.stamp()
	if now == c.seen {
		return c.loaded
	}
	c.seen = now
	next, err := c.load()
	if err != nil {
		c.log.Warn("the SIP certificate has changed and cannot be read; the last one stays", "error", err)
		return c.loaded
	}
	c.loaded = next
	c.log.Info("the SIP certificate was read again", "file", c.cert, "until", next.Leaf.NotAfter)
	return c.loaded
}

func (c *certificate) load() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return nil, err
	}
	return &pair, nil
}

// stamp tells versions of the files apart.
func (c *certificate) stamp() string {
	var text string
	for _, file := range []string{c.cert, c.key} {
		if info, err := os.Stat(file); err == nil {
			text += fmt.Sprintf("%d %d;", info.ModTime().UnixNano(), info.Size())
		}
	}
	return text
}
