package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/server/rest"
)

// records are the CDRs of two calls.
type records struct{}

var cdrs = []call.CDR{
	{App: "support", CallID: callID, LegID: callID, RequestID: "request-1", Leg: call.LegA, Direction: call.Outbound, Status: call.StatusAnswered,
		From: "15550001111", To: "15550002222", Start: time.UnixMilli(1_700_000_000_123), Duration: 61 * time.Second},
	{App: "support", CallID: callID, LegID: "00000000-0000-4000-8000-00000000000b", RequestID: "request-1", Leg: call.LegB, Direction: call.Outbound, Status: call.StatusMissed,
		From: "15550002222", To: "bob", Start: time.UnixMilli(1_700_000_001_000), Raw: json.RawMessage(`{"call_rate":"0.40","balance":"12.5"}`)},
	{App: "sales", CallID: otherID, LegID: otherID, RequestID: "request-7", Leg: call.LegA},
}

func (records) ByCall(_ context.Context, id string) (list []call.CDR, _ error) {
	for _, r := range cdrs {
		if r.CallID == id || r.LegID == id {
			list = append(list, r)
		}
	}
	return list, nil
}

func (records) ByRequest(_ context.Context, id string) (list []call.CDR, _ error) {
	for _, r := range cdrs {
		if r.RequestID == id {
			list = append(list, r)
		}
	}
	return list, nil
}

// users are SIP users in memory.
type users struct {
	mu   sync.Mutex
	list map[string]rest.Endpoint
}

func newUsers() *users { return &users{list: map[string]rest.Endpoint{}} }

func (u *users) Add(_ context.Context, app string, e rest.Endpoint) (rest.Endpoint, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, taken := u.list[app+"/"+e.Username]; taken {
		return rest.Endpoint{}, rest.ErrEndpointExists
	}
	e.ConnectURL = "pbx.example"
	u.list[app+"/"+e.Username] = e
	return e, nil
}

func (u *users) Update(_ context.Context, app string, e rest.Endpoint) (rest.Endpoint, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	old, ok := u.list[app+"/"+e.Username]
	if !ok {
		return rest.Endpoint{}, rest.ErrNoEndpoint
	}
	old.Password = e.Password
	u.list[app+"/"+e.Username] = old
	return old, nil
}

func (u *users) Get(_ context.Context, app, name string) (rest.Endpoint, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	e, ok := u.list[app+"/"+name]
	if !ok {
		return rest.Endpoint{}, rest.ErrNoEndpoint
	}
	return e, nil
}

func (u *users) List(_ context.Context, app string, offset, limit int) (page []rest.Endpoint, count int, _ error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for key, e := range u.list {
		if strings.HasPrefix(key, app+"/") {
			page = append(page, e)
		}
	}
	slices.SortFunc(page, func(a, b rest.Endpoint) int { return strings.Compare(a.Username, b.Username) })
	count = len(page)
	page = page[min(offset, count):]
	return page[:min(limit, len(page))], count, nil
}

func (u *users) Remove(_ context.Context, app, name string) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if name == "fixed" {
		return rest.ErrReadOnly
	}
	if _, ok := u.list[app+"/"+name]; !ok {
		return rest.ErrNoEndpoint
	}
	delete(u.list, app+"/"+name)
	return nil
}

// recordings are two files, of two apps.
type recordings struct{}

type file struct{ *bytes.Reader }

func (file) Close() error { return nil }

func (recordings) Open(_ context.Context, name string) (rest.Recording, error) {
	switch name {
	case "one.wav":
		return rest.Recording{ReadSeekCloser: file{bytes.NewReader([]byte("RIFF-one"))}, App: "support", ContentType: "audio/wav", Modified: time.Unix(1_700_000_000, 0)}, nil
	case "two.html":
		return rest.Recording{ReadSeekCloser: file{bytes.NewReader([]byte("<b>"))}, App: "sales"}, nil
	}
	return rest.Recording{}, rest.ErrNoRecording
}
