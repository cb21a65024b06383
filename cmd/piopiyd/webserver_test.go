package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/piopiy/piopiyd/webapp"
)

// webServerCmd starts what people have today: a web server with PIOPIY's URLs. Beside /answer, /digits, /event and /cdr
// there is /broken, which fails as web frameworks do.
func webServerCmd(ts *testscript.TestScript, _ bool, args []string) {
	log, err := os.Create(ts.MkAbs("web.log"))
	ts.Check(err)
	var one sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one.Lock()
		defer one.Unlock()
		body, _ := io.ReadAll(r.Body)
		signed := "unsigned"
		if webapp.Verify([]byte(args[0]), r.Header.Get(webapp.SignatureHeader), body, time.Now(), time.Minute) == nil {
			signed = "signed"
		}
		fmt.Fprintf(log, "%s %s %s\n", signed, r.URL.Path, body)
		switch r.URL.Path {
		case "/answer":
			fmt.Fprintf(w, `[{"action":"speak","text":"Welcome."},{"action":"play_get_input","file_name":"menu.wav","action_url":"%s/digits","max_digit":1,"timeout":5}]`, "http://"+r.Host)
		case "/digits":
			fmt.Fprint(w, `{"pcmo":[{"action":"speak","text":"Thank you."},{"action":"hangup"}]}`)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, "<h1>TypeError: cannot read properties of undefined</h1>")
		}
	}))
	ts.Defer(func() {
		server.Close()
		_ = log.Close()
	})
	ts.Setenv("CRM", server.URL)
}
