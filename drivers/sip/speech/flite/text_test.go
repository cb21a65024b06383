package flite_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/drivers/sip/speech/flite"
)

func TestTame(t *testing.T) {
	tests := map[string]string{
		"Hello, world!\nSecond line.": "Hello, world!\nSecond line.",
		"  a\tb\x00c\x7f":             "a b c",
		"wait......... what?!?!?!":    "wait.... what?!?!",
		strings.Repeat("a", 100):      strings.Repeat("a", 48) + " " + strings.Repeat("a", 48) + " aaaa",
		"1,234.56 + 2":                "1,234.56 + 2",
	}
	for in, want := range tests {
		if got := flite.Tame(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// A long text is divided where a speaker would breathe, and nothing is lost.
func TestParts(t *testing.T) {
	sentence := "This is a sentence of some length, as they are. "
	long := strings.Repeat("word ", 60)
	tests := []struct {
		name, text string
		want       []string
	}{
		{"short", "Hello. You.", []string{"Hello. You."}},
		{"empty", " \n ", nil},
		{"sentences", strings.Repeat(sentence, 6), []string{strings.TrimSpace(strings.Repeat(sentence, 4)), strings.TrimSpace(strings.Repeat(sentence, 2))}},
		{"commas", strings.Repeat("one two three four, ", 11), []string{strings.TrimSpace(strings.Repeat("one two three four, ", 10)), "one two three four,"}},
		{"words", long, []string{strings.TrimSpace(long[:200]), strings.TrimSpace(long[200:])}},
		{"nothing but a word", strings.Repeat("a", 190) + strings.Repeat("b", 60), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := flite.Parts(tt.text)
			for i, p := range got {
				if len(p) > 200 {
					t.Errorf("a part of %d bytes", len(p))
				}
				got[i] = strings.TrimSpace(p)
			}
			if tt.want != nil || tt.name == "empty" {
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
			}
			if all, want := strings.Join(strings.Fields(strings.Join(got, " ")), ""), strings.Join(strings.Fields(tt.text), ""); all != want {
				t.Errorf("what is left is %q of %q", all, want)
			}
		})
	}
}
