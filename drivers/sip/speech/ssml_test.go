package speech_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sip/speech"
)

func TestSSMLBecomesWordsAndPauses(t *testing.T) {
	const ms = time.Millisecond
	tests := []struct {
		name, ssml string
		words      []string
		pauses     []time.Duration
	}{
		{"a document", `<?xml version="1.0" encoding="ISO-8859-1"?><speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">Hello <emphasis>there</emphasis></speak>`, []string{"Hello there"}, []time.Duration{0}},
		{"no root", `Hello <b>there</b>, A &amp; B`, []string{"Hello there, A & B"}, []time.Duration{0}},
		{"a bare ampersand", `Tom & Jerry`, []string{"Tom & Jerry"}, []time.Duration{0}},
		{"breaks", `One<break time="250ms"/>two<break time='1.5s'/>three<break strength="weak"/>four<break/>five<break time="1h"/>six<break time="999s"/>`,
			[]string{"One", "two", "three", "four", "five", "six", ""}, []time.Duration{250 * ms, 1500 * ms, 250 * ms, 500 * ms, 500 * ms, 10 * time.Second, 0}},
		{"sentences", `<p><s>Good morning</s><s>Who is there?</s></p>`, []string{"Good morning. Who is there?"}, []time.Duration{0}},
		{"an alias", `The <sub alias="World Wide Web Consortium">W3C</sub> says`, []string{"The World Wide Web Consortium says"}, []time.Duration{0}},
		{"digits", `Code <say-as interpret-as="characters">a1b</say-as>.`, []string{"Code A 1 B ."}, []time.Duration{0}},
		{"a date is said as it is", `<say-as interpret-as="date" format="dmy">1/2/2026</say-as>`, []string{"1/2/2026"}, []time.Duration{0}},
		{"what is not for the ear", `<metadata>secret <desc>x</desc></metadata>Hi<!-- not this --><audio src="a.wav">fallback<desc>a bell</desc></audio>`, []string{"Hifallback"}, []time.Duration{0}},
		{"an unclosed element", `<speak><prosody rate="slow">Hello`, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			words, pauses, err := speech.Plain(tt.ssml)
			if tt.words == nil {
				if err == nil {
					t.Errorf("got %q", words)
				}
				return
			}
			for i, w := range words {
				words[i] = strings.Join(strings.Fields(w), " ")
			}
			if diff := cmp.Diff(tt.words, words); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
			if diff := cmp.Diff(tt.pauses, pauses); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSSMLForAProgram(t *testing.T) {
	tests := map[string]string{
		`<speak xmlns="x">Hi <prosody rate="slow" onload="x">there</prosody></speak>`: `<speak>Hi <prosody rate="slow">there</prosody></speak>`,
		`A & B <break time="1s"/>`: `<speak>A &amp; B <break time="1s"></break></speak>`,
		`<audio src='x";rm -rf /"'>a bell</audio><metadata>no<p>no</p></metadata>`: `<speak>a bell</speak>`,
		`<sub alias="a&quot;b&lt;">c</sub>`:                                        `<speak><sub alias="a&#34;b&lt;">c</sub></speak>`,
	}
	for in, want := range tests {
		if got, err := speech.CleanSSML(in); err != nil || got != want {
			t.Errorf("%s\n got %s, %v\nwant %s", in, got, err, want)
		}
	}
}

// Whatever SSML it is given: no markup is left in the words, and what a program gets is well-formed.
func FuzzSSML(f *testing.F) {
	for _, s := range []string{`<speak>Hi<break time="1s"/></speak>`, `<p><s>a</s>`, `&lt;b&gt;`, `<!DOCTYPE a [<!ENTITY b "c">]>&b;`, `<a:b xmlns:a="c">d</a:b>`, `</p>`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ssml string) {
		clean, err := speech.CleanSSML(ssml)
		if err == nil {
			d := xml.NewDecoder(strings.NewReader(clean))
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%q: %v", clean, err)
				}
				if s, ok := token.(xml.StartElement); ok && s.Name.Local == "audio" {
					t.Fatalf("%q holds audio", clean)
				}
			}
		}
		_, pauses, err := speech.Plain(ssml)
		for _, p := range pauses {
			if err == nil && (p < 0 || p > 10*time.Second) {
				t.Errorf("a pause of %v", p)
			}
		}
	})
}
