package guard_test

import "testing"

func TestUnicodeProperties(t *testing.T) {
	vm := newVM(t)
	for _, tt := range []struct{ source, want string }{
		{`new RegExp('^\\p{L}+$','u').test('नमस')`, "true"},
		{`new RegExp('^\\p{L}+$','u').test('Zoë')`, "true"},
		{`new RegExp('^\\p{L}+$','u').test('a1')`, "false"},
		{`new RegExp('^\\p{Letter}+$','u').test('añb')`, "true"},
		{`new RegExp('^\\p{gc=Lu}+$','u').test('ÅÉ')`, "true"},
		{`new RegExp('^\\p{General_Category=Decimal_Number}+$','u').test('०१२')`, "true"},
		{`new RegExp('^[\\p{Lu}\\d_-]+$','u').test('ÅB-9_')`, "true"},
		{`new RegExp('^[^\\p{L}]+$','u').test('123')`, "true"},
		{`new RegExp('^\\P{L}+$','u').test('12a')`, "false"},
		{`new RegExp('^[\\P{L}]+$','u').test('12!')`, "true"},
		{`new RegExp('^\\p{Script=Devanagari}+$','u').test('नमस्ते')`, "true"},
		{`new RegExp('^\\p{sc=Grek}+$','u').test('αβγ')`, "true"},
		{`new RegExp('^\\p{Script_Extensions=Latin}+$','u').test('abc')`, "true"},
		{`new RegExp('\\p{Emoji_Presentation}','u').test('hi 😀')`, "true"},
		{`new RegExp('\\p{Emoji}','u').test('abc')`, "false"},
		{`'a😀b👍'.replace(new RegExp('\\p{Extended_Pictographic}','gu'), '')`, "ab"},
		{`new RegExp('^\\p{White_Space}+$','u').test(' \u00a0\u2003')`, "true"},
		{`new RegExp('^\\p{Alphabetic}+$','u').test('aⅣ')`, "true"},
		{`new RegExp('^\\p{ASCII}+$','u').test('az~')`, "true"},
		{`new RegExp('^\\p{ASCII}+$','u').test('é')`, "false"},
		{`new RegExp('^\\p{Any}$','u').test('😀')`, "true"},
		{`new RegExp('^\\p{ID_Start}\\p{ID_Continue}*$','u').test('ñ1')`, "true"},
		{`new RegExp('^\\p{Lu}+$','ui').test('abcåé')`, "true"},
		{`new RegExp('^\\p{Ll}+$','ui').test('ABC')`, "true"},
		{`new RegExp('(?<=\\p{Sc})\\d+','u').exec('₹42')[0]`, "42"},
		{`new RegExp('\\p{Unassigned}','u').test('abc')`, "false"},
		{`RegExp('\\p{N}','u').test('Ⅷ')`, "true"},
		{`/\d/.compile('\\p{L}','u').test('é')`, "true"},
		{`new RegExp('\\p{L}').test('p{L}')`, "true"}, // without u it is the letter p
		{`new RegExp('\\\\p{1}','u').test('\\p')`, "true"},
		{`new RegExp(/\p{L}/, 'u').test('é')`, "true"},
	} {
		if got := run(t, vm, tt.source); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.source, got, tt.want)
		}
	}
	for _, tt := range []struct{ source, want string }{
		{`new RegExp('\\p{Nonsense}','u')`, `SyntaxError: Invalid regular expression /\p{Nonsense}/: unknown or unavailable property Nonsense`},
		{`new RegExp('\\p{Greek}','u')`, `SyntaxError: Invalid regular expression /\p{Greek}/: unknown or unavailable property Greek; for a script write \p{Script=Greek}`},
		{`new RegExp('\\p{Script=Klingon}','u')`, `SyntaxError: Invalid regular expression /\p{Script=Klingon}/: unknown property Script=Klingon`},
		{`new RegExp('\\pL','u')`, `SyntaxError: Invalid regular expression /\pL/: \p must be followed by a property in braces, such as \p{L}`},
		{`new RegExp('a','v')`, `SyntaxError: the regular expression flag 'v' is not available; use 'u', and write set differences and intersections as look-ahead: (?!b)[a]`},
		{`RegExp('a','dg')`, `SyntaxError: the regular expression flag 'd' is not available; use the match's index and the lengths of its groups`},
	} {
		if got := run(t, vm, tt.source); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.source, got, tt.want)
		}
	}
}
