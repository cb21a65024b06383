package sip

import (
	"context"
	"fmt"
	"sync"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// rooms are the conferences under way. Each app has its own.
type rooms struct {
	mu   sync.Mutex
	open map[roomName]*room
}

type roomName struct{ app, name string }

// room is a conference. It begins with the first who joins and ends with the last who leaves.
type room struct {
	*media.Room
	members int
	untick  func()
	over    chan struct{} // closed when everybody was sent away
}

// enter returns the room of a name, and counts a member in.
func (r *rooms) enter(n roomName, pacer *media.Pacer) *room {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil {
		r.open = map[roomName]*room{}
	}
	o := r.open[n]
	if o == nil {
		o = &room{Room: media.NewRoom(), over: make(chan struct{})}
		o.untick = pacer.Add(o.Room)
		r.open[n] = o
	}
	o.members++
	return o
}

// leave counts a member out. The last one ends the room, and so does one who ends it for all.
func (r *rooms) leave(n roomName, o *room, forAll bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o.members--
	if r.open[n] == o && (forAll || o.members == 0) {
		delete(r.open, n)
		close(o.over)
	}
	if o.members == 0 {
		o.Close()
		o.untick()
	}
}

// Join implements call.Controls. A room belongs to the app: another app's of the same name is another one.
func (l *line) Join(ctx context.Context, name string, o call.JoinOptions) error {
	if err := ended(ctx); err != nil {
		return err
	}
	if !l.hasAnswered() {
		return fmt.Errorf("join: %w", errNotAnswered)
	}
	n := roomName{l.call.App, name}
	r := l.driver.rooms.enter(n, &l.driver.pacer)
	defer l.driver.rooms.leave(n, r, o.EndOnLeave)
	if err := r.Join(l.talk); err != nil {
		return fmt.Errorf("join: %w", err)
	}
	defer r.Leave(l.talk)
	r.Room.Mute(l.talk, o.Muted)
	select {
	case <-r.over:
		return ended(ctx)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
