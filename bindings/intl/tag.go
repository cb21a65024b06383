package intl

import (
	"maps"
	"slices"
	"strings"

	xlanguage "golang.org/x/text/language"
)

// tag is a BCP 47 language tag (RFC 5646) taken apart, in canonical case.
type tag struct {
	language, script, region string
	variants                 []string
	keywords                 map[string]string // the -u- extension: key to value, "" for true
	attributes               []string
	rest                     []string // other extensions and private use, each whole, sorted
}

// parseTag reads a language tag. Deprecated languages and regions are replaced ("in" is "id", "en-UK" is "en-GB").
func parseTag(s string) (tag, error) {
	bad := func() (tag, error) {
		return tag{}, rangeError("%q is not a language tag; write one such as \"en-IN\"", clip(s))
	}
	if len(s) > 256 {
		return bad()
	}
	subs := strings.Split(strings.ToLower(s), "-")
	for _, sub := range subs {
		if len(sub) == 0 || len(sub) > 8 || !alphanumeric(sub) {
			return bad()
		}
	}
	t := tag{language: subs[0]}
	if n := len(t.language); !alphabetic(t.language) || n < 2 || n == 4 {
		return bad()
	}
	i := 1
	if i < len(subs) && len(subs[i]) == 4 && alphabetic(subs[i]) {
		t.script = strings.ToUpper(subs[i][:1]) + subs[i][1:]
		i++
	}
	if i < len(subs) && (len(subs[i]) == 2 && alphabetic(subs[i]) || len(subs[i]) == 3 && numeric(subs[i])) {
		t.region = strings.ToUpper(subs[i])
		i++
	}
	for i < len(subs) && (len(subs[i]) >= 5 || len(subs[i]) == 4 && numeric(subs[i][:1])) {
		for _, v := range t.variants {
			if v == subs[i] {
				return bad()
			}
		}
		t.variants = append(t.variants, subs[i])
		i++
	}
	seen := map[string]bool{}
	for i < len(subs) {
		letter := subs[i]
		if len(letter) != 1 || seen[letter] {
			return bad()
		}
		seen[letter] = true
		start := i
		for i++; i < len(subs) && (letter == "x" || len(subs[i]) > 1); i++ {
		}
		if i == start+1 {
			return bad()
		}
		if letter == "u" {
			t.unicode(subs[start+1 : i])
		} else {
			t.rest = append(t.rest, strings.Join(subs[start:i], "-"))
		}
	}
	t.canonicalise()
	return t, nil
}

func (t *tag) unicode(subs []string) {
	t.keywords = map[string]string{}
	for len(subs) > 0 && len(subs[0]) > 2 {
		t.attributes = append(t.attributes, subs[0])
		subs = subs[1:]
	}
	for len(subs) > 0 {
		key := subs[0]
		n := 1
		for n < len(subs) && len(subs[n]) > 2 {
			n++
		}
		value := strings.Join(subs[1:n], "-")
		if value == "true" {
			value = ""
		}
		if _, twice := t.keywords[key]; !twice {
			t.keywords[key] = value
		}
		subs = subs[n:]
	}
}

func (t *tag) canonicalise() {
	if base, err := xlanguage.DeprecatedBase.Parse(t.language); err == nil {
		if b, confidence := base.Base(); confidence > xlanguage.No {
			t.language = b.String()
		}
	}
	if t.language == "cmn" {
		t.language = "zh"
	}
	if t.region != "" {
		if r, err := xlanguage.ParseRegion(t.region); err == nil {
			t.region = r.Canonicalize().String()
		}
	}
	slices.Sort(t.variants)
	slices.Sort(t.attributes)
	slices.Sort(t.rest)
}

// name is the tag without extensions.
func (t tag) name() string {
	return strings.Join(append(t.plain(), t.variants...), "-")
}

func (t tag) plain() []string {
	subs := []string{t.language}
	if t.script != "" {
		subs = append(subs, t.script)
	}
	if t.region != "" {
		subs = append(subs, t.region)
	}
	return subs
}

// String is the canonical form of the whole tag.
func (t tag) String() string {
	subs := []string{t.name()}
	extensions := append([]string(nil), t.rest...)
	if t.keywords != nil {
		u := append([]string{"u"}, t.attributes...)
		for _, key := range slices.Sorted(maps.Keys(t.keywords)) {
			u = append(u, key)
			if v := t.keywords[key]; v != "" {
				u = append(u, v)
			}
		}
		extensions = append(extensions, strings.Join(u, "-"))
	}
	slices.Sort(extensions)
	for i, e := range extensions { // private use goes last
		if strings.HasPrefix(e, "x-") {
			extensions = append(append(extensions[:i:i], extensions[i+1:]...), e)
			break
		}
	}
	return strings.Join(append(subs, extensions...), "-")
}

func alphabetic(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz") == "" }
func numeric(s string) bool    { return strings.Trim(s, "0123456789") == "" }
func alphanumeric(s string) bool {
	return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
