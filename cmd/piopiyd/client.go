package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/piopiy/piopiyd/server"
)

// client asks a running daemon through its HTTP API.
type client struct {
	address string
	token   string
	http    *http.Client
}

var _ backend = (*client)(nil)

// errNoDaemon says that nothing listens at the address.
var errNoDaemon = errors.New("is piopiyd running? Start it with piopiyd serve, or name another with --address")

// errNotFound says that the daemon does not know what was asked for.
var errNotFound = errors.New("not found")

// reachable turns a listening address into one that can be called.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if host == "" || host == "0.0.0.0" {
		host = "127.0.0.1"
	}
	if host == "::" {
		host = "::1"
	}
	return net.JoinHostPort(host, port)
}

// probe asks whether somebody answers at all.
func (c *client) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	res, err := c.do(ctx, http.MethodGet, "/healthz", nil)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (c *client) do(ctx context.Context, method, path string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(c.address, "/")+path, content)
	if err != nil {
		return nil, fmt.Errorf("--address: %w", err)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if errors.Is(err, syscall.ECONNREFUSED) {
		return nil, fmt.Errorf("no daemon answers at %s; %w", c.address, errNoDaemon)
	}
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, fmt.Errorf("ask the daemon at %s: %w", c.address, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, c.refusal(res)
}

// refusal turns an error response into an error.
func (c *client) refusal(res *http.Response) error {
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	_ = json.NewDecoder(io.LimitReader(res.Body, 64<<10)).Decode(&body)
	message := body.Error.Message
	switch {
	case message == "":
		return fmt.Errorf("%s answers %s; is that a piopiyd?", c.address, res.Status)
	case res.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("the daemon at %s wants a token; set api.token in the configuration, or PIOPIYD_API_TOKEN", c.address)
	case res.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%w: %s", errNotFound, message)
	}
	return errors.New(message)
}

func (c *client) get(ctx context.Context, path string, into any) error {
	res, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	return c.decode(res.Body, into)
}

func (c *client) decode(body io.Reader, into any) error {
	if err := json.NewDecoder(body).Decode(into); err != nil {
		return fmt.Errorf("%s did not answer as a piopiyd does: %w", c.address, err)
	}
	return nil
}

// Apps implements backend.
func (c *client) Apps(ctx context.Context) ([]server.App, error) {
	var body struct {
		Apps []server.App `json:"apps"`
	}
	err := c.get(ctx, "/api/apps", &body)
	return body.Apps, err
}

// Versions implements backend.
func (c *client) Versions(ctx context.Context, app string) ([]server.Version, error) {
	var body struct {
		Versions []server.Version `json:"versions"`
	}
	err := c.get(ctx, "/api/apps/"+url.PathEscape(app)+"/versions", &body)
	return body.Versions, err
}

// Rollback implements backend.
func (c *client) Rollback(ctx context.Context, app, id string) (v server.Version, err error) {
	res, err := c.do(ctx, http.MethodPost, "/api/apps/"+url.PathEscape(app)+"/rollback", map[string]string{"version": id})
	if err != nil {
		return v, err
	}
	defer func() { _ = res.Body.Close() }()
	return v, c.decode(res.Body, &v)
}

// Calls implements backend.
func (c *client) Calls(ctx context.Context, app string, limit int) ([]server.Call, error) {
	var body struct {
		Calls []server.Call `json:"calls"`
	}
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if app != "" {
		query.Set("app", app)
	}
	err := c.get(ctx, "/api/calls?"+query.Encode(), &body)
	return body.Calls, err
}

// Timeline implements backend.
func (c *client) Timeline(ctx context.Context, id string, follow bool) iter.Seq2[server.Entry, error] {
	path := "/api/calls/" + url.PathEscape(id) + "/timeline"
	return func(yield func(server.Entry, error) bool) {
		if follow {
			c.follow(ctx, path+"?follow=1", yield)
			return
		}
		entries, err := c.entries(ctx, path)
		if err != nil {
			yield(server.Entry{}, err)
			return
		}
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// Journal implements backend.
func (c *client) Journal(ctx context.Context, id string) ([]server.Entry, error) {
	return c.entries(ctx, "/api/calls/"+url.PathEscape(id)+"/timeline?outcomes=1")
}

func (c *client) entries(ctx context.Context, path string) ([]server.Entry, error) {
	var body struct {
		Entries []server.Entry `json:"entries"`
	}
	err := c.get(ctx, path, &body)
	return body.Entries, err
}

// follow reads server-sent events (HTML standard, section 9.2).
func (c *client) follow(ctx context.Context, path string, yield func(server.Entry, error) bool) {
	res, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		yield(server.Entry{}, err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 16<<20)
	kind := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			kind = value
		case "data":
			if kind == "error" {
				var message string
				_ = json.Unmarshal([]byte(value), &message)
				yield(server.Entry{}, errors.New(message))
				return
			}
			var e server.Entry
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				yield(server.Entry{}, fmt.Errorf("%s did not answer as a piopiyd does: %w", c.address, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
	}
	if ctx.Err() == nil {
		yield(server.Entry{}, fmt.Errorf("the daemon at %s ended the timeline", c.address))
	}
}

// Close implements backend.
func (c *client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}
