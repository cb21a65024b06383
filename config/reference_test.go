package config_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/config"
)

var update = flag.Bool("update", false, "write the generated files anew")

// TestExample makes the annotated example from the structs and their comments.
func TestExample(t *testing.T) {
	same(t, "piopiyd.example.yaml", makeExample(t))
	if config.Example() != makeExample(t) {
		t.Error("the embedded example is not the generated one; run: go test ./config -update, and again without")
	}
}

// TestReference makes the table of keys in docs/running.md from the structs and their comments.
func TestReference(t *testing.T) {
	const path, begin, end = "../docs/running.md", "<!-- keys -->\n", "<!-- /keys -->\n"
	page, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no %q … %q", path, begin, end)
	}
	same(t, path, before+begin+makeTable(t)+end+after)
}

// TestExampleMeansDefaults takes every comment sign off the example's keys and expects the defaults.
func TestExampleMeansDefaults(t *testing.T) {
	cfg, err := config.Parse("example", []byte(uncommented(config.Example())))
	if err != nil {
		t.Fatal(err)
	}
	if app, ok := cfg.Apps["support"]; !ok || app.Fault == nil || app.Dial == nil || len(app.Env) == 0 || app.Token == "" || app.User == "" {
		t.Errorf("the example's app is not whole: %+v", cfg.Apps)
	}
	if trunk, ok := cfg.SIP.Trunks["carrier"]; !ok || trunk.Address == "" || trunk.Password == "" || cfg.SIP.Users["alice"] == "" {
		t.Errorf("the example's trunk and user are not whole: %+v", cfg.SIP)
	}
	cfg.Apps, cfg.SIP.Trunks, cfg.SIP.Users = nil, nil, nil // of which there are none
	if diff := cmp.Diff(config.Default(), cfg); diff != "" {
		t.Errorf("the example is not the defaults (-default +example):\n%s", diff)
	}
}

var commented = regexp.MustCompile(`(?m)^#`)

func uncommented(text string) string { return commented.ReplaceAllString(text, "") }

// samples stand for the keys below a name in the example.
var samples = map[string]string{
	"env.KEY": "https://crm.example.com", "numbers": `["14155550100"]`, "token": "a-long-word-in-the-address", "user": "piopiy",
	"password": "a-long-password", "sources": "[203.0.113.0/24]", "fault.say": `"Please call again later."`, "fault.hangup": "NORMAL_TEMPORARY_FAILURE",
	"sip.users.NAME": "a-long-password", "address": "sip.carrier.example:5060", "prefixes": `["1415"]`, "caller_id": `"14155550100"`,
}

// sampleNames stand for NAME and KEY there.
var sampleNames = map[string]string{"apps": "support", "sip.trunks": "carrier", "sip.users": "alice", "apps.NAME.env": "CRM_URL"}

func makeExample(t *testing.T) string {
	docs := fieldDocs(t)
	var b strings.Builder
	b.WriteString("## piopiyd.yaml: every key with its meaning and its default.\n" +
		"## Take the first # off a key, and off the section it stands in, to set it. In the environment a key is\n" +
		"## PIOPIYD_ and its path in capitals: limits.turn is PIOPIYD_LIMITS_TURN. Lists are separated by commas there.\n")
	var open []string
	for _, k := range config.Keys() {
		path := strings.Split(k.Path, ".")
		sections := path[:len(path)-1]
		for i, s := range sections {
			if i < len(open) && open[i] == s {
				continue
			}
			if i == 0 {
				b.WriteByte('\n')
			}
			open = append(open[:min(i, len(open))], s)
			comment(&b, docs[sectionDoc(sections[:i+1])], 2*i)
			fmt.Fprintf(&b, "#%s%s:\n", strings.Repeat("  ", i), named(sections[:i+1]))
		}
		if len(sections) == 0 {
			b.WriteByte('\n')
		}
		open = open[:len(sections)]
		indent := strings.Repeat("  ", len(sections))
		comment(&b, docs[k.Struct+"."+k.Field], 2*len(sections))
		name, value := path[len(path)-1], k.Default
		if value == "" {
			value = `""`
		}
		if strings.HasPrefix(k.Type, "list") && k.Default == "" {
			value = "[]"
		}
		if _, rest, ok := strings.Cut(k.Path, ".NAME."); ok || strings.HasSuffix(k.Path, ".NAME") {
			if !ok {
				rest = k.Path
			}
			if sample, ok := samples[rest]; ok {
				value = sample
			}
			name = named(path)
		}
		fmt.Fprintf(&b, "#%s%s: %s\n", indent, name, value)
	}
	return b.String()
}

// named returns the last word of a path, or what stands for it.
func named(path []string) string {
	last := path[len(path)-1]
	if last == "NAME" || last == "KEY" {
		return sampleNames[strings.Join(path[:len(path)-1], ".")]
	}
	return last
}

func comment(b *strings.Builder, text string, indent int) {
	for _, line := range wrap(text, 100-indent) {
		fmt.Fprintf(b, "#%s# %s\n", strings.Repeat(" ", indent), line)
	}
}

// sectionDoc names the comment that describes a section.
func sectionDoc(path []string) string {
	switch last := path[len(path)-1]; {
	case len(path) == 1 && (last == "fault" || last == "apps"):
		return "Config." + strings.ToUpper(last[:1]) + last[1:]
	case last == "NAME", last == "env", last == "users":
		return ""
	case last == "fault", last == "dial":
		return "App." + strings.ToUpper(last[:1]) + last[1:]
	case last == "trunks":
		return "SIP.Trunks"
	case last == "api", last == "sip", last == "tls":
		return strings.ToUpper(last)
	default:
		return strings.ToUpper(last[:1]) + last[1:]
	}
}

func makeTable(t *testing.T) string {
	docs := fieldDocs(t)
	var b strings.Builder
	b.WriteString("| key and environment variable | default | meaning |\n|---|---|---|\n")
	for _, k := range config.Keys() {
		value := ""
		if k.Default != "" {
			value = "`" + k.Default + "`"
		}
		fmt.Fprintf(&b, "| `%s`<br>`%s` | %s | %s: %s |\n", k.Path, k.Env, value, k.Type, strings.ReplaceAll(docs[k.Struct+"."+k.Field], "|", `\|`))
	}
	return b.String()
}

// fieldDocs returns the comments of the structs: "Limits" for a struct's and "Limits.Turn" for a field's.
func fieldDocs(t *testing.T) map[string]string {
	docs := map[string]string{}
	var decls []ast.Decl
	for _, name := range []string{"config.go", "sip.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		decls = append(decls, file.Decls...)
	}
	for _, decl := range decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			docs[typ.Name.Name] = sentence(typ.Name.Name, gen.Doc.Text())
			s, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range s.Fields.List {
				for _, name := range f.Names {
					docs[typ.Name.Name+"."+name.Name] = sentence(name.Name, f.Doc.Text())
				}
			}
		}
	}
	for _, k := range config.Keys() {
		if docs[k.Struct+"."+k.Field] == "" {
			t.Errorf("%s.%s (%s) has no comment", k.Struct, k.Field, k.Path)
		}
	}
	return docs
}

// sentence makes a Go comment one that does not name the Go field: "Turn is the longest…" becomes "The longest…".
func sentence(name, text string) string {
	text = strings.Join(strings.Fields(text), " ")
	rest, ok := strings.CutPrefix(text, name+" is ")
	for _, verb := range []string{" are ", " is about "} {
		if r, found := strings.CutPrefix(text, name+verb); found {
			rest, ok = r, true
		}
	}
	if !ok {
		return text
	}
	return strings.ToUpper(rest[:1]) + rest[1:]
}

func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		line = strings.TrimSpace(line + " " + word)
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// same compares a file with what it should hold, or writes it with -update.
func same(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is out of date; run: go test ./config -update\n%s", path, diff)
	}
}
