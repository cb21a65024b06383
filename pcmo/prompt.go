package pcmo

import (
	"strconv"
	"time"
)

// Prompt is what a v3 action plays or says: a file if Type is PromptFile, a
// text if it is PromptSay, which then needs all of its four fields.
type Prompt struct {
	Type     PromptType
	FileName string
	Say      string
	// Language is the language of Say, for example en-US.
	Language string
	VoiceID  string
	// Speed is the rate of speech from 0.5 to 2.0.
	Speed *float64
}

// PromptType is the kind of a [Prompt].
type PromptType string

// Kinds of prompts.
const (
	PromptFile PromptType = "file"
	PromptSay  PromptType = "say"
)

// InputMode is a way for a caller to answer.
type InputMode string

// Ways to answer: keys, or words.
const (
	InputDTMF   InputMode = "dtmf"
	InputSpeech InputMode = "speech"
)

// DTMF is how digits are collected. Times are whole seconds.
type DTMF struct {
	MinDigits *int
	MaxDigits *int
	// FinishOnKey is the key that ends the input; a pointer to "" means none.
	FinishOnKey              *string
	FirstDigitTimeoutSeconds *int
	InterDigitTimeoutSeconds *int
	// FlushBuffer says to forget digits pressed before.
	FlushBuffer *bool
}

// Retries is what happens when nothing, or nothing valid, was entered.
type Retries struct {
	// Max is how often to ask again; see Again.
	Max           *int
	NoInputPrompt *Prompt
	InvalidPrompt *Prompt
}

// OnResult says where the result of an input goes: to a URL, or to another
// document named by Ref.
type OnResult struct {
	Type ResultType
	URL  string
	Ref  string
}

// ResultType is the kind of an [OnResult].
type ResultType string

// Kinds of results.
const (
	ResultURL  ResultType = "url"
	ResultPCMO ResultType = "pcmo"
)

// The v3 API documents no defaults for digits; the ones below are ours. All of
// these methods may be called on a nil DTMF.

// Least is the fewest digits that count as input; 1 unless set.
func (t *DTMF) Least() int {
	if t == nil {
		return 1
	}
	return count(t.MinDigits, 1)
}

// Most is how many digits end the input; Least, or 1, unless set.
func (t *DTMF) Most() int {
	if t == nil {
		return DefaultDigits
	}
	return max(count(t.MaxDigits, DefaultDigits), t.Least())
}

// FinishKey is the key that ends the input, or "" for none, which is the default.
func (t *DTMF) FinishKey() string {
	if t == nil || t.FinishOnKey == nil {
		return ""
	}
	return *t.FinishOnKey
}

// FirstTimeout is how long the first digit is waited for; 5 s unless set.
func (t *DTMF) FirstTimeout() time.Duration {
	if t == nil {
		return DefaultDigitTimeout
	}
	return seconds(t.FirstDigitTimeoutSeconds, DefaultDigitTimeout)
}

// NextTimeout is how long each further digit is waited for; as long as the
// first unless set.
func (t *DTMF) NextTimeout() time.Duration {
	if t == nil {
		return DefaultDigitTimeout
	}
	return seconds(t.InterDigitTimeoutSeconds, t.FirstTimeout())
}

// Flushes reports whether digits pressed before are forgotten; false unless set.
func (t *DTMF) Flushes() bool { return t != nil && t.FlushBuffer != nil && *t.FlushBuffer }

// Again is how often to ask again; 0 unless set. It may be called on nil.
func (t *Retries) Again() int {
	if t == nil || t.Max == nil {
		return 0
	}
	return max(*t.Max, 0)
}

func (p *Prompt) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strIf(dst, "type", string(p.Type))
	dst = strIf(dst, "file_name", p.FileName)
	dst = strIf(dst, "say", p.Say)
	dst = strIf(dst, "language", p.Language)
	dst = strIf(dst, "voice_id", p.VoiceID)
	if p.Speed != nil {
		dst = appendFloat(key(dst, "speed"), *p.Speed)
	}
	return append(dst, '}')
}

func (t *DTMF) appendIf(dst []byte) []byte {
	if t == nil {
		return dst
	}
	dst = append(key(dst, "dtmf"), '{')
	dst = intIf(dst, "min_digits", t.MinDigits)
	dst = intIf(dst, "max_digits", t.MaxDigits)
	if t.FinishOnKey != nil {
		dst = str(dst, "finish_on_key", *t.FinishOnKey)
	}
	dst = intIf(dst, "first_digit_timeout", t.FirstDigitTimeoutSeconds)
	dst = intIf(dst, "inter_digit_timeout", t.InterDigitTimeoutSeconds)
	dst = boolIf(dst, "flush_buffer", t.FlushBuffer)
	return append(dst, '}')
}

func (t *Retries) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = intIf(dst, "max", t.Max)
	if t.NoInputPrompt != nil {
		dst = t.NoInputPrompt.appendJSON(key(dst, "no_input_prompt"))
	}
	if t.InvalidPrompt != nil {
		dst = t.InvalidPrompt.appendJSON(key(dst, "invalid_prompt"))
	}
	return append(dst, '}')
}

func (o *OnResult) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	dst = strIf(dst, "type", string(o.Type))
	dst = strIf(dst, "url", o.URL)
	return append(strIf(dst, "ref", o.Ref), '}')
}

func (p *Prompt) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "type":
		return word(d, &p.Type)
	case "file_name":
		return d.text(&p.FileName)
	case "say":
		return d.text(&p.Say)
	case "language":
		return d.text(&p.Language)
	case "voice_id":
		return d.text(&p.VoiceID)
	case "speed":
		return d.real(&p.Speed)
	}
	return false
}

func (t *DTMF) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "min_digits":
		return d.integer(&t.MinDigits)
	case "max_digits":
		return d.integer(&t.MaxDigits)
	case "finish_on_key":
		return d.optText(&t.FinishOnKey)
	case "first_digit_timeout":
		return d.integer(&t.FirstDigitTimeoutSeconds)
	case "inter_digit_timeout":
		return d.integer(&t.InterDigitTimeoutSeconds)
	case "flush_buffer":
		return d.boolean(&t.FlushBuffer)
	}
	return false
}

func (t *Retries) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "max":
		return d.integer(&t.Max)
	case "no_input_prompt":
		t.NoInputPrompt = new(Prompt)
		return d.object(t.NoInputPrompt)
	case "invalid_prompt":
		t.InvalidPrompt = new(Prompt)
		return d.object(t.InvalidPrompt)
	}
	return false
}

func (o *OnResult) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "type":
		return word(d, &o.Type)
	case "url":
		return d.text(&o.URL)
	case "ref":
		return d.text(&o.Ref)
	}
	return false
}

func (p *Prompt) validate(r *report) {
	switch p.Type {
	case PromptFile:
		r.required("file_name", p.FileName, "is required when type is file")
	case PromptSay:
		const rule = "is required when type is say"
		r.required("say", p.Say, rule)
		r.required("language", p.Language, rule)
		r.required("voice_id", p.VoiceID, rule)
		if p.Speed == nil {
			r.fail("speed", "", rule)
		}
	case "":
		r.fail("type", "", "is required: file or say")
	default:
		r.oneOf("type", string(p.Type), "file", "say")
	}
	if p.Speed != nil && !(*p.Speed >= 0.5 && *p.Speed <= 2) {
		r.fail("speed", strconv.FormatFloat(*p.Speed, 'g', -1, 64), "must be a number from 0.5 to 2.0")
	}
}

func (t *DTMF) validate(r *report) {
	r.within("min_digits", t.MinDigits, 1, maxCount)
	r.within("max_digits", t.MaxDigits, 1, maxCount)
	if t.MinDigits != nil && t.MaxDigits != nil && *t.MinDigits > *t.MaxDigits {
		r.fail("min_digits", strconv.Itoa(*t.MinDigits), "must not be more than max_digits")
	}
	if t.FinishOnKey != nil && len([]rune(*t.FinishOnKey)) > 1 {
		r.fail("finish_on_key", quoted(*t.FinishOnKey), "must be one key, or empty for none")
	}
	r.within("first_digit_timeout", t.FirstDigitTimeoutSeconds, 1, maxSeconds)
	r.within("inter_digit_timeout", t.InterDigitTimeoutSeconds, 1, maxSeconds)
}

func (t *Retries) validate(r *report) {
	r.within("max", t.Max, 0, maxCount)
	if t.NoInputPrompt != nil {
		r.part("no_input_prompt", t.NoInputPrompt)
	}
	if t.InvalidPrompt != nil {
		r.part("invalid_prompt", t.InvalidPrompt)
	}
}

func (o *OnResult) validate(r *report) {
	switch o.Type {
	case ResultURL:
		r.url("url", o.URL, "http", "https")
	case ResultPCMO:
		r.required("ref", o.Ref, "is required when type is pcmo")
		if o.URL != "" {
			r.url("url", o.URL, "http", "https")
		}
	case "":
		r.fail("type", "", "is required: url or pcmo")
	default:
		r.oneOf("type", string(o.Type), "url", "pcmo")
	}
}
