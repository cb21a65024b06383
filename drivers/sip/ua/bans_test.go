package ua_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/drivers/sip/siptest"
	"github.com/piopiy/piopiyd/drivers/sip/ua"
)

// warnings counts what is logged.
type warnings struct {
	slog.Handler
	mu  sync.Mutex
	all []string
}

func (w *warnings) Enabled(context.Context, slog.Level) bool { return true }
func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		return nil
	}
	text := r.Message
	r.Attrs(func(a slog.Attr) bool {
		text += " " + a.String()
		return true
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, text)
	return nil
}
func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w *warnings) WithGroup(string) slog.Handler      { return w }

func (w *warnings) with(text string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, line := range w.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func TestGuessing(t *testing.T) {
	log := &warnings{Handler: slog.DiscardHandler}
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret", "bo": "0ther"}, BanTime: 3 * time.Second, Logger: slog.New(log)})
	al := newPhone(t, a, "127.0.0.1", "al")
	eve := newPhone(t, a, "127.0.0.2", "al")
	began := time.Now()
	guesses := 0
	for eve.guess(fmt.Sprint("guess", guesses)) == "401" {
		if guesses++; guesses > 20 {
			t.Fatal("one may guess for ever")
		}
	}
	if took := time.Since(began); guesses != 8 || took < time.Second {
		t.Errorf("%d guesses in %v", guesses, took)
	}
	if s := eve.guess("s3cret"); s != "403" {
		t.Errorf("the right one, too late: %s", s)
	}
	if s := al.guess("s3cret"); s != "200" {
		t.Errorf("al, where she is: %s", s)
	}
	if n := log.with("address=127.0.0.2 user=al"); n != 1 {
		t.Errorf("logged %d times: %q", n, log.all)
	}
	eve.sometime(t, "a ban has no end", func() bool { return eve.guess("s3cret") == "200" })

	// Who goes on after he was refused is not answered any more.
	mal := newPhone(t, a, "127.0.0.8", "bo")
	for range 8 {
		mal.guess("wrong")
	}
	for i := range 80 {
		mal.send(mal.request("REGISTER", fmt.Sprint("more", i), "", "From: <sip:bo@h>;tag=1"))
	}
	siptest.Wait(t, "it is ignored", mal.silent)

	// Nobody can have others banned: a nonce must have been received.
	for range 20 {
		if s := status(al.register(`Authorization: Digest username="al", realm="piopiyd", nonce="x", uri="sip:h", response="00"`)); s != "401" {
			t.Fatalf("made up: %s", s)
		}
	}
	if s := al.guess("s3cret"); s != "200" {
		t.Errorf("after what others made up: %s", s)
	}
	if n := log.with("s3cret") + log.with("guess1"); n != 0 {
		t.Errorf("passwords in the log: %q", log.all)
	}
}

// TestGuessingFromEverywhere has many addresses guess the password of one user.
func TestGuessingFromEverywhere(t *testing.T) {
	log := &warnings{Handler: slog.DiscardHandler}
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret"}, Logger: slog.New(log)})
	al := newPhone(t, a, "127.0.0.1", "al")
	if s := al.guess("s3cret"); s != "200" {
		t.Fatalf("al: %s", s)
	}
	var wg sync.WaitGroup
	for i := range 30 {
		eve := newPhone(t, a, fmt.Sprintf("127.0.1.%d", i+1), "al")
		wg.Go(func() {
			for range 3 {
				eve.guess("wrong")
			}
		})
	}
	wg.Wait()
	if n := log.with("several addresses: each may try less user=al"); n != 1 || len(log.all) != 1 {
		t.Errorf("logged %d times: %q", n, log.all)
	}
	eve := newPhone(t, a, "127.0.2.1", "al")
	if got := eve.guess("a") + eve.guess("b") + eve.guess("c"); got != "401401403" {
		t.Errorf("another address: %s", got)
	}
	for range 3 { // where she was seen before she may err as ever
		if s := al.guess("typo"); s != "401" {
			t.Errorf("al errs: %s", s)
		}
	}
	if s := al.guess("s3cret"); s != "200" {
		t.Errorf("al: %s", s)
	}
	if s := newPhone(t, a, "127.0.2.2", "al").guess("s3cret"); s != "200" {
		t.Errorf("al elsewhere: %s", s)
	}
}

// TestGuessingUsers has one address look for users, at which one of ours lives.
func TestGuessingUsers(t *testing.T) {
	log := &warnings{Handler: slog.DiscardHandler}
	a := open(t, ua.Options{Users: map[string]string{"al": "s3cret"}, Logger: slog.New(log), BanTime: time.Hour})
	eve, al := newPhone(t, a, "127.0.0.3", "al"), newPhone(t, a, "127.0.0.4", "al")
	if s := al.guess("s3cret"); s != "200" {
		t.Fatalf("al: %s", s)
	}
	for _, p := range []*phone{eve, al} {
		var wg sync.WaitGroup
		for i := range 60 {
			q := newPhone(t, a, p.conn.LocalAddr().(*net.UDPAddr).IP.String(), fmt.Sprintf("user%d", i))
			wg.Go(func() { q.guess("1234") })
		}
		wg.Wait()
	}
	if !eve.silent() {
		t.Error("the address is still answered")
	}
	if n := log.with("ignored for a while address=127.0.0.3"); n != 1 {
		t.Errorf("logged %d times: %q", n, log.all)
	}
	if s := al.guess("s3cret"); s != "200" {
		t.Errorf("the user who lives there: %s", s)
	}
	if conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.3")}}).Dial("tcp", fmt.Sprintf("127.0.0.1:%d", a.Port())); err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("it may connect: %v", err)
		}
		_ = conn.Close()
	}
}
