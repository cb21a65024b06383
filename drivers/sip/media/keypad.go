package media

import "github.com/piopiy/piopiyd/audio"

// keypad hears keys in sound: the pairs of tones of ITU-T Q.23, told by Goertzel's algorithm in blocks of 12.75 ms,
// as ITU-T Q.24 wants them to be told: what lasts 40 ms is a key, what lasts less than 23 ms is none.
type keypad struct {
	length  int // of a block, in samples
	filters [8]float32
	s1, s2  [8]float32
	energy  float32
	n       int // samples in the block under way

	candidate byte // of the last block, 0 is none
	pressed   byte // the key that is down
	blank     int  // blocks without it
}

// The tones: rows, then columns.
var keyTones = [8]float64{697, 770, 852, 941, 1209, 1336, 1477, 1633}

const keyNames = "123A456B789C*0#D"

// What a block must be to be a key.
const (
	keyBlock = 102 // samples at 8000 Hz
	// keyLevel is the least amplitude of each tone.
	keyLevel = 80
	// keyPurity is how much of the block's energy is in the two tones: voices have more beside them.
	keyPurity = 0.80
	// keyPeak is how far each tone stands out from the others of its group, in power (8 dB).
	keyPeak = 6.3
	// rowTwist and columnTwist are how much stronger a row or column may be than the other, in power (4 and 8 dB).
	rowTwist    = 2.5
	columnTwist = 6.3
	// keyGap is how many blocks without a key end it.
	keyGap = 2
)

func newKeypad(rate int) *keypad {
	k := &keypad{length: keyBlock * rate / Rate}
	for i, hz := range keyTones {
		k.filters[i] = float32(audio.Goertzel(hz, rate))
	}
	return k
}

// hear takes a frame and returns a key with the frame in which it becomes certain.
func (k *keypad) hear(f Frame) (digit byte, ok bool) {
	for len(f) > 0 {
		part := f[:min(len(f), k.length-k.n)]
		f = f[len(part):]
		k.add(part)
		if k.n < k.length {
			break
		}
		if d, fresh := k.judge(k.key()); fresh {
			digit, ok = d, true
		}
	}
	return digit, ok
}

func (k *keypad) add(samples []int16) {
	s1, s2 := k.s1, k.s2
	for _, v := range samples {
		x := float32(v)
		k.energy += x * x
		for i := range s1 {
			s1[i], s2[i] = x+k.filters[i]*s1[i]-s2[i], s1[i]
		}
	}
	k.s1, k.s2 = s1, s2
	k.n += len(samples)
}

// key is the key of the block that is full, 0 for none. It begins the next one.
func (k *keypad) key() byte {
	var power [8]float32
	for i := range power {
		power[i] = k.s1[i]*k.s1[i] + k.s2[i]*k.s2[i] - k.filters[i]*k.s1[i]*k.s2[i]
	}
	energy, n := k.energy, float32(k.length)
	k.s1, k.s2, k.energy, k.n = [8]float32{}, [8]float32{}, 0, 0

	row, column := strongest(power[:4]), strongest(power[4:])
	r, c := power[row], power[4+column]
	least := keyLevel * n / 2
	switch {
	case r < least*least || c < least*least:
		return 0
	case r > c*rowTwist || c > r*columnTwist:
		return 0
	case 2*(r+c) < keyPurity*n*energy:
		return 0
	}
	for i := range 4 {
		if i != row && power[i]*keyPeak > r || i != column && power[4+i]*keyPeak > c {
			return 0
		}
	}
	return keyNames[4*row+column]
}

func strongest(power []float32) int {
	at := 0
	for i, p := range power {
		if p > power[at] {
			at = i
		}
	}
	return at
}

// judge takes the key of a block: two blocks make a key, and two without it end it.
func (k *keypad) judge(key byte) (digit byte, fresh bool) {
	before := k.candidate
	k.candidate = key
	switch {
	case key != 0 && key == k.pressed:
		k.blank = 0
	case k.pressed != 0:
		if k.blank++; k.blank >= keyGap {
			k.pressed = 0
		}
	}
	if key == 0 || key != before || k.pressed != 0 {
		return 0, false
	}
	k.pressed, k.blank = key, 0
	return key, true
}
