// Package stdlib holds the JavaScript modules that every script can import, written on the bindings, and
// piopiy.d.ts, which describes to an editor all that a script can touch.
package stdlib

import (
	"embed"
	"io/fs"
)

//go:embed piopiy
var files embed.FS

// Files returns the modules: piopiy/hours.ts is what `import 'piopiy/hours'` means.
func Files() fs.FS { return files }

// Declarations is piopiy.d.ts: the TypeScript declarations of everything a script can touch.
//
//go:embed piopiy.d.ts
var Declarations string

// TSConfig is a tsconfig.json under which editors and tsc check scripts against Declarations alone, without a
// browser's or Node's names.
//
//go:embed tsconfig.json
var TSConfig string
