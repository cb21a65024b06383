// Package blocks finds the code blocks of the documentation, so that tests can run them.
package blocks

import (
	"fmt"
	"os"
	"strings"
)

// Block is one fenced block of a Markdown file.
type Block struct {
	// Place is "file.md:line".
	Place string
	// Language is the word after the fence.
	Language string
	// Text is the block without its fences.
	Text string
	// Notes are the HTML comments directly above it.
	Notes []string
}

// Read returns the blocks of a file.
func Read(path string) ([]Block, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []Block
	var notes []string
	var open *Block
	for i, line := range strings.Split(string(text), "\n") {
		fence, isFence := strings.CutPrefix(line, "```")
		switch {
		case open != nil && isFence:
			list, open = append(list, *open), nil
		case open != nil:
			open.Text += line + "\n"
		case isFence:
			open = &Block{Place: fmt.Sprintf("%s:%d", path, i+1), Language: fence, Notes: notes}
			notes = nil
		case strings.HasPrefix(line, "<!-- ") && strings.HasSuffix(line, " -->"):
			notes = append(notes, strings.TrimSuffix(strings.TrimPrefix(line, "<!-- "), " -->"))
		default:
			notes = nil
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s: the block is not closed", open.Place)
	}
	return list, nil
}
