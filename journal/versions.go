package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/piopiy/piopiyd/runtime"
)

// Versions is the durable runtime.VersionStore. Bundles are in an object store, which cuts them into pieces, so
// their size has no limit of its own; what is known of them and the selections are in a key-value bucket. A version
// counts once it is in the bucket, and its bundle is stored before.
type Versions struct {
	bundles jetstream.ObjectStore
	apps    jetstream.KeyValue
}

var _ runtime.VersionStore = (*Versions)(nil)

func openVersions(ctx context.Context, j *Journal) (*Versions, error) {
	bundles, err := j.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: bucketBundle, Description: "compiled versions of apps",
		Storage: jetstream.FileStorage, Replicas: j.opts.Replicas, Compression: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: bucket %s: %w", bucketBundle, err)
	}
	apps, err := j.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: bucketApps, Description: "versions of apps and which one is live", History: 1,
		Storage: jetstream.FileStorage, Replicas: j.opts.Replicas, LimitMarkerTTL: markerTTL,
	})
	if err != nil {
		return nil, fmt.Errorf("open journal: bucket %s: %w", bucketApps, err)
	}
	for _, name := range []string{"OBJ_" + bucketBundle, "KV_" + bucketApps} {
		s, err := j.js.Stream(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("open journal: %w", err)
		}
		if err := j.noteLosses(ctx, name, s); err != nil {
			return nil, err
		}
	}
	return &Versions{bundles: bundles, apps: apps}, nil
}

func versionKey(app, id string) string { return "version." + token(app) + "." + token(id) }
func selectionKey(app string) string   { return "selected." + token(app) }

func checkVersion(app, id string) error {
	if err := checkID("app", app); err != nil {
		return err
	}
	if id == "" {
		return errors.New("the version's id is empty")
	}
	return checkID("version", id)
}

// SaveVersion implements runtime.VersionStore.
func (v *Versions) SaveVersion(ctx context.Context, sv runtime.StoredVersion) error {
	if err := checkVersion(sv.App, sv.ID); err != nil {
		return fmt.Errorf("save version: %w", err)
	}
	key := versionKey(sv.App, sv.ID)
	if _, err := v.apps.Get(ctx, key); err == nil {
		return nil // the id is the hash of the content
	}
	if _, err := v.bundles.PutBytes(ctx, key, sv.Bundle); err != nil {
		return fmt.Errorf("save version %s of %s: %w", sv.ID, sv.App, err)
	}
	meta, err := json.Marshal(sv)
	if err == nil {
		_, err = v.apps.Put(ctx, key, meta)
	}
	if err != nil {
		return fmt.Errorf("save version %s of %s: %w", sv.ID, sv.App, err)
	}
	return nil
}

// Versions implements runtime.VersionStore.
func (v *Versions) Versions(ctx context.Context, app string) (versions []runtime.StoredVersion, err error) {
	if err := checkID("app", app); err != nil {
		return nil, fmt.Errorf("list versions: %w", err)
	}
	err = v.each(ctx, "version."+token(app)+".*", func(e jetstream.KeyValueEntry) error {
		var sv runtime.StoredVersion
		if err := json.Unmarshal(e.Value(), &sv); err != nil {
			return err
		}
		versions = append(versions, sv)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list versions of %s: %w", app, err)
	}
	slices.SortStableFunc(versions, func(a, b runtime.StoredVersion) int {
		if c := b.Created.Compare(a.Created); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	return versions, nil
}

// each hands fn the present entries whose keys match.
func (v *Versions) each(ctx context.Context, filter string, fn func(jetstream.KeyValueEntry) error) error {
	w, err := v.apps.Watch(ctx, filter, jetstream.IgnoreDeletes())
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }() // fails only on a closed connection
	for {
		select {
		case e, open := <-w.Updates():
			if !open {
				return errors.New("the reading ended early")
			}
			if e == nil { // that was all there is
				return nil
			}
			if err := fn(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// LoadVersion implements runtime.VersionStore.
func (v *Versions) LoadVersion(ctx context.Context, app, id string) (sv runtime.StoredVersion, err error) {
	if err := checkVersion(app, id); err != nil {
		return sv, fmt.Errorf("load version: %w", err)
	}
	key := versionKey(app, id)
	e, err := v.apps.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return sv, fmt.Errorf("app %s, version %s: %w", app, id, runtime.ErrNoVersion)
	}
	if err == nil {
		err = json.Unmarshal(e.Value(), &sv)
	}
	if err == nil {
		sv.Bundle, err = v.bundles.GetBytes(ctx, key)
	}
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		err = fmt.Errorf("%w: its bundle is lost", runtime.ErrNoVersion)
	}
	if err != nil {
		return runtime.StoredVersion{}, fmt.Errorf("load version %s of %s: %w", id, app, err)
	}
	return sv, nil
}

// DeleteVersion implements runtime.VersionStore. Deleting an absent version is no error.
func (v *Versions) DeleteVersion(ctx context.Context, app, id string) error {
	if err := checkVersion(app, id); err != nil {
		return fmt.Errorf("delete version: %w", err)
	}
	key := versionKey(app, id)
	if err := v.apps.Purge(ctx, key, jetstream.PurgeTTL(markerTTL)); err != nil {
		return fmt.Errorf("delete version %s of %s: %w", id, app, err)
	}
	if err := v.bundles.Delete(ctx, key); err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) {
		return fmt.Errorf("delete version %s of %s: %w", id, app, err)
	}
	return nil
}

// Select implements runtime.VersionStore.
func (v *Versions) Select(ctx context.Context, app string, s runtime.Selection) error {
	if err := checkID("app", app); err != nil {
		return fmt.Errorf("select version: %w", err)
	}
	value, err := json.Marshal(s)
	if err == nil {
		_, err = v.apps.Put(ctx, selectionKey(app), value)
	}
	if err != nil {
		return fmt.Errorf("select version %s of %s: %w", s.Current, app, err)
	}
	return nil
}

// Selected implements runtime.VersionStore.
func (v *Versions) Selected(ctx context.Context, app string) (s runtime.Selection, err error) {
	if err := checkID("app", app); err != nil {
		return s, fmt.Errorf("selected version: %w", err)
	}
	e, err := v.apps.Get(ctx, selectionKey(app))
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return s, fmt.Errorf("app %s: %w", app, runtime.ErrNoVersion)
	}
	if err == nil {
		err = json.Unmarshal(e.Value(), &s)
	}
	if err != nil {
		return runtime.Selection{}, fmt.Errorf("selected version of %s: %w", app, err)
	}
	return s, nil
}

// Apps implements runtime.VersionStore. The names are sorted.
func (v *Versions) Apps(ctx context.Context) (apps []string, err error) {
	err = v.each(ctx, "selected.*", func(e jetstream.KeyValueEntry) error {
		app, err := untoken(strings.TrimPrefix(e.Key(), "selected."))
		if err == nil {
			apps = append(apps, app)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list apps: %w", err)
	}
	slices.Sort(apps)
	return apps, nil
}
