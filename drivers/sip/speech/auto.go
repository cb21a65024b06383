package speech

import (
	"context"
	"unicode"

	"github.com/piopiy/piopiyd/drivers/sip/speech/flite"
)

// auto is the choice when nothing is configured: the embedded voice for English, because it sounds more human than
// espeak-ng and the same on every machine; espeak-ng, where it is found, for every other language.
type auto struct{}

// Name implements Synth. Which voice it takes hangs on the request alone, so one name does for both.
func (auto) Name() string { return "auto " + flite.Version }

// Say implements Synth.
func (auto) Say(ctx context.Context, r Request) ([]byte, error) {
	if r.Language == "" {
		words, err := r.words()
		if err != nil {
			return nil, err
		}
		r.Language = languageOf(words)
	}
	if english(r.tongue()) {
		return embedded{}.Say(ctx, r)
	}
	program, err := findESpeak()
	if err != nil {
		return nil, onlyEnglish("the embedded voice", r.tongue())
	}
	return program.Say(ctx, r)
}

// scripts tell the language of a text that comes without one: the one with the most speakers among those so written.
var scripts = []struct {
	table    *unicode.RangeTable
	language string
}{
	{unicode.Devanagari, "hi"}, {unicode.Tamil, "ta"}, {unicode.Telugu, "te"}, {unicode.Kannada, "kn"}, {unicode.Malayalam, "ml"},
	{unicode.Bengali, "bn"}, {unicode.Gujarati, "gu"}, {unicode.Gurmukhi, "pa"}, {unicode.Oriya, "or"}, {unicode.Sinhala, "si"},
	{unicode.Arabic, "ar"}, {unicode.Hebrew, "he"}, {unicode.Cyrillic, "ru"}, {unicode.Greek, "el"}, {unicode.Georgian, "ka"}, {unicode.Armenian, "hy"},
	{unicode.Hiragana, "ja"}, {unicode.Katakana, "ja"}, {unicode.Hangul, "ko"}, {unicode.Han, "cmn"}, {unicode.Thai, "th"},
}

// languageOf returns the language of the first letter that is not Latin; empty when all are.
func languageOf(text string) string {
	for _, r := range text {
		if r < 0x250 || !unicode.IsLetter(r) {
			continue
		}
		for _, s := range scripts {
			if unicode.Is(s.table, r) {
				return s.language
			}
		}
	}
	return ""
}
