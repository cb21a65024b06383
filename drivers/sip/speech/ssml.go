package speech

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// piece is a text and the pause after it: what SSML leaves for a voice that does not know it.
type piece struct {
	text  string
	pause time.Duration
}

const (
	// maxPause bounds one break element.
	maxPause = 10 * time.Second
	// maxPieces bounds the pauses in a text.
	maxPieces = 64
)

// strengths are the pauses of the break element's strengths (SSML 1.1, 3.2.3), which leaves their lengths open.
var strengths = map[string]time.Duration{
	"none": 0, "x-weak": 100 * time.Millisecond, "weak": 250 * time.Millisecond,
	"medium": 500 * time.Millisecond, "strong": time.Second, "x-strong": 1500 * time.Millisecond,
}

// unspoken are the elements whose text is not for the ear.
var unspoken = map[string]bool{"metadata": true, "meta": true, "lexicon": true, "desc": true, "script": true, "style": true}

// ssmlDecoder reads SSML as people write it: a piece without a root, bare ampersands, unclosed elements.
func ssmlDecoder(ssml string) *xml.Decoder {
	d := xml.NewDecoder(strings.NewReader(ssml))
	d.Strict = false
	d.Entity = xml.HTMLEntity
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // it came as UTF-8
	return d
}

// notWellFormed says where SSML is broken, and nothing of what stands there.
func notWellFormed(err error) error {
	if at := (*xml.SyntaxError)(nil); errors.As(err, &at) {
		return fmt.Errorf("speech: the SSML is not well-formed XML at line %d: write < and & as &lt; and &amp;, and close every element", at.Line)
	}
	return errors.New("speech: the SSML is not well-formed XML")
}

// plain returns the words and pauses of SSML. Whatever is said in other words (sub), letter by letter (say-as) or as
// a sentence (p, s) is written so.
func plain(ssml string) ([]piece, error) {
	d := ssmlDecoder(ssml)
	var (
		pieces []piece
		text   strings.Builder
		hidden int    // depth below an element that is not said
		spell  int    // depth below an element that is spelt
		kinds  []byte // of the open elements: 'h'idden, 's'pelt, 'e'nd of a sentence, or 0
	)
	sentence := func() {
		s := strings.TrimRightFunc(text.String(), unicode.IsSpace)
		if s != "" && !strings.ContainsRune(".,;:!?।。", lastRune(s)) {
			s += "."
		}
		text.Reset()
		text.WriteString(s)
		text.WriteByte('\n')
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, notWellFormed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			kind := byte(0)
			switch name := t.Name.Local; {
			case unspoken[name]:
				kind = 'h'
			case name == "sub":
				if alias := attr(t, "alias"); alias != "" {
					if hidden == 0 {
						text.WriteString(alias)
					}
					kind = 'h'
				}
			case name == "say-as":
				switch attr(t, "interpret-as") {
				case "characters", "digits", "spell-out", "telephone", "verbatim":
					kind = 's'
				}
			case name == "p", name == "s":
				sentence()
				kind = 'e'
			case name == "break" && hidden == 0:
				pieces = append(pieces, piece{text.String(), breakTime(t)})
				text.Reset()
				if len(pieces) > maxPieces {
					return nil, fmt.Errorf("speech: more than %d breaks in the SSML", maxPieces)
				}
			}
			kinds = append(kinds, kind)
			hidden += count(kind == 'h')
			spell += count(kind == 's')
		case xml.EndElement:
			if len(kinds) == 0 {
				continue
			}
			kind := kinds[len(kinds)-1]
			kinds = kinds[:len(kinds)-1]
			hidden -= count(kind == 'h')
			spell -= count(kind == 's')
			if kind == 'e' {
				sentence()
			}
		case xml.CharData:
			switch {
			case hidden > 0:
			case spell > 0:
				text.WriteString(spelt(string(t)))
			default:
				text.Write(t)
			}
		}
	}
	return append(pieces, piece{text: text.String()}), nil
}

// joined returns the words of pieces, without the pauses.
func joined(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
		b.WriteByte(' ')
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// known are the elements that are passed on to a provider that knows SSML, with their attributes. audio is not among
// them: a program could be made to open any file.
var known = map[string][]string{
	"p": nil, "s": nil, "break": {"time", "strength"}, "emphasis": {"level"}, "prosody": {"rate", "pitch", "volume", "range", "contour"},
	"say-as": {"interpret-as", "format", "detail"}, "sub": {"alias"}, "phoneme": {"alphabet", "ph"}, "voice": {"gender", "age"},
}

// cleanSSML returns a whole SSML document that holds the known elements of ssml and its text.
func cleanSSML(ssml string) (string, error) {
	d := ssmlDecoder(ssml)
	var out strings.Builder
	var open []string // what closes each open element
	hidden := 0
	out.WriteString("<speak>")
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", notWellFormed(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			name := t.Name.Local
			attributes, ok := known[name]
			switch {
			case unspoken[name]:
				hidden++
				open = append(open, "hidden")
				continue
			case !ok || hidden > 0:
				open = append(open, "")
				continue
			}
			out.WriteString("<" + name)
			for _, a := range attributes {
				if v := attr(t, a); v != "" {
					out.WriteString(" " + a + `="`)
					_ = xml.EscapeText(&out, []byte(v))
					out.WriteByte('"')
				}
			}
			out.WriteByte('>')
			open = append(open, "</"+name+">")
		case xml.EndElement:
			if len(open) == 0 {
				continue
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			if last == "hidden" {
				hidden--
			} else {
				out.WriteString(last)
			}
		case xml.CharData:
			if hidden == 0 {
				_ = xml.EscapeText(&out, t)
			}
		}
	}
	out.WriteString("</speak>")
	return out.String(), nil
}

func attr(t xml.StartElement, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name {
			return strings.TrimSpace(a.Value)
		}
	}
	return ""
}

func breakTime(t xml.StartElement) time.Duration {
	if v := attr(t, "time"); v != "" {
		number, unit := strings.TrimSuffix(v, "ms"), time.Millisecond
		if number == v {
			number, unit = strings.TrimSuffix(v, "s"), time.Second
		}
		if n, err := strconv.ParseFloat(number, 64); err == nil && n >= 0 && number != v {
			return time.Duration(min(n*float64(unit), float64(maxPause)))
		}
	}
	if pause, ok := strengths[attr(t, "strength")]; ok {
		return pause
	}
	return strengths["medium"]
}

// spelt returns letters and digits one by one.
func spelt(s string) string {
	var b strings.Builder
	for _, r := range s {
		if unicode.IsSpace(r) {
			r = ','
		}
		b.WriteRune(unicode.ToUpper(r))
		b.WriteByte(' ')
	}
	return b.String()
}

func lastRune(s string) (last rune) {
	for _, r := range s {
		last = r
	}
	return last
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
