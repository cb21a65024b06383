package rest

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/piopiy/piopiyd/call"
)

// Records are the call detail records of calls that have ended. Both methods return the records oldest first, and
// none without an error when there are none.
type Records interface {
	// ByCall returns the records of the leg, or of the legs of the call, that has the id.
	ByCall(ctx context.Context, id string) ([]call.CDR, error)
	// ByRequest returns the records of the call that was ordered under the id, one per leg.
	ByRequest(ctx context.Context, requestID string) ([]call.CDR, error)
}

// Endpoints are the SIP users of an app. Names are compared exactly. Errors: ErrNoEndpoint, ErrEndpointExists,
// ErrNoApp, ErrReadOnly.
type Endpoints interface {
	Add(ctx context.Context, app string, e Endpoint) (Endpoint, error)
	// Update sets the password of the user.
	Update(ctx context.Context, app string, e Endpoint) (Endpoint, error)
	Get(ctx context.Context, app, username string) (Endpoint, error)
	// List returns up to limit users from offset on, in the order of their names, and how many there are.
	List(ctx context.Context, app string, offset, limit int) (page []Endpoint, count int, err error)
	Remove(ctx context.Context, app, username string) error
}

// Errors that Endpoints return.
var (
	// ErrNoEndpoint says that there is no such SIP user.
	ErrNoEndpoint = errors.New("no SIP user has this name")
	// ErrEndpointExists says that the name is taken.
	ErrEndpointExists = errors.New("a SIP user has this name already")
	// ErrReadOnly says that the user stands in the configuration file, where it has to be changed.
	ErrReadOnly = errors.New("this SIP user is set in the configuration file and can only be changed there")
)

// Endpoint is a SIP user.
type Endpoint struct {
	Username string
	Password string
	// ConnectURL is the host, and the port unless it is 5060, to register with. Set by Endpoints.
	ConnectURL string
}

// Recordings are the recorded calls.
type Recordings interface {
	// Open opens a recording by its file name, or returns ErrNoRecording.
	Open(ctx context.Context, file string) (Recording, error)
}

// ErrNoRecording says that there is no such recording.
var ErrNoRecording = errors.New("no recording has this name")

// Recording is one recording, open.
type Recording struct {
	io.ReadSeekCloser
	// App is the app whose call it is.
	App string
	// ContentType is its media type, "" to go by the file name.
	ContentType string
	// Modified is when it was finished.
	Modified time.Time
}
