package pcmo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Decode reads a document of the classic dialect. It does not validate.
// The error is nil or of type [Errors]. Warnings are dropped; [DecodeWarn]
// returns them.
func Decode(data []byte) (Document, error) {
	doc, _, err := DecodeWarn(data)
	return doc, err
}

// DecodeWarn is Decode and also returns what was read past.
func DecodeWarn(data []byte) (Document, Warnings, error) {
	actions, warns, err := decode(data, Classic)
	return actions, warns, err
}

// DecodePipeline reads a document of the v3 dialect, as tolerantly as Decode.
// The error is nil or of type [Errors].
func DecodePipeline(data []byte) (Pipeline, error) {
	pipe, _, err := DecodePipelineWarn(data)
	return pipe, err
}

// DecodePipelineWarn is DecodePipeline and also returns what was read past.
func DecodePipelineWarn(data []byte) (Pipeline, Warnings, error) {
	actions, warns, err := decode(data, V3)
	return actions, warns, err
}

// Decoded is a document whose dialect was found out by [DecodeAny].
type Decoded struct {
	// Dialect says which of the two fields is meant.
	Dialect  Dialect
	Document Document
	Pipeline Pipeline
	// Warnings is what was read past.
	Warnings Warnings
}

// Actions returns the actions of either dialect.
func (d Decoded) Actions() []Action {
	if d.Dialect == V3 {
		return d.Pipeline
	}
	return d.Document
}

// Validate applies the rules of the document's dialect.
func (d Decoded) Validate() error { return validate(d.Actions(), d.Dialect) }

// AppendJSON appends the document as a JSON array.
func (d Decoded) AppendJSON(dst []byte) []byte { return appendActions(dst, d.Actions()) }

// DecodeAny reads a document of either dialect. The first action which only
// one dialect can have decides (bridge, speak and stream are classic; params,
// endpoints, prompt, on_result and data are v3); without such an action the
// document is classic, which can say the same.
// The error is nil or of type [Errors]; Dialect is set even then.
func DecodeAny(data []byte) (Decoded, error) {
	if !json.Valid(data) {
		return Decoded{Dialect: Classic}, syntaxError(data)
	}
	out := Decoded{Dialect: detect(data)}
	actions, warns, err := decode(data, out.Dialect)
	out.Warnings = warns
	if out.Dialect == V3 {
		out.Pipeline = actions
	} else {
		out.Document = actions
	}
	return out, err
}

// decoder reads actions from JSON text that json.Valid has accepted.
type decoder struct {
	data []byte
	pos  int
	*report
}

// fields is what can be read from a JSON object, member by member.
type fields interface {
	// field reads the value of key and reports whether the key is known.
	field(d *decoder, key []byte) bool
}

func decode(data []byte, dialect Dialect) ([]Action, Warnings, error) {
	if !json.Valid(data) {
		return nil, nil, syntaxError(data)
	}
	d := &decoder{data: data, report: newReport()}
	d.unwrap()
	if d.peek() != '[' {
		d.failHere("", arrayRule(d.peek()))
		return nil, d.warns, d.err()
	}
	actions := make([]Action, 0, 8)
	d.array(func(int) {
		if a := d.action(dialect); a != nil {
			actions = append(actions, a)
		}
	})
	if err := d.err(); err != nil {
		return nil, d.warns, err
	}
	return actions, d.warns, nil
}

func arrayRule(first byte) string {
	if first == '{' {
		return "must be an array of actions; put the action in [ ]"
	}
	return "must be an array of actions"
}

// unwrap steps into {"pcmo":[…]} and {"pipeline":[…]}, which people send.
func (d *decoder) unwrap() {
	if d.peek() != '{' {
		return
	}
	start := d.pos
	inner, wrapper := -1, ""
	d.members(func(key []byte) {
		switch string(key) {
		case "pcmo", "pipeline":
			if d.peek() == '[' {
				inner, wrapper = d.pos, string(key)
			}
		}
		d.skip()
	})
	if inner < 0 {
		d.pos = start
		return
	}
	d.warn("", "", `is wrapped as {"`+wrapper+`":[…]}; send the bare array`)
	d.pos = inner
	d.path = append(append(d.path, '.'), wrapper...)
}

// action reads one action object and returns nil after reporting what is wrong with it.
func (d *decoder) action(dialect Dialect) Action {
	if d.peek() != '{' {
		d.failHere("", "must be an action: an object with the key action")
		d.skip()
		return nil
	}
	start := d.pos
	name, found := d.actionName()
	if name == nil {
		d.pos = start
		if found {
			d.fail("action", "", "must be a string, one of "+strings.Join(names(dialect), ", "))
		} else {
			d.fail("action", "", "is required: one of "+strings.Join(names(dialect), ", "))
		}
		d.skip()
		return nil
	}
	a := newAction(dialect, name)
	d.pos = start
	if a == nil {
		d.fail("action", quoted(string(name)), "is not an action of the "+dialect.String()+" dialect, which knows "+strings.Join(names(dialect), ", "))
		d.skip()
		return nil
	}
	d.readInto(a, true)
	return a
}

// actionName finds the value of "action", normally the first member. The name
// is nil if it is missing (found false) or not a string.
func (d *decoder) actionName() (name []byte, found bool) {
	d.pos++ // {
	for d.peek() != '}' {
		if d.data[d.pos] == ',' {
			d.pos++
			d.space()
		}
		key := d.rawString()
		d.colon()
		if string(key) == "action" {
			if d.peek() != '"' {
				return nil, true
			}
			return d.rawString(), true
		}
		d.skip()
	}
	return nil, false
}

// object reads the members of an object into f.
func (d *decoder) object(f fields) bool {
	if d.peek() != '{' {
		return d.mismatch("must be an object")
	}
	d.readInto(f, false)
	return true
}

// readInto reads the members of an object into f. Unknown keys become warnings.
func (d *decoder) readInto(f fields, isAction bool) {
	d.members(func(key []byte) {
		if d.null() {
			return
		}
		at := len(d.path)
		d.path = append(append(d.path, '.'), key...)
		known := f.field(d, key)
		d.leave(at)
		if !known {
			if !isAction || string(key) != "action" {
				d.warn(string(key), "", "is not known here and was left out")
			}
			d.skip()
		}
	})
}

// syntaxError describes why data is not JSON.
func syntaxError(data []byte) error {
	trimmed := bytes.TrimSpace(data)
	if len(trimmed) == 0 {
		return Errors{{Path: "$", Rule: "is empty; must be a JSON array of actions"}}
	}
	var into json.RawMessage
	err := json.Unmarshal(data, &into)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		at := min(max(int(syntax.Offset)-1, 0), len(data)-1)
		line := 1 + bytes.Count(data[:at], []byte{'\n'})
		column := at - bytes.LastIndexByte(data[:at], '\n')
		near := data[at:min(at+2*maxShown, len(data))]
		return Errors{{
			Path:  "$",
			Value: shorten(strings.ToValidUTF8(string(near), "\ufffd")),
			Rule:  fmt.Sprintf("is not JSON at line %d column %d: %s", line, column, strings.TrimPrefix(syntax.Error(), "json: ")),
		}}
	}
	return Errors{{Path: "$", Rule: "is not JSON"}}
}
