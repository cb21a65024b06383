package media_test

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// guest is somebody on the telephone: our side of the call, and the other one.
type guest struct {
	*media.Conversation
	ours, phone *party
	codec       media.Codec
	says        []int16 // at the codec's rate
	heard       []int16 // the last fifth of a second: what came before may be of a time before, as late as a busy machine makes it
}

func newGuest(t *testing.T, codec media.Codec, hz float64) *guest {
	g := &guest{ours: newParty(t, false), phone: newParty(t, false), codec: codec}
	g.ours.start(g.phone.addr, codec)
	g.phone.start(g.ours.addr, codec)
	g.Conversation = media.NewConversation(g.ours.Session)
	if codec == media.G722 {
		g.says = wideTone(hz, 10*time.Second)
	} else {
		g.says = media.Tone(hz, 10*time.Second)
	}
	return g
}

// talk says the next frame of the guests' tones, which are multiples of 50 Hz: as packets come faster than they would,
// the jitter buffer adds frames. tick moves the call on; then the guest listens.
func talk(t *testing.T, frames int, tick func(), guests ...*guest) {
	t.Helper()
	for _, g := range guests {
		g.heard = nil
	}
	for range frames {
		for _, g := range guests {
			n := g.codec.SampleRate() / 50
			before := g.ours.Stats().Received
			g.phone.WriteFrame(g.says[:n])
			g.says = g.says[n:]
			g.ours.received(t, int(before)+1)
		}
		sent := make([]uint64, len(guests))
		for i, g := range guests {
			sent[i] = g.phone.Stats().Received
		}
		tick()
		for i, g := range guests {
			g.phone.received(t, int(sent[i])+1)
			f := media.NewFrame(g.codec.SampleRate())
			g.phone.ReadFrame(f)
			g.heard = append(g.heard, f...)
			g.heard = g.heard[max(0, len(g.heard)-len(f)*10):]
		}
	}
}

// hears fails unless g has heard exactly these tones, of all that are in the air.
func (g *guest) hears(t *testing.T, who string, all []float64, hz ...float64) {
	t.Helper()
	for _, tone := range all {
		level := audio.Level(g.heard, tone, g.codec.SampleRate())
		if want := slices.Contains(hz, tone); want && level < 5000 || !want && level > 300 {
			t.Errorf("%s hears %g Hz: %v (level %.0f), want %v", who, tone, level > 300, level, want)
		}
	}
}

func TestRoom(t *testing.T) {
	tones := []float64{450, 650, 1000, 1500, 5000}
	a, b, c := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMA, 650), newGuest(t, media.PCMU, 1000)
	r := media.NewRoom()
	for _, g := range []*guest{a, b, c} {
		if err := r.Join(g.Conversation); err != nil {
			t.Fatal(err)
		}
		if err := r.Join(g.Conversation); err != nil {
			t.Errorf("joining again: %v", err)
		}
	}
	if err := media.NewRoom().Join(a.Conversation); err == nil {
		t.Error("one can be in two rooms")
	}
	a.Tick() // does nothing: the room ticks
	path := filepath.Join(t.TempDir(), "room.wav")
	recorder, err := media.NewRecorder(path, media.RecorderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r.Record(recorder)
	talk(t, 40, r.Tick, a, b, c)
	a.hears(t, "a", tones, 650, 1000)
	b.hears(t, "b", tones, 450, 1000)
	c.hears(t, "c", tones, 450, 650)
	r.Record(nil)
	if err := recorder.Close(); err != nil || recorder.Length() != 800*time.Millisecond {
		t.Errorf("the recording: %v, %v", recorder.Length(), err)
	}
	for _, hz := range tones[:3] {
		if level := audio.Level(samplesOf(t, path)[3200:], hz, media.Rate); level < 5000 {
			t.Errorf("the recording lacks %g Hz: %.0f", hz, level)
		}
	}

	r.Mute(a.Conversation, true)
	talk(t, 40, r.Tick, a, b, c)
	a.hears(t, "a, muted,", tones, 650, 1000)
	b.hears(t, "b without a", tones, 1000)
	r.Mute(a.Conversation, false)

	r.Leave(b.Conversation)
	played := r.Play(media.Sound{Samples: media.Tone(1500, 900*time.Millisecond), Rate: media.Rate})
	talk(t, 40, func() { r.Tick(); b.Tick() }, a, b, c)
	a.hears(t, "a without b, with music", tones, 1000, 1500)
	b.hears(t, "b alone", tones)
	talk(t, 10, func() { r.Tick(); b.Tick() }, a, b, c)
	select {
	case <-played.Done():
	default:
		t.Error("the music does not end")
	}

	// Wideband comes in: all run at its rate, and only it hears what the others cannot.
	w := newGuest(t, media.G722, 5000)
	if err := r.Join(w.Conversation); err != nil {
		t.Fatal(err)
	}
	w.Play(media.Sound{Samples: wideTone(1500, 10*time.Second), Rate: media.WideRate})
	talk(t, 40, r.Tick, a, c, w)
	if a.Rate() != media.WideRate {
		t.Errorf("a runs at %d", a.Rate())
	}
	a.hears(t, "a, narrow among wide,", tones, 1000)
	if level := audio.Level(w.heard, 450, media.WideRate); level < 1000 { // the prompt lowers the others
		t.Errorf("w hears a at %.0f", level)
	}
	if level := audio.Level(w.heard, 1500, media.WideRate); level < 5000 {
		t.Errorf("w hears its prompt at %.0f", level)
	}
	r.Close()
	if err := r.Join(b.Conversation); err == nil {
		t.Error("one can join a room that is closed")
	}
	talk(t, 40, func() { r.Tick(); a.Tick(); c.Tick(); w.Tick() }, a, c, w)
	a.hears(t, "a, alone again,", tones)
	if a.Rate() != media.Rate || r.Members() != 0 {
		t.Errorf("a runs at %d, %d members", a.Rate(), r.Members())
	}
}

// TestRoomOfTheLoud has everybody shout: what is too loud is clipped, and does not wrap around.
func TestRoomOfTheLoud(t *testing.T) {
	r := media.NewRoom()
	var guests []*guest
	for range 4 {
		g := newGuest(t, media.PCMU, 400)
		for i := range g.says {
			g.says[i] = 30000
		}
		guests = append(guests, g)
		if err := r.Join(g.Conversation); err != nil {
			t.Fatal(err)
		}
	}
	talk(t, 20, r.Tick, guests...)
	for i, g := range guests {
		if v := g.heard[len(g.heard)-1]; v < 30000 {
			t.Errorf("guest %d hears %d", i, v)
		}
	}
}

// TestRoomWithACallee has a member that talks to somebody of its own: all three hear each other.
func TestRoomWithACallee(t *testing.T) {
	tones := []float64{450, 650, 1000}
	a, b, c := newGuest(t, media.PCMU, 450), newGuest(t, media.PCMU, 650), newGuest(t, media.PCMU, 1000)
	a.Bridge(b.ours.Session)
	r := media.NewRoom()
	if err := r.Join(a.Conversation); err != nil {
		t.Fatal(err)
	}
	if err := r.Join(c.Conversation); err != nil {
		t.Fatal(err)
	}
	talk(t, 40, r.Tick, a, b, c)
	a.hears(t, "a", tones, 650, 1000)
	b.hears(t, "b", tones, 450, 1000)
	c.hears(t, "c", tones, 450, 650)
}
