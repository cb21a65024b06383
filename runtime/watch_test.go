package runtime_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/dop251/goja"

	"github.com/piopiy/piopiyd/runtime"
)

// reloads tells a test what went live and what was refused.
type reloads struct {
	mu      sync.Mutex
	changed chan struct{}
	live    map[string]int
	refused map[string]int
}

func newReloads() *reloads {
	return &reloads{changed: make(chan struct{}), live: map[string]int{}, refused: map[string]int{}}
}

func (*reloads) SessionStarted(string)             {}
func (*reloads) SessionEnded(string)               {}
func (*reloads) TurnEnded(string, time.Duration)   {}
func (*reloads) Faulted(string, runtime.FaultKind) {}
func (*reloads) Rebuilt(string, error)             {}
func (r *reloads) Reloaded(app string, _ *runtime.Version, _ time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.refused[app]++
	} else {
		r.live[app]++
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

// await waits until ok holds.
func (r *reloads) await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		r.mu.Lock()
		changed := r.changed
		r.mu.Unlock()
		if ok() {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

func follow(t *testing.T, dir string) (*runtime.Runtime, *reloads) {
	t.Helper()
	seen := newReloads()
	rt, err := runtime.New(runtime.Config{
		Callbacks: []string{"answer"}, Observer: seen, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Limits: runtime.Limits{Turn: 20 * time.Second}, // what is timed here is nothing: the machine may be busy
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(rt.Close)
	if err := rt.Watch(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return rt, seen
}

// ask runs one call on the app's current version and returns what it answers: the numbers that its two files
// carry, which must agree.
func ask(t *testing.T, rt *runtime.Runtime, app string) string {
	a, ok := rt.App(app)
	if !ok {
		t.Errorf("app %q is not there", app)
		return ""
	}
	s, err := a.NewSession(runtime.SessionConfig{ID: "call"})
	if err != nil {
		t.Errorf("no session: %v", err)
		return ""
	}
	defer s.Close("over")
	var got string
	if err := s.Call(t.Context(), "answer", nil, func(_ *goja.Runtime, v goja.Value) error { got = v.String(); return nil }); err != nil {
		if t.Context().Err() == nil {
			t.Errorf("a call failed: %v", err)
		}
		return ""
	}
	if one, two, _ := strings.Cut(got, " "); one != two {
		t.Errorf("an answer mixes versions %s and %s", one, two)
	}
	return got
}

// pair is an app of two files that carry the same number.
func pair(n int) map[string]string {
	return map[string]string{
		"main.js": fmt.Sprintf("import { lib } from './lib.js'\nexport const answer = () => %d + ' ' + lib\n", n),
		"lib.js":  fmt.Sprintf("export const lib = %d\n", n),
	}
}

// single is the same app in one file. Saves of several files one by one are several edits: only what replaces a
// whole tree, as git and ConfigMaps do, can promise that no answer sees half of it.
func single(n int) map[string]string {
	return map[string]string{"main.js": fmt.Sprintf("export const answer = () => %d + ' ' + %d\n", n, n)}
}

func broken(files map[string]string, n int) map[string]string {
	if len(files) == 1 {
		files["main.js"] += []string{"export const answer = (\n", "import './gone.js'\n", "throw new Error('at load')\n"}[n%3]
		return files
	}
	switch n % 3 {
	case 0:
		files["main.js"] += "export const answer = (\n"
	case 1:
		files["main.js"] = strings.Replace(files["main.js"], "./lib.js", "./gone.js", 1)
	default:
		files["lib.js"] += "throw new Error('at load')\n"
	}
	return files
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The ways in which a save reaches the disk. Each gets the app's folder and puts files there.
var savers = map[string]func(t *testing.T, dir string) func(files map[string]string, n int){
	"in place": func(t *testing.T, dir string) func(map[string]string, int) {
		return func(files map[string]string, _ int) { write(t, dir, files) }
	},
	"editor": func(t *testing.T, dir string) func(map[string]string, int) {
		return func(files map[string]string, _ int) {
			for name, text := range files {
				path := filepath.Join(dir, name)
				backup, temporary := path+"~", filepath.Join(dir, ".tmp-"+name)
				_ = os.Rename(path, backup)
				if err := os.WriteFile(temporary, []byte(text), 0o644); err != nil {
					t.Error(err)
				}
				if err := os.Rename(temporary, path); err != nil {
					t.Error(err)
				}
				_ = os.Remove(backup)
			}
		}
	},
	"configmap": func(t *testing.T, dir string) func(map[string]string, int) {
		for _, name := range []string{"main.js", "lib.js"} {
			if err := os.Symlink("..data/"+name, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		return func(files map[string]string, n int) {
			to := fmt.Sprintf("..v%d", n)
			write(t, filepath.Join(dir, to), files)
			old, _ := os.Readlink(filepath.Join(dir, "..data"))
			temporary := filepath.Join(dir, "..data_tmp")
			if err := os.Symlink(to, temporary); err != nil {
				t.Error(err)
			}
			if err := os.Rename(temporary, filepath.Join(dir, "..data")); err != nil {
				t.Error(err)
			}
			if old != "" {
				_ = os.RemoveAll(filepath.Join(dir, old))
			}
		}
	},
	"git": func(t *testing.T, dir string) func(map[string]string, int) {
		git := func(args ...string) {
			cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com", "-C", dir}, args...)...)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("git %v: %v\n%s", args, err, out)
			}
		}
		git("init", "-q", "-b", "work")
		// Commits are prepared in a second work tree, so that a checkout is all that touches the scripts.
		return func(files map[string]string, n int) {
			for name, text := range files {
				blob := exec.Command("git", "-C", dir, "hash-object", "-w", "--stdin")
				blob.Stdin = strings.NewReader(text)
				id, err := blob.Output()
				if err != nil {
					t.Error(err)
				}
				cmd := exec.Command("git", "-C", dir, "update-index", "--add", "--cacheinfo", "100644,"+strings.TrimSpace(string(id))+","+name)
				cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(dir, ".git", "other-index"))
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
			}
			cmd := exec.Command("git", "-C", dir, "write-tree")
			cmd.Env = append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(dir, ".git", "other-index"))
			tree, err := cmd.Output()
			if err != nil {
				t.Error(err)
			}
			cmd = exec.Command("git", "-c", "user.name=t", "-c", "user.email=t@example.com", "-C", dir, "commit-tree", "-m", fmt.Sprint(n), strings.TrimSpace(string(tree)))
			commit, err := cmd.Output()
			if err != nil {
				t.Error(err)
			}
			git("checkout", "-q", "-f", strings.TrimSpace(string(commit)))
		}
	},
}

// Under a load of answers, a thousand edits, good and broken, in every way a save can reach the disk: no answer
// fails or mixes two versions, the first call after a version is announced runs it, and what is broken leaves
// the last good version answering.
func TestASaveIsNeverAnOutage(t *testing.T) {
	edits := 250
	if testing.Short() {
		edits = 25
	}
	for name, saver := range savers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			dir := filepath.Join(root, "app")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			save := saver(t, dir)
			files := single
			if name == "configmap" || name == "git" {
				files = pair
			}
			save(files(0), 0)
			rt, seen := follow(t, root)

			stop := make(chan struct{})
			var load sync.WaitGroup
			var answers atomic.Int64
			for range 2 {
				load.Go(func() {
					for {
						select {
						case <-stop:
							return
						default:
							ask(t, rt, "app")
							answers.Add(1)
						}
					}
				})
			}
			random := rand.New(rand.NewPCG(1, 2))
			good := 0
			for n := 1; n <= edits; n++ {
				app, _ := rt.App("app")
				if random.IntN(4) == 0 {
					save(broken(files(n), n), n)
					seen.await(t, fmt.Sprintf("broken edit %d is refused", n), func() bool { return app.Problem() != nil })
					if got := ask(t, rt, "app"); got != fmt.Sprintf("%d %d", good, good) {
						t.Fatalf("after broken edit %d the app answers %q, want version %d", n, got, good)
					}
				}
				was := app.Current()
				save(files(n), n+edits)
				seen.await(t, fmt.Sprintf("edit %d is live", n), func() bool { return app.Current() != was && app.Problem() == nil })
				good = n
				if got := ask(t, rt, "app"); got != fmt.Sprintf("%d %d", n, n) {
					t.Fatalf("the first call after edit %d answers %q", n, got)
				}
			}
			close(stop)
			load.Wait()
			t.Logf("%d edits, %d answers meanwhile", edits, answers.Load())
		})
	}
}

func TestReloadsDoNotGrowTheHeap(t *testing.T) {
	rt, err := runtime.New(runtime.Config{Callbacks: []string{"answer"}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer rt.Close()
	reloads := 10_000
	if testing.Short() {
		reloads = 300
	}
	files := fstest.MapFS{}
	goroutines := goruntime.NumGoroutine()
	heap := func() uint64 {
		// esbuild keeps a build's result for a quarter of a second, in a goroutine.
		for deadline := time.Now().Add(10 * time.Second); goruntime.NumGoroutine() > goroutines+8 && time.Now().Before(deadline); {
			goruntime.Gosched()
		}
		goruntime.GC()
		goruntime.GC()
		var m goruntime.MemStats
		goruntime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var after100 uint64
	for n := range reloads {
		for name, text := range pair(n) {
			files[name] = &fstest.MapFile{Data: []byte(text)}
		}
		if _, err := rt.Load(t.Context(), "app", runtime.FS(files), "main.js"); err != nil {
			t.Fatal(err)
		}
		if n == 100 {
			after100 = heap()
		}
	}
	if grown := int64(heap()) - int64(after100); grown > 4<<20 {
		t.Errorf("the heap grew by %d KiB over %d reloads", grown>>10, reloads)
	}
}

func TestALiveSessionFinishesOnItsOwnVersion(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "app"), pair(1))
	rt, seen := follow(t, root)
	app, _ := rt.App("app")
	old := app.Current()
	s, err := app.NewSession(runtime.SessionConfig{ID: "call"})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "app"), pair(2))
	seen.await(t, "edit is live", func() bool { return app.Current() != old })
	var got string
	if err := s.Call(t.Context(), "answer", nil, func(_ *goja.Runtime, v goja.Value) error { got = v.String(); return nil }); err != nil || got != "1 1" {
		t.Errorf("the live session answers %q, %v", got, err)
	}
	select {
	case <-old.Drained():
		t.Error("the old version counts as drained while a session runs it")
	default:
	}
	s.Close("over")
	<-old.Drained()
}

func TestRollback(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "app"), pair(1))
	rt, seen := follow(t, root)
	app, _ := rt.App("app")
	first := app.Current()
	write(t, filepath.Join(root, "app"), pair(2))
	seen.await(t, "edit is live", func() bool { return app.Current() != first })
	second := app.Current()
	if _, err := app.Rollback(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, rt, "app"); got != "1 1" {
		t.Errorf("after the rollback the app answers %q", got)
	}
	// The same files again are what was rolled back from; only a real change goes live.
	write(t, filepath.Join(root, "app"), pair(2))
	write(t, filepath.Join(root, "other"), pair(9))
	seen.await(t, "another app is live", func() bool { _, ok := rt.App("other"); return ok })
	if got := ask(t, rt, "app"); got != "1 1" {
		t.Errorf("the files that were rolled back from went live again: %q", got)
	}
	write(t, filepath.Join(root, "app"), pair(3))
	seen.await(t, "edit is live", func() bool { return app.Current().ID() != first.ID() })
	if got := ask(t, rt, "app"); got != "3 3" {
		t.Errorf("after the next edit the app answers %q", got)
	}
	if _, err := app.Rollback(t.Context(), second.ID()[:12]); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, rt, "app"); got != "2 2" {
		t.Errorf("after the second rollback the app answers %q", got)
	}
	if _, err := app.Rollback(t.Context(), "feed"); err == nil {
		t.Error("a rollback to a version that never was is not refused")
	}
}
