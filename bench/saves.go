package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// saves measures how long an edit takes from its save to the announcement that it is live: one file of an app of
// ten, among many such apps, written beside the old one and renamed over it as editors do.
func (b *bench) saves(ctx context.Context) error {
	scripts, err := os.MkdirTemp(b.work, "scripts-")
	if err != nil {
		return err
	}
	for i := range b.apps {
		if err := writeApp(filepath.Join(scripts, fmt.Sprintf("app-%03d", i)), 0); err != nil {
			return err
		}
	}
	s, err := b.piopiyd(ctx, b.binary, scripts, "")
	if err != nil {
		return err
	}
	defer s.stop()
	logs, err := os.Open(s.logs)
	if err != nil {
		return err
	}
	defer logs.Close()
	time.Sleep(time.Second) // past the first load, whose tail would count for the first edit

	var whole, building []time.Duration
	for n := 1; n <= b.options.saves; n++ {
		app := fmt.Sprintf("app-%03d", (n*37)%b.apps)
		if _, err := logs.Seek(0, io.SeekEnd); err != nil {
			return err
		}
		began := time.Now()
		if err := save(filepath.Join(scripts, app, "part-5.js"), part(5, n)); err != nil {
			return err
		}
		took, err := announced(ctx, logs, app)
		if err != nil {
			return err
		}
		whole = append(whole, time.Since(began))
		building = append(building, took)
		docs, err := documents(s.addr, app, false, caller, "", callTime)
		if err != nil {
			return err
		}
		if text := fmt.Sprint(docs[0]); !strings.Contains(text, fmt.Sprintf("edit %d.", n)) {
			return fmt.Errorf("%s was announced, but the next call ran something else: %s", app, text)
		}
		time.Sleep(time.Duration(n%10) * 30 * time.Millisecond) // edits meet the daemon at any moment of its own rhythm
	}
	slices.Sort(whole)
	slices.Sort(building)
	n := len(whole)
	fmt.Printf("\nSave to live: one file of an app of ten, %d apps (%d files), %d edits\n", b.apps, 10*b.apps, n)
	fmt.Printf("  median %s, p95 %s, longest %s; of it build, check and swap: median %s\n",
		millis(whole[n/2]), millis(whole[n*95/100]), millis(whole[n-1]), millis(building[n/2]))
	fmt.Printf("  the rest, median %s: noticing, waiting until the files are quiet, looking at all of them\n", millis(whole[n/2]-building[n/2]))
	verdict("median "+millis(whole[n/2]), "150 ms", whole[n/2] < 150*time.Millisecond)
	verdict("p95 "+millis(whole[n*95/100]), "150 ms", whole[n*95/100] < 150*time.Millisecond)
	return nil
}

func millis(d time.Duration) string { return fmt.Sprintf("%.0f ms", float64(d.Microseconds())/1000) }

// announced waits for the log's word that an app's edit is live, and returns how long the daemon says it built.
func announced(ctx context.Context, logs io.Reader, app string) (time.Duration, error) {
	var pending []byte
	chunk := make([]byte, 32<<10)
	for began := time.Now(); ctx.Err() == nil; {
		n, err := logs.Read(chunk)
		if err != nil && err != io.EOF {
			return 0, err
		}
		if n == 0 {
			if time.Since(began) > 30*time.Second {
				return 0, fmt.Errorf("%s: the edit was not taken live within half a minute", app)
			}
			time.Sleep(500 * time.Microsecond)
			continue
		}
		pending = append(pending, chunk[:n]...)
		for {
			line, rest, whole := bytes.Cut(pending, []byte{'\n'})
			if !whole {
				break
			}
			pending = rest
			var entry struct{ Msg, App, Error, Took string }
			if json.Unmarshal(line, &entry) != nil || entry.App != app {
				continue
			}
			switch {
			case entry.Msg == "version is live":
				return time.ParseDuration(entry.Took)
			case entry.Error != "":
				return 0, fmt.Errorf("%s: %s: %s", app, entry.Msg, entry.Error)
			}
		}
	}
	return 0, ctx.Err()
}

// save replaces a file as editors do.
func save(path, text string) error {
	beside := path + ".tmp"
	if err := os.WriteFile(beside, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(beside, path)
}

// writeApp writes an app of ten files.
func writeApp(dir string, edit int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var entry strings.Builder
	entry.WriteString("const { PiopiyAction } = require('piopiy')\n")
	for i := range 9 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("part-%d.js", i)), []byte(part(i, edit)), 0o644); err != nil {
			return err
		}
		fmt.Fprintf(&entry, "const part%d = require('./part-%d')\n", i, i)
	}
	entry.WriteString("exports.answer = call => {\n  const action = new PiopiyAction()\n")
	for i := range 9 {
		fmt.Fprintf(&entry, "  action.speak(part%d.text(call))\n", i)
	}
	entry.WriteString("  return action.PCMO()\n}\n")
	return os.WriteFile(filepath.Join(dir, "main.js"), []byte(entry.String()), 0o644)
}

func part(n, edit int) string {
	var text strings.Builder
	fmt.Fprintf(&text, "// Part %d of an app.\nexports.text = call => `Part %d, edit %d. ${describe(call)}`\n\n", n, n, edit)
	text.WriteString("function describe(call) {\n  const digits = String(call.from)\n  if (digits.startsWith('91')) return 'India'\n  if (digits.startsWith('44')) return 'Britain'\n  return digits.length > 8 ? 'abroad' : 'inside'\n}\n")
	for i := range 8 {
		fmt.Fprintf(&text, "\nexports.table%d = [\n  { name: 'one', queue: %d, numbers: [1, 2, 3] },\n  { name: 'two', queue: %d, numbers: [4, 5, 6] },\n]\n", i, i, i+1)
	}
	return text.String()
}
