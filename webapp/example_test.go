package webapp_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/piopiy/piopiyd/drivers/sim"
	"github.com/piopiy/piopiyd/webapp"
)

// A web server that PIOPIY could ask as well answers a simulated call.
func Example() {
	secret := []byte("a long secret that both sides know")
	mux := http.NewServeMux()
	crm := httptest.NewServer(mux)
	defer crm.Close()
	mux.HandleFunc("POST /answer", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := webapp.Verify(secret, r.Header.Get(webapp.SignatureHeader), body, time.Now(), 5*time.Minute); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		fmt.Fprintf(w, `[{"action":"speak","text":"Press a key."},{"action":"input","action_url":"%s/digits"}]`, crm.URL)
	})
	mux.HandleFunc("POST /digits", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `[{"action":"speak","text":"Thank you."}]`)
	})

	handler, err := webapp.New(webapp.Options{
		Apps:   map[string]webapp.App{"crm": {AnswerURL: crm.URL + "/answer"}},
		Secret: secret,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	presses, _ := sim.ParsePresses("1")
	transcript, err := sim.New(sim.Options{Asker: handler}).Call(context.Background(), handler, sim.Caller{App: "crm", Press: presses})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range transcript.Entries {
		if e.Kind == sim.Heard || e.Kind == sim.Pressed {
			fmt.Println(e)
		}
	}
	// Output:
	// 00:00.0  hears    “Press a key.” (800ms)
	// 00:01.6  presses  1
	// 00:01.6  hears    “Thank you.” (700ms)
}
