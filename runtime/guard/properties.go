package guard

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// Unicode properties. goja reads \p{L} as the letter p and a quantifier, and never matches. Patterns in u mode
// are rewritten: a property becomes the ranges of characters that Go's unicode tables give it.

// expandProperties rewrites the properties of a pattern in u mode, inside and outside character classes.
func expandProperties(pattern string) (string, error) {
	if !strings.Contains(pattern, `\p`) && !strings.Contains(pattern, `\P`) {
		return pattern, nil
	}
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); {
		c := pattern[i]
		if c != '\\' || i+1 == len(pattern) {
			switch {
			case c == '[':
				inClass = true
			case c == ']':
				inClass = false
			}
			b.WriteByte(c)
			i++
			continue
		}
		if p := pattern[i+1]; p != 'p' && p != 'P' {
			b.WriteString(pattern[i : i+2])
			i += 2
			continue
		}
		rest := pattern[i+2:]
		end := strings.IndexByte(rest, '}')
		if !strings.HasPrefix(rest, "{") || end < 0 {
			return "", fmt.Errorf(`\%c must be followed by a property in braces, such as \p{L}`, pattern[i+1])
		}
		ranges, err := propertyRanges(rest[1:end], pattern[i+1] == 'P')
		if err != nil {
			return "", err
		}
		if inClass {
			b.WriteString(ranges)
		} else {
			b.WriteString("[" + ranges + "]")
		}
		i += 2 + end + 1
	}
	return b.String(), nil
}

var expansions sync.Map // "name" or "^name" to ranges as they stand in a class

// propertyRanges returns the characters that have, or lack, a property, as the inside of a character class.
func propertyRanges(property string, negated bool) (string, error) {
	key := property
	if negated {
		key = "^" + property
	}
	if known, ok := expansions.Load(key); ok {
		return known.(string), nil
	}
	tables, err := propertyTables(property)
	if err != nil {
		return "", err
	}
	ranges := merge(tables)
	if negated {
		ranges = complement(ranges)
	}
	var b strings.Builder
	for _, r := range ranges {
		writeRune(&b, r[0])
		if r[1] > r[0] {
			if r[1] > r[0]+1 {
				b.WriteByte('-')
			}
			writeRune(&b, r[1])
		}
	}
	expansions.Store(key, b.String())
	return b.String(), nil
}

func writeRune(b *strings.Builder, r rune) {
	switch {
	case r <= 0xFFFF:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
	}
}

// propertyTables finds a property by the names of ECMA-262's tables 69 to 73.
func propertyTables(property string) ([]*unicode.RangeTable, error) {
	name, value, hasValue := strings.Cut(property, "=")
	if hasValue {
		switch name {
		case "General_Category", "gc":
			if t := category(value); t != nil {
				return t, nil
			}
		case "Script", "sc", "Script_Extensions", "scx":
			if t := script(value); t != nil {
				return []*unicode.RangeTable{t}, nil
			}
		}
		return nil, fmt.Errorf("unknown property %s", property)
	}
	if t := category(property); t != nil {
		return t, nil
	}
	if t, ok := binaryProperties()[property]; ok {
		return t, nil
	}
	if t, ok := unicode.Properties[property]; ok {
		return []*unicode.RangeTable{t}, nil
	}
	hint := ""
	if script(property) != nil {
		hint = fmt.Sprintf(`; for a script write \p{Script=%s}`, property)
	}
	return nil, fmt.Errorf("unknown or unavailable property %s%s", property, hint)
}

func category(name string) []*unicode.RangeTable {
	if short, ok := unicode.CategoryAliases[name]; ok {
		name = short
	}
	if t, ok := unicode.Categories[name]; ok && len(name) <= 2 {
		return []*unicode.RangeTable{t}
	}
	return nil
}

func script(name string) *unicode.RangeTable {
	if long, ok := scriptNames[name]; ok {
		name = long
	}
	return unicode.Scripts[name]
}

var scriptNames = map[string]string{
	"Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cyrl": "Cyrillic", "Deva": "Devanagari",
	"Ethi": "Ethiopic", "Geor": "Georgian", "Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi", "Hang": "Hangul",
	"Hani": "Han", "Hebr": "Hebrew", "Hira": "Hiragana", "Kana": "Katakana", "Khmr": "Khmer", "Knda": "Kannada",
	"Laoo": "Lao", "Latn": "Latin", "Mlym": "Malayalam", "Mong": "Mongolian", "Mymr": "Myanmar", "Orya": "Oriya",
	"Sinh": "Sinhala", "Taml": "Tamil", "Telu": "Telugu", "Thaa": "Thaana", "Thai": "Thai", "Tibt": "Tibetan",
	"Zinh": "Inherited", "Qaai": "Inherited", "Zyyy": "Common",
}

// binaryProperties are those that Go has under another name, or that are made of several tables.
var binaryProperties = sync.OnceValue(func() map[string][]*unicode.RangeTable {
	p := unicode.Properties
	start := []*unicode.RangeTable{unicode.L, unicode.Nl, p["Other_ID_Start"]}
	upper := []*unicode.RangeTable{unicode.Lu, p["Other_Uppercase"]}
	lower := []*unicode.RangeTable{unicode.Ll, p["Other_Lowercase"]}
	m := map[string][]*unicode.RangeTable{
		"Any":         {span(0, unicode.MaxRune)},
		"ASCII":       {span(0, 0x7F)},
		"Assigned":    {unicode.L, unicode.M, unicode.N, unicode.P, unicode.S, unicode.Z, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs},
		"Alphabetic":  {unicode.L, unicode.Nl, p["Other_Alphabetic"], p["Other_Uppercase"], p["Other_Lowercase"]},
		"Uppercase":   upper,
		"Lowercase":   lower,
		"Cased":       append(append([]*unicode.RangeTable{unicode.Lt}, upper...), lower...),
		"Math":        {unicode.Sm, p["Other_Math"]},
		"White_Space": {p["White_Space"]},
		"ID_Start":    start,
		"ID_Continue": append([]*unicode.RangeTable{unicode.Mn, unicode.Mc, unicode.Nd, unicode.Pc, p["Other_ID_Continue"]}, start...),
		"Emoji":       emoji, "Emoji_Presentation": emojiPresentation, "Extended_Pictographic": pictographic,
		"Emoji_Modifier": {span(0x1F3FB, 0x1F3FF)}, "Emoji_Component": emojiComponent,
	}
	for long, short := range map[string]string{
		"Alphabetic": "Alpha", "Uppercase": "Upper", "Lowercase": "Lower", "White_Space": "space", "ID_Start": "IDS",
		"ID_Continue": "IDC", "Emoji_Presentation": "EPres", "Extended_Pictographic": "ExtPict",
		"Emoji_Modifier": "EMod", "Emoji_Component": "EComp",
	} {
		m[short] = m[long]
	}
	for long, short := range map[string]string{
		"ASCII_Hex_Digit": "AHex", "Hex_Digit": "Hex", "Dash": "Dash", "Diacritic": "Dia", "Ideographic": "Ideo",
		"Quotation_Mark": "QMark", "Sentence_Terminal": "STerm", "Terminal_Punctuation": "Term",
		"Regional_Indicator": "RI", "Variation_Selector": "VS", "Extender": "Ext",
	} {
		m[short] = []*unicode.RangeTable{p[long]}
	}
	return m
})

func span(lo, hi rune) *unicode.RangeTable {
	return &unicode.RangeTable{R32: []unicode.Range32{{Lo: uint32(lo), Hi: uint32(hi), Stride: 1}}}
}
