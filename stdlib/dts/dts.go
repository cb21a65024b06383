// Package dts reads TypeScript declarations as piopiy.d.ts writes them, for the tests that hold that file against
// the running system and for the reference that is made of it. It knows the layout of that file, not TypeScript: one
// member a line (or several, while brackets are open), documentation in /** */ before it, sections begun by //#.
package dts

import (
	"fmt"
	"regexp"
	"strings"
)

// File is a file of declarations.
type File struct{ Sections []Section }

// Section is what stands between two titles.
type Section struct {
	// Title is the text after //#, Intro the comment below it.
	Title, Intro string
	Declarations []Declaration
}

// Declaration is one declared name.
type Declaration struct {
	// Module is the module that exports it; empty for a global.
	Module string
	// Kind is "interface", "class", "const", "function", "type", or "export" for a name passed on.
	Kind string
	Name string
	// Doc is the documentation comment, Signature the text without comments and without the members.
	Doc, Signature string
	// Extends lists the names after extends.
	Extends []string
	Members []Member
}

// Member is a member of an interface, a class, or a const's object type.
type Member struct {
	// Name is "Symbol.iterator" for [Symbol.iterator], "new" for a construct signature and "constructor" for a constructor.
	Name   string
	Static bool
	// Doc is the documentation comment, Signature the text on one line.
	Doc, Signature string
}

// All returns the declarations of all sections.
func (f *File) All() []Declaration {
	var all []Declaration
	for _, s := range f.Sections {
		all = append(all, s.Declarations...)
	}
	return all
}

// Parse reads a file. What it does not understand is an error that names the line.
func Parse(text string) (*File, error) {
	p := &parser{lines: strings.Split(text, "\n"), file: &File{}}
	for p.at < len(p.lines) {
		if err := p.step(); err != nil {
			return nil, fmt.Errorf("line %d: %w", p.at+1, err)
		}
	}
	return p.file, nil
}

type parser struct {
	lines  []string
	at     int
	file   *File
	module string
	doc    string
}

// step reads one thing at the top level or inside a module.
func (p *parser) step() error {
	line := strings.TrimSpace(p.lines[p.at])
	switch {
	case line == "":
		p.at++
		p.doc = ""
	case strings.HasPrefix(line, "//# "):
		p.at++
		p.file.Sections = append(p.file.Sections, Section{Title: line[4:], Intro: p.comment()})
	case strings.HasPrefix(line, "//"):
		p.comment()
	case strings.HasPrefix(line, "/**"):
		p.doc = documentation(p.block())
	case line == "}" && p.module != "":
		p.at++
		p.module = ""
	case strings.HasPrefix(line, "import "):
		p.at++
	case modulePattern.MatchString(line):
		p.at++
		p.module = modulePattern.FindStringSubmatch(line)[1]
	default:
		return p.declaration()
	}
	return nil
}

var (
	modulePattern      = regexp.MustCompile(`^declare module '([^']+)' \{$`)
	passPattern        = regexp.MustCompile(`^export \{ (.+) \} from '[^']+'$`)
	defaultPattern     = regexp.MustCompile(`^export default \w+$`)
	declarationPattern = regexp.MustCompile(`^(?:export |declare )?(interface|class|const|function|type) (\w+)`)
	extendsPattern     = regexp.MustCompile(`\bextends (\w+)`)
	memberPattern      = regexp.MustCompile(`^(static )?(?:private )?(?:readonly )?(new\b|\[Symbol\.\w+\]|\w+)`)
	indexPattern       = regexp.MustCompile(`^\[\w+: \w+\]`)
)

func (p *parser) comment() string {
	var text []string
	for p.at < len(p.lines) && strings.HasPrefix(p.lines[p.at], "//") && !strings.HasPrefix(p.lines[p.at], "//#") {
		text = append(text, strings.TrimPrefix(strings.TrimPrefix(p.lines[p.at], "//"), " "))
		p.at++
	}
	return strings.Join(text, "\n")
}

// block returns the lines of a /** */ comment.
func (p *parser) block() []string {
	begin := p.at
	for p.at < len(p.lines) && !strings.Contains(p.lines[p.at], "*/") {
		p.at++
	}
	p.at = min(p.at+1, len(p.lines))
	return p.lines[begin:p.at]
}

func documentation(lines []string) string {
	var text []string
	for _, line := range lines {
		line = strings.TrimSuffix(strings.TrimSpace(line), "*/")
		if line = strings.TrimSpace(strings.TrimPrefix(strings.TrimPrefix(line, "/**"), "*")); line != "" {
			text = append(text, line)
		}
	}
	return strings.Join(text, "\n")
}

// statement returns lines until all brackets are closed and the next line does not go on.
func (p *parser) statement() []string {
	begin, depth := p.at, 0
	for p.at < len(p.lines) {
		line := p.lines[p.at]
		p.at++
		depth += balance(line)
		goesOn := p.at < len(p.lines) && strings.HasPrefix(strings.TrimSpace(p.lines[p.at]), "|")
		if depth <= 0 && !goesOn && !strings.HasSuffix(line, "=") {
			break
		}
	}
	return p.lines[begin:p.at]
}

// balance counts brackets outside comments and strings.
func balance(line string) int {
	n, quote := 0, rune(0)
	if t := strings.TrimSpace(line); strings.HasPrefix(t, "/**") || strings.HasPrefix(t, "*") {
		return 0
	}
	for _, c := range line {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case strings.ContainsRune("([{", c):
			n++
		case strings.ContainsRune(")]}", c):
			n--
		}
	}
	return n
}

func (p *parser) declaration() error {
	if len(p.file.Sections) == 0 {
		p.file.Sections = append(p.file.Sections, Section{})
	}
	section := &p.file.Sections[len(p.file.Sections)-1]
	first := strings.TrimSpace(p.lines[p.at])
	if defaultPattern.MatchString(first) {
		p.at++
		section.Declarations = append(section.Declarations, Declaration{Module: p.module, Kind: "export", Name: "default", Signature: first})
		return nil
	}
	if m := passPattern.FindStringSubmatch(first); m != nil {
		p.at++
		for _, name := range strings.Split(m[1], ", ") {
			section.Declarations = append(section.Declarations, Declaration{Module: p.module, Kind: "export", Name: name, Signature: first})
		}
		return nil
	}
	m := declarationPattern.FindStringSubmatch(first)
	if m == nil {
		return fmt.Errorf("not a declaration: %s", first)
	}
	d := Declaration{Module: p.module, Kind: m[1], Name: m[2], Doc: p.doc}
	p.doc = ""
	for _, e := range extendsPattern.FindAllStringSubmatch(first, -1) {
		d.Extends = append(d.Extends, e[1])
	}
	lines := p.statement()
	if len(lines) == 1 || d.Kind == "type" || d.Kind == "function" {
		d.Signature = flat(lines)
	} else {
		d.Signature = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(lines[0]), "{"))
		inner := &parser{lines: lines[1 : len(lines)-1]}
		if err := inner.members(&d); err != nil {
			return fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	section.Declarations = append(section.Declarations, d)
	return nil
}

func (p *parser) members(d *Declaration) error {
	for p.at < len(p.lines) {
		line := strings.TrimSpace(p.lines[p.at])
		switch {
		case line == "":
			p.at++
			continue
		case strings.HasPrefix(line, "/**"):
			p.doc = documentation(p.block())
			continue
		case indexPattern.MatchString(line):
			p.statement()
			continue
		}
		m := memberPattern.FindStringSubmatch(line)
		if m == nil {
			return fmt.Errorf("not a member: %s", line)
		}
		d.Members = append(d.Members, Member{Name: strings.Trim(m[2], "[]"), Static: m[1] != "", Doc: p.doc, Signature: flat(p.statement())})
		p.doc = ""
	}
	return nil
}

// flat puts lines on one, without comments.
func flat(lines []string) string {
	var text []string
	for _, line := range lines {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "/**") && !strings.HasPrefix(line, "*") {
			text = append(text, line)
		}
	}
	return strings.Join(text, " ")
}
