package kv_test

import (
	"testing"

	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/bindings/kv/kvtest"
)

func TestMemoryStore(t *testing.T) {
	kvtest.Run(t, func(*testing.T) kv.Store { return kv.NewMemoryStore() })
}
