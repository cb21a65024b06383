package runtime

import (
	"context"
	"errors"
	"time"
)

// StoredVersion is a version as a VersionStore keeps it: everything needed to run it again without the disk
// it was read from.
type StoredVersion struct {
	App string `json:"app"`
	// ID is the version's name: the hash of all its inputs.
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Bundle is the compiled script with its sources; opaque to the store.
	Bundle []byte `json:"-"`
}

// Selection is which version of an app is live.
type Selection struct {
	// Current is the live version.
	Current string `json:"current"`
	// Held is the version that a rollback took out of service: the files on disk may still hold it, and it
	// stays out until they change. Empty when nothing is held.
	Held string `json:"held,omitempty"`
}

// VersionStore keeps versions, so that rollback and restart do not depend on what is on disk.
type VersionStore interface {
	// SaveVersion stores a version; storing the same id again is no error.
	SaveVersion(ctx context.Context, v StoredVersion) error
	// Versions lists an app's versions, newest first, without their bundles.
	Versions(ctx context.Context, app string) ([]StoredVersion, error)
	// LoadVersion returns a version with its bundle, or ErrNoVersion.
	LoadVersion(ctx context.Context, app, id string) (StoredVersion, error)
	// DeleteVersion forgets a version.
	DeleteVersion(ctx context.Context, app, id string) error
	// Select records which version is live.
	Select(ctx context.Context, app string, s Selection) error
	// Selected returns what Select recorded, or ErrNoVersion.
	Selected(ctx context.Context, app string) (Selection, error)
	// Apps lists the apps that have a selection.
	Apps(ctx context.Context) ([]string, error)
}

// ErrNoVersion says that there is no such version.
var ErrNoVersion = errors.New("no such version")
