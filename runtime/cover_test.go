package runtime_test

import (
	"testing"
	"testing/fstest"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/runtime"
)

const covered = `import { helper } from './shared'
let n = 0
export async function main(): Promise<number> {
  for (const x of [1, 2, 3]) {
    if (x === 2) continue
    n += x
  }
  outer: for (;;) {
    for (;;) break outer
  }
  switch (n) {
    case 4:
      n++
      break
    default:
      n = 0
  }
  if (n < 0)
    n = -n
  else
    n += helper(n)
  const never = () => {
    return 1
  }
  try {
    throw new Error('x')
  } catch {
    n++
  }
  while (n > 100) n--
  do {
    n++
    n--
  } while (n < 0)
  class Box {
    open() {
      return n
    }
  }
  return new Box().open()
}
`

func TestCoverage(t *testing.T) {
	files := fstest.MapFS{
		"main.ts":   {Data: []byte(covered)},
		"shared.ts": {Data: []byte("export function helper(n: number) {\n  return n > 4 ?\n    1 : 2\n}\nexport function unused() {\n  return 3\n}\n")},
	}
	cover := &runtime.Coverage{}
	for range 2 { // the same lines of another Runtime
		rt, err := runtime.New(runtime.Config{Coverage: cover})
		if err != nil {
			t.Fatal(err)
		}
		app, err := rt.Load(t.Context(), "main", runtime.FS(files), "main.ts")
		if err != nil {
			t.Fatal(err)
		}
		s, err := app.NewSession(runtime.SessionConfig{ID: "s"})
		if err != nil {
			t.Fatal(err)
		}
		var result int64
		err = s.Call(t.Context(), "main", nil, func(_ *goja.Runtime, v goja.Value) error {
			result = v.ToInteger()
			return nil
		})
		if err != nil || result != 7 {
			t.Errorf("result %d, error %v", result, err)
		}
		s.Close("done")
		rt.Close()
	}
	want := []runtime.LineCoverage{
		{File: "main.ts", Ran: []int{2, 4, 5, 6, 8, 9, 11, 13, 14, 18, 21, 22, 25, 26, 28, 30, 31, 32, 33, 35, 37, 40}, Missed: []int{16, 19, 23}},
		{File: "shared.ts", Ran: []int{2}},
	}
	if diff := cmp.Diff(want, cover.Files()); diff != "" {
		t.Error(diff)
	}
}
