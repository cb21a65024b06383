package stream

import "sync"

const (
	// maxUnsent and maxUnsentBytes bound what a script may send ahead of a peer that reads slowly: AI servers send a minute
	// of sound in a second. One message may always wait, however large it is.
	maxUnsent      = 4096
	maxUnsentBytes = 8 << 20
)

// outgoing is a message for the peer; without data it closes the stream.
type outgoing struct {
	text  bool
	sound bool
	mark  bool // there is nothing to send: only sent is called
	data  []byte
	sent  func() // called when it was sent, or never will be
}

// outbox is what waits to be sent, in order.
type outbox struct {
	wake chan struct{} // holds one when there is something

	mu   sync.Mutex
	list []outgoing
	size int  // bytes
	shut bool // nobody sends any more
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

// put adds a message, and reports whether there is room for it. To an outbox that is shut nothing is added.
func (b *outbox) put(out outgoing) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.shut:
		out.sent()
		return true
	case len(b.list) >= maxUnsent, len(b.list) > 0 && b.size+len(out.data) > maxUnsentBytes:
		return false
	}
	b.list = append(b.list, out)
	b.size += len(out.data)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// take removes the oldest message.
func (b *outbox) take() (out outgoing, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.list) == 0 {
		b.list = nil
		return out, false
	}
	out = b.list[0]
	b.list[0] = outgoing{}
	b.list = b.list[1:]
	b.size -= len(out.data)
	return out, true
}

// hush drops the sound that waits: nobody is to hear it any more.
func (b *outbox) hush() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var rest []outgoing
	for _, out := range b.list {
		if out.sound {
			b.size -= len(out.data)
			out.sent()
			continue
		}
		rest = append(rest, out)
	}
	b.list = rest
}

// close drops what waits and takes nothing more.
func (b *outbox) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.shut = true
	for _, out := range b.list {
		out.sent()
	}
	b.list, b.size = nil, 0
}

// isShut reports whether nobody sends any more.
func (b *outbox) isShut() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.shut
}
