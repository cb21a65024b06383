package webapp_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/webapp"
)

// FuzzReply looks for replies that panic, that are taken although they cannot be performed, or whose JSON says something
// else than their document.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{"", "[]", `{"pcmo":[{"action":"hangup"}]}`, `[{"action":"speak","text":"hi"}]`, "<html>", "null", `[{"action":"bridge","connect":[{"type":"pstn","number":1}]}]`, "[[[", "\xff"} {
		f.Add(200, seed)
	}
	f.Add(500, "[]")
	f.Fuzz(func(t *testing.T, status int, body string) {
		h := handler(t, "http://crm", func(o *webapp.Options) {
			o.RetryPause = 1
			o.Client = fetching(func(*http.Request) (*http.Response, error) { return response(status, body), nil })
		})
		reply, err := h.Answer(t.Context(), inbound())
		if err != nil {
			t.Fatal(err)
		}
		var failed *webapp.Error
		if reply.Fault != nil {
			if !errors.As(reply.Fault, &failed) || failed.Reason == "" || len(failed.Reply) > 2048 || string(reply.JSON) != sorry {
				t.Fatalf("%#v, %s", reply.Fault, reply.JSON)
			}
			return
		}
		doc, err := pcmo.DecodeAny(reply.JSON)
		if status != 200 || err != nil || doc.Validate() != nil || string(doc.AppendJSON(nil)) != string(pcmo.Document(reply.Document).AppendJSON(nil)) || !json.Valid(reply.JSON) {
			t.Fatalf("status %d, %q was taken as %s: %v", status, body, reply.JSON, err)
		}
	})
}
