package call

import (
	"context"
	"unicode/utf8"

	"github.com/piopiy/piopiyd/pcmo"
)

// collection is what input and play_get_input of both dialects have in common.
type collection struct {
	gather Gather
	// least is how many digits count as input; fewer are asked for again.
	least int
	// noInput and invalid are played instead of the prompt when it is asked again; silence repeats the prompt.
	noInput, invalid Prompt
	// url is asked about what came; with ref the app of that name is.
	url, ref string
}

func (r *performance) input(a *pcmo.Input, rest []pcmo.Action) ([]pcmo.Action, error) {
	return r.collect(collection{url: a.ActionURL, gather: Gather{
		MaxDigits: a.Digits(), FirstDigit: a.DigitTimeout(), NextDigit: a.DigitTimeout(), Attempts: 1,
	}}, rest)
}

func (r *performance) playGetInput(a *pcmo.PlayGetInput, rest []pcmo.Action) ([]pcmo.Action, error) {
	return r.collect(collection{url: a.ActionURL, gather: Gather{
		Prompt: sound(a.Source()), MaxDigits: a.Digits(),
		FirstDigit: a.DigitTimeout(), NextDigit: a.DigitTimeout(), Attempts: 1 + a.Retries(),
	}}, rest)
}

// collect collects what the caller enters, asks again while nothing valid comes, and asks what follows. No digits
// are digits "": they are asked about as well. The reply replaces the rest of the document; when it cannot be had
// the rest is performed as it stands, and the fault policy when nothing is left.
func (r *performance) collect(c collection, rest []pcmo.Action) ([]pcmo.Action, error) {
	if err := r.answer(); err != nil {
		return nil, err
	}
	g := c.gather
	var got Gathered
	for g.Attempt = 1; g.Attempt <= g.Attempts; g.Attempt++ {
		if g.Attempt > 1 {
			if err := r.step(); err != nil {
				return nil, err
			}
			g.Prompt, g.Flush = c.gather.Prompt, false
			if again := c.again(got); !again.IsSilence() {
				g.Prompt = again
			}
		}
		var err error
		if got, err = r.line.Gather(r.ctx, g); err != nil {
			return nil, err
		}
		if c.valid(got) {
			break
		}
	}
	reply, err := r.ask(c, got)
	if err == nil {
		return r.replied(reply), nil
	}
	if r.ctx.Err() != nil || len(rest) == 0 {
		return nil, err
	}
	r.observe(Step{Err: err})
	return rest, nil
}

func (c collection) valid(got Gathered) bool {
	return got.Speech != "" || utf8.RuneCountInString(got.Digits) >= max(c.least, 1)
}

func (c collection) again(got Gathered) Prompt {
	if got.Digits == "" {
		return c.noInput
	}
	return c.invalid
}

func (r *performance) ask(c collection, got Gathered) (Reply, error) {
	in := Input{Digits: got.Digits, Speech: got.Speech}
	if c.ref != "" {
		other := *r.current()
		other.App = c.ref
		return r.decide(func(ctx context.Context) (Reply, error) { return r.Handler.Answer(ctx, &other) })
	}
	if token, ours := r.current().InputToken(c.url); ours {
		in.Token = token
		return r.decide(func(ctx context.Context) (Reply, error) { return r.Handler.Input(ctx, r.current(), in) })
	}
	return r.decide(func(ctx context.Context) (Reply, error) {
		if r.Asker == nil {
			return Reply{}, errNoAsker
		}
		return asked(r.Asker.Ask(ctx, r.current(), c.url, in))
	})
}

func (r *performance) askAnswer(ctx context.Context, url string) (Reply, error) {
	if r.Asker == nil {
		return Reply{}, errNoAsker
	}
	return asked(r.Asker.AskAnswer(ctx, r.current(), url))
}

func asked(doc []pcmo.Action, err error) (Reply, error) {
	if err != nil {
		return Reply{}, err
	}
	return Reply{Document: doc, JSON: pcmo.Document(doc).AppendJSON(nil)}, nil
}
