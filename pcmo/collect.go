package pcmo

import "time"

// Input collects digits in silence and posts them to ActionURL, whose reply is
// the next document (protocol page 2.8).
type Input struct {
	ActionURL string
	// MaxDigit is the number of digits wanted; see Digits.
	MaxDigit *int
	// TimeoutSeconds is how long a digit is waited for; see DigitTimeout.
	TimeoutSeconds *int
}

// PlayGetInput plays a file and collects digits as Input does (protocol page
// 2.9). FileName and FileURL are as in [Play].
type PlayGetInput struct {
	FileName  string
	FileURL   string
	ActionURL string
	// MaxDigit is the number of digits wanted; see Digits.
	MaxDigit *int
	// MaxRetry is how often the file is played again without input; see Retries.
	MaxRetry *int
	// TimeoutSeconds is how long a digit is waited for; see DigitTimeout.
	TimeoutSeconds *int
}

// Defaults of input and play_get_input. Where documentation and SDKs differ
// these are the Node SDK's.
const (
	DefaultDigits       = 1
	DefaultRetries      = 1
	DefaultDigitTimeout = 5 * time.Second
)

// Name returns "input".
func (*Input) Name() string { return "input" }

// Name returns "play_get_input".
func (*PlayGetInput) Name() string { return "play_get_input" }

func (*Input) dialect() Dialect        { return Classic }
func (*PlayGetInput) dialect() Dialect { return Classic }

// Digits is the number of digits to collect; 1 unless set.
func (a *Input) Digits() int { return count(a.MaxDigit, DefaultDigits) }

// DigitTimeout is how long each digit is waited for; 5 s unless set.
func (a *Input) DigitTimeout() time.Duration {
	return seconds(a.TimeoutSeconds, DefaultDigitTimeout)
}

// Source returns what is to be played: a URL, or a file name of the platform.
func (a *PlayGetInput) Source() (source string, isURL bool) {
	return audioSource(a.FileName, a.FileURL)
}

// Digits is the number of digits to collect; 1 unless set.
func (a *PlayGetInput) Digits() int { return count(a.MaxDigit, DefaultDigits) }

// Retries is how often the file is played again without input; 1 unless set, 0 means never.
func (a *PlayGetInput) Retries() int {
	if a.MaxRetry != nil && *a.MaxRetry >= 0 {
		return *a.MaxRetry
	}
	return DefaultRetries
}

// DigitTimeout is how long each digit is waited for; 5 s unless set.
func (a *PlayGetInput) DigitTimeout() time.Duration {
	return seconds(a.TimeoutSeconds, DefaultDigitTimeout)
}

// AppendJSON implements [Action].
func (a *Input) AppendJSON(dst []byte) []byte {
	dst = str(begin(dst, "input"), "action_url", a.ActionURL)
	dst = intIf(dst, "max_digit", a.MaxDigit)
	dst = intIf(dst, "timeout", a.TimeoutSeconds)
	return append(dst, '}')
}

// AppendJSON implements [Action].
func (a *PlayGetInput) AppendJSON(dst []byte) []byte {
	dst = strIf(begin(dst, "play_get_input"), "file_name", a.FileName)
	dst = str(dst, "action_url", a.ActionURL)
	dst = strIf(dst, "file_url", a.FileURL)
	dst = intIf(dst, "max_digit", a.MaxDigit)
	dst = intIf(dst, "max_retry", a.MaxRetry)
	dst = intIf(dst, "timeout", a.TimeoutSeconds)
	return append(dst, '}')
}

func (a *Input) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "action_url":
		return d.text(&a.ActionURL)
	case "max_digit":
		return d.integer(&a.MaxDigit)
	case "timeout":
		return d.integer(&a.TimeoutSeconds)
	}
	return false
}

func (a *PlayGetInput) field(d *decoder, key []byte) bool {
	switch string(key) {
	case "file_name":
		return d.text(&a.FileName)
	case "file_url":
		return d.text(&a.FileURL)
	case "action_url":
		return d.text(&a.ActionURL)
	case "max_digit":
		return d.integer(&a.MaxDigit)
	case "max_retry":
		return d.integer(&a.MaxRetry)
	case "timeout":
		return d.integer(&a.TimeoutSeconds)
	}
	return false
}

func (a *Input) validate(r *report) {
	r.url("action_url", a.ActionURL, "http", "https")
	r.within("max_digit", a.MaxDigit, 1, maxCount)
	r.within("timeout", a.TimeoutSeconds, 1, maxSeconds)
}

func (a *PlayGetInput) validate(r *report) {
	r.audio(a.FileName, a.FileURL)
	r.url("action_url", a.ActionURL, "http", "https")
	r.within("max_digit", a.MaxDigit, 1, maxCount)
	r.within("max_retry", a.MaxRetry, 0, maxCount)
	r.within("timeout", a.TimeoutSeconds, 1, maxSeconds)
}
