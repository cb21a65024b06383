package dts_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/stdlib/dts"
)

func TestParse(t *testing.T) {
	got, err := dts.Parse(`// A file.

//# First
// About it.

/** A thing. */
interface Thing extends Base {
  /**
   * Its name.
   * @param x what
   */
  name(x: { a: number }): string
  readonly size: 'a{' | 'b'
  [key: string]: unknown
  nested?: {
    deep: number
  }
  [Symbol.iterator](): Iterator<string>
}

type Either =
  | { a: 1 }
  | { b: 2 }

//# Second

declare module 'piopiy/x' {
  export { one, two } from 'other'
  /** Does it. */
  export function run(): void
  export default run
}
declare class K {
  static make(): K
}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := &dts.File{Sections: []dts.Section{
		{Title: "First", Intro: "About it.", Declarations: []dts.Declaration{
			{Kind: "interface", Name: "Thing", Doc: "A thing.", Signature: "interface Thing extends Base", Extends: []string{"Base"}, Members: []dts.Member{
				{Name: "name", Doc: "Its name.\n@param x what", Signature: "name(x: { a: number }): string"},
				{Name: "size", Signature: "readonly size: 'a{' | 'b'"},
				{Name: "nested", Signature: "nested?: { deep: number }"},
				{Name: "Symbol.iterator", Signature: "[Symbol.iterator](): Iterator<string>"},
			}},
			{Kind: "type", Name: "Either", Signature: "type Either = | { a: 1 } | { b: 2 }"},
		}},
		{Title: "Second", Declarations: []dts.Declaration{
			{Module: "piopiy/x", Kind: "export", Name: "one", Signature: "export { one, two } from 'other'"},
			{Module: "piopiy/x", Kind: "export", Name: "two", Signature: "export { one, two } from 'other'"},
			{Module: "piopiy/x", Kind: "function", Name: "run", Doc: "Does it.", Signature: "export function run(): void"},
			{Module: "piopiy/x", Kind: "export", Name: "default", Signature: "export default run"},
			{Kind: "class", Name: "K", Signature: "declare class K", Members: []dts.Member{{Name: "make", Static: true, Signature: "static make(): K"}}},
		}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseNamesTheLine(t *testing.T) {
	for _, text := range []string{"\nlet x = 1\n", "\ninterface X {\n  ?\n}\n"} {
		if _, err := dts.Parse(text); err == nil || err.Error()[:5] != "line " {
			t.Errorf("%q: error %v", text, err)
		}
	}
}
