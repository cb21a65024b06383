// Package kvtest holds the tests that every kv.Store has to pass.
package kvtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/bindings/kv"
)

// Run runs the tests; open makes a fresh store that lives as long as the test.
func Run(t *testing.T, open func(t *testing.T) kv.Store) {
	t.Run("set and get", func(t *testing.T) { setAndGet(t, open(t)) })
	t.Run("any key", func(t *testing.T) { anyKey(t, open(t)) })
	t.Run("compare and set", func(t *testing.T) { compareAndSet(t, open(t)) })
	t.Run("increment", func(t *testing.T) { increment(t, open(t)) })
	t.Run("time to live", func(t *testing.T) { timeToLive(t, open(t)) })
	t.Run("list", func(t *testing.T) { list(t, open(t)) })
	t.Run("bad input", func(t *testing.T) { badInput(t, open(t)) })
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func get(t *testing.T, s kv.Store, app, key string) string {
	t.Helper()
	v, _, err := s.Get(t.Context(), app, key)
	if errors.Is(err, kv.ErrNotFound) {
		return "(none)"
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(v)
}

func setAndGet(t *testing.T, s kv.Store) {
	ctx := t.Context()
	if got := get(t, s, "a", "k"); got != "(none)" {
		t.Errorf("before any set: %s", got)
	}
	value := []byte(`{"n":1}`)
	first := must[uint64](t)(s.Set(ctx, "a", "k", value, 0))
	value[1] = 'X' // the caller's own again
	if got := get(t, s, "a", "k"); got != `{"n":1}` {
		t.Errorf("got %s", got)
	}
	if got := get(t, s, "b", "k"); got != "(none)" {
		t.Errorf("another app sees %s", got)
	}
	second := must[uint64](t)(s.Set(ctx, "a", "k", []byte(`"two"`), 0))
	if second <= first {
		t.Errorf("revision %d after %d", second, first)
	}
	if v, rev, err := s.Get(ctx, "a", "k"); err != nil || string(v) != `"two"` || rev != second {
		t.Errorf("got %s, %d, %v", v, rev, err)
	}
	for i, want := range []bool{true, false} {
		if existed := must[bool](t)(s.Delete(ctx, "a", "k")); existed != want {
			t.Errorf("delete %d: existed = %v", i+1, existed)
		}
	}
	if got := get(t, s, "a", "k"); got != "(none)" {
		t.Errorf("after delete: %s", got)
	}
	must[uint64](t)(s.Set(ctx, "a", "k", []byte(`3`), 0))
	if got := get(t, s, "a", "k"); got != `3` {
		t.Errorf("set after delete: %s", got)
	}
}

func anyKey(t *testing.T, s kv.Store) {
	keys := []string{"a", "A", "a.b", "a/b", "*", ">", " ", "=", "=2E", "ключ", "\x00\n", "a b.>*$", strings.Repeat("ü", 256), strings.Repeat(".", 512)}
	for _, app := range []string{"", "app", "a.b", "Ü"} {
		for i, k := range keys {
			must[uint64](t)(s.Set(t.Context(), app, k, fmt.Appendf(nil, "%d", i), 0))
		}
	}
	for _, app := range []string{"", "app", "a.b", "Ü"} {
		for i, k := range keys {
			if got := get(t, s, app, k); got != fmt.Sprint(i) {
				t.Errorf("app %q, key %q: %s, want %d", app, k, got, i)
			}
		}
		want := slices.Sorted(slices.Values(keys))
		if got := must[[]string](t)(s.List(t.Context(), app, "", "", 100)); !slices.Equal(got, want) {
			t.Errorf("list of %q: %q", app, got)
		}
	}
}

func compareAndSet(t *testing.T, s kv.Store) {
	ctx := t.Context()
	first := must[uint64](t)(s.CompareAndSet(ctx, "a", "k", []byte(`1`), 0, 0))
	second := must[uint64](t)(s.CompareAndSet(ctx, "a", "k", []byte(`2`), first, 0))
	for name, rev := range map[string]uint64{"create a present key": 0, "old revision": first, "future revision": second + 100} {
		if _, err := s.CompareAndSet(ctx, "a", "k", []byte(`9`), rev, 0); !errors.Is(err, kv.ErrConflict) {
			t.Errorf("%s: %v, want ErrConflict", name, err)
		}
	}
	must[bool](t)(s.Delete(ctx, "a", "k"))
	if _, err := s.CompareAndSet(ctx, "a", "k", []byte(`9`), second, 0); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("deleted key: %v, want ErrConflict", err)
	}
	must[uint64](t)(s.CompareAndSet(ctx, "a", "k", []byte(`3`), 0, 0))

	var wg sync.WaitGroup
	won := make(chan int, 8)
	for i := range cap(won) {
		wg.Go(func() {
			_, err := s.CompareAndSet(ctx, "a", "race", []byte(`1`), 0, 0)
			if err == nil {
				won <- i
			} else if !errors.Is(err, kv.ErrConflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d of %d created the key", len(won), cap(won))
	}
}

func increment(t *testing.T, s kv.Store) {
	ctx := t.Context()
	if sum := must[float64](t)(s.Increment(ctx, "a", "n", 2.5)); sum != 2.5 {
		t.Errorf("absent + 2.5 = %v", sum)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				if _, err := s.Increment(ctx, "a", "n", 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got := get(t, s, "a", "n"); got != "42.5" {
		t.Errorf("the sum is %s", got)
	}
	for _, v := range []string{`"1"`, `null`, `[1]`, `true`} {
		must[uint64](t)(s.Set(ctx, "a", "s", []byte(v), 0))
		if _, err := s.Increment(ctx, "a", "s", 1); !errors.Is(err, kv.ErrNotNumber) {
			t.Errorf("increment of %s: %v, want ErrNotNumber", v, err)
		}
	}
	must[uint64](t)(s.Set(ctx, "a", "max", fmt.Appendf(nil, "%g", math.MaxFloat64), 0))
	if _, err := s.Increment(ctx, "a", "max", math.MaxFloat64); err == nil {
		t.Error("an infinite sum is no error")
	}
}

func timeToLive(t *testing.T, s kv.Store) {
	ctx := t.Context()
	const ttl = 300 * time.Millisecond
	set := time.Now()
	must[uint64](t)(s.Set(ctx, "a", "short", []byte(`1`), ttl))
	must[uint64](t)(s.CompareAndSet(ctx, "a", "n", []byte(`5`), 0, ttl))
	must[uint64](t)(s.Set(ctx, "a", "long", []byte(`2`), time.Hour))
	must[uint64](t)(s.Set(ctx, "a", "kept", []byte(`3`), ttl))
	must[uint64](t)(s.Set(ctx, "a", "kept", []byte(`4`), 0)) // takes the time to live away
	must[float64](t)(s.Increment(ctx, "a", "n", 1))          // keeps it
	if got := get(t, s, "a", "n"); got != "6" && time.Since(set) < ttl {
		t.Errorf("before its end: %s", got)
	}
	<-time.After(time.Until(set.Add(ttl + 50*time.Millisecond)))
	for key, want := range map[string]string{"short": "(none)", "n": "(none)", "long": "2", "kept": "4"} {
		if got := get(t, s, "a", key); got != want {
			t.Errorf("%s after its end: %s, want %s", key, got, want)
		}
	}
	if got := must[[]string](t)(s.List(ctx, "a", "", "", 10)); !slices.Equal(got, []string{"kept", "long"}) {
		t.Errorf("list after the end: %q", got)
	}
	if existed := must[bool](t)(s.Delete(ctx, "a", "short")); existed {
		t.Error("an ended key is said to exist")
	}
	must[uint64](t)(s.CompareAndSet(ctx, "a", "short", []byte(`7`), 0, 0)) // ended is absent
	if sum := must[float64](t)(s.Increment(ctx, "a", "n", 1)); sum != 1 {
		t.Errorf("ended + 1 = %v", sum)
	}
}

func list(t *testing.T, s kv.Store) {
	ctx := t.Context()
	for _, k := range []string{"user:2", "user:10", "user:1", "users", "z", "user:"} {
		must[uint64](t)(s.Set(ctx, "a", k, []byte(`1`), 0))
	}
	must[bool](t)(s.Delete(ctx, "a", "z"))
	cases := []struct {
		prefix, after string
		limit         int
		want          string
	}{
		{"", "", 10, "user: user:1 user:10 user:2 users"},
		{"user:", "", 10, "user: user:1 user:10 user:2"},
		{"user:", "user:1", 10, "user:10 user:2"},
		{"user:", "user:1", 1, "user:10"},
		{"user:", "user:15", 10, "user:2"},
		{"none", "", 10, ""},
	}
	for _, c := range cases {
		got := strings.Join(must[[]string](t)(s.List(ctx, "a", c.prefix, c.after, c.limit)), " ")
		if got != c.want {
			t.Errorf("list %q after %q limit %d: %s, want %s", c.prefix, c.after, c.limit, got, c.want)
		}
	}
}

func badInput(t *testing.T, s kv.Store) {
	ctx := t.Context()
	over, cancel := context.WithCancel(ctx)
	cancel()
	set := func(ctx context.Context, key, value string, ttl time.Duration) error {
		_, err := s.Set(ctx, "a", key, []byte(value), ttl)
		return err
	}
	for name, err := range map[string]error{
		"empty key":       set(ctx, "", "1", 0),
		"long key":        set(ctx, strings.Repeat("k", 513), "1", 0),
		"not UTF-8":       set(ctx, "\xff", "1", 0),
		"not JSON":        set(ctx, "k", "{", 0),
		"empty value":     set(ctx, "k", "", 0),
		"large value":     set(ctx, "k", `"`+strings.Repeat("x", 64<<10)+`"`, 0),
		"negative life":   set(ctx, "k", "1", -time.Second),
		"context is over": set(over, "k", "1", 0),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if got := get(t, s, "a", "k"); got != "(none)" {
		t.Errorf("a refused value was stored: %s", got)
	}
}
