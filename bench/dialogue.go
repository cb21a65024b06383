package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// dialogue is what the platform says in one kind of call.
type dialogue struct {
	app   string
	whole bool // answer, digits, event and CDR; otherwise the answer alone
	keys  int  // how often digits come in a whole call (default 1)
}

// The caller and the moment are the same in every call: only ids and digits differ.
const (
	caller = "919812345678"
	called = "914446316000"
	idSize = 36
)

// callTime is a working day's noon in Kolkata.
var callTime = time.Date(2025, 7, 25, 6, 30, 0, 0, time.UTC).UnixMilli()

const headers = "Content-Type: application/json\r\nAccept: application/json\r\nAccept-Encoding: gzip, deflate, br\r\nUser-Agent: got (https://github.com/sindresorhus/got)\r\n"

func post(addr, path, body string) []byte {
	return []byte("POST " + path + " HTTP/1.1\r\nHost: " + addr + "\r\n" + headers + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// placeholder is where a call's id will be written.
var placeholder = bytes.Repeat([]byte{'#'}, idSize)

// template is a prebuilt request.
type template struct {
	request []byte
	ids     []int // where the placeholders were
}

func newTemplate(addr, path, body string) template {
	t := template{request: post(addr, path, body)}
	for from := 0; ; {
		i := bytes.Index(t.request[from:], placeholder)
		if i < 0 {
			return t
		}
		t.ids = append(t.ids, from+i)
		from += i + idSize
	}
}

func (t template) with(id []byte) []byte {
	for _, at := range t.ids {
		copy(t.request[at:], id)
	}
	return t.request
}

// player plays one call after the other on one connection.
type player struct {
	addr               string
	whole              bool
	keys               int
	id                 []byte
	answer, event, cdr template
	input              []byte
	inputBody          []byte
	inputID            int
}

func (d *dialogue) player(addr string) *player {
	path := "/hooks/" + d.app
	id := string(placeholder)
	p := &player{addr: addr, whole: d.whole, keys: max(1, d.keys), id: []byte("00000000-0000-4000-8000-000000000000")}
	p.answer = newTemplate(addr, path+"/answer", answerBody(id, caller, callTime))
	if !d.whole {
		return p
	}
	p.event = newTemplate(addr, path+"/event", fmt.Sprintf(
		`{"appid":2223334,"direction":"inbound","leg":"a","status":"in_hangup","time":%d,"from":%s,"to":%s,"cmiuuid":"%s","conversation_uuid":"%s"}`,
		callTime+60_000, caller, called, id, id))
	p.cdr = newTemplate(addr, path+"/cdr", fmt.Sprintf(
		`{"appid":2223334,"direction":"inbound","leg":"a","status":"answered","from":%s,"to":%s,"time":%d,"start_time":%d,"answer_time":%d,"end_time":%d,"duration":58,"cmiuuid":"%s","conversation_uuid":"%s","call_rate":"0.65","balance":"1000.35"}`,
		caller, called, callTime, callTime/1000, callTime/1000+2, callTime/1000+60, id, id))
	p.inputBody = []byte(inputBody(id, caller, "2", callTime))
	p.inputID = bytes.Index(p.inputBody, placeholder)
	return p
}

func answerBody(id, from string, at int64) string {
	return fmt.Sprintf(`{"action":"inbound","from":"%s","to":"%s","time":%d,"cmiuuid":"%s"}`, from, called, at, id)
}

func inputBody(id, from, digits string, at int64) string {
	return fmt.Sprintf(`{"from":%s,"to":%s,"dtmf":"%s","cmuuid":"%s","extra_params":"{\"language\":\"ta\",\"at\":%d}"}`, from, called, digits, id, at)
}

// play plays one call and appends how long each callback took, in microseconds.
func (p *player) play(c *client, took []int32) ([]int32, error) {
	digits := strconv.AppendUint(p.id[:idSize-12], 1e11+nextCall.Add(1), 10) // the last twelve digits of the id
	began := time.Now()
	step := func(request []byte) ([]byte, error) {
		reply, err := c.do(request)
		now := time.Now()
		took = append(took, int32(now.Sub(began).Microseconds()))
		began = now
		return reply, err
	}
	id := digits[:idSize]
	reply, err := step(p.answer.with(id))
	if err != nil || !p.whole {
		return took, err
	}
	copy(p.inputBody[p.inputID:], id)
	for range p.keys {
		path, err := actionPath(reply)
		if err != nil {
			return took, err
		}
		p.input = append(append(append(p.input[:0], "POST "...), path...), " HTTP/1.1\r\nHost: "...)
		p.input = append(append(append(p.input, p.addr...), "\r\n"+headers+"Content-Length: "...), strconv.Itoa(len(p.inputBody))...)
		p.input = append(append(p.input, "\r\n\r\n"...), p.inputBody...)
		if reply, err = step(p.input); err != nil {
			return took, err
		}
	}
	if _, err = step(p.event.with(id)); err != nil {
		return took, err
	}
	_, err = step(p.cdr.with(id))
	return took, err
}

// actionPath returns the path of the action_url in a document.
func actionPath(document []byte) ([]byte, error) {
	const key = `"action_url":"`
	_, rest, found := bytes.Cut(document, []byte(key))
	address, _, closed := bytes.Cut(rest, []byte{'"'})
	if !found || !closed {
		return nil, errors.New("the answer holds no action_url")
	}
	_, rest, found = bytes.Cut(address, []byte("://"))
	slash := bytes.IndexByte(rest, '/')
	if !found || slash < 0 {
		return nil, fmt.Errorf("action_url %q cannot be followed: it is no absolute address with a path", address)
	}
	return rest[slash:], nil
}
