package pcmo

// The classic actions that play, say, set or end something.

// Play plays an audio file, mp3 or wav (protocol page 2.1). One of the two
// fields is needed. If both are given FileURL is used: that is how the Python
// SDK's doubled output means it.
type Play struct {
	// FileName is the key name of audio stored with the platform.
	FileName string
	// FileURL is an http or https address of audio elsewhere.
	FileURL string
}

// Speak says a text (protocol page 2.2). An empty text is allowed and says nothing.
type Speak struct {
	Text string
}

// Param sets the custom value of the call, which comes back as extra_params
// (protocol page 2.3).
type Param struct {
	Text string
}

// Record records the conversation from here on (protocol page 2.4).
type Record struct{}

// Hangup ends the call, or rejects it when it stands first (protocol page 2.5).
type Hangup struct {
	// Cause is an extension of ours: why the call ends, spelled like the v3
	// API's causes (NORMAL_CLEARING, USER_BUSY). It is written only if set and
	// the PIOPIY cloud does not know it.
	Cause string
}

// Name returns "play".
func (*Play) Name() string { return "play" }

// Name returns "speak".
func (*Speak) Name() string { return "speak" }

// Name returns "param".
func (*Param) Name() string { return "param" }

// Name returns "record".
func (*Record) Name() string { return "record" }

// Name returns "hangup".
func (*Hangup) Name() string { return "hangup" }

func (*Play) dialect() Dialect   { return Classic }
func (*Speak) dialect() Dialect  { return Classic }
func (*Param) dialect() Dialect  { return Classic }
func (*Record) dialect() Dialect { return Classic }
func (*Hangup) dialect() Dialect { return Classic }

// Source returns what is to be played: a URL, or a file name of the platform.
func (a *Play) Source() (source string, isURL bool) { return audioSource(a.FileName, a.FileURL) }

// AppendJSON implements [Action].
func (a *Play) AppendJSON(dst []byte) []byte {
	dst = begin(dst, "play")
	dst = strIf(dst, "file_name", a.FileName)
	dst = strIf(dst, "file_url", a.FileURL)
	return append(dst, '}')
}

// AppendJSON implements [Action].
func (a *Speak) AppendJSON(dst []byte) []byte {
	return append(str(begin(dst, "speak"), "text", a.Text), '}')
}

// AppendJSON implements [Action].
func (a *Param) AppendJSON(dst []byte) []byte {
	return append(str(begin(dst, "param"), "text", a.Text), '}')
}

// AppendJSON implements [Action].
func (a *Record) AppendJSON(dst []byte) []byte { return append(begin(dst, "record"), '}') }

// AppendJSON implements [Action].
func (a *Hangup) AppendJSON(dst []byte) []byte {
	return append(strIf(begin(dst, "hangup"), "cause", a.Cause), '}')
}

func (a *Play) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "file_name":
		return d.text(&a.FileName)
	case "file_url":
		return d.text(&a.FileURL)
	}
	return false
}

func (a *Speak) field(d *decoder, key []byte) bool {
	return string(key) == "text" && d.text(&a.Text)
}

func (a *Param) field(d *decoder, key []byte) bool {
	return string(key) == "text" && d.text(&a.Text)
}

func (a *Record) field(*decoder, []byte) bool { return false }

func (a *Hangup) field(d *decoder, key []byte) bool {
	return string(key) == "cause" && d.text(&a.Cause)
}

func (a *Play) validate(r *report) { r.audio(a.FileName, a.FileURL) }

func (a *Speak) validate(*report)  {}
func (a *Param) validate(*report)  {}
func (a *Record) validate(*report) {}

func (a *Hangup) validate(r *report) {
	if a.Cause != "" && !isCause(a.Cause) {
		r.fail("cause", quoted(a.Cause), "must be a cause such as NORMAL_CLEARING: 1 to 64 of A-Z, 0-9 and _")
	}
}

func isCause(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
