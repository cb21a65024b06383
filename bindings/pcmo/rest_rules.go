package pcmo

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dop251/goja"
)

// The single rules that the checks of v3 requests are made of. A field is named by its key and the prefix before it.

// has is key in object.
func has(o *goja.Object, key string) bool {
	for holder := o; holder != nil; holder = holder.Prototype() {
		if hasOwn(holder, key) {
			return true
		}
	}
	return false
}

func isObject(v goja.Value) bool {
	_, ok := v.(*goja.Object)
	return ok
}

// others lists the keys of an object that are not among the known ones, sorted as JavaScript sorts.
func others(o *goja.Object, known ...string) []string {
	var extra []string
	for _, key := range o.Keys() {
		if !slices.Contains(known, key) {
			extra = append(extra, key)
		}
	}
	slices.Sort(extra)
	return extra
}

func (in *instance) keys(o *goja.Object, required []string, allowed ...string) {
	var missing []string
	for _, key := range required {
		if !has(o, key) {
			missing = append(missing, key)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		in.throw("Missing required field(s): " + strings.Join(missing, ", "))
	}
	if extra := others(o, allowed...); len(extra) > 0 {
		in.throw("Unknown field(s): " + strings.Join(extra, ", "))
	}
}

func (in *instance) object(v goja.Value, field string) *goja.Object {
	if !in.isPlain(v) {
		in.throw(field + " must be an object.")
	}
	return v.(*goja.Object)
}

// list returns the elements of an array; holes are nil.
func (in *instance) list(v goja.Value, field string) []goja.Value {
	if !in.isArray(v) {
		in.throw(field + " must be an array.")
	}
	o := v.(*goja.Object)
	n := o.Get("length").ToInteger()
	if n > maxNodes {
		in.throw(field + " must have at most " + strconv.Itoa(maxNodes) + " items.")
	}
	list := make([]goja.Value, n)
	for i := range list {
		list[i] = o.Get(strconv.Itoa(i))
	}
	return list
}

func (in *instance) stringOf(o *goja.Object, key, prefix string) goja.Value {
	v := orUndefined(o.Get(key))
	if !in.isString(v) {
		in.throw(prefix + key + " must be a string.")
	}
	return v
}

// length is that of a string, in UTF-16 units.
func (in *instance) length(v goja.Value) int64 { return in.get(v, "length").ToInteger() }

// bounded checks a string's length; a negative bound means none.
func (in *instance) bounded(o *goja.Object, key, prefix string, least, most int64) {
	n := in.length(in.stringOf(o, key, prefix))
	if least >= 0 && n < least {
		in.throw(prefix + key + " must be at least " + strconv.FormatInt(least, 10) + " characters long.")
	}
	if most >= 0 && n > most {
		in.throw(prefix + key + " must be at most " + strconv.FormatInt(most, 10) + " characters long.")
	}
}

func (in *instance) phone(o *goja.Object, key, prefix string) {
	if !phonePattern.MatchString(in.stringOf(o, key, prefix).String()) {
		in.throw(prefix + key + " must match ^[1-9][0-9]{6,15}$.")
	}
}

func (in *instance) uuid(o *goja.Object, key, prefix string) {
	if !uuidPattern.MatchString(in.stringOf(o, key, prefix).String()) {
		in.throw(prefix + key + " must be a valid UUID string.")
	}
}

// word checks one of a few strings and returns it.
func (in *instance) word(o *goja.Object, key, prefix string, allowed ...string) string {
	v := in.stringOf(o, key, prefix)
	s, ok := v.(goja.String)
	if ok && slices.Contains(allowed, s.String()) {
		return s.String()
	}
	if key == "type" {
		in.throw(prefix + key + " must be one of: " + strings.Join(allowed, ", ") + ".")
	}
	in.throw(prefix + key + " must be " + strings.Join(allowed, " or ") + ".")
	return ""
}

func (in *instance) optWord(o *goja.Object, key, prefix string, allowed ...string) {
	if has(o, key) {
		in.word(o, key, prefix, allowed...)
	}
}

func (in *instance) optString(o *goja.Object, key, prefix string) {
	if has(o, key) {
		in.stringOf(o, key, prefix)
	}
}

func (in *instance) optBool(o *goja.Object, key, prefix string) {
	if !has(o, key) {
		return
	}
	if !isBool(orUndefined(o.Get(key))) {
		in.throw(prefix + key + " must be a boolean.")
	}
}

func isBool(v goja.Value) bool {
	_, ok := primitive(v).(bool)
	return ok
}

// optInt checks a whole number; most < 0 means no upper bound.
func (in *instance) optInt(o *goja.Object, key, prefix string, least, most float64) {
	if !has(o, key) {
		return
	}
	f, ok := isWhole(orUndefined(o.Get(key)))
	switch {
	case !ok:
		in.throw(prefix + key + " must be an integer.")
	case f < least:
		in.throw(prefix + key + " must be >= " + strconv.Itoa(int(least)) + ".")
	case most >= 0 && f > most:
		in.throw(prefix + key + " must be <= " + strconv.Itoa(int(most)) + ".")
	}
}
