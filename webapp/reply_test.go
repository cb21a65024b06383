package webapp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
	"github.com/piopiy/piopiyd/webapp"
)

func TestGoodReplies(t *testing.T) {
	for _, tt := range []struct{ name, body, want, warning string }{
		{"array", `[{"action":"hangup"}]`, `[{"action":"hangup"}]`, ""},
		{"empty array", " [ ]\n", `[ ]`, ""},
		{"as it was written", `[{"text":"<hi>","action":"speak"}]`, `[{"text":"<hi>","action":"speak"}]`, ""},
		{"wrapped", `{"pcmo":[{"action":"speak","text":"hi"}]}`, `[{"action":"speak","text":"hi"}]`, "send the bare array"},
		{"pipeline", `[{"action":"param","data":{"a":1}}]`, `[{"action":"param","data":{"a":1}}]`, ""},
		{"unknown key", `[{"action":"speak","text":"hi","voice":"x"}]`, `[{"action":"speak","text":"hi","voice":"x"}]`, "voice"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := handler(t, saying(t, 200, tt.body).URL, nil)
			reply, err := h.Answer(t.Context(), inbound())
			if err != nil || reply.Fault != nil || string(reply.JSON) != tt.want {
				t.Fatalf("%s, fault %v, %v", reply.JSON, reply.Fault, err)
			}
			again, err := pcmo.DecodeAny(reply.JSON)
			if diff := cmp.Diff(again.Actions(), reply.Document); err != nil || diff != "" {
				t.Errorf("document and JSON differ: %v %v", err, diff)
			}
			if diff := cmp.Diff([]string{tt.want}, h.notes.of("pcmo")); diff != "" {
				t.Error(diff)
			}
			warnings := strings.Join(h.notes.of("warning"), "\n")
			if (tt.warning == "") != (warnings == "") || !strings.Contains(warnings, tt.warning) {
				t.Errorf("warnings: %s", warnings)
			}
		})
	}
}

// Whatever a web server does wrong: the caller meets the fault policy, the journal shows what came, the log does not.
func TestBadReplies(t *testing.T) {
	const quoted = "15550001111 was here"
	status := func(code int, body string) func(int, http.ResponseWriter, *http.Request) {
		return func(_ int, w http.ResponseWriter, _ *http.Request) {
			if code/100 == 3 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	long := quoted + strings.Repeat("é", 2000)
	tests := []struct {
		name     string
		reply    func(int, http.ResponseWriter, *http.Request)
		want     string
		status   int
		shown    string // of the reply
		requests int
	}{
		{"500", status(500, quoted), "/answer answered 500 Internal Server Error; an array of actions with status 200 was expected", 500, quoted, 2},
		{"404", status(404, quoted), "/answer answered 404 Not Found; an array", 404, quoted, 1},
		{"599", status(599, quoted), "/answer answered 599; an array", 599, quoted, 2},
		{"created", status(201, `[]`), "answered 201 Created", 201, "[]", 1},
		{"no content", status(204, ""), "answered 204 No Content", 204, "", 1},
		{"redirect", status(307, quoted), "answered 307 Temporary Redirect, which is not followed; configure the address it leads to", 307, quoted, 1},
		{"nothing", status(200, " \n"), "answered with nothing", 200, " \n", 1},
		{"page", status(200, "<html>"+quoted), "answered what is not JSON", 200, "<html>" + quoted, 1},
		{"a long page", status(200, long), "answered what is not JSON", 200, long[:2048], 1},
		{"not UTF-8", status(200, "\xff\xfe"), "answered what is not JSON", 200, "\xff\xfe", 1},
		{"object", status(200, `{"action":"hangup"}`), "answered what cannot be performed: $: ", 200, `{"action":"hangup"}`, 1},
		{"null", status(200, `null`), "answered what cannot be performed: $: ", 200, `null`, 1},
		{"text", status(200, `"[]"`), "answered what cannot be performed: $: ", 200, `"[]"`, 1},
		{"unknown action", status(200, `[{"action":"sing"}]`), `$[0].action: "sing"`, 200, `[{"action":"sing"}]`, 1},
		{"broken rules", status(200, `[{"action":"play"},{"action":"play"}]`), "$[0].file_name: is required, or file_url (and 1 more)", 200, `[{"action":"play"},{"action":"play"}]`, 1},
		{"pipeline", status(200, `[{"action":"connect","endpoints":[]}]`), "cannot be performed", 200, `[{"action":"connect","endpoints":[]}]`, 1},
		{"too large", status(200, "["+strings.Repeat(" ", 5000)+"]"), "answered with more than 4096 bytes", 200, "[" + strings.Repeat(" ", 2047), 1},
		{"broken off", func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `[{"action"`)
		}, "did not finish its answer: unexpected EOF", 200, `[{"action"`, 1},
		{"hung up on", func(_ int, w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }, "gave no answer: EOF", 0, "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := serve(t, tt.reply)
			h := handler(t, s.URL, func(o *webapp.Options) { o.MaxReply = 4096 })
			reply, err := h.Answer(t.Context(), inbound())
			if err != nil || string(reply.JSON) != sorry || len(reply.Document) != 2 {
				t.Fatalf("%s, %v", reply.JSON, err)
			}
			var failed *webapp.Error
			if !errors.As(reply.Fault, &failed) || !strings.Contains(failed.Error(), tt.want) || !strings.HasPrefix(failed.Error(), s.URL+"/answer ") {
				t.Fatalf("fault: %v", reply.Fault)
			}
			if failed.Status != tt.status || string(failed.Reply) != tt.shown {
				t.Errorf("status %d, reply %q", failed.Status, failed.Reply)
			}
			if n := len(s.requests()); n != tt.requests {
				t.Errorf("asked %d times, want %d", n, tt.requests)
			}
			faults := h.notes.of("fault")
			if len(faults) != 1 || len(h.notes.of("pcmo")) != 0 || strings.Contains(tt.shown, quoted) != strings.Contains(faults[0], quoted) {
				t.Errorf("noted %v", h.notes.all)
			}
			if log := h.log.String(); strings.Contains(log, quoted) || strings.Contains(log, "hidden") || strings.Count(log, "\n") != 1 {
				t.Errorf("logged %s", log)
			}
			if _, err := h.Ask(t.Context(), inbound(), s.URL+"/digits", call.Input{}); !errors.As(err, &failed) {
				t.Errorf("asked for digits: %v", err)
			}
		})
	}
}

// The second chance after a failure: whoever recovers meanwhile answers.
func TestRetry(t *testing.T) {
	ok := func() (*http.Response, error) { return response(200, `[]`), nil }
	busy := func() (*http.Response, error) { return response(503, "busy"), nil }
	refused := func() (*http.Response, error) {
		return nil, fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	}
	reset := func() (*http.Response, error) { return nil, syscall.ECONNRESET }
	tests := []struct {
		name  string
		turns []func() (*http.Response, error)
		tries int
		fault string
	}{
		{"5xx once", []func() (*http.Response, error){busy, ok}, 2, ""},
		{"refused once", []func() (*http.Response, error){refused, ok}, 2, ""},
		{"refused, then busy", []func() (*http.Response, error){refused, busy, ok}, 2, "503"},
		{"refused twice", []func() (*http.Response, error){refused, refused, ok}, 2, "nothing listens there"},
		{"no second answer", []func() (*http.Response, error){reset, ok}, 1, "reset"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries, began := 0, time.Now()
				h := handler(t, "http://crm", func(o *webapp.Options) {
					o.RetryPause = 0
					o.Client = fetching(func(*http.Request) (*http.Response, error) {
						tries++
						return tt.turns[tries-1]()
					})
				})
				reply, err := h.Answer(t.Context(), inbound())
				if err != nil || tries != tt.tries || (reply.Fault == nil) != (tt.fault == "") || reply.Fault != nil && !strings.Contains(reply.Fault.Error(), tt.fault) {
					t.Errorf("%d tries, fault %v, %v", tries, reply.Fault, err)
				}
				if took := time.Since(began); took != time.Duration(tries-1)*250*time.Millisecond {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

// A server that hangs costs the caller ten seconds, whatever it hangs in, and its retry counts in.
func TestTimeout(t *testing.T) {
	hang := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for name, client := range map[string]func(n int, r *http.Request) (*http.Response, error){
		"at once": func(_ int, r *http.Request) (*http.Response, error) { return hang(r) },
		"in the body": func(_ int, r *http.Request) (*http.Response, error) {
			res := response(200, "")
			res.Body = io.NopCloser(io.MultiReader(strings.NewReader("["), hanging{r.Context()}))
			return res, nil
		},
		"in the second try": func(n int, r *http.Request) (*http.Response, error) {
			if n == 1 {
				time.Sleep(4 * time.Second)
				return response(502, ""), nil
			}
			return hang(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				h := handler(t, "http://crm", func(o *webapp.Options) {
					o.Client = fetching(func(r *http.Request) (*http.Response, error) { n++; return client(n, r) })
				})
				began := time.Now()
				reply, err := h.Answer(t.Context(), inbound())
				if err != nil || !errors.Is(reply.Fault, context.DeadlineExceeded) || !strings.Contains(reply.Fault.Error(), "within 10s") || string(reply.JSON) != sorry {
					t.Errorf("%s, fault %v, %v", reply.JSON, reply.Fault, err)
				}
				if took := time.Since(began); took != 10*time.Second {
					t.Errorf("took %v", took)
				}
			})
		})
	}
}

type hanging struct{ ctx context.Context }

func (h hanging) Read([]byte) (int, error) {
	<-h.ctx.Done()
	return 0, h.ctx.Err()
}

// The same over a real connection, which must not be left behind.
func TestTimeoutOnTheWire(t *testing.T) {
	release := make(chan struct{})
	s := serve(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	h := handler(t, s.URL, func(o *webapp.Options) { o.Timeout = 30 * time.Millisecond })
	reply, err := h.Answer(t.Context(), inbound())
	if err != nil || !errors.Is(reply.Fault, context.DeadlineExceeded) {
		t.Errorf("fault %v, %v", reply.Fault, err)
	}
	if err := h.Event(t.Context(), &call.Event{App: "crm"}); !errors.Is(err, context.DeadlineExceeded) || call.IsPermanent(err) {
		t.Errorf("event: %v", err)
	}
}

// A caller who hangs up while a server thinks is nobody's fault.
func TestHangupWhileAsking(t *testing.T) {
	var asked atomic.Int32
	gone := &call.HangupError{By: call.SideCaller, Cause: call.CauseNormal}
	ctx, hangup := context.WithCancelCause(t.Context())
	release := make(chan struct{})
	s := serve(t, func(_ int, _ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		hangup(gone)
		select {
		case <-r.Context().Done():
		case <-release:
		}
	})
	defer close(release)
	h := handler(t, s.URL, nil)
	if _, err := h.Answer(ctx, inbound()); !errors.Is(err, gone) {
		t.Errorf("answer: %v", err)
	}
	if _, err := h.Ask(ctx, inbound(), s.URL, call.Input{}); !errors.Is(err, gone) {
		t.Errorf("ask: %v", err)
	}
	if err := h.Event(ctx, &call.Event{App: "crm"}); !errors.Is(err, gone) {
		t.Errorf("event: %v", err)
	}
	if faults := h.notes.of("fault"); len(faults) != 0 || h.log.String() != "" || asked.Load() != 1 {
		t.Errorf("asked %d times, faults %v, log %s", asked.Load(), faults, h.log.String())
	}
}
