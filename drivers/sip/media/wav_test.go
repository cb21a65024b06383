package media_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/piopiy/piopiyd/audio"
	"github.com/piopiy/piopiyd/drivers/sip/media"
)

// wav makes a file of a sine in any format.
func wav(tag, channels, rate, bits int, hz float64, seconds float64) []byte {
	var data []byte
	for i := range int(seconds * float64(rate)) {
		v := 0.5 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate))
		for range channels {
			switch {
			case tag == 3:
				data = binary.LittleEndian.AppendUint32(data, math.Float32bits(float32(v)))
			case tag == 6:
				data = media.PCMA.Encode(data, []int16{int16(v * 32767)})
			case tag == 7:
				data = media.PCMU.Encode(data, []int16{int16(v * 32767)})
			case bits == 8:
				data = append(data, byte(128+v*127))
			default:
				data = append(data, binary.LittleEndian.AppendUint32(nil, uint32(int32(v*math.MaxInt32)))[4-bits/8:]...)
			}
		}
	}
	h := append([]byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00abc\x00fmt \x10\x00\x00\x00"), byte(tag), 0, byte(channels), 0)
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = append(h, 0, 0, 0, 0, 0, 0, byte(bits), 0)
	h = append(h, "data"...)
	h = binary.LittleEndian.AppendUint32(h, uint32(len(data)))
	return append(h, data...)
}

func TestDecodeWAV(t *testing.T) {
	for _, f := range [][4]int{{1, 1, 8000, 16}, {1, 2, 44100, 16}, {1, 1, 22050, 16}, {1, 1, 48000, 24}, {1, 2, 16000, 32}, {1, 1, 11025, 8}, {3, 1, 24000, 32}, {6, 1, 8000, 8}, {7, 2, 8000, 8}} {
		samples, err := media.DecodeWAV(wav(f[0], f[1], f[2], f[3], 1000, 0.5))
		if err != nil {
			t.Fatalf("%v: %v", f, err)
		}
		if n := len(samples); n < 3990 || n > 4010 {
			t.Errorf("%v: %d samples", f, n)
		}
		middle := samples[500 : len(samples)-500]
		if level := audio.Level(middle, 1000, media.Rate); level < 15500 || level > 17000 {
			t.Errorf("%v: the tone's level is %.0f", f, level)
		}
		if level := audio.Level(middle, 1300, media.Rate); level > 300 {
			t.Errorf("%v: a level of %.0f beside the tone", f, level)
		}
	}
	whole := wav(1, 1, 8000, 16, 440, 1)
	if cut, err := media.DecodeWAV(whole[:len(whole)/2+1]); err != nil || len(cut) < 3900 {
		t.Errorf("cut short: %d samples, %v", len(cut), err)
	}
	for name, bad := range map[string][]byte{
		"empty": nil, "not RIFF": []byte("ID3\x04 this is an MP3 file"), "no data": whole[:30], "9 channels": wav(1, 9, 8000, 16, 1, 0.1),
		"1 Hz": wav(1, 1, 1, 16, 1, 3), "ADPCM": wav(2, 1, 8000, 4, 1, 0), "a web page": []byte("<html><title>404</title></html>"),
	} {
		if _, err := media.DecodeWAV(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func FuzzDecodeWAV(f *testing.F) {
	f.Add(wav(1, 2, 44100, 16, 440, 0.01))
	f.Add(wav(3, 1, 8000, 32, 440, 0.01))
	f.Add([]byte("RIFF\xff\xff\xff\xffWAVEdata\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) { _, _ = media.DecodeWAV(data) })
}

func TestWAVWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.wav")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := media.NewWAVWriter(file, media.Rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	sound := media.Tone(440, 200*time.Millisecond)
	for _, part := range [][]int16{sound[:1000], sound[1000:]} {
		if err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	_ = file.Close()
	data, _ := os.ReadFile(path)
	got, err := media.DecodeWAV(data)
	if err != nil || len(got) != len(sound) || binary.LittleEndian.Uint32(data[4:]) != uint32(len(data)-8) {
		t.Fatalf("%d samples of %d: %v", len(got), len(sound), err)
	}
	for i := range got {
		if got[i] != sound[i] {
			t.Fatalf("sample %d differs", i)
		}
	}
	if string(media.EncodeWAV(sound)) != string(data) {
		t.Error("EncodeWAV writes another file")
	}
}
