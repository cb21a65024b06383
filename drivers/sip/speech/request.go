package speech

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
)

const (
	minSpeed, maxSpeed = 0.25, 4
	defaultLanguage    = "en-US"
	defaultMaxChars    = 4096
	// maxVoice bounds a voice's name, in bytes.
	maxVoice = 128
)

// clean checks a request and fills in what it leaves open.
func (r Request) clean(defaults Request, maxChars int) (Request, error) {
	r.Text = strings.TrimSpace(strings.ToValidUTF8(r.Text, " "))
	if r.Language == "" {
		r.Language = defaults.Language
	}
	if r.Voice == "" {
		r.Voice = defaults.Voice
	}
	if r.Speed == 0 {
		r.Speed = defaults.Speed
	}
	if r.Speed == 0 {
		r.Speed = 1
	}
	if n := utf8.RuneCountInString(r.Text); n > maxChars {
		return r, fmt.Errorf("speech: a text of %d characters, at most %d can be said at once: divide it", n, maxChars)
	}
	if r.Language != "" {
		tag, err := language.Parse(r.Language)
		if err != nil {
			return r, fmt.Errorf("speech: the language %q is no BCP 47 tag, such as en-IN", short(r.Language))
		}
		r.Language = tag.String()
	}
	if !(r.Speed >= minSpeed && r.Speed <= maxSpeed) {
		return r, fmt.Errorf("speech: a speed of %g, %g to %g are possible", r.Speed, minSpeed, float64(maxSpeed))
	}
	if len(r.Voice) > maxVoice || strings.ContainsFunc(r.Voice, unicode.IsControl) {
		return r, fmt.Errorf("speech: the voice's name is longer than %d bytes or holds control characters", maxVoice)
	}
	return r, r.hasWords()
}

// hasWords says whether there is anything to say.
func (r Request) hasWords() error {
	text := r.Text
	if r.SSML {
		pieces, err := plain(r.Text)
		if err != nil {
			return err
		}
		text = joined(pieces)
	}
	if !strings.ContainsFunc(text, func(c rune) bool { return unicode.IsLetter(c) || unicode.IsNumber(c) || unicode.IsSymbol(c) }) {
		return ErrEmpty
	}
	return nil
}

// words returns the text without markup.
func (r Request) words() (string, error) {
	if !r.SSML {
		return r.Text, nil
	}
	pieces, err := plain(r.Text)
	return joined(pieces), err
}

// tongue is the request's language, or the one that it is in when nobody says.
func (r Request) tongue() string {
	if r.Language == "" {
		return defaultLanguage
	}
	return r.Language
}

// base is the first part of a language tag: en of en-IN.
func base(tag string) string {
	first, _, _ := strings.Cut(strings.ToLower(tag), "-")
	return first
}

func english(tag string) bool { return base(tag) == "en" }

func short(s string) string { return s[:min(len(s), 40)] }
