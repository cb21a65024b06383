package pcmo

import "slices"

// The v3 actions, after which come their parts: prompts, digit rules, results.

// PipelinePlay plays a file (protocol page 3.7). FileName is a file name of
// the platform or a URL.
type PipelinePlay struct {
	FileName string
}

// PipelinePlayGetInput plays a prompt and collects digits, speech or both.
type PipelinePlayGetInput struct {
	Prompt Prompt
	// Input says what is collected: InputDTMF, InputSpeech or both.
	Input    []InputMode
	DTMF     *DTMF
	Retries  *Retries
	OnResult OnResult
}

// PipelineInput collects digits without a prompt.
type PipelineInput struct {
	OnResult OnResult
	DTMF     *DTMF
}

// PipelineParam sets custom values of the call: at most 10, texts of at most
// 256 characters.
type PipelineParam struct {
	Data Variables
}

// PipelineRecord records the conversation from here on.
type PipelineRecord struct {
	// Format is "mp3", "wav" or "" for the platform's choice.
	Format string
	// Channels is "single", "dual" or "" for the platform's choice.
	Channels string
}

// PipelineHangup ends the call.
type PipelineHangup struct{}

// Name returns "play".
func (*PipelinePlay) Name() string { return "play" }

// Name returns "play_get_input".
func (*PipelinePlayGetInput) Name() string { return "play_get_input" }

// Name returns "input".
func (*PipelineInput) Name() string { return "input" }

// Name returns "param".
func (*PipelineParam) Name() string { return "param" }

// Name returns "record".
func (*PipelineRecord) Name() string { return "record" }

// Name returns "hangup".
func (*PipelineHangup) Name() string { return "hangup" }

func (*PipelinePlay) dialect() Dialect         { return V3 }
func (*PipelinePlayGetInput) dialect() Dialect { return V3 }
func (*PipelineInput) dialect() Dialect        { return V3 }
func (*PipelineParam) dialect() Dialect        { return V3 }
func (*PipelineRecord) dialect() Dialect       { return V3 }
func (*PipelineHangup) dialect() Dialect       { return V3 }

// Source returns what is to be played and whether it is a URL.
func (a *PipelinePlay) Source() (source string, isURL bool) { return audioSource(a.FileName, "") }

// Wants reports whether the mode is among those collected.
func (a *PipelinePlayGetInput) Wants(mode InputMode) bool { return slices.Contains(a.Input, mode) }

// AppendJSON implements [Action].
func (a *PipelinePlay) AppendJSON(dst []byte) []byte {
	return append(str(begin(dst, "play"), "file_name", a.FileName), '}')
}

// AppendJSON implements [Action].
func (a *PipelinePlayGetInput) AppendJSON(dst []byte) []byte {
	dst = begin(dst, "play_get_input")
	dst = a.Prompt.appendJSON(key(dst, "prompt"))
	dst = append(key(dst, "input"), '[')
	for i, mode := range a.Input {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, string(mode))
	}
	dst = append(dst, ']')
	dst = a.OnResult.appendJSON(key(dst, "on_result"))
	dst = a.DTMF.appendIf(dst)
	if a.Retries != nil {
		dst = a.Retries.appendJSON(key(dst, "retries"))
	}
	return append(dst, '}')
}

// AppendJSON implements [Action].
func (a *PipelineInput) AppendJSON(dst []byte) []byte {
	dst = a.OnResult.appendJSON(key(begin(dst, "input"), "on_result"))
	return append(a.DTMF.appendIf(dst), '}')
}

// AppendJSON implements [Action].
func (a *PipelineParam) AppendJSON(dst []byte) []byte {
	return append(a.Data.AppendJSON(key(begin(dst, "param"), "data")), '}')
}

// AppendJSON implements [Action].
func (a *PipelineRecord) AppendJSON(dst []byte) []byte {
	dst = strIf(begin(dst, "record"), "format", a.Format)
	return append(strIf(dst, "channels", a.Channels), '}')
}

// AppendJSON implements [Action].
func (a *PipelineHangup) AppendJSON(dst []byte) []byte { return append(begin(dst, "hangup"), '}') }

func (a *PipelinePlay) field(d *decoder, key []byte) bool {
	return string(key) == "file_name" && d.text(&a.FileName)
}

func (a *PipelinePlayGetInput) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "prompt":
		a.Prompt = Prompt{}
		return d.object(&a.Prompt)
	case "input":
		return d.modes(&a.Input)
	case "dtmf":
		a.DTMF = new(DTMF)
		return d.object(a.DTMF)
	case "retries":
		a.Retries = new(Retries)
		return d.object(a.Retries)
	case "on_result":
		a.OnResult = OnResult{}
		return d.object(&a.OnResult)
	}
	return false
}

func (a *PipelineInput) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "on_result":
		a.OnResult = OnResult{}
		return d.object(&a.OnResult)
	case "dtmf":
		a.DTMF = new(DTMF)
		return d.object(a.DTMF)
	}
	return false
}

func (a *PipelineParam) field(d *decoder, key []byte) bool {
	return string(key) == "data" && d.variables(&a.Data)
}

func (a *PipelineRecord) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "format":
		return d.text(&a.Format)
	case "channels":
		return d.text(&a.Channels)
	}
	return false
}

func (a *PipelineHangup) field(*decoder, []byte) bool { return false }

func (d *decoder) modes(into *[]InputMode) bool {
	if d.peek() != '[' {
		return d.mismatch("must be an array of dtmf and speech")
	}
	list := make([]InputMode, 0, 2)
	d.array(func(int) {
		var mode InputMode
		word(d, &mode)
		list = append(list, mode)
	})
	*into = list
	return true
}

func (a *PipelinePlay) validate(r *report) {
	r.required("file_name", a.FileName, "is required: a file name or URL")
}

func (a *PipelinePlayGetInput) validate(r *report) {
	r.part("prompt", &a.Prompt)
	if len(a.Input) == 0 {
		r.fail("input", "", "must list at least one of dtmf and speech")
	}
	at := r.enter("input")
	for i, mode := range a.Input {
		item := r.enterIndex(i)
		if mode != InputDTMF && mode != InputSpeech {
			r.fail("", quoted(string(mode)), "must be dtmf or speech")
		} else if slices.Contains(a.Input[:i], mode) {
			r.fail("", quoted(string(mode)), "is listed twice")
		}
		r.leave(item)
	}
	r.leave(at)
	if a.DTMF != nil {
		r.part("dtmf", a.DTMF)
	}
	if a.Retries != nil {
		r.part("retries", a.Retries)
	}
	r.part("on_result", &a.OnResult)
}

func (a *PipelineInput) validate(r *report) {
	if a.DTMF != nil {
		r.part("dtmf", a.DTMF)
	}
	r.part("on_result", &a.OnResult)
}

func (a *PipelineParam) validate(r *report) {
	if a.Data == nil {
		r.fail("data", "", "is required: an object")
	}
	if len(a.Data) > 10 {
		r.fail("data", "", "must have at most 10 keys")
	}
	r.variables("data", a.Data, 256)
}

func (a *PipelineRecord) validate(r *report) {
	r.oneOf("format", a.Format, "mp3", "wav")
	r.oneOf("channels", a.Channels, "single", "dual")
}

func (a *PipelineHangup) validate(*report) {}

// part validates a nested object.
func (r *report) part(key string, p interface{ validate(*report) }) {
	at := r.enter(key)
	p.validate(r)
	r.leave(at)
}
