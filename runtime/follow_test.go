package runtime_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/runtime"
)

func TestFollow(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("one.ts", "1")
	write("two/main.test.ts", "2")
	rt, err := runtime.New(runtime.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan []string, 10)
	if err := rt.Follow(ctx, dir, func(paths []string) { told <- paths }); err != nil {
		t.Fatal(err)
	}
	write("two/main.test.ts", "two")
	if diff := cmp.Diff([]string{"two/main.test.ts"}, <-told); diff != "" {
		t.Error(diff)
	}
	if err := os.Remove(filepath.Join(dir, "one.ts")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"one.ts"}, <-told); diff != "" {
		t.Error(diff)
	}
	if err := rt.Follow(ctx, filepath.Join(dir, "nowhere"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}
