package intl

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The data files are written by gen/generate.mjs: root.json.gz names locales and time zones, and each language's
// file holds its locales as indexes into pools of what they share.
//
//go:embed data/*.json.gz
var files embed.FS

// root is what is known before any language is loaded.
type root struct {
	Tags           map[string][]string `json:"tags"`
	Zones          []zoneData          `json:"zones"`
	CurrencyDigits map[string]int      `json:"currencyDigits"`

	languages []string        // sorted
	tags      map[string]bool // every locale tag
	zones     map[string]int  // lower-case name to index in Zones
}

// language is one language's file.
type language struct {
	Locales map[string]int `json:"locales"`
	Pool    struct {
		Patterns   []string                         `json:"patterns"`
		Lists      [][]string                       `json:"lists"`
		Blocks     []string                         `json:"blocks"`
		ZoneNames  []json.RawMessage                `json:"zoneNames"`
		Numbers    []lazy[*numberSystem]            `json:"numbers"`
		Currencies []lazy[map[string]*currencyName] `json:"currencies"`
		Words      []json.RawMessage                `json:"words"`
		Locales    []*localeData                    `json:"locales"`
	} `json:"pool"`
}

// lazy is a value of the data that is decoded when it is first asked for: a language has far more locales than a
// process ever uses.
type lazy[T any] struct{ once func() T }

func (l *lazy[T]) UnmarshalJSON(text []byte) error {
	text = bytes.Clone(text)
	l.once = sync.OnceValue(func() (value T) {
		must(json.Unmarshal(text, &value))
		return value
	})
	return nil
}

func (l *lazy[T]) get() T { return l.once() }

// localeData is what one locale, or several that agree, say.
type localeData struct {
	Numbering string `json:"numbering"`
	Dates     int    `json:"dates"`
	Times     []int  `json:"times"`
	Stamps    int    `json:"stamps"`
	Glues     []int  `json:"glues"`
	Zones     struct {
		Short int `json:"short"`
		Long  int `json:"long"`
		GMT   int `json:"gmt"`
	} `json:"zones"`
	Numbers struct {
		Numbering  string         `json:"numbering"`
		Systems    map[string]int `json:"systems"`
		Currencies int            `json:"currencies"`
	} `json:"numbers"`
	Words struct {
		Lists    int `json:"lists"`
		Relative int `json:"relative"`
	} `json:"words"`
}

// currencyName is what a locale calls a currency, written [symbol, narrow symbol, name, names by plural category].
type currencyName struct {
	symbol, narrow, name string
	plural               map[string]string
}

func (c *currencyName) UnmarshalJSON(text []byte) error {
	return json.Unmarshal(text, &[]any{&c.symbol, &c.narrow, &c.name, &c.plural})
}

var theRoot = sync.OnceValue(func() *root {
	var r root
	unpack("root", &r)
	r.tags = map[string]bool{}
	r.zones = make(map[string]int, len(r.Zones))
	for lang, tags := range r.Tags {
		r.languages = append(r.languages, lang)
		for _, tag := range tags {
			r.tags[tag] = true
		}
	}
	for i, z := range r.Zones {
		r.zones[strings.ToLower(z.Name)] = i
	}
	slices.Sort(r.languages)
	return &r
})

var loaded = newCache[string, *language](1 << 10) // bounded by the number of files

// load returns a supported language's data.
func load(name string) *language {
	lang, _ := loaded.get(name, func() (*language, error) {
		l := new(language)
		unpack(name, l)
		return l, nil
	})
	return lang
}

// pattern returns the pattern which a block has at an index.
func (l *language) pattern(block, index int) pattern {
	text := l.Pool.Blocks[block]
	for range index {
		text = text[strings.IndexByte(text, ' ')+1:]
	}
	number, _, _ := strings.Cut(text, " ")
	n, err := strconv.Atoi(number)
	must(err)
	return l.compile(l.Pool.Patterns[n])
}

// unpack reads an embedded file. The files are part of the program: a fault in them is a fault of the program.
func unpack(name string, into any) {
	f, err := files.Open("data/" + name + ".json.gz")
	if err != nil {
		panic(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(into)
	}
	if err != nil {
		panic(fmt.Sprintf("intl: data of %s: %v", name, err))
	}
}
