package runtime_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/piopiy/piopiyd/runtime/runtimetest"
)

// esbuild reads the files of an app from many goroutines at once: under the race detector this shows whether they
// get in each other's way.
func TestAnAppOfManyFilesIsBundled(t *testing.T) {
	const parts = 200
	files := map[string]string{}
	var entry strings.Builder
	for i := range parts {
		files[fmt.Sprintf("lib/part%d.ts", i)] = fmt.Sprintf("import { one } from './one'\nexport const n: number = one * %d", i)
		fmt.Fprintf(&entry, "import { n as n%d } from './lib/part%d'\n", i, i)
	}
	files["lib/one.ts"] = "export const one = 1"
	entry.WriteString("export const main = () => 0")
	for i := range parts {
		fmt.Fprintf(&entry, " + n%d", i)
	}
	files["main.ts"] = entry.String()
	got, err := runtimetest.Call(t.Context(), runtimetest.New(t).Session(files), "main")
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(parts * (parts - 1) / 2); got != want {
		t.Errorf("got %v, want %d", got, want)
	}
}
