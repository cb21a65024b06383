// Package bindings lists what a call script can touch. Each module has a folder of its own below; Standard puts
// them together as piopiyd does, and an embedder may add his own.
package bindings

import (
	"github.com/piopiy/piopiyd/bindings/abort"
	"github.com/piopiy/piopiyd/bindings/audio"
	"github.com/piopiy/piopiyd/bindings/clone"
	"github.com/piopiy/piopiyd/bindings/console"
	"github.com/piopiy/piopiyd/bindings/crypto"
	"github.com/piopiy/piopiyd/bindings/encoding"
	"github.com/piopiy/piopiyd/bindings/env"
	"github.com/piopiy/piopiyd/bindings/es"
	"github.com/piopiy/piopiyd/bindings/fetch"
	"github.com/piopiy/piopiyd/bindings/fetch/outbound"
	"github.com/piopiy/piopiyd/bindings/intl"
	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/bindings/pcmo"
	"github.com/piopiy/piopiyd/bindings/timers"
	"github.com/piopiy/piopiyd/bindings/url"
	"github.com/piopiy/piopiyd/bindings/websocket"
	"github.com/piopiy/piopiyd/runtime"
)

// Options say what the modules work with. The zero value works.
type Options struct {
	// Fetch is what scripts may reach over the network.
	Fetch outbound.Options
	// KV is what kv keeps its values in (default: memory).
	KV kv.Store
	// PIOPIY is where the SDK's REST methods go.
	PIOPIY pcmo.Options
	// Intl says how dates and numbers are written where a script does not say it.
	Intl intl.Options
}

// Standard returns the standard modules.
func Standard(o Options) ([]runtime.Module, error) {
	if o.KV == nil {
		o.KV = kv.NewMemoryStore()
	}
	client, err := outbound.NewClient(o.Fetch)
	if err != nil {
		return nil, err
	}
	international, err := intl.New(o.Intl)
	if err != nil {
		return nil, err
	}
	return []runtime.Module{
		abort.New(), audio.New(), clone.New(), console.New(), crypto.New(), encoding.New(), env.New(), es.New(), fetch.New(client),
		international, kv.New(o.KV), pcmo.New(o.PIOPIY), timers.New(), url.New(),
		websocket.New(client, websocket.Options{}),
	}, nil
}
