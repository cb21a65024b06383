package call

import (
	"context"
	"fmt"
	"sort"
)

// Drain refuses new calls from now on and waits until no call is left that a script still waits in, or until
// ctx ends; then it returns an error that lists what still holds.
func (h *Handler) Drain(ctx context.Context) error {
	h.mu.Lock()
	h.draining = true
	if h.idle == nil {
		h.idle = make(chan struct{})
	}
	idle := h.idle
	h.settleDrain()
	h.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		holding := h.Holding()
		return fmt.Errorf("%d calls are still under way: %v", len(holding), holding[:min(len(holding), 20)])
	}
}

// Draining reports whether new calls are refused because Drain was called.
func (h *Handler) Draining() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.draining
}

// settleDrain needs h.mu.
func (h *Handler) settleDrain() {
	if !h.draining || h.idle == nil {
		return
	}
	for _, conv := range h.calls {
		if conv.holds() {
			return
		}
	}
	select {
	case <-h.idle:
	default:
		close(h.idle)
	}
}

// Holding lists the calls that a script still waits in, as "app/call".
func (h *Handler) Holding() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	seen := map[*conversation]bool{}
	var list []string
	for k, conv := range h.calls {
		if conv.holds() && !seen[conv] {
			seen[conv] = true
			list = append(list, k.app+"/"+k.id)
		}
	}
	sort.Strings(list)
	return list
}
