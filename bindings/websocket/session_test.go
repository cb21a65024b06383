package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	ws "github.com/gorilla/websocket"

	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/runtime"
	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// The session's end sends what waits, says goodbye and leaves nothing behind.
func TestTheSessionEnds(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	ended := make(chan string, 10)
	url := serve(t, func(c *ws.Conn, _ *http.Request) {
		got := ""
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				var end *ws.CloseError
				if errors.As(err, &end) {
					got += fmt.Sprint(" ", end.Code)
				}
				ended <- got
				return
			}
			got += string(data)
		}
	})
	s := k.Session(map[string]string{"main.js": `exports.main = async () => { const s = await new WebSocket('` + url + `').opened; s.send('last '); s.send('words') }
		exports.dialling = () => { new WebSocket('` + answer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) + `') }
		exports.waiting = async () => { for await (const m of new WebSocket('` + url + `')) {} }`})
	if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
		t.Fatal(err)
	}
	if _, err := runtimetest.Call(t.Context(), s, "dialling"); err != nil {
		t.Fatal(err)
	}
	waiting := make(chan error, 1)
	go func() { _, err := runtimetest.Call(context.Background(), s, "waiting"); waiting <- err }()
	for journalled := 0; journalled < 2; {
		journalled = len(journal(t, k))
		time.Sleep(time.Millisecond)
	}
	s.Close("hung up")
	<-s.Done()
	var f *runtime.Fault
	if err := <-waiting; !errors.As(err, &f) || f.Kind != runtime.FaultClosed {
		t.Error(err)
	}
	for range 2 {
		select {
		case got := <-ended:
			if got != "last words 1001" && got != " 1001" {
				t.Errorf("the server got %q", got)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the socket outlived its session")
		}
	}
}

func TestDryRun(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	asked := make(chan struct{}, 10)
	url := answer(t, func(net.Conn) { asked <- struct{}{} })
	k.Session(map[string]string{"main.js": `const s = new WebSocket('` + url + `'); s.onopen = () => {}; s.opened; s[Symbol.asyncIterator]().next(); s.close(); exports.main = () => {}`})
	if len(asked) > 0 {
		t.Error("checking a version connected to a server")
	}
}

// In simulated time, answers come before time limits run out, and a silent server holds nothing up.
func TestSimulatedTime(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, func(c *ws.Conn, r *http.Request) {
		for {
			_, data, err := c.ReadMessage()
			if err != nil {
				return
			}
			if string(data) == "slow" {
				<-time.After(150 * time.Millisecond)
			}
			if string(data) != "silence" {
				_ = c.WriteMessage(ws.TextMessage, data)
			}
		}
	})
	k.Config.Limits.Callback = 2 * time.Hour
	files := map[string]string{"main.js": `const after = (ms, v) => new Promise(f => setTimeout(f, ms, v))
		const message = s => new Promise(f => { s.onmessage = e => f(e.data) })
		exports.main = async () => {
			const began = Date.now(), s = await new WebSocket('` + url + `').opened, seen = [Date.now() - began]
			s.send('slow'); seen.push(await Promise.race([message(s), after(5000, 'late')]))
			s.send('silence'); seen.push(await Promise.race([message(s), after(300, 'nothing')]))
			s.close(); await new Promise(f => s.onclose = f)
			await after(3600_000)
			return seen.join()
		}`}
	warm := k.Session(files)
	warm.Close("only loaded")
	app, _ := k.Runtime().App("test")
	clock := sim.NewClock(time.Time{})
	s, err := app.NewSession(runtime.SessionConfig{ID: "simulated", Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	clock.Begin() // who calls is at work, from before time moves: the session's may run out meanwhile
	moving, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-moving:
				return
			default:
				clock.Advance(time.Second)
			}
		}
	}()
	began := time.Now()
	got, err := runtimetest.Call(t.Context(), s, "main")
	clock.End()
	if err != nil || got != "0,slow,nothing" {
		t.Errorf("%v, %v", got, err)
	}
	if took := time.Since(began); took < 400*time.Millisecond || took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	if passed := clock.Now().Sub(sim.Epoch); passed < time.Hour {
		t.Errorf("only %v have passed", passed)
	}
	close(moving)
	s.Close("over")
	within(t, "the clock", stopped)
}

// Calls come and go, each with a socket; nothing of them stays, as the check of goroutines at the end of all tests sees.
func TestManySessions(t *testing.T) {
	k := newKit(t, websocket.Options{}, outbound.Options{})
	url := serve(t, echo)
	k.Session(map[string]string{"main.js": `exports.main = async () => { const s = await new WebSocket('` + url + `').opened; s.onmessage = () => {}; s.send('hello'); new WebSocket('` + url + `') }`}).Close("only loaded")
	app, _ := k.Runtime().App("test")
	for range 200 {
		s, err := app.NewSession(runtime.SessionConfig{ID: "many"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := runtimetest.Call(t.Context(), s, "main"); err != nil {
			t.Fatal(err)
		}
		s.Close("hung up")
		<-s.Done()
	}
}
