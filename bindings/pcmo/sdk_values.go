package pcmo

import (
	"encoding/base64"
	"math"
	"strings"

	"github.com/dop251/goja"
)

// The SDK's own tests of values. They decide what throws, so they are followed to the letter, odd corners included.

// Strings that go into documents, made once: primitive values belong to no VM.
var (
	words       = goja.New()
	wordPlay    = words.ToValue("play")
	wordSpeak   = words.ToValue("speak")
	wordParam   = words.ToValue("param")
	wordStream  = words.ToValue("stream")
	wordHangup  = words.ToValue("hangup")
	wordRecord  = words.ToValue("record")
	wordBridge  = words.ToValue("bridge")
	wordConnect = words.ToValue("connect")
	wordInput   = words.ToValue("input")
	wordPlayGet = words.ToValue("play_get_input")
	wordPSTN    = words.ToValue("pstn")
	wordSIP     = words.ToValue("sip")
	wordGroup   = words.ToValue("group")
)

// isString: a string, a String object, or anything that has charCodeAt and substr.
func (in *instance) isString(v goja.Value) bool {
	if _, ok := v.(goja.String); ok {
		return true
	}
	o, ok := v.(*goja.Object)
	return ok && truthy(o.Get("charCodeAt")) && truthy(o.Get("substr"))
}

// isNumber: a number, NaN included, or an object that calls itself a Number.
func (in *instance) isNumber(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		if _, symbol := v.(*goja.Symbol); symbol {
			panic(in.s.NewError("TypeError", "Cannot convert a Symbol value to a number"))
		}
		return isNumeric(v)
	}
	_ = o.ToFloat() // Number(obj) runs the object's own code, which may throw
	if tag, ok := o.GetSymbol(goja.SymToStringTag).(goja.String); ok {
		return tag.String() == "Number"
	}
	return o.ClassName() == "Number"
}

// primitive is the Go value of a primitive, and nil for an object, which can be too large to copy.
func primitive(v goja.Value) any {
	if v == nil || isObject(v) {
		return nil
	}
	return v.Export()
}

// isNumeric reports whether v is a primitive number.
func isNumeric(v goja.Value) bool {
	switch primitive(v).(type) {
	case int64, float64:
		return true
	}
	return false
}

// isPlain: made by {} or new Object.
func (in *instance) isPlain(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	if in.plainObject == nil {
		in.plainObject = in.vm.GlobalObject().Get("Object")
	}
	c, ok := o.Get("constructor").(*goja.Object)
	return ok && c.SameAs(in.plainObject)
}

// isArray is Array.isArray.
func (in *instance) isArray(v goja.Value) bool {
	o, ok := v.(*goja.Object)
	if !ok {
		return false
	}
	for range 100 {
		if o.ExportType() != proxyType {
			return o.ClassName() == "Array"
		}
		proxy, ok := o.Export().(goja.Proxy)
		if !ok || proxy.Target() == nil {
			return false
		}
		o = proxy.Target()
	}
	return false
}

// isURL: whether new URL(v) would not throw.
func (in *instance) isURL(v goja.Value) bool {
	s, ok := v.(goja.String)
	if !ok {
		if v == nil || goja.IsUndefined(v) || goja.IsNull(v) {
			return false
		}
		if o, isObject := v.(*goja.Object); isObject {
			if _, callable := goja.AssertFunction(o); callable {
				return false
			}
			var text string
			if ex := in.vm.Try(func() { text = o.String() }); ex != nil {
				return false
			}
			return validURL(text)
		}
		if _, symbol := v.(*goja.Symbol); symbol {
			return false
		}
		return validURL(v.String())
	}
	return validURL(s.String())
}

// isAudioName: whether the name ends in .mp3 or .wav.
func isAudioName(name string) bool {
	if len(name) < 4 {
		return false
	}
	end := strings.ToLower(name[len(name)-4:])
	return end == ".mp3" || end == ".wav"
}

// isWS is the SDK's pattern of a WebSocket address, which is narrower than a URL: letters, digits, hyphens and dots
// or an IPv6 literal, a port of any size, and then nothing or a path. What follows the / must be one line.
func isWS(s string) bool {
	rest, ok := strings.CutPrefix(s, "ws://")
	if !ok {
		if rest, ok = strings.CutPrefix(s, "wss://"); !ok {
			return false
		}
	}
	if strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		if end < 2 || strings.Trim(rest[1:end], "0123456789abcdefABCDEF:") != "" {
			return false
		}
		rest = rest[end+1:]
	} else {
		end := strings.IndexAny(rest, ":/")
		if end < 0 {
			end = len(rest)
		}
		for _, label := range strings.Split(rest[:end], ".") {
			if label == "" || strings.ContainsFunc(label, func(c rune) bool {
				return c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
			}) {
				return false
			}
		}
		rest = rest[end:]
	}
	if port, ok := strings.CutPrefix(rest, ":"); ok {
		rest = strings.TrimLeft(port, "0123456789")
		if len(rest) == len(port) {
			return false
		}
	}
	return rest == "" || rest[0] == '/' && !strings.ContainsAny(rest, "\n\r\u2028\u2029")
}

// isBase64: whether decoding and encoding again gives the same text.
func isBase64(s string) bool {
	if len(s)%4 != 0 || strings.ContainsAny(s, "\r\n") {
		return false
	}
	buffer := make([]byte, base64.StdEncoding.DecodedLen(len(s)))
	_, err := base64.StdEncoding.Strict().Decode(buffer, []byte(s))
	return err == nil
}

// isWhole is Number.isInteger.
func isWhole(v goja.Value) (float64, bool) {
	if !isNumeric(v) {
		return 0, false
	}
	f := v.ToFloat()
	return f, !math.IsInf(f, 0) && f == math.Trunc(f)
}
