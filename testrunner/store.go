package testrunner

import (
	"github.com/piopiy/piopiyd/bindings/kv"
	"github.com/piopiy/piopiyd/runtime"
)

// storeKey finds the kv store of a test among its session's values.
type storeKey struct{}

// sharedStore lets a test see what the app beside it keeps in kv.
func sharedStore(m runtime.Module) runtime.Module { return sharedKV{m} }

type sharedKV struct{ runtime.Module }

// Instantiate implements runtime.Module.
func (m sharedKV) Instantiate(s *runtime.Session) (runtime.Instance, error) {
	if store, ok := s.Value(storeKey{}).(*kv.MemoryStore); ok {
		return kv.New(store).Instantiate(s)
	}
	return m.Module.Instantiate(s)
}
