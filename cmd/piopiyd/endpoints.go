package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/config"
	"github.com/piopiy/piopiyd/drivers/sip"
	"github.com/piopiy/piopiyd/server/rest"
)

// endpoints are the SIP users that programs have added by the REST API, beside those of the configuration. They are
// kept in the key-value store.
type endpoints struct {
	store  kv.Store
	driver *sip.Driver
	fixed  map[string]config.Secret // of the configuration

	mu sync.Mutex // one change at a time
}

var _ rest.Endpoints = (*endpoints)(nil)

// endpointsApp is the store's own part of the key-value store: no app can have the name.
const endpointsApp = ":endpoints"

// endpoint is what stands under a user's name.
type endpoint struct {
	App      string `json:"app,omitempty"`
	Password string `json:"password"`
}

// openEndpoints brings the users back that were added before.
func openEndpoints(ctx context.Context, store kv.Store, driver *sip.Driver, fixed map[string]config.Secret, log *slog.Logger) (*endpoints, error) {
	e := &endpoints{store: store, driver: driver, fixed: fixed}
	names, err := store.List(ctx, endpointsApp, "", "", 0)
	if err != nil {
		return nil, fmt.Errorf("the SIP users that were added: %w", err)
	}
	for _, name := range names {
		one, err := e.get(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("the SIP user %q: %w", name, err)
		}
		if _, set := fixed[name]; set {
			log.Warn("a SIP user of the configuration has the name of one that was added; the configuration counts", "user", name)
			continue
		}
		driver.SetUser(name, one.Password)
	}
	return e, nil
}

func (e *endpoints) get(ctx context.Context, name string) (endpoint, error) {
	text, _, err := e.store.Get(ctx, endpointsApp, name)
	if errors.Is(err, kv.ErrNotFound) {
		return endpoint{}, rest.ErrNoEndpoint
	}
	var one endpoint
	if err == nil {
		err = json.Unmarshal(text, &one)
	}
	return one, err
}

// own returns a user that an app may see and change.
func (e *endpoints) own(ctx context.Context, app, name string) (endpoint, error) {
	if _, fixed := e.fixed[name]; fixed {
		return endpoint{}, rest.ErrReadOnly
	}
	one, err := e.get(ctx, name)
	if err == nil && app != "" && one.App != app {
		return endpoint{}, rest.ErrNoEndpoint
	}
	return one, err
}

func (e *endpoints) put(ctx context.Context, name string, one endpoint) (rest.Endpoint, error) {
	text, err := json.Marshal(one)
	if err == nil {
		_, err = e.store.Set(ctx, endpointsApp, name, text, 0)
	}
	if err != nil {
		return rest.Endpoint{}, err
	}
	e.driver.SetUser(name, one.Password)
	return rest.Endpoint{Username: name, Password: one.Password}, nil
}

// Add implements rest.Endpoints.
func (e *endpoints) Add(ctx context.Context, app string, add rest.Endpoint) (rest.Endpoint, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := e.own(ctx, "", add.Username)
	switch {
	case err == nil, errors.Is(err, rest.ErrReadOnly):
		return rest.Endpoint{}, rest.ErrEndpointExists
	case !errors.Is(err, rest.ErrNoEndpoint):
		return rest.Endpoint{}, err
	}
	return e.put(ctx, add.Username, endpoint{App: app, Password: add.Password})
}

// Update implements rest.Endpoints.
func (e *endpoints) Update(ctx context.Context, app string, change rest.Endpoint) (rest.Endpoint, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	one, err := e.own(ctx, app, change.Username)
	if err != nil {
		return rest.Endpoint{}, err
	}
	one.Password = change.Password
	return e.put(ctx, change.Username, one)
}

// Get implements rest.Endpoints.
func (e *endpoints) Get(ctx context.Context, app, name string) (rest.Endpoint, error) {
	one, err := e.own(ctx, app, name)
	return rest.Endpoint{Username: name, Password: one.Password}, err
}

// List implements rest.Endpoints. Users of the configuration are not shown: their passwords are the operator's.
func (e *endpoints) List(ctx context.Context, app string, offset, limit int) ([]rest.Endpoint, int, error) {
	names, err := e.store.List(ctx, endpointsApp, "", "", 0)
	if err != nil {
		return nil, 0, err
	}
	slices.Sort(names)
	var page []rest.Endpoint
	count := 0
	for _, name := range names {
		one, err := e.own(ctx, app, name)
		if err != nil {
			continue // another app's, or gone meanwhile
		}
		if count >= offset && len(page) < limit {
			page = append(page, rest.Endpoint{Username: name, Password: one.Password})
		}
		count++
	}
	return page, count, nil
}

// Remove implements rest.Endpoints.
func (e *endpoints) Remove(ctx context.Context, app, name string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.own(ctx, app, name); err != nil {
		return err
	}
	if _, err := e.store.Delete(ctx, endpointsApp, name); err != nil {
		return err
	}
	e.driver.RemoveUser(name)
	return nil
}
