package intl

import (
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
		Patterns   []string                   `json:"patterns"`
		Lists      [][]string                 `json:"lists"`
		Blocks     []string                   `json:"blocks"`
		ZoneNames  []json.RawMessage          `json:"zoneNames"`
		Numbers    []*numberSystem            `json:"numbers"`
		Currencies []map[string]*currencyName `json:"currencies"`
		Words      []json.RawMessage          `json:"words"`
		Locales    []*localeData              `json:"locales"`
	} `json:"pool"`

	patterns []pattern
	blocks   [][]uint16
}

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
		l.blocks = make([][]uint16, len(l.Pool.Blocks))
		for i, text := range l.Pool.Blocks {
			for _, field := range strings.Fields(text) {
				n, err := strconv.ParseUint(field, 10, 16)
				if err != nil {
					panic(fmt.Sprintf("intl: data of %s: %v", name, err))
				}
				l.blocks[i] = append(l.blocks[i], uint16(n))
			}
		}
		l.patterns = make([]pattern, len(l.Pool.Patterns))
		for i, text := range l.Pool.Patterns {
			l.patterns[i] = l.compile(text)
		}
		l.Pool.Patterns, l.Pool.Blocks = nil, nil
		return l, nil
	})
	return lang
}

// unpack reads an embedded file. The files are part of the program: a fault in them is a fault of the program.
func unpack(name string, into any) {
	f, err := files.Open("data/" + name + ".json.gz")
	if err != nil {
		panic(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err == nil {
		err = json.NewDecoder(z).Decode(into)
	}
	if err != nil {
		panic(fmt.Sprintf("intl: data of %s: %v", name, err))
	}
}
