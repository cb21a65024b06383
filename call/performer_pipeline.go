package call

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/piopiy/piopiyd/pcmo"
)

// doPipeline performs one action of the v3 dialect (protocol page section 3.7) and returns what follows it.
func (r *performance) doPipeline(a pcmo.Action, rest []pcmo.Action) ([]pcmo.Action, error) {
	switch a := a.(type) {
	case *pcmo.PipelinePlay:
		return rest, r.play(sound(a.Source()))
	case *pcmo.PipelineParam:
		r.addParams(a.Data)
		return rest, nil
	case *pcmo.PipelineRecord:
		return rest, r.record(RecordOptions{Format: a.Format, Channels: a.Channels}, rest)
	case *pcmo.PipelineInput:
		c := collectionOf(a.DTMF, a.OnResult)
		c.gather.Attempts = 1
		return r.collect(c, rest)
	case *pcmo.PipelinePlayGetInput:
		return r.collect(promptedOf(a), rest)
	case *pcmo.PipelineConnect:
		return r.connectEndpoints(a, rest)
	}
	return nil, fmt.Errorf("the action %q cannot be performed", a.Name())
}

func collectionOf(d *pcmo.DTMF, to pcmo.OnResult) collection {
	return collection{least: d.Least(), url: to.URL, ref: to.Ref, gather: Gather{
		MaxDigits: d.Most(), FinishKey: d.FinishKey(), FirstDigit: d.FirstTimeout(), NextDigit: d.NextTimeout(), Flush: d.Flushes(),
	}}
}

func promptedOf(a *pcmo.PipelinePlayGetInput) collection {
	c := collectionOf(a.DTMF, a.OnResult)
	c.gather.Prompt = promptOf(&a.Prompt)
	c.gather.Attempts = 1 + a.Retries.Again()
	c.gather.Speech = a.Wants(pcmo.InputSpeech)
	c.gather.SpeechOnly = c.gather.Speech && !a.Wants(pcmo.InputDTMF)
	c.gather.Language = a.Prompt.Language
	if a.Retries != nil {
		c.noInput, c.invalid = promptOf(a.Retries.NoInputPrompt), promptOf(a.Retries.InvalidPrompt)
	}
	return c
}

func promptOf(p *pcmo.Prompt) Prompt {
	switch {
	case p == nil:
		return Prompt{}
	case p.Type == pcmo.PromptFile:
		return Sound(p.FileName)
	}
	prompt := Prompt{Say: p.Say, Language: p.Language, Voice: p.VoiceID}
	if p.Speed != nil {
		prompt.Speed = *p.Speed
	}
	return prompt
}

// ExtraParamsHeader is what PIOPIY's phones read custom parameters from (protocol page section 6).
const ExtraParamsHeader = "X-cmi-extra_param"

// connectEndpoints connects the call to the first endpoint that takes it. An agent is an app: it takes the call by
// its answer callback, whose document replaces the rest. When nobody takes the call the next action runs.
func (r *performance) connectEndpoints(a *pcmo.PipelineConnect, rest []pcmo.Action) ([]pcmo.Action, error) {
	b := ringing{from: a.CallerID, limit: a.MaxDuration(), tries: 1, dial: Dial{Timeout: a.RingTimeout()}}
	if o := a.Options; o != nil {
		b.dial.DetectMachine = o.MachineDetection != nil && *o.MachineDetection
		if o.WaitingMusic != "" {
			b.dial.Music = Sound(o.WaitingMusic)
		}
		if a.Records() {
			b.record = &RecordOptions{Format: o.Recording.Format, Channels: o.Recording.Channels}
		}
	}
	var targets []Target
	var agents []string
	for _, e := range a.Endpoints {
		if e.Type == pcmo.EndpointAgent {
			agents = append(agents, e.ID)
			continue
		}
		targets = append(targets, targetOf(e, a.Metadata))
	}
	b.groups = grouped(targets, a.RingsAll())
	if talk, err := r.connect(b); talk != nil || err != nil {
		return rest, err
	}
	for _, agent := range agents {
		other := *r.current()
		other.App = agent
		if len(a.Metadata) > 0 {
			other.ExtraParams = string(a.Metadata.AppendJSON(nil))
		}
		reply, err := r.decide(func(ctx context.Context) (Reply, error) { return r.Handler.Answer(ctx, &other) })
		if err == nil && reply.Fault == nil {
			return r.replied(reply), nil
		}
		if r.ctx.Err() != nil {
			return rest, err
		}
		r.observe(Step{Err: fmt.Errorf("the agent %s does not take the call: %w", agent, errors.Join(err, reply.Fault))})
	}
	return rest, nil
}

func targetOf(e pcmo.Endpoint, metadata pcmo.Variables) Target {
	t := Target{Target: pcmo.PSTN(e.Number)}
	if e.Type == pcmo.EndpointSIP {
		t.Target = pcmo.SIP(e.URI)
	}
	for _, h := range e.Headers {
		t.Headers = append(t.Headers, Header{h.Key, fmt.Sprint(h.Value)})
	}
	if len(metadata) > 0 {
		t.Headers = append(t.Headers, Header{ExtraParamsHeader, string(metadata.AppendJSON(nil))})
	}
	return t
}

// addParams adds values to what travels with the call. What is no JSON object so far is replaced.
func (r *performance) addParams(data pcmo.Variables) {
	params := map[string]json.RawMessage{}
	if json.Unmarshal([]byte(r.current().ExtraParams), &params) != nil || params == nil {
		params = map[string]json.RawMessage{}
	}
	added := map[string]json.RawMessage{}
	_ = json.Unmarshal(data.AppendJSON(nil), &added)
	for k, v := range added {
		params[k] = v
	}
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if e.Encode(params) == nil {
		r.setExtraParams(string(bytes.TrimSpace(text.Bytes())))
	}
}
