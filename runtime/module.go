package runtime

import "github.com/dop251/goja"

// Module is something scripts can use: global names, importable modules, or both. Its life:
//
//  1. Built once per process and handed to [New]; Provides is read once.
//  2. Instantiate is called at most once per session, on the session's goroutine, when the script first
//     touches one of the provided names. A module that is never touched costs a session nothing.
//  3. The Instance answers Global and Import, once per name; values are cached by the session.
//  4. What the instance started (timers, sockets) hangs on [Session.Context] and ends with the session.
//
// A module is shared by all sessions and must be safe for concurrent use; an Instance belongs to one session's
// goroutine.
type Module interface {
	// Name identifies the module in errors.
	Name() string
	// Provides lists the names the module adds.
	Provides() Provides
	// Instantiate binds the module to a session.
	Instantiate(s *Session) (Instance, error)
}

// Provides lists what a module adds to a script's world.
type Provides struct {
	// Globals are names such as "fetch", found on globalThis.
	Globals []string
	// Imports are specifiers such as "piopiy/kv", for import and require.
	Imports []string
	// Exports lists the exports of specifiers by name, "default" among them where there is one. A specifier that is
	// listed costs a session only the names its script imports.
	Exports map[string][]string
}

// Instance is a module bound to one session.
type Instance interface {
	// Global returns the value of a provided global name.
	Global(name string) goja.Value
	// Import returns the exports object of a provided specifier. Set its "__esModule" to true where a default
	// export exists.
	Import(specifier string) goja.Value
}

// Exporter is implemented by instances that can make one export without making the exports object.
type Exporter interface {
	Export(specifier, name string) goja.Value
}

// Installer is implemented by modules that must change a session's built-ins before any script code runs
// (a repaired Date.prototype.toLocaleString). Install runs for every session: keep it to a few microseconds.
type Installer interface {
	Install(s *Session) error
}
