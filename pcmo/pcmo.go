package pcmo

// Action is one step of a PCMO. The set of actions is closed: it is
// implemented by the pointer types of this package only.
type Action interface {
	// Name is the value of the JSON key "action", for example "bridge".
	Name() string
	// AppendJSON appends the action as one JSON object and returns the
	// extended buffer. It does not validate.
	AppendJSON(dst []byte) []byte

	dialect() Dialect
	validate(r *report)
	fields
}

// Dialect says which generation of PCMO a document is written in.
type Dialect uint8

const (
	// Classic is the dialect of answer_url replies and of the v1 and v2 REST APIs.
	Classic Dialect = iota + 1
	// V3 is the pipeline dialect of the v3 REST API.
	V3
)

// String returns "classic" or "pipeline".
func (d Dialect) String() string {
	switch d {
	case Classic:
		return "classic"
	case V3:
		return "pipeline"
	}
	return "unknown dialect"
}

// Document is a PCMO of the classic dialect: actions performed in order.
// An empty document is valid: nothing more to do, so the call ends.
type Document []Action

// Pipeline is a PCMO of the v3 dialect (protocol page section 3.7).
type Pipeline []Action

// Validate checks every action against the rules of the classic dialect.
// The error is nil or of type [Errors] and holds every problem found.
func (d Document) Validate() error { return validate(d, Classic) }

// Validate checks every action against the limits of the v3 dialect. An empty
// pipeline is an error. The error is nil or of type [Errors].
func (p Pipeline) Validate() error { return validate(p, V3) }

// AppendJSON appends the document as a JSON array and returns the extended
// buffer. A nil document is written as [].
func (d Document) AppendJSON(dst []byte) []byte { return appendActions(dst, d) }

// AppendJSON appends the pipeline as a JSON array and returns the extended
// buffer. A nil pipeline is written as [].
func (p Pipeline) AppendJSON(dst []byte) []byte { return appendActions(dst, p) }

// MarshalJSON returns what AppendJSON writes. Mind that json.Marshal rewrites
// < > & of any MarshalJSON result as \u003c and so on; use AppendJSON where the
// exact bytes matter.
func (d Document) MarshalJSON() ([]byte, error) { return d.AppendJSON(nil), nil }

// MarshalJSON returns what AppendJSON writes; see [Document.MarshalJSON].
func (p Pipeline) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil), nil }

// UnmarshalJSON decodes as [Decode] does.
func (d *Document) UnmarshalJSON(data []byte) error {
	doc, err := Decode(data)
	if err == nil {
		*d = doc
	}
	return err
}

// UnmarshalJSON decodes as [DecodePipeline] does.
func (p *Pipeline) UnmarshalJSON(data []byte) error {
	pipe, err := DecodePipeline(data)
	if err == nil {
		*p = pipe
	}
	return err
}

// newAction returns an empty action of the dialect, or nil if it knows no such name.
func newAction(d Dialect, name []byte) Action {
	if d == V3 {
		switch string(name) {
		case "connect":
			return new(PipelineConnect)
		case "play":
			return new(PipelinePlay)
		case "play_get_input":
			return new(PipelinePlayGetInput)
		case "input":
			return new(PipelineInput)
		case "param":
			return new(PipelineParam)
		case "record":
			return new(PipelineRecord)
		case "hangup":
			return new(PipelineHangup)
		}
		return nil
	}
	switch string(name) {
	case "play":
		return new(Play)
	case "speak":
		return new(Speak)
	case "param":
		return new(Param)
	case "record":
		return new(Record)
	case "hangup":
		return new(Hangup)
	case "bridge":
		return new(Bridge)
	case "connect":
		return new(Connect)
	case "input":
		return new(Input)
	case "play_get_input":
		return new(PlayGetInput)
	case "stream":
		return new(Stream)
	}
	return nil
}

var (
	classicNames  = []string{"bridge", "connect", "hangup", "input", "param", "play", "play_get_input", "record", "speak", "stream"}
	pipelineNames = []string{"connect", "hangup", "input", "param", "play", "play_get_input", "record"}
)

func names(d Dialect) []string {
	if d == V3 {
		return pipelineNames
	}
	return classicNames
}

func validate(actions []Action, d Dialect) error {
	r := newReport()
	if d == V3 && len(actions) == 0 {
		r.fail("", "[]", "must hold at least one action")
	}
	for i, a := range actions {
		at := r.enterIndex(i)
		switch {
		case a == nil:
			r.fail("", "null", "must be an action")
		case a.dialect() != d:
			r.fail("action", a.Name(), "is an action of the "+a.dialect().String()+" dialect in a document of the "+d.String()+" dialect")
		default:
			a.validate(r)
		}
		r.leave(at)
	}
	return r.err()
}

func appendActions(dst []byte, actions []Action) []byte {
	dst = append(dst, '[')
	for i, a := range actions {
		if i > 0 {
			dst = append(dst, ',')
		}
		if a == nil {
			dst = append(dst, "null"...)
			continue
		}
		dst = a.AppendJSON(dst)
	}
	return append(dst, ']')
}
