package media

// Hold holds the caller: it hears music over and over, or silence where there is none, and nobody hears it. The
// callee hears the same. All that plays and streams goes on unheard, and in a room the others hear neither.
func (c *Conversation) Hold(music Sound) {
	p := prepare(music, PlayOptions{Loop: true}, c.Rate())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = p
}

// Resume ends Hold.
func (c *Conversation) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hold = nil
}

// Held reports whether the caller is held.
func (c *Conversation) Held() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.hold != nil
}

// MuteCallee says whether the callee is not heard by anybody, recordings and streams included. It is over with the
// callee's bridge.
func (c *Conversation) MuteCallee(muted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dumbCallee = muted
}

// SetCaller lets another party take the caller's place.
func (c *Conversation) SetCaller(caller *Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.caller = caller
}

// keepWaiting replaces what the parties hear by the music on hold.
func (c *Conversation) keepWaiting() {
	f := c.frames
	if !c.hold.readFrame(f.heard) {
		clear(f.heard)
	}
	copy(f.back, f.heard)
}
