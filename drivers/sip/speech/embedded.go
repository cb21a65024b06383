package speech

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/speech/flite"
)

// embedded is the voice inside the process.
type embedded struct{}

// Name implements Synth.
func (embedded) Name() string { return "embedded " + flite.Version }

// Say implements Synth. Voices' names mean nothing to it: it has one.
func (embedded) Say(ctx context.Context, r Request) ([]byte, error) {
	if !english(r.tongue()) {
		return nil, onlyEnglish("the embedded voice", r.tongue())
	}
	pieces := []piece{{text: r.Text}}
	if r.SSML {
		var err error
		if pieces, err = plain(r.Text); err != nil {
			return nil, err
		}
	}
	var samples []int16
	for _, p := range pieces {
		text, err := ascii(p.text)
		if err != nil {
			return nil, err
		}
		if text != "" {
			wav, err := flite.Speak(ctx, text, r.Speed)
			if err != nil {
				return nil, err
			}
			said, err := pcmOf(wav)
			if err != nil {
				return nil, fmt.Errorf("the embedded voice: %w", err)
			}
			if len(samples) == 0 {
				said = soon(said)
			}
			samples = append(samples, said...)
		}
		samples = append(samples, make([]int16, int(p.pause*flite.Rate/time.Second))...)
	}
	return audio.EncodeWAV(samples, flite.Rate), nil
}

// soon cuts the silence that flite begins with, a quarter of a second, down to a twentieth.
func soon(samples []int16) []int16 {
	for i, s := range samples {
		if s >= audible || s <= -audible {
			return samples[max(0, i-flite.Rate/20):]
		}
	}
	return samples
}

func onlyEnglish(who, tag string) error {
	return fmt.Errorf("speech: %s speaks English, not %s: install espeak-ng, or set sip.speech.provider to command or server", who, tag)
}

// symbols are what is read out, or written in another way, where ASCII lacks a sign.
var symbols = strings.NewReplacer(
	"‘", "'", "’", "'", "‚", ",", "“", `"`, "”", `"`, "„", `"`, "«", `"`, "»", `"`, "–", " - ", "—", ", ", "−", " minus ", "…", "...",
	"€", " euros ", "₹", " rupees ", "¥", " yen ", "°", " degrees ", "©", " copyright ", "®", "", "™", "", "×", " times ", "÷", " divided by ",
	"±", " plus or minus ", "µ", "micro", "§", " section ", "ß", "ss", "æ", "ae", "Æ", "Ae", "œ", "oe", "Œ", "Oe", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L",
	"đ", "d", "Đ", "D", "ð", "d", "þ", "th", "ı", "i", "·", " ", "•", ", ",
)

// ascii returns an English text in ASCII: accents go, signs become words. Letters of another script are an error;
// emoji and the like are left out.
func ascii(text string) (string, error) {
	var b strings.Builder
	for _, r := range norm.NFKD.String(symbols.Replace(text)) {
		switch {
		case r == '\n' || r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		case r == '\u2044': // the fraction slash that ½ is taken apart into
			b.WriteByte('/')
		case unicode.IsSpace(r) || unicode.IsControl(r):
			b.WriteByte(' ')
		case unicode.IsLetter(r) && !unicode.Is(unicode.Latin, r) && !unicode.Is(unicode.Common, r):
			return "", fmt.Errorf("speech: the embedded voice cannot read %s letters: name the text's language, and install espeak-ng or set sip.speech.provider to command or server", script(r))
		}
	}
	return strings.TrimSpace(b.String()), nil
}

// script is the name of the script that a letter belongs to.
func script(r rune) string {
	for name, table := range unicode.Scripts {
		if unicode.Is(table, r) {
			return name
		}
	}
	return "such"
}
