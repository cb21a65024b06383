package media

import (
	"sync"
	"time"
)

// inband is what a session knows of the keys in its party's sound.
type inband struct {
	keypad    *keypad        // nil when other ways tell of keys
	elsewhere bool           // SIP tells of them
	waiting   []byte         // keys that wait to be told
	telling   sync.WaitGroup // who tells of them
	last      byte           // the key heard last, and when
	lastAt    time.Time
}

// begin listens for keys, unless telephone events were agreed on.
func (k *inband) begin(f Format) {
	k.keypad = nil
	if f.EventType == 0 && !k.elsewhere {
		k.keypad = newKeypad(f.Codec.SampleRate())
	}
}

// keyOnce is how long after it was heard in the sound a key that SIP tells of is the same.
const keyOnce = 500 * time.Millisecond

// KeysElsewhere says that a key has come by other ways than sound and telephone events, such as SIP INFO: those in
// the sound are not listened for any more. It reports whether this very key has just been heard there, and told of.
func (s *Session) KeysElsewhere(digit byte) (told bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &s.inband
	told = !k.elsewhere && k.last == digit && time.Since(k.lastAt) < keyOnce
	k.elsewhere, k.keypad = true, nil
	return told
}

// listen looks for keys in a frame. The caller holds mu.
func (s *Session) listen(f Frame) {
	k := &s.inband
	if k.keypad == nil || s.opts.OnDigit == nil {
		return
	}
	digit, ok := k.keypad.hear(f)
	if !ok {
		return
	}
	k.last, k.lastAt = digit, time.Now()
	// Who is told may do what must not be done within a tick.
	k.waiting = append(k.waiting, digit)
	if len(k.waiting) == 1 {
		k.telling.Go(s.tell)
	}
}

// tell tells of the keys heard, in order.
func (s *Session) tell() {
	k := &s.inband
	for {
		s.mu.Lock()
		if len(k.waiting) == 0 {
			s.mu.Unlock()
			return
		}
		digit := k.waiting[0]
		s.mu.Unlock()
		s.opts.OnDigit(digit)
		s.mu.Lock()
		k.waiting = k.waiting[1:]
		s.mu.Unlock()
	}
}
