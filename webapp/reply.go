package webapp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/pcmo"
)

// maxExcerpt is how much of a reply that cannot be used is kept.
const maxExcerpt = 2 << 10

// Error is why a web server gave no usable answer.
type Error struct {
	// URL is whom was asked, without user, query and fragment.
	URL string
	// Reason says what was wrong with the answer, and what was expected.
	Reason string
	// Status is the answer's HTTP status, 0 when none came.
	Status int
	// Reply is the first 2 KiB of the answer. It may quote a caller: it is for journals, not for logs.
	Reply []byte
	// Err is the cause, if any: context.DeadlineExceeded when the time was up, pcmo.Errors for a document.
	Err error
}

// Error returns URL and reason.
func (e *Error) Error() string {
	if e.URL == "" {
		return e.Reason
	}
	return e.URL + " " + e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func (a answer) fail(format string, args ...any) *Error {
	return &Error{Reason: fmt.Sprintf(format, args...), Status: a.status, Reply: excerpt(a.body)}
}

func excerpt(body []byte) []byte { return bytes.Clone(body[:min(len(body), maxExcerpt)]) }

// plainError leaves out of a client's error the URL, which may hold a secret.
func plainError(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return err.Error()
}

const wanted = "an array of actions with status 200 was expected"

// readReply reads the document that a web server answered. What was read past comes as warnings.
func readReply(a answer) (reply call.Reply, warnings []string, err error) {
	body := bytes.TrimSpace(a.body)
	switch {
	case a.status/100 == 3:
		return reply, nil, a.fail("answered %s, which is not followed; configure the address it leads to", a.statusText())
	case a.status != http.StatusOK:
		return reply, nil, a.fail("answered %s; %s", a.statusText(), wanted)
	case len(body) == 0:
		return reply, nil, a.fail("answered with nothing; %s", wanted)
	case !json.Valid(body):
		return reply, nil, a.fail("answered what is not JSON; %s", wanted)
	}
	decoded, err := pcmo.DecodeAny(body)
	if err == nil {
		err = decoded.Validate()
	}
	if err != nil {
		e := a.fail("answered what cannot be performed: %s", firstProblem(err))
		e.Err = err
		return reply, nil, e
	}
	for _, w := range decoded.Warnings {
		warnings = append(warnings, w.Error())
	}
	reply = call.Reply{Document: decoded.Actions(), JSON: body}
	if body[0] != '[' { // it was wrapped
		reply.JSON = decoded.AppendJSON(nil)
	}
	return reply, warnings, nil
}

// firstProblem tells the first problem of a document in full, and how many more there are.
func firstProblem(err error) string {
	var list pcmo.Errors
	if errors.As(err, &list) && len(list) > 1 {
		return fmt.Sprintf("%v (and %d more)", list[0], len(list)-1)
	}
	return err.Error()
}
