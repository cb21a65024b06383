package flite

import "strings"

const (
	// maxPart bounds what the program is given at once, in bytes: its memory grows with it.
	maxPart = 200
	// maxWord bounds a word, and maxSigns the signs in a row; longer ones make flite overrun its buffers.
	maxWord, maxSigns = 48, 4
)

// parts divides a text where a speaker would breathe: after sentences, else after commas, else between words.
func parts(text string) []string {
	text = Tame(text)
	var all []string
	for len(text) > maxPart {
		window := text[:maxPart]
		end := 0
		for _, breath := range []string{". ", "? ", "! ", "\n"} {
			end = max(end, strings.LastIndex(window, breath)+1)
		}
		for _, breath := range []string{"; ", ", ", ": ", " "} {
			if end == 0 {
				end = strings.LastIndex(window, breath) + 1
			}
		}
		if end == 0 {
			end = maxPart
		}
		all = append(all, text[:end])
		text = strings.TrimSpace(text[end:])
	}
	if text != "" {
		all = append(all, text)
	}
	return all
}

// Tame returns a text that no flite falls over: endless words are divided, endless punctuation is shortened, and what
// is no ASCII and no line end becomes a space. [Speak] does it itself.
func Tame(text string) string {
	var b strings.Builder
	word, signs := 0, 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == '\n':
			word, signs = 0, 0
		case c <= ' ' || c >= 0x7f:
			c, word, signs = ' ', 0, 0
		case letter(c):
			word++
			signs = 0
		default:
			word++
			if signs++; signs > maxSigns {
				continue
			}
		}
		if word > maxWord {
			b.WriteByte(' ')
			word = 1
		}
		b.WriteByte(c)
	}
	return strings.TrimSpace(b.String())
}

// simple is a text with nothing but words, their apostrophes and ends of sentences.
func simple(text string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x80 && (letter(byte(r)) || strings.ContainsRune(" \n'.,?!", r)) {
			return r
		}
		return ' '
	}, text)
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
}
