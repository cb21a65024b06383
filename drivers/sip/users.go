package sip

// SetUser lets a phone register as a user with a password, from now on.
func (d *Driver) SetUser(name, password string) { d.agent.SetUser(name, password) }

// RemoveUser lets a user's phones no longer register, nor be called. Calls under way go on.
func (d *Driver) RemoveUser(name string) { d.agent.RemoveUser(name) }

// Users returns the names of all users.
func (d *Driver) Users() []string { return d.agent.Users() }
