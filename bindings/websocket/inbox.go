package websocket

import "context"

// The messages of the server that wait for the script. Somebody who takes them at his pace holds the connection up;
// where nobody does, the oldest give way.

// accept keeps a message for the script, once there is room for it.
func (w *wire) accept(ctx context.Context, m message) bool {
	w.mu.Lock()
	w.received.add(m)
	for !w.deaf && w.full(m) {
		if !w.kept {
			w.drop()
			continue
		}
		w.mu.Unlock()
		select {
		case <-w.room:
		case <-ctx.Done():
			return false
		}
		w.mu.Lock()
	}
	tell := false
	if !w.deaf {
		w.add(m)
		tell = w.kept && !w.notified
		w.notified = w.notified || tell
	}
	w.mu.Unlock()
	if tell {
		w.notify()
	}
	return true
}

// full reports whether there is no room for a message beside those that wait. It needs mu, as add and drop do.
func (w *wire) full(m message) bool {
	return len(w.in) > 0 && (len(w.in) >= maxUnread || w.inSize+len(m.data) > maxUnreadBytes)
}

func (w *wire) add(m message) {
	w.in = append(w.in, m)
	w.inSize += len(m.data)
}

// drop has the oldest give way.
func (w *wire) drop() {
	w.inSize -= len(w.in[0].data)
	w.in = w.in[1:]
	w.dropped++
}

// take returns the oldest message, and whether there are more: then the session is to look again.
func (w *wire) take() (m message, ok, more bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.in) == 0 {
		return m, false, false
	}
	m = w.in[0]
	w.in[0] = message{}
	w.in = w.in[1:]
	w.inSize -= len(m.data)
	w.makeRoom()
	w.notified = len(w.in) > 0
	return m, true, w.notified
}

// push takes a message of a far end, which never waits.
func (w *wire) push(m message) {
	w.mu.Lock()
	w.received.add(m)
	before := len(w.in)
	if !w.deaf {
		w.behind = append(w.behind, m)
		w.admit()
	}
	tell := w.kept && !w.notified && len(w.in) > before
	w.notified = w.notified || tell
	w.mu.Unlock()
	if tell {
		w.notify()
	}
}

// last has something done once all that was pushed has come in.
func (w *wire) last(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = f
	w.admit()
}

// admit lets in what waits behind, as far as there is room, as accept does. It needs mu.
func (w *wire) admit() {
	for len(w.behind) > 0 {
		m := w.behind[0]
		if full := w.full(m); full && w.kept {
			return
		} else if full {
			w.drop()
			continue
		}
		w.behind = w.behind[1:]
		w.add(m)
	}
	if w.over != nil {
		w.over()
		w.over = nil
	}
}

// deafen takes nothing more.
func (w *wire) deafen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.deaf, w.in, w.inSize, w.behind = true, nil, 0, nil
}

// makeRoom wakes the reader. It needs mu.
func (w *wire) makeRoom() {
	w.admit()
	select {
	case w.room <- struct{}{}:
	default:
	}
}

// noticed says that the session is about to look; it returns whether something waits.
func (w *wire) noticed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notified = false
	return len(w.in) > 0
}

// keep says whether messages are kept for somebody who takes them at his pace.
func (w *wire) keep(kept bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = kept
	w.makeRoom()
}
