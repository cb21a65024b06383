package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Error is why an exchange failed.
type Error struct {
	// Code is a word for programs, where there is one the same as Node's:
	//
	//	EBLOCKED       the address is not public and not allowed
	//	ENOTFOUND      the name does not exist
	//	EAI_AGAIN      the name could not be looked up
	//	ECONNREFUSED   nothing listens there
	//	ECONNRESET     the connection broke off
	//	EHOSTUNREACH, ENETUNREACH
	//	ETIMEDOUT      a time limit passed
	//	ETOOBIG        the body is larger than the limit
	//	EREDIRECT      a redirect that is not followed
	//	EURL           the URL, or that of a redirect, cannot be used
	//	EENCODING      the body is damaged, or in an encoding that was not asked for
	//	EPROTO         the server does not speak HTTP, or not TLS
	//	CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID, UNABLE_TO_VERIFY_LEAF_SIGNATURE
	//	EFETCH         anything else
	Code string
	// Message is for people. It holds host names and addresses, never paths, queries, headers or bodies.
	Message string
	// Err is the cause, if any.
	Err error
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Timeout reports whether a time limit passed.
func (e *Error) Timeout() bool { return e.Code == "ETIMEDOUT" }

// classify finds code and words for an error of the net packages.
func classify(err error, connectTimeout time.Duration) *Error {
	e := &Error{Code: "EFETCH", Message: strings.TrimPrefix(err.Error(), "net/http: "), Err: err}
	var dns *net.DNSError
	var op *net.OpError
	var netErr net.Error
	switch {
	case errors.As(err, &dns):
		switch {
		case dns.IsNotFound:
			e.Code, e.Message = "ENOTFOUND", fmt.Sprintf("the host %s does not exist", dns.Name)
		case dns.IsTimeout:
			e.Code, e.Message = "ETIMEDOUT", fmt.Sprintf("the name %s could not be looked up within %s", dns.Name, connectTimeout)
		default:
			e.Code, e.Message = "EAI_AGAIN", fmt.Sprintf("the name %s could not be looked up: %s", dns.Name, dns.Err)
		}
		return e
	case errors.As(err, &op) && op.Op == "dial" && op.Timeout():
		e.Code, e.Message = "ETIMEDOUT", fmt.Sprintf("no connection to %v within %s", op.Addr, connectTimeout)
		return e
	case certificate(err, e):
		return e
	}
	at := ""
	if op != nil && op.Addr != nil {
		at = " " + op.Addr.String()
	}
	for _, c := range []struct {
		errno syscall.Errno
		code  string
		words string
	}{
		{syscall.ECONNREFUSED, "ECONNREFUSED", "nothing listens at" + at},
		{syscall.ECONNRESET, "ECONNRESET", "the server broke the connection off"},
		{syscall.EPIPE, "ECONNRESET", "the server broke the connection off"},
		{syscall.EHOSTUNREACH, "EHOSTUNREACH", "there is no way to" + at},
		{syscall.ENETUNREACH, "ENETUNREACH", "there is no way to" + at},
	} {
		if errors.Is(err, c.errno) {
			e.Code, e.Message = c.code, c.words
			return e
		}
	}
	text := err.Error()
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
	}
	switch {
	case has("malformed HTTP", "malformed MIME"): // what follows quotes the server
		e.Code, e.Message = "EPROTO", "the server does not speak HTTP"
	case has("response headers exceeded"):
		e.Code, e.Message = "EPROTO", "the response's headers are too large"
	case has("HTTP response to HTTPS", "first record does not look like a TLS handshake"):
		e.Code, e.Message = "EPROTO", "the server does not speak TLS; is the address http rather than https?"
	case errors.As(err, &netErr) && netErr.Timeout(), errors.Is(err, context.DeadlineExceeded):
		e.Code = "ETIMEDOUT"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), has("connection broken", "server closed idle connection"):
		e.Code, e.Message = "ECONNRESET", "the server broke the connection off"
	case has("tls:", "invalid"):
		e.Code = "EPROTO"
	}
	return e
}

// certificate explains what is wrong with a server's certificate.
func certificate(err error, e *Error) bool {
	var verify *tls.CertificateVerificationError
	if !errors.As(err, &verify) {
		return false
	}
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	e.Code = "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.Code = "CERT_HAS_EXPIRED"
	case errors.As(err, &name):
		e.Code = "ERR_TLS_CERT_ALTNAME_INVALID"
	}
	e.Message = "the server's certificate is not good: " + strings.TrimPrefix(verify.Err.Error(), "x509: ")
	return true
}
