package call

import (
	"context"
	"encoding/base32"
	"errors"
	"fmt"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/runtime"
)

// maxContinuations bounds the functions that one call may leave standing for an action_url.
const maxContinuations = 1000

// continuation is what goes on when the caller has answered: a script's function, or a verb that rests.
type continuation struct {
	run   goja.Callable
	turn  *turn
	label string
	n     int // counts those of the call
	asked *exchange
}

// maxSpent is how many continuations that have run are kept, for those who ask again.
const maxSpent = 16

// input goes on where the caller has answered.
func (conv *conversation) input(ctx context.Context, c *call.Call, in call.Input) (call.Reply, error) {
	if c.Driver == hostedDriver {
		defer conv.retireLater()
	}
	defer conv.enter()()
	var x *exchange
	err := conv.session.Run(ctx, "the continuation", func() (goja.Value, error) {
		next, ok := conv.continuations[in.Token]
		if !ok {
			x = &exchange{}
			x.settle(call.Reply{}, call.ErrNoContinuation)
			return goja.Undefined(), nil
		}
		if x = next.asked; x != nil { // a repetition
			return x.value(conv.session), nil
		}
		x = &exchange{}
		conv.spend(in.Token, next, x)
		conv.brought("input", c, inputEntry{next.n, next.label, in.Digits, in.Speech})
		if c.Driver == hostedDriver {
			conv.host().input(x, next, c, in)
		} else {
			conv.decide(x, next, c, in)
		}
		return x.value(conv.session), nil
	}, func(*goja.Runtime, goja.Value) error {
		if errors.Is(x.err, call.ErrNoContinuation) {
			return nil
		}
		return x.err
	})
	switch {
	case isEnd(err) && c.Driver == hostedDriver:
		return goodbye(conv), nil
	case err != nil:
		return call.Reply{}, err
	case x.err != nil:
		return call.Reply{}, fmt.Errorf("call %q of app %q, token %q: %w", c.ID, c.App, in.Token, x.err)
	}
	conv.safe(ctx)
	return x.reply, nil
}

// decide settles x with what a continuation returns. On the session's goroutine, as what follows.
func (conv *conversation) decide(x *exchange, next *continuation, c *call.Call, in call.Input) {
	v, err := conv.proceed(next, c, in)
	if err != nil {
		x.settle(call.Reply{}, err)
		return
	}
	conv.session.Await(v, func(v goja.Value) {
		var reply call.Reply
		var err error
		if thrown := conv.session.VM().Try(func() { reply, err = conv.decode(next.label, v, c) }); thrown != nil {
			err = thrown
		}
		x.settle(reply, err)
		conv.await()
	}, func(reason goja.Value) { x.settle(call.Reply{}, runtime.Thrown(reason)) })
}

func (conv *conversation) proceed(next *continuation, c *call.Call, in call.Input) (goja.Value, error) {
	return conv.conducts(func() (goja.Value, error) {
		return next.run(goja.Undefined(), conv.inputObject(c, in), conv.callObject(c))
	})
}

// expect lets a continuation wait for the caller's answer under a new token.
func (conv *conversation) expect(next *continuation) (token string, err error) {
	if conv.unspent >= maxContinuations {
		return "", &runtime.ScriptError{Name: "RangeError", Message: fmt.Sprintf("too many functions wait for digits (limit %d)", maxContinuations)}
	}
	if conv.continuations == nil {
		conv.continuations = map[string]*continuation{}
	}
	var raw [15]byte
	conv.session.Random(raw[:])
	token = tokenEncoding.EncodeToString(raw[:])
	conv.expected++
	next.n = conv.expected
	conv.continuations[token] = next
	conv.unspent++
	conv.waiting.Store(1)
	return token, nil
}

// forgo takes back what nobody was told to expect.
func (conv *conversation) forgo(token string) {
	if _, ok := conv.continuations[token]; ok {
		delete(conv.continuations, token)
		conv.unspent--
		conv.await()
	}
}

// spend notes that a continuation has been asked: once is all it can be.
func (conv *conversation) spend(token string, next *continuation, x *exchange) {
	next.asked = x
	conv.unspent--
	if conv.spent = append(conv.spent, token); len(conv.spent) > maxSpent {
		delete(conv.continuations, conv.spent[0])
		conv.spent = conv.spent[1:]
	}
}

// await notes whether the call still waits for the caller.
func (conv *conversation) await() {
	if conv.unspent == 0 {
		conv.waiting.Store(0)
	}
}

// continuations lets functions stand where PCMO wants an action_url.
type continuations struct {
	conv *conversation
	call *call.Call
}

// Register implements the PCMO binding's Continuations. On the session's goroutine.
func (r continuations) Register(run goja.Callable, label string) string {
	conv := r.conv
	if r.call.InputURL == nil {
		panic(conv.session.NewError("TypeError", "a function cannot stand for an action_url here: nothing brings digits back to it"))
	}
	token, err := conv.expect(&continuation{run: run, label: label})
	if err != nil {
		panic(conv.session.ErrorValue(err))
	}
	return r.call.InputURL(token)
}

var tokenEncoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
