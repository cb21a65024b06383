package sip

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// sound is what a piece holds; the names of sounds are those of the wire.
type sound string

const (
	rawSound  sound = "raw" // PCM, 16 bit, little endian
	wavSound  sound = "wav"
	mp3Sound  sound = "mp3"
	oggSound  sound = "ogg"
	markSound sound = ""
)

// piece is one piece of sound that a server sent, or a mark between two of them.
type piece struct {
	kind   sound
	rate   int // of raw sound, in Hz
	data   []byte
	base64 bool
	mark   string
}

const (
	// maxSpeech bounds the sound of a server that waits to be heard.
	maxSpeech = 2 * time.Minute
	// maxPieces and maxPieceData bound what waits to be decoded: in pieces, and in octets.
	maxPieces    = 4096
	maxPieceData = 32 << 20
	// quickPiece is how large raw sound may be, in octets, to be taken on the spot: some 10 µs of work.
	quickPiece = 64 << 10
	// decodeTime bounds the work for one piece: an hour of sound fits into little MP3.
	decodeTime = 5 * time.Second
)

var errLongPiece = fmt.Errorf("it takes more than %v to decode: send shorter pieces", decodeTime)

// decoding bounds how many files are decoded at a time, over all calls: what a clock needs must stay free.
var decoding = make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))

// voice is what a server says: pieces that wait to be decoded, in order, and sound that waits to be heard. It is a
// media.Source.
type voice struct {
	stream *stream
	rate   int
	queue  *media.Queue

	mu      sync.Mutex
	pieces  []piece
	size    int  // octets that wait
	busy    bool // somebody decodes
	round   int  // how often it was cleared
	ctx     context.Context
	cancel  context.CancelFunc
	written uint64 // where in all of the sound the queue ends, in samples
	marks   []mark
	marked  atomic.Int32 // how many marks there are

	decoder decoder // owned by whoever decodes
}

// mark is a place in what a server says.
type mark struct {
	name string
	at   uint64 // in samples
}

func newVoice(s *stream, rate int) *voice {
	v := &voice{stream: s, rate: rate, queue: media.NewQueue(rate, int(maxSpeech/time.Second)*rate)}
	v.ctx, v.cancel = context.WithCancel(s.life)
	return v
}

// ReadFrame implements media.Source.
func (v *voice) ReadFrame(dst media.Frame) bool {
	said := v.queue.ReadFrame(dst)
	if v.marked.Load() > 0 && v.mu.TryLock() { // or at the next tick
		v.pass()
		v.mu.Unlock()
	}
	return said
}

// pass tells of the marks that lie behind. It needs mu.
func (v *voice) pass() {
	at := v.queue.Played()
	for len(v.marks) > 0 && v.marks[0].at <= at {
		v.stream.played(v.marks[0].name, v.heard())
		v.marks = v.marks[1:]
	}
	v.marked.Store(int32(len(v.marks)))
}

func (v *voice) heard() time.Duration {
	return time.Duration(v.queue.Played()) * time.Second / time.Duration(v.rate)
}

// add takes a piece. By the reader alone.
func (v *voice) add(p piece) {
	v.mu.Lock()
	if len(v.pieces) >= maxPieces || v.size+len(p.data) > maxPieceData {
		v.mu.Unlock()
		v.stream.complain("sound comes faster than it can be decoded: what is too much is dropped")
		return
	}
	v.pieces = append(v.pieces, p)
	v.size += len(p.data)
	begin := !v.busy
	v.busy = true
	v.mu.Unlock()
	switch {
	case !begin:
	case (p.kind == rawSound || p.kind == markSound) && len(p.data) <= quickPiece:
		v.decode()
	default:
		v.stream.line.driver.work.Go(v.decode)
	}
}

// decode decodes pieces until none is left.
func (v *voice) decode() {
	for {
		v.mu.Lock()
		if len(v.pieces) == 0 {
			v.busy = false
			v.mu.Unlock()
			return
		}
		p := v.pieces[0]
		v.pieces[0] = piece{}
		v.pieces = v.pieces[1:]
		v.size -= len(p.data)
		ctx, round := v.ctx, v.round
		v.mu.Unlock()

		if v.decoder.round != round {
			v.decoder = decoder{round: round}
		}
		samples, err := v.decoder.decode(ctx, p, v.rate)
		if ctx.Err() != nil {
			continue
		}
		if err != nil {
			v.stream.complain(fmt.Sprintf("streamAudio, %s: %v", p.kind, err))
		}
		v.put(p, samples, round)
	}
}

// put queues what a piece held, unless all was cleared meanwhile.
func (v *voice) put(p piece, samples []int16, round int) {
	v.mu.Lock()
	dropped := 0
	if v.round == round {
		dropped = v.queue.Write(samples)
		v.written += uint64(len(samples) - dropped)
		if p.kind == markSound {
			v.marks = append(v.marks, mark{p.mark, v.written})
			v.marked.Store(int32(len(v.marks)))
		}
	}
	v.mu.Unlock()
	if dropped > 0 {
		v.stream.complain(fmt.Sprintf("more than %v of sound wait to be heard: what is too much is dropped", maxSpeech))
	}
}

// clear throws away all that was not heard. It returns how much was heard since the stream began, and the marks that
// are gone.
func (v *voice) clear() (heard time.Duration, marks []string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pass()
	v.round++
	v.cancel()
	v.ctx, v.cancel = context.WithCancel(v.stream.life)
	v.queue.Clear()
	v.written = v.queue.Played()
	for _, m := range v.marks {
		marks = append(marks, m.name)
	}
	for _, p := range v.pieces {
		if p.kind == markSound {
			marks = append(marks, p.mark)
		}
	}
	v.pieces, v.size, v.marks = nil, 0, nil
	v.marked.Store(0)
	return v.heard(), marks
}

// decoder makes samples of pieces. What raw sound and MP3 leave over at the end of a piece, the next one begins with:
// servers cut their sound anywhere.
type decoder struct {
	round     int
	odd       []byte // half a sample
	resampler *audio.Resampler
	from      int
	mp3       mp3Seam
}

// decode returns the samples of a piece at a rate.
func (d *decoder) decode(ctx context.Context, p piece, rate int) ([]int16, error) {
	if p.kind == markSound {
		return nil, nil // what follows may go on with what was before
	}
	data := p.data
	if p.base64 {
		var err error
		if data, err = base64.StdEncoding.AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(p.data))), p.data); err != nil {
			return nil, fmt.Errorf("data.audioData is no base64: %w", err)
		}
	}
	if p.kind == rawSound && isWAV(data) {
		p.kind = wavSound // a header would be heard as noise
	}
	if p.kind == rawSound {
		return d.raw(data, p.rate, rate), nil
	}
	tail := d.flush(p.kind == mp3Sound)
	if len(data) == 0 {
		return tail, nil
	}
	samples, err := d.file(ctx, p.kind, data, rate)
	return append(tail, samples...), err
}

// file decodes a file; what it is and which rate it has, its own header tells.
func (d *decoder) file(ctx context.Context, kind sound, data []byte, rate int) ([]int16, error) {
	if kind != wavSound {
		select {
		case decoding <- struct{}{}:
			defer func() { <-decoding }()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		limited, cancel := context.WithTimeoutCause(ctx, decodeTime, errLongPiece)
		defer cancel()
		ctx = limited
	}
	if kind == mp3Sound {
		return d.mp3.decode(ctx, data, rate)
	}
	s, err := media.Decode(ctx, data, rate)
	return s.Samples, err
}

func isWAV(data []byte) bool {
	return len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WAVE"
}

// raw resamples as one what comes in many pieces.
func (d *decoder) raw(data []byte, from, to int) (samples []int16) {
	if d.from != from {
		samples = d.flush(false)
		d.from, d.resampler = from, nil
		if from != to {
			d.resampler = audio.NewResampler(from, to)
		}
	}
	if len(d.odd) > 0 && len(data) > 0 {
		data = append(d.odd, data...)
		d.odd = nil
	}
	pcm := make([]int16, len(data)/2)
	for i := range pcm {
		pcm[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
	}
	if len(data)%2 == 1 {
		d.odd = []byte{data[len(data)-1]}
	}
	if d.resampler == nil {
		return append(samples, pcm...)
	}
	return d.resampler.Append(samples, pcm)
}

// flush returns what was held back: of raw sound, and of MP3 unless more of it comes.
func (d *decoder) flush(more bool) (samples []int16) {
	samples = flushed(d.resampler)
	d.from, d.resampler, d.odd = 0, nil, nil
	if more {
		return samples
	}
	return append(samples, d.mp3.flush()...)
}
