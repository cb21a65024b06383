package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// client is one keep-alive connection. It sends requests that were built before and reads as little of a reply as
// it can, so that the load costs little beside what it measures.
type client struct {
	conn  net.Conn
	in    *bufio.Reader
	reply []byte
}

const replyTimeout = 30 * time.Second

func dial(addr string) (*client, error) {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, in: bufio.NewReaderSize(conn, 8<<10)}, nil
}

func (c *client) close() { _ = c.conn.Close() }

// do sends a request and returns the body of the reply, valid until the next call.
func (c *client) do(request []byte) ([]byte, error) {
	if _, err := c.conn.Write(request); err != nil {
		return nil, err
	}
	status, err := c.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	ok := bytes.HasPrefix(status, []byte("HTTP/1.1 200"))
	problem := ""
	if !ok {
		problem = string(bytes.TrimSpace(status))
	}
	length := -1
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return nil, err
		}
		if len(line) <= 2 {
			break
		}
		const name = "content-length:"
		if len(line) > len(name) && (line[0]|0x20) == 'c' && bytes.EqualFold(line[:len(name)], []byte(name)) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(line[len(name):]))); err != nil {
				return nil, err
			}
		}
	}
	if length < 0 {
		return nil, errors.New("a reply without Content-Length")
	}
	c.reply = slices.Grow(c.reply[:0], length)[:length]
	if _, err := io.ReadFull(c.in, c.reply); err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s: %s", problem, c.reply)
	}
	return c.reply, nil
}

// measure is what one round of load gave.
type measure struct {
	callbacks int
	calls     int
	elapsed   time.Duration
	latencies []int32 // of every callback, in microseconds, sorted
	load      time.Duration
}

func (m *measure) percentile(p float64) time.Duration {
	if len(m.latencies) == 0 {
		return 0
	}
	return time.Duration(m.latencies[int(p*float64(len(m.latencies)-1))]) * time.Microsecond
}

// nextCall numbers the calls of the whole run, so that no id comes twice.
var nextCall atomic.Uint64

// load plays calls over conns connections for a time, or until there were limit of them, and waits for the last
// calls to be whole. limit 0 is none.
func load(ctx context.Context, addr string, d *dialogue, conns int, length time.Duration, limit int64) (*measure, error) {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		m      measure
		failed error
		played atomic.Int64
	)
	clients := make([]*client, conns)
	for i := range clients {
		c, err := dial(addr)
		if err != nil {
			return nil, err
		}
		defer c.close()
		clients[i] = c
	}
	cpu := ownCPU()
	began := time.Now()
	until := began.Add(length)
	for _, c := range clients {
		wg.Go(func() {
			_ = c.conn.SetDeadline(until.Add(replyTimeout))
			p := d.player(addr)
			latencies := make([]int32, 0, 1<<14)
			var err error
			calls := 0
			for err == nil && ctx.Err() == nil && time.Now().Before(until) && (limit == 0 || played.Add(1) <= limit) {
				latencies, err = p.play(c, latencies)
				calls++
			}
			mu.Lock()
			defer mu.Unlock()
			m.latencies = append(m.latencies, latencies...)
			m.calls += calls
			if err != nil && failed == nil {
				failed = err
			}
		})
	}
	wg.Wait()
	m.elapsed = time.Since(began)
	m.load = ownCPU() - cpu
	m.callbacks = len(m.latencies)
	slices.Sort(m.latencies)
	if failed == nil {
		failed = ctx.Err()
	}
	return &m, failed
}

// ownCPU returns the processor time this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
