package pcmo

import (
	"strings"

	"github.com/dop251/goja"
)

// The classic client, of SDK 1.0.8 and before: new Piopiy(appid, secret), with credentials in each body.

// newClient is the constructor of Piopiy. The arguments tell the generation: one token, or appid and secret.
func (in *instance) newClient(this *goja.Object, first, second goja.Value) {
	switch {
	case goja.IsUndefined(second) && in.isString(first):
		in.newV3Client(this, first)
	case in.isNumber(first) && in.isString(second):
		in.newClassicClient(this, first, second)
	default:
		in.throw("From v1.0.9, Piopiy only supports Bearer Token authentication. Init with `new Piopiy('YOUR_TOKEN')`.")
	}
}

func (in *instance) newClassicClient(this *goja.Object, appid, secret goja.Value) {
	set(this, "appid", appid)
	set(this, "secret", secret)
	voice := in.vm.NewObject()
	k := &classic{in: in, appid: appid, secret: secret}
	for _, m := range []struct {
		name   string
		length int
		call   native
	}{
		{"setup", 2, k.setup}, {"create", 4, k.create}, {"call", 4, k.call},
		{"hold", 1, k.control("hold")}, {"unhold", 1, k.control("unhold")}, {"toggle", 1, k.control("holdToggle")}, {"hangup", 1, k.control("hangup")},
	} {
		set(voice, m.name, in.sized(in.native(m.name, m.call), m.length))
	}
	set(this, "voice", voice)
}

// classic is the voice object of a classic client.
type classic struct {
	in            *instance
	appid, secret goja.Value
}

func (k *classic) setup(c goja.FunctionCall) goja.Value {
	k.appid, k.secret = c.Argument(0), c.Argument(1)
	return goja.Undefined()
}

// body begins a request.
func (k *classic) body() *goja.Object {
	o := k.in.vm.NewObject()
	set(o, "appid", k.appid)
	set(o, "secret", k.secret)
	return o
}

// create makes a call whose document comes from an answer_url.
func (k *classic) create(c goja.FunctionCall) goja.Value {
	in := k.in
	to, from, answer, duration := c.Argument(0), c.Argument(1), c.Argument(2), c.Argument(3)
	return in.async(func() goja.Value {
		if !in.isNumber(to) || !in.isNumber(from) || !in.isURL(answer) || !in.isNumber(duration) {
			in.throw("Invalid types for to, from, or answer_url")
		}
		o := k.body()
		set(o, "from", from)
		set(o, "duration", duration)
		set(o, "answer_url", answer)
		set(o, "to", to)
		return in.post(in.options.ClassicURL+"/v1/global_make_call", "", o)
	})
}

// call makes a call with a document inline: the given one, or a bridge to the given numbers.
func (k *classic) call(c goja.FunctionCall) goja.Value {
	in := k.in
	to, from, third, options := c.Argument(0), c.Argument(1), c.Argument(2), c.Argument(3)
	return in.async(func() goja.Value {
		if o, ok := third.(*goja.Object); ok && o.ExportType() == chainType {
			third = o.Export().(*chain).plain()
		}
		document := third
		if in.isArray(third) && in.isDocument(third) {
			if !in.isNumber(to) || !in.isNumber(from) {
				in.throw("to,from and PCMO input param type error")
			}
		} else {
			if !in.isNumber(to) || !in.isNumber(from) || !in.isArray(third) && !in.isNumber(third) {
				in.throw("leg_a,from and leg_b param type error")
			}
			document = in.vm.NewArray(in.dial(wordBridge, third, from, options))
		}
		duration, extra := in.vm.ToValue(4200), goja.Value(in.vm.NewObject())
		if in.isPlain(options) {
			if v := in.get(options, "duration"); truthy(v) {
				duration = v
			}
			if v := in.get(options, "extra_params"); truthy(v) {
				extra = v
			}
		}
		o := k.body()
		set(o, "extra_params", extra)
		set(o, "from", from)
		set(o, "duration", duration)
		set(o, "pcmo", document)
		set(o, "to", to)
		path := "/v2/global_pcmo_make_call"
		if isIndian(to.String()) {
			path = "/v2/ind_pcmo_make_call"
		}
		return in.post(in.options.ClassicRESTURL+path, "", o)
	})
}

// isDocument: whether the first element has a truthy action.
func (in *instance) isDocument(list goja.Value) (yes bool) {
	ex := in.vm.Try(func() { yes = truthy(in.get(in.get(list, "0"), "action")) })
	return yes && ex == nil
}

// isIndian: whether the number called begins with India's country code.
func isIndian(number string) bool {
	number = strings.NewReplacer(" ", "", "-", "", "(", "", ")", "").Replace(number)
	return strings.HasPrefix(strings.TrimPrefix(number, "+"), "91")
}

// control returns a method that acts on a call under way. The platform's key for the call's id is cmiuid.
func (k *classic) control(action string) native {
	in := k.in
	return func(c goja.FunctionCall) goja.Value {
		id := c.Argument(0)
		return in.async(func() goja.Value {
			if !in.isString(id) {
				in.throw("cmiuuid type error")
			}
			o := k.body()
			set(o, "action", in.vm.ToValue(action))
			set(o, "cmiuid", id)
			return in.post(in.options.ClassicURL+"/v1/call/global_action", "", o)
		})
	}
}
