package intl_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/bindings/intl"
)

var testNow = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// newVM returns a VM as a session would have it: Intl on the global object, built-ins repaired.
func newVM(t testing.TB, options intl.Options) *goja.Runtime {
	t.Helper()
	m, err := intl.New(options)
	if err != nil {
		t.Fatal(err)
	}
	vm := goja.New()
	if err := m.Repair(vm); err != nil {
		t.Fatal(err)
	}
	if err := vm.Set("Intl", m.Build(vm, func() time.Time { return testNow })); err != nil {
		t.Fatal(err)
	}
	return vm
}

// golden is what gen/golden.mjs wrote: hashes of Node's answers.
type golden struct {
	Currencies string
	Zones      map[string]string
	Locales    map[string]struct {
		Count, Nth                              int
		Dates, Numbers, Money, Words, Collation string
	}
}

// TestNode compares with the answers of Node, for every locale and time zone; with -short
// for the languages alone. A difference is found with TestFull.
func TestNode(t *testing.T) {
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var want golden
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	currencies, _ := json.Marshal(strings.Fields(want.Currencies))
	languages := map[string][]string{}
	for tag := range want.Locales {
		lang, _, _ := strings.Cut(tag, "-")
		languages[lang] = append(languages[lang], tag)
	}
	if len(languages) < 20 || len(want.Locales) < 300 {
		t.Fatalf("the golden file has %d languages and %d locales", len(languages), len(want.Locales))
	}
	for lang, tags := range languages {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			vm := sweepVM(t)
			for _, tag := range tags {
				if testing.Short() && tag != lang {
					continue
				}
				w := want.Locales[tag]
				for call, hash := range map[string]string{
					fmt.Sprintf("sweeps.dates('%s', %d, 1)", tag, w.Count):                   w.Dates,
					fmt.Sprintf("sweeps.numbers('%s', %d, 1, %s)", tag, w.Count, currencies): w.Numbers,
					fmt.Sprintf("sweeps.money('%s', %s, %d)", tag, currencies, w.Nth):        w.Money,
					fmt.Sprintf("sweeps.words('%s')", tag):                                   w.Words,
					fmt.Sprintf("sweeps.collation('%s', %d, 1)", tag, w.Count):               w.Collation,
				} {
					if hash == "" { // collation of a language that is not supported
						continue
					}
					if got := hashOf(t, vm, call); got != hash {
						t.Errorf("%.60s: hash %s, Node's is %s", call, got, hash)
					}
				}
			}
		})
	}
	t.Run("zones", func(t *testing.T) {
		if len(want.Zones) < 400 {
			t.Fatalf("the golden file has %d zones", len(want.Zones))
		}
		vm := sweepVM(t)
		for name, hash := range want.Zones {
			if got := hashOf(t, vm, fmt.Sprintf("sweeps.zone('%s')", name)); got != hash {
				t.Errorf("%s: local times differ from Node's", name)
			}
		}
	})
}

func hashOf(t *testing.T, vm *goja.Runtime, call string) string {
	v, err := vm.RunString("hash(" + call + ")")
	if err != nil {
		t.Fatal(err)
	}
	return v.String()
}

// TestFull compares line by line with a file of gen/golden.mjs, named by INTL_GOLDEN: to find out where answers
// differ after the data changed.
func TestFull(t *testing.T) {
	name := os.Getenv("INTL_GOLDEN")
	if name == "" {
		t.Skip("INTL_GOLDEN names no file")
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	want := bufio.NewScanner(f)
	want.Buffer(nil, 1<<20)
	var head struct {
		Count      int
		Tags       []string
		Currencies []string
	}
	if !want.Scan() {
		t.Fatal("the file is empty")
	}
	if err := json.Unmarshal(want.Bytes(), &head); err != nil {
		t.Fatal(err)
	}
	currencies, _ := json.Marshal(head.Currencies)
	vm := sweepVM(t)
	count, wrong := 0, 0
	for _, tag := range head.Tags {
		got := lines(t, vm, fmt.Sprintf("[...sweeps.dates('%[1]s', %[2]d, 1), ...sweeps.numbers('%[1]s', %[2]d, 1, %[3]s), ...sweeps.money('%[1]s', %[3]s, 1), ...sweeps.words('%[1]s')]",
			tag, head.Count, currencies))
		for _, line := range got {
			if !want.Scan() {
				t.Fatal("the file is too short")
			}
			var w [2]string
			if err := json.Unmarshal(want.Bytes(), &w); err != nil {
				t.Fatal(err)
			}
			if count++; w != line {
				if wrong++; wrong < 40 {
					t.Errorf("%.250s\n got %+.250q\nwant %+.250q", w[0], line[1], w[1])
				}
			}
		}
	}
	t.Logf("%d of %d lines differ", wrong, count)
}

// sweepVM returns a VM with testdata/sweep.js in it.
func sweepVM(t *testing.T) *goja.Runtime {
	source, err := os.ReadFile("testdata/sweep.js")
	if err != nil {
		t.Fatal(err)
	}
	vm := newVM(t, intl.Options{})
	if _, err := vm.RunScript("sweep.js", string(source)); err != nil {
		t.Fatal(err)
	}
	return vm
}

func lines(t *testing.T, vm *goja.Runtime, call string) (lines [][2]string) {
	v, err := vm.RunString(call)
	if err == nil {
		err = vm.ExportTo(v, &lines)
	}
	if err != nil {
		t.Fatal(err)
	}
	return lines
}
