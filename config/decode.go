package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile bounds the configuration file.
const maxFile = 1 << 20

// decoder reads a YAML document into a Config, node by node: every problem is found in one go, with its place.
type decoder struct {
	*collector
	file    string
	lines   []string
	anchors map[string]ast.Node
}

// decode reads a file's text into cfg. What is wrong is added to c, and leaves its key as it was.
func decode(cfg *Config, file string, text []byte, c *collector) {
	d := &decoder{collector: c, file: file, anchors: map[string]ast.Node{}}
	switch {
	case len(text) > maxFile:
		d.add("", origin{from: file}, "the file is larger than 1 MiB")
		return
	case !utf8.Valid(text):
		d.add("", origin{from: file}, "the file is not valid UTF-8")
		return
	}
	text = []byte(strings.TrimPrefix(string(text), "\ufeff"))
	d.lines = strings.Split(string(text), "\n")
	tree, err := parse(text)
	if err != nil {
		d.syntax(err)
		return
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		if doc.Body == nil {
			continue
		}
		if _, ok := doc.Body.(*ast.DirectiveNode); ok {
			continue
		}
		if body != nil {
			d.add("", d.at(doc.Body), "a second document begins; the file must hold one")
			return
		}
		body = doc.Body
	}
	if body != nil {
		d.fill(reflect.ValueOf(cfg).Elem(), body, "")
	}
}

// parse guards against a parser that panics on what it does not expect.
func parse(text []byte) (tree *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the file cannot be understood as YAML")
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

func (d *decoder) syntax(err error) {
	at := origin{from: d.file}
	message := err.Error()
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		at, message = d.place(syntax.Token), syntax.Message
	}
	d.add("", at, "not valid YAML: %s", message)
}

// at returns a node's place.
func (d *decoder) at(n ast.Node) origin {
	switch n := n.(type) {
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return d.at(n.Values[0])
		}
	case *ast.MappingValueNode:
		return d.at(n.Key)
	}
	return d.place(n.GetToken())
}

func (d *decoder) place(t *token.Token) origin {
	o := origin{from: d.file}
	if t == nil || t.Position == nil {
		return o
	}
	o.line, o.column = t.Position.Line, t.Position.Column
	if o.line >= 1 && o.line <= len(d.lines) {
		o.source = showable(d.lines[o.line-1])
	}
	return o
}

// resolve looks through anchors, aliases and tags. It returns nil when there is nothing to read.
func (d *decoder) resolve(n ast.Node, path string) ast.Node {
	for range 32 {
		switch t := n.(type) {
		case *ast.AnchorNode:
			d.anchors[t.Name.String()] = t.Value
			n = t.Value
		case *ast.AliasNode:
			target, ok := d.anchors[t.Value.String()]
			if !ok {
				d.add(path, d.at(t), "the anchor %q does not stand before this line", t.Value.String())
				return nil
			}
			n = target
		case *ast.TagNode:
			d.add(path, d.at(t), "tags such as %s are not used here; write the plain value", t.Start.Value)
			return nil
		case *ast.NullNode, nil:
			return nil
		default:
			return n
		}
	}
	d.add(path, d.at(n), "aliases lead to each other in a circle")
	return nil
}

// fill reads a node into a value of any kind.
func (d *decoder) fill(v reflect.Value, n ast.Node, path string) {
	if n = d.resolve(n, path); n == nil {
		return // a key without a value keeps its default
	}
	d.origins[path] = d.at(n)
	switch v.Kind() {
	case reflect.Struct:
		d.mapping(n, path, v.Type(), func(key string, value ast.Node, at origin) {
			d.field(v, key, value, at, path)
		})
	case reflect.Pointer:
		into := reflect.New(v.Type().Elem())
		d.fill(into.Elem(), n, path)
		v.Set(into)
	case reflect.Map:
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		d.mapping(n, path, v.Type(), func(key string, value ast.Node, at origin) {
			d.entry(v, key, value, join(path, key), at)
		})
	case reflect.Slice:
		d.list(v, n, path)
	default:
		d.scalar(v, n, path)
	}
}

// mapping calls each for every key of a mapping.
func (d *decoder) mapping(n ast.Node, path string, want reflect.Type, each func(key string, value ast.Node, at origin)) {
	var values []*ast.MappingValueNode
	switch t := n.(type) {
	case *ast.MappingNode:
		values = t.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{t}
	default:
		example := ""
		if want.Kind() == reflect.Struct {
			example = fmt.Sprintf(", such as %q", yamlName(want.Field(0))+": …")
		}
		d.add(path, d.at(n), "%s was found where keys were expected%s", d.found(n, path), example)
		return
	}
	seen := map[string]bool{}
	for _, item := range values {
		at := d.at(item)
		scalar, ok := item.Key.(ast.ScalarNode)
		if _, merge := item.Key.(*ast.MergeKeyNode); merge || !ok {
			d.add(path, at, "a key must be plain text; merging with << is not supported")
			continue
		}
		key := scalarText(scalar)
		if seen[key] {
			d.add(join(path, key), at, "this key stands here twice")
			continue
		}
		seen[key] = true
		each(key, item.Value, at)
	}
}

// field reads one key of a struct.
func (d *decoder) field(v reflect.Value, key string, value ast.Node, at origin, path string) {
	t := v.Type()
	var known []string
	for i := range t.NumField() {
		name := yamlName(t.Field(i))
		if name == key {
			d.fill(v.Field(i), value, join(path, key))
			return
		}
		known = append(known, name)
	}
	d.unknown(key, at, path, known)
}

// unknown says what an unknown key might have been meant to be.
func (d *decoder) unknown(key string, at origin, path string, known []string) {
	full := join(path, key)
	if meant := nearest(key, known); meant != "" {
		d.add(full, at, "unknown key; did you mean %q?", join(path, meant))
		return
	}
	for _, k := range Keys() {
		if strings.HasSuffix(k.Path, "."+key) {
			d.add(full, at, "unknown key; did you mean %q?", k.Path)
			return
		}
	}
	slices.Sort(known)
	d.add(full, at, "unknown key; known here: %s", strings.Join(known, ", "))
}

// entry reads one key of a map.
func (d *decoder) entry(m reflect.Value, key string, value ast.Node, path string, at origin) {
	d.origins[path] = at
	into := reflect.New(m.Type().Elem()).Elem()
	if before := m.MapIndex(reflect.ValueOf(key)); before.IsValid() {
		into.Set(before)
	} else {
		into.Set(fresh(m.Type().Elem()))
	}
	d.fill(into, value, path)
	m.SetMapIndex(reflect.ValueOf(key), into)
}

func (d *decoder) list(v reflect.Value, n ast.Node, path string) {
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		d.add(path, d.at(n), "%s was found where a %s was expected; write [a, b], or one item a line after a dash", d.found(n, path), kindName(v.Type()))
		return
	}
	list := reflect.MakeSlice(v.Type(), 0, len(seq.Values))
	for i, item := range seq.Values {
		one := reflect.New(v.Type().Elem()).Elem()
		at := fmt.Sprintf("%s[%d]", path, i)
		if d.resolve(item, at) == nil {
			d.add(at, d.place(seq.Start), "the item is empty")
			continue
		}
		d.fill(one, item, at)
		list = reflect.Append(list, one)
	}
	if list.Len() == 0 {
		list = reflect.Zero(v.Type())
	}
	v.Set(list)
}

func (d *decoder) scalar(v reflect.Value, n ast.Node, path string) {
	s, ok := n.(ast.ScalarNode)
	if !ok {
		d.add(path, d.at(n), "%s was found where %s was expected", d.found(n, path), article(kindName(v.Type())))
		return
	}
	if _, isBool := n.(*ast.BoolNode); isBool && v.Kind() == reflect.String && !strings.Contains(path, ".env.") {
		d.add(path, d.at(n), "%s was found where text was expected; put it in quotes if you mean it", scalarText(s))
		return
	}
	text := scalarText(s)
	if err := setText(v, text); err != nil {
		d.add(path, d.at(n), "%s %v", quote(text, path), err)
	}
}

// scalarText returns a scalar as its author wrote it: 0123 stays 0123.
func scalarText(n ast.ScalarNode) string {
	switch t := n.(type) {
	case *ast.StringNode:
		return t.Value
	case *ast.LiteralNode:
		return t.Value.Value
	}
	return n.GetToken().Value
}

// found says what stands where something else was expected.
func (d *decoder) found(n ast.Node, path string) string {
	switch n := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case ast.ScalarNode:
		return quote(scalarText(n), path)
	}
	return "a " + strings.ToLower(n.Type().String())
}

// quote shows a value in a message, unless it is a secret.
func quote(text, path string) string {
	if isSecret(path) {
		return "the value"
	}
	if r := []rune(text); len(r) > 80 {
		text = string(r[:80]) + "…"
	}
	return fmt.Sprintf("%q", text)
}
