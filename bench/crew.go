package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// order tells a script what to do and how often.
type order struct {
	Step  string `json:"step"`
	Times int    `json:"times"`
}

// crew are scripts that ask over HTTP for orders. All of them get the same ones, at the same time.
type crew struct {
	url  string
	http http.Server
	came chan struct{} // one for each who asks

	mu    sync.Mutex
	order []byte
	given chan struct{} // closed when there is an order
}

func newCrew() (*crew, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &crew{url: "http://" + tcp.Addr().String() + "/", came: make(chan struct{}), given: make(chan struct{})}
	c.http.Handler = http.HandlerFunc(c.serve)
	go func() { _ = c.http.Serve(tcp) }()
	return c, nil
}

func (c *crew) close() { _ = c.http.Close() }

func (c *crew) serve(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	given := c.given
	c.mu.Unlock()
	select {
	case c.came <- struct{}{}:
	case <-r.Context().Done():
		return
	}
	select {
	case <-given:
	case <-r.Context().Done():
		return
	}
	c.mu.Lock()
	text := c.order
	c.mu.Unlock()
	_, _ = w.Write(text)
}

// gather waits until n scripts ask.
func (c *crew) gather(ctx context.Context, n int) error {
	timer := time.NewTimer(30 * time.Second)
	defer timer.Stop()
	for i := range n {
		select {
		case <-c.came:
		case <-timer.C:
			return fmt.Errorf("%d of %d scripts came back after 30 s", i, n)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// do gives n scripts that wait an order, and waits until it was carried out.
func (c *crew) do(ctx context.Context, n int, o order) error {
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	c.mu.Lock()
	c.order = text
	close(c.given)
	c.given = make(chan struct{})
	c.mu.Unlock()
	return c.gather(ctx, n)
}
