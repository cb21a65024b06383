package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Restore brings back all apps that the store holds versions of, whether their files are still there or not: for
// tools that look at a store. LoadAll and Watch bring back what belongs to the files they find.
func (rt *Runtime) Restore(ctx context.Context) error {
	store := rt.cfg.Versions
	if store == nil {
		return nil
	}
	names, err := store.Apps(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, name := range names {
		if err := rt.appNamed(name).restore(ctx, store); err != nil {
			failed = append(failed, fmt.Errorf("app %q: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

// meet returns an app; when it is new here, with the versions that the store kept of it: what was live before a
// restart is live, whatever the files hold now, and the older ones can be rolled back to.
func (rt *Runtime) meet(ctx context.Context, name string) *App {
	_, known := rt.App(name)
	a := rt.appNamed(name)
	if known || rt.cfg.Versions == nil {
		return a
	}
	if err := a.restore(ctx, rt.cfg.Versions); err != nil && !errors.Is(err, ErrNoVersion) {
		rt.log.Error("the app's stored versions could not be brought back", "app", name, "error", err)
	}
	return a
}

func (a *App) restore(ctx context.Context, store VersionStore) error {
	a.change.Lock()
	defer a.change.Unlock()
	selected, err := store.Selected(ctx, a.name)
	if err != nil {
		return err
	}
	list, err := store.Versions(ctx, a.name)
	if err != nil {
		return err
	}
	var kept []*Version
	var current *Version
	for _, stored := range list {
		if len(kept) >= a.rt.cfg.KeepVersions && stored.ID != selected.Current {
			continue
		}
		full, err := store.LoadVersion(ctx, a.name, stored.ID)
		if err != nil {
			return err
		}
		v, err := restoreVersion(full)
		if err != nil {
			a.rt.log.Warn("a stored version cannot be used", "app", a.name, "version", stored.ID, "error", err)
			continue
		}
		if v.id == selected.Current {
			current = v
			continue
		}
		kept = append(kept, v)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept, a.held = kept, selected.Held
	if current == nil {
		return fmt.Errorf("the live version %s: %w", selected.Current, ErrNoVersion)
	}
	a.kept = slices.Insert(a.kept, 0, current)
	current.refs.Add(1)
	a.current.Store(current)
	return nil
}
