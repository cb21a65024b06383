package testrunner

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements of a JUnit report, as its readers have agreed on them; there is no standard.
type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name    string        `xml:"name,attr"`
		Class   string        `xml:"classname,attr"`
		File    string        `xml:"file,attr"`
		Line    int           `xml:"line,attr,omitempty"`
		Time    string        `xml:"time,attr"`
		Failure *junitFailure `xml:"failure"`
		Skipped *struct{}     `xml:"skipped"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitFailure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit renders the report as JUnit XML: one suite a file.
func (r *Report) JUnit() ([]byte, error) {
	var all junitSuites
	took := map[string]float64{}
	for _, one := range r.Results {
		n := len(all.Suites)
		if n == 0 || all.Suites[n-1].Name != one.File {
			all.Suites = append(all.Suites, junitSuite{Name: one.File})
			n++
		}
		suite := &all.Suites[n-1]
		c := junitCase{Name: one.Name, Class: one.File, File: one.File, Line: one.Line, Time: seconds(one.Took.Seconds()), Output: legible(one.transcripts())}
		if c.Name == "" {
			c.Name = one.File
		}
		suite.Tests++
		switch one.Status {
		case Failed:
			suite.Failures++
			text := legible(strings.Join(one.Problems, "\n"))
			first, _, _ := strings.Cut(text, "\n")
			c.Failure = &junitFailure{Message: first, Text: text}
		case Skipped:
			suite.Skipped++
			c.Skipped = &struct{}{}
		}
		took[one.File] += one.Took.Seconds()
		suite.Time = seconds(took[one.File])
		suite.Cases = append(suite.Cases, c)
	}
	text, err := xml.MarshalIndent(all, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

// transcripts is what happened in the calls of a test that failed.
func (r *Result) transcripts() string {
	var b strings.Builder
	if r.Status == Failed {
		for _, t := range r.Calls {
			for _, e := range t.Entries {
				b.WriteString(e.String() + "\n")
			}
		}
		for _, line := range r.Logged {
			b.WriteString("console  " + line + "\n")
		}
	}
	return b.String()
}

// legible takes out what XML cannot hold (XML 1.0, section 2.2).
func legible(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' {
			return '\ufffd'
		}
		return c
	}, text)
}

func seconds(s float64) string { return fmt.Sprintf("%.3f", s) }
