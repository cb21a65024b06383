package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxBody bounds a request's body; a document of a thousand actions fits.
const maxBody = 256 << 10

// maxDepth bounds how deep a body nests; documents need eight levels.
const maxDepth = 64

// object is a JSON object whose order is kept. Its values are object, []any, string, json.Number, bool or nil.
type object struct {
	keys   []string
	values map[string]any
	// raw are the values as they stood in the body; only the outermost object has them.
	raw map[string]json.RawMessage
}

// has reports whether the object has the key.
func (o object) has(key string) bool {
	_, ok := o.values[key]
	return ok
}

// readObject reads a request's body, which must be one JSON object without repeated keys.
func readObject(w http.ResponseWriter, r *http.Request) (object, *refusal) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var tooLong *http.MaxBytesError
		if errors.As(err, &tooLong) {
			return object{}, &refusal{status: http.StatusRequestEntityTooLarge, word: "body_too_large", message: fmt.Sprintf("the body is longer than %d KiB", maxBody>>10)}
		}
		return object{}, badBody("the body could not be read to its end")
	}
	return parseObject(body)
}

func badBody(message string) *refusal {
	return &refusal{status: http.StatusBadRequest, word: "invalid_json", message: message}
}

var errNoBody = badBody("the body is empty; it must be a JSON object")

// parseObject reads one JSON object.
func parseObject(body []byte) (object, *refusal) {
	if len(bytes.TrimSpace(body)) == 0 {
		return object{}, errNoBody
	}
	p := &parser{dec: json.NewDecoder(bytes.NewReader(body))}
	p.dec.UseNumber()
	v, err := p.value()
	if err == nil {
		if _, more := p.dec.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the JSON object")
		}
	}
	if err != nil {
		return object{}, badBody("the body cannot be read: " + plainSyntax(err))
	}
	o, ok := v.(object)
	if !ok {
		return object{}, badBody("the body must be a JSON object")
	}
	if err := json.Unmarshal(body, &o.raw); err != nil {
		return object{}, badBody("the body cannot be read: " + plainSyntax(err))
	}
	return o, nil
}

// plainSyntax says where JSON ends to be JSON, without showing any of it.
func plainSyntax(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is not JSON at byte %d", syntax.Offset)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "it is JSON that ends too early"
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

type parser struct {
	dec  *json.Decoder
	path []step
}

// step is one step of a path: a key, or an index where the key is "".
type step struct {
	key   string
	index int
}

// at writes the path, for example pipeline[0].params.
func (p *parser) at() string {
	var b strings.Builder
	for _, s := range p.path {
		switch {
		case s.key == "":
			fmt.Fprintf(&b, "[%d]", s.index)
		case b.Len() > 0:
			b.WriteString("." + s.key)
		default:
			b.WriteString(s.key)
		}
	}
	return b.String()
}

func (p *parser) value() (any, error) {
	if len(p.path) > maxDepth {
		return nil, fmt.Errorf("%s is nested deeper than %d levels", p.path[0].key, maxDepth)
	}
	token, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return p.members()
	case json.Delim('['):
		return p.elements()
	}
	return token, nil
}

func (p *parser) elements() (any, error) {
	list := []any{}
	for p.dec.More() {
		p.path = append(p.path, step{index: len(list)})
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		list = append(list, v)
	}
	_, err := p.dec.Token()
	return list, err
}

func (p *parser) members() (any, error) {
	o := object{values: map[string]any{}}
	for p.dec.More() {
		token, err := p.dec.Token()
		if err != nil {
			return nil, err
		}
		key, _ := token.(string) // an object's keys are strings, or Token fails
		p.path = append(p.path, step{key: key})
		if o.has(key) {
			// Two readers of one text must not see two values.
			return nil, fmt.Errorf("the key %s stands there twice", p.at())
		}
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		p.path = p.path[:len(p.path)-1]
		o.keys = append(o.keys, key)
		o.values[key] = v
	}
	_, err := p.dec.Token()
	return o, err
}
