package call

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// kind tells tokens apart as far as portable.go needs to know.
type kind int

const (
	sign kind = iota
	word
	quoted // the text of a string: a key may stand in quotes
)

// token is a word, a sign or a string of JavaScript or TypeScript. Comments, regular expressions, numbers and the text
// of templates are none.
type token struct {
	kind         kind
	text         string
	line, column int
}

// scanner cuts a source into tokens. It need not be exact, only never lose its way for longer than a line.
type scanner struct {
	src       string
	at        int
	line      int
	lineBegan int
	tokens    []token
	braces    []bool // open braces; true for one that a template opened
}

func scan(source string) []token {
	s := &scanner{src: source, line: 1}
	for s.at < len(s.src) {
		s.one()
	}
	return s.tokens
}

func (s *scanner) add(k kind, from int, text string) {
	s.tokens = append(s.tokens, token{k, text, s.line, from - s.lineBegan + 1})
}

// one reads a token, or passes over what is none.
func (s *scanner) one() {
	c, rest := s.src[s.at], s.src[s.at:]
	switch {
	case c == '\n':
		s.at++
		s.newline()
	case c <= ' ':
		s.at++
	case strings.HasPrefix(rest, "//"):
		s.at += lineLength(rest)
	case strings.HasPrefix(rest, "/*"):
		s.comment()
	case c == '\'' || c == '"':
		s.text(c)
	case c == '`':
		s.at++
		s.template()
	case c == '/' && s.expressionMayBegin() && s.regexp():
	case isWordByte(c):
		from := s.at
		for s.at < len(s.src) && isWordByte(s.src[s.at]) {
			s.at++
		}
		if c < '0' || c > '9' {
			s.add(word, from, s.src[from:s.at])
		}
	default:
		s.sign(rest)
	}
}

func (s *scanner) newline() { s.line, s.lineBegan = s.line+1, s.at }

func lineLength(text string) int {
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return i
	}
	return len(text)
}

func (s *scanner) comment() {
	for s.at += 2; s.at < len(s.src); {
		if strings.HasPrefix(s.src[s.at:], "*/") {
			s.at += 2
			return
		}
		if s.at++; s.src[s.at-1] == '\n' {
			s.newline()
		}
	}
}

// text reads a string; one that is not closed ends with its line.
func (s *scanner) text(quote byte) {
	from, line, began := s.at, s.line, s.lineBegan
	for s.at++; s.at < len(s.src) && s.src[s.at] != quote && s.src[s.at] != '\n'; s.at++ {
		if s.src[s.at] == '\\' && s.at+1 < len(s.src) {
			if s.at++; s.src[s.at] == '\n' {
				s.at++
				s.newline()
				s.at--
			}
		}
	}
	s.tokens = append(s.tokens, token{quoted, s.src[from+1 : s.at], line, from - began + 1})
	if s.at < len(s.src) && s.src[s.at] == quote {
		s.at++
	}
}

// template passes over the text of a template, up to its end or to an expression in it.
func (s *scanner) template() {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == '`':
			s.at++
			s.add(quoted, s.at-1, "")
			return
		case strings.HasPrefix(s.src[s.at:], "${"):
			s.at += 2
			s.braces = append(s.braces, true)
			s.add(sign, s.at-2, "(")
			return
		case c == '\\' && s.at+1 < len(s.src) && s.src[s.at+1] != '\n':
			s.at += 2
		default:
			if s.at++; c == '\n' {
				s.newline()
			}
		}
	}
}

// sign reads what is made of signs: those that portable.go looks for whole, others by the character.
func (s *scanner) sign(rest string) {
	from, n := s.at, 1
	switch {
	case strings.HasPrefix(rest, "..."):
		n = 3
	case strings.HasPrefix(rest, "?.") && (len(rest) == 2 || rest[2] < '0' || rest[2] > '9'):
		n = 2
	case rest[0] >= utf8.RuneSelf:
		_, n = utf8.DecodeRuneInString(rest)
	}
	s.at += n
	switch rest[0] {
	case '{':
		s.braces = append(s.braces, false)
	case '}':
		if last := len(s.braces) - 1; last >= 0 {
			template := s.braces[last]
			s.braces = s.braces[:last]
			if template {
				s.add(sign, from, ")")
				s.template()
				return
			}
		}
	}
	s.add(sign, from, rest[:n])
}

// expressionMayBegin tells a regular expression's slash from a division's by what stands before it.
func (s *scanner) expressionMayBegin() bool {
	if len(s.tokens) == 0 {
		return true
	}
	switch last := s.tokens[len(s.tokens)-1]; last.kind {
	case word:
		return slices.Contains([]string{"return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "await", "yield", "else", "do", "instanceof"}, last.text)
	case sign:
		return last.text != ")" && last.text != "]"
	}
	return false
}

// regexp passes over a regular expression, and reports whether there is one on this line.
func (s *scanner) regexp() bool {
	class := false
	for i := s.at + 1; i < len(s.src) && s.src[i] != '\n'; i++ {
		switch c := s.src[i]; {
		case c == '\\':
			i++
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '/' && !class:
			s.at = i + 1
			s.tokens = append(s.tokens, token{kind: quoted})
			return true
		}
	}
	return false
}

func isWordByte(c byte) bool {
	return c == '_' || c == '$' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c >= utf8.RuneSelf
}
