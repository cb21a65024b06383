package sip

import (
	"context"
	"time"

	"github.com/piopiy/piopiyd/call"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// ringback is what a caller hears while others ring: the tone of ITU-T E.180's table for much of the world, a second
// of every five.
var ringback = media.Sound{Samples: append(media.Tone(425, time.Second), make([]int16, 4*media.Rate)...), Rate: media.Rate}

// lobby is where the caller waits while others ring. It hears music, when there is some; what the phone lets it hear
// that rings, when that is the only one; or the ringback tone. A caller who was not answered hears its own phone's
// tone, unless one of the first two makes us send sound (183).
type lobby struct {
	line  *line
	music call.Prompt
	may   bool          // the only phone may be heard before it answers; never changed
	came  chan struct{} // closed when the music is there, or cannot be had; nil without
	sound media.Sound
	plays *media.Playback
	rings bool
	early *leg
}

// newLobby begins to get the music.
func (l *line) newLobby(ctx context.Context, music call.Prompt, may bool) *lobby {
	w := &lobby{line: l, music: music, may: may && music.IsSilence()}
	if music.IsSilence() {
		return w
	}
	w.came = make(chan struct{})
	l.work.Go(func() {
		defer close(w.came)
		var err error
		if w.sound, err = l.clip(ctx, music); err != nil && ctx.Err() == nil {
			l.observeError(err)
		}
	})
	return w
}

// play plays the music that came; without, it goes on with the tone.
func (w *lobby) play() {
	if w.sound.Empty() {
		w.music = call.Prompt{}
		if w.rings {
			w.ring()
		}
		return
	}
	if w.line.early() || w.line.hasAnswered() {
		w.plays = w.line.play(w.sound, media.PlayOptions{Loop: true})
	}
}

// ring tells that somebody rings.
func (w *lobby) ring() {
	w.rings = true
	if w.plays == nil && w.early == nil && w.music.IsSilence() && w.line.untick != nil {
		w.plays = w.line.play(ringback, media.PlayOptions{Loop: true})
	}
}

// hear lets the caller hear a phone that has not answered.
func (w *lobby) hear(g *leg) {
	if !w.may || !w.line.early() {
		return
	}
	w.hush()
	w.early = g
	w.line.talk.Bridge(g.session)
}

func (w *lobby) hush() {
	if w.plays != nil {
		w.plays.Stop()
		w.plays = nil
	}
}

// leave ends all that the caller hears.
func (w *lobby) leave() {
	w.hush()
	if w.early != nil {
		w.line.talk.Bridge(nil)
		w.early = nil
	}
}
