package webapp_test

import (
	"bytes"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/docs/blocks"
	"github.com/piopiy/piopiyd/webapp"
)

// What docs/running.md shows for Node takes what is signed here, and nothing else.
func TestDocumentedVerification(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("Node is not installed")
	}
	list, err := blocks.Read("../docs/running.md")
	if err != nil {
		t.Fatal(err)
	}
	source := ""
	for _, b := range list {
		if len(b.Notes) == 1 && b.Notes[0] == "for Node: webapp/node_test.go" {
			source = b.Text
		}
	}
	body, now := []byte(`{"from":"é"}`), time.Now()
	header := webapp.Sign([]byte("secret"), now, body)
	tests := []struct {
		secret, header, body string
		want                 bool
	}{
		{"secret", header, string(body), true},
		{"other", header, string(body), false},
		{"secret", header, string(body) + " ", false},
		{"secret", webapp.Sign([]byte("secret"), now.Add(-time.Hour), body), string(body), false},
		{"secret", header[:len(header)-2], string(body), false},
		{"secret", "", string(body), false},
	}
	var script, want bytes.Buffer
	script.WriteString(source)
	for _, tt := range tests {
		args := []string{strconv.Quote(tt.secret), strconv.Quote(tt.header), "Buffer.from(" + strconv.Quote(tt.body) + ")"}
		script.WriteString("console.log(signed(" + strings.Join(args, ", ") + "))\n")
		want.WriteString(strconv.FormatBool(tt.want) + "\n")
	}
	got, err := exec.CommandContext(t.Context(), node, "-e", script.String()).CombinedOutput()
	if err != nil || string(got) != want.String() {
		t.Errorf("%v\n%s\nwant\n%s", err, got, want.String())
	}
}
