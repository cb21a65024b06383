// Package url gives scripts URL and URLSearchParams as the WHATWG URL Standard has them.
//
//	const u = new URL('/calls?page=2', 'https://api.example.com')
//	u.searchParams.set('page', '3')
//
// Parsing is github.com/nlnwa/whatwg-url's, which passes the web platform tests; the rest is here.
package url

import (
	"errors"
	"strings"

	"github.com/dop251/goja"
	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/piopiy/piopiyd/bindings/webidl"
	"github.com/piopiy/piopiyd/runtime"
)

// maxLength bounds the text of a URL, in bytes.
const maxLength = 1 << 20

// Module provides the globals URL and URLSearchParams.
type Module struct{}

// New returns the module.
func New() *Module { return &Module{} }

// Name implements runtime.Module.
func (*Module) Name() string { return "url" }

// Provides implements runtime.Module.
func (*Module) Provides() runtime.Provides {
	return runtime.Provides{Globals: []string{"URL", "URLSearchParams"}}
}

// Instantiate implements runtime.Module.
func (*Module) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	return &instance{s: s}, nil
}

type instance struct {
	s                *runtime.Session
	url, params      *goja.Object
	iteratorProtocol *goja.Object
}

// Import implements runtime.Instance.
func (*instance) Import(string) goja.Value { return goja.Undefined() }

// Global implements runtime.Instance.
func (m *instance) Global(name string) goja.Value {
	if name == "URL" {
		return m.urlClass()
	}
	return m.paramsClass()
}

// Query returns the serialized entries of a URLSearchParams object, for modules that take one as a body.
func Query(v goja.Value) (string, bool) {
	if p, ok := webidl.StateOf[*params](v); ok {
		return encodeQuery(p.list), true
	}
	return "", false
}

var parser = whatwg.NewParser()

// location is the state of a URL object.
type location struct {
	*whatwg.Url
	object *goja.Object // its URLSearchParams, once asked for
	query  *params
}

// setSearch replaces the query; the entries of searchParams are left as they are.
func (l *location) setSearch(text string) { l.SetSearch(text) }

// reread fills searchParams from the URL.
func (l *location) reread() {
	if l.query != nil {
		l.query.list = parseQuery(strings.TrimPrefix(l.Search(), "?"))
	}
}

func text(v goja.Value) string { return webidl.Text(v) }

// parse parses a URL, with an optional base.
func (m *instance) parse(function string, c goja.FunctionCall) (*location, error) {
	webidl.Need(m.s, c, 1, function)
	input, base := text(c.Argument(0)), ""
	hasBase := !goja.IsUndefined(c.Argument(1))
	if hasBase {
		base = text(c.Argument(1))
	}
	if len(input) > maxLength || len(base) > maxLength {
		return nil, errTooLong
	}
	var u *whatwg.Url
	var err error
	if hasBase {
		u, err = parser.ParseRef(base, input)
	} else {
		u, err = parser.Parse(input)
	}
	if err != nil {
		return nil, err
	}
	return &location{Url: u}, nil
}

var errTooLong = errors.New("longer than 1 MiB")

func (m *instance) invalid(input string, err error) goja.Value {
	if len(input) > 100 {
		input = strings.ToValidUTF8(input[:100], "") + "…"
	}
	why := ""
	if errors.Is(err, errTooLong) {
		why = " (" + err.Error() + ")"
	}
	object := m.s.NewError("TypeError", "Invalid URL: "+input+why).(*goja.Object)
	_ = object.Set("code", "ERR_INVALID_URL")
	_ = object.Set("input", input)
	return object
}

func (m *instance) urlClass() *goja.Object {
	if m.url != nil {
		return m.url
	}
	vm := m.s.VM()
	part := func(name string, get func(*location) string, set func(*location, string)) webidl.Member {
		member := webidl.Member{Name: name, Get: func(c goja.FunctionCall) goja.Value {
			return vm.ToValue(get(webidl.Receiver[*location](m.s, c, "URL."+name)))
		}}
		if set != nil {
			member.Set = func(c goja.FunctionCall) goja.Value {
				l := webidl.Receiver[*location](m.s, c, "URL."+name)
				value := text(c.Argument(0))
				if len(value) > maxLength {
					panic(m.invalid(value, errTooLong))
				}
				set(l, value)
				return goja.Undefined()
			}
		}
		return member
	}
	href := func(l *location) string { return l.Href(false) }
	m.url = webidl.Define(m.s, webidl.Class{
		Name: "URL", Length: 1,
		Construct: func(this *goja.Object, c goja.FunctionCall) {
			l, err := m.parse("URL", c)
			if err != nil {
				panic(m.invalid(text(c.Argument(0)), err))
			}
			webidl.Attach(m.s, this, l)
		},
		Members: []webidl.Member{
			part("href", href, func(l *location, v string) {
				u, err := parser.Parse(v)
				if err != nil {
					panic(m.invalid(v, err))
				}
				l.Url = u
				l.reread()
			}),
			part("origin", origin, nil),
			part("protocol", func(l *location) string { return l.Protocol() }, func(l *location, v string) { l.SetProtocol(v) }),
			part("username", func(l *location) string { return l.Username() }, func(l *location, v string) { l.SetUsername(v) }),
			part("password", func(l *location) string { return l.Password() }, func(l *location, v string) { l.SetPassword(v) }),
			part("host", func(l *location) string { return l.Host() }, func(l *location, v string) { l.SetHost(v) }),
			part("hostname", func(l *location) string { return l.Hostname() }, func(l *location, v string) { l.SetHostname(v) }),
			part("port", func(l *location) string { return l.Port() }, func(l *location, v string) { l.SetPort(v) }),
			part("pathname", func(l *location) string { return l.Pathname() }, func(l *location, v string) { l.SetPathname(v) }),
			part("search", func(l *location) string { return l.Search() }, func(l *location, v string) {
				l.setSearch(v)
				l.reread()
			}),
			{Name: "searchParams", Get: func(c goja.FunctionCall) goja.Value {
				l := webidl.Receiver[*location](m.s, c, "URL.searchParams")
				if l.object == nil {
					l.query = &params{of: l}
					l.reread()
					l.object = webidl.New(m.s, m.paramsClass(), l.query)
				}
				return l.object
			}},
			part("hash", func(l *location) string { return l.Hash() }, func(l *location, v string) { l.SetHash(v) }),
			m.method("URL.toString", 0, func(c goja.FunctionCall) goja.Value {
				return vm.ToValue(href(webidl.Receiver[*location](m.s, c, "URL.toString")))
			}),
			m.method("URL.toJSON", 0, func(c goja.FunctionCall) goja.Value {
				return vm.ToValue(href(webidl.Receiver[*location](m.s, c, "URL.toJSON")))
			}),
		},
		Statics: []webidl.Member{
			m.method("URL.canParse", 1, func(c goja.FunctionCall) goja.Value {
				_, err := m.parse("URL.canParse", c)
				return vm.ToValue(err == nil)
			}),
			m.method("URL.parse", 1, func(c goja.FunctionCall) goja.Value {
				l, err := m.parse("URL.parse", c)
				if err != nil {
					return goja.Null()
				}
				return webidl.New(m.s, m.url, l)
			}),
		},
	})
	return m.url
}

// method makes a member from a name such as "URL.toJSON".
func (m *instance) method(name string, length int, call func(goja.FunctionCall) goja.Value) webidl.Member {
	_, short, _ := strings.Cut(name, ".")
	return webidl.Member{Name: short, Length: length, Call: func(c goja.FunctionCall) goja.Value {
		webidl.Need(m.s, c, length, name)
		return call(c)
	}}
}

// origin serializes a URL's origin (URL Standard, section 4.7).
func origin(l *location) string {
	switch l.Scheme() {
	case "http", "https", "ws", "wss", "ftp":
		return l.Protocol() + "//" + l.Host()
	case "blob":
		inner, err := parser.Parse(l.Pathname())
		if err == nil && (inner.Scheme() == "http" || inner.Scheme() == "https") {
			return inner.Protocol() + "//" + inner.Host()
		}
	}
	return "null"
}
