package ua

import (
	"maps"
	"slices"
	"sync"
)

// users are those that may register, and be called; they come and go while the agent runs.
type users struct {
	mu        sync.RWMutex
	passwords map[string]string
}

func newUsers(passwords map[string]string) *users {
	u := &users{passwords: maps.Clone(passwords)}
	if u.passwords == nil {
		u.passwords = map[string]string{}
	}
	return u
}

func (u *users) password(name string) (password string, ok bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	password, ok = u.passwords[name]
	return password, ok
}

func (u *users) none() bool {
	u.mu.RLock()
	defer u.mu.RUnlock()
	return len(u.passwords) == 0
}

// SetUser lets a user register with a password, from now on.
func (a *Agent) SetUser(name, password string) {
	a.users.mu.Lock()
	defer a.users.mu.Unlock()
	a.users.passwords[name] = password
}

// RemoveUser lets a user no longer register, nor be called. Calls that are under way go on.
func (a *Agent) RemoveUser(name string) {
	a.users.mu.Lock()
	delete(a.users.passwords, name)
	a.users.mu.Unlock()
	a.registrar.forget(name)
}

// IsUser reports whether there is such a user, registered or not.
func (a *Agent) IsUser(name string) bool {
	_, ok := a.users.password(name)
	return ok
}

// Users returns the names of all users, in order.
func (a *Agent) Users() []string {
	a.users.mu.RLock()
	defer a.users.mu.RUnlock()
	return slices.Sorted(maps.Keys(a.users.passwords))
}
