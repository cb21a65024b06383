package main

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// every is how many loop turns and calls pass between two ticks: some microseconds of work.
const every = 1 << 14

// ticker rewrites a module's sections, in their order, so that every loop and every function counts down a global
// and calls an imported function when it has come to zero. The import moves the functions of the module up by one.
type ticker struct {
	kind    uint64 // the type of the import: func()
	tick    uint64 // its index
	counter uint64 // the global's index
}

func (t *ticker) section(id byte, body []byte) ([]byte, error) {
	r := &reader{data: body}
	switch id {
	case typeSection:
		t.kind = r.unsigned()
		out := append(binary.AppendUvarint(nil, t.kind+1), r.data...)
		return append(out, 0x60, 0, 0), nil
	case importSection:
		return t.imports(r)
	case globalSection:
		t.counter = r.unsigned()
		out := append(binary.AppendUvarint(nil, t.counter+1), r.data...)
		out = append(out, 0x7f, 1, 0x41) // mutable i32
		return append(appendSigned(out, every), 0x0b), nil
	case exportSection:
		return t.exports(r)
	case startSection:
		return nil, errors.New("a start section")
	case elementSection:
		return t.elements(r)
	case codeSection:
		return t.code(r)
	}
	return body, nil
}

func (t *ticker) imports(r *reader) ([]byte, error) {
	t.tick = r.unsigned()
	out := append(binary.AppendUvarint(nil, t.tick+1), r.data...)
	for range t.tick {
		r.bytes(r.unsigned()) // module
		r.bytes(r.unsigned()) // name
		if r.bytes(1)[0] != 0 {
			return nil, errors.New("an import that is no function")
		}
		r.unsigned()
	}
	for _, name := range []string{"piopiyd", "tick"} {
		out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
	}
	return binary.AppendUvarint(append(out, 0), t.kind), nil
}

// moved is a function's new index.
func (t *ticker) moved(index uint64) uint64 {
	if index >= t.tick {
		index++
	}
	return index
}

func (t *ticker) exports(r *reader) ([]byte, error) {
	n := r.unsigned()
	out := binary.AppendUvarint(nil, n)
	for range n {
		name := r.bytes(r.unsigned())
		kind := r.bytes(1)[0]
		index := r.unsigned()
		if kind == 0 {
			index = t.moved(index)
		}
		out = append(binary.AppendUvarint(out, uint64(len(name))), name...)
		out = binary.AppendUvarint(append(out, kind), index)
	}
	return out, nil
}

func (t *ticker) elements(r *reader) ([]byte, error) {
	n := r.unsigned()
	out := binary.AppendUvarint(nil, n)
	for range n {
		if kind, op := r.unsigned(), r.bytes(1)[0]; kind != 0 || op != 0x41 {
			return nil, errors.New("an element segment of another kind")
		}
		out = appendSigned(append(out, 0, 0x41), r.signed())
		out = append(out, r.bytes(1)...)
		count := r.unsigned()
		out = binary.AppendUvarint(out, count)
		for range count {
			out = binary.AppendUvarint(out, t.moved(r.unsigned()))
		}
	}
	return out, nil
}

func (t *ticker) code(r *reader) ([]byte, error) {
	n := r.unsigned()
	out := binary.AppendUvarint(nil, n)
	for i := range n {
		body, err := t.function(&reader{data: r.bytes(r.unsigned())})
		if err != nil {
			return nil, fmt.Errorf("function %d: %w", i, err)
		}
		out = append(binary.AppendUvarint(out, uint64(len(body))), body...)
	}
	return out, nil
}

// countdown is the code that counts.
func (t *ticker) countdown(out []byte) []byte {
	global := func(op byte) { out = binary.AppendUvarint(append(out, op), t.counter) }
	global(0x23)                        // global.get
	out = append(out, 0x41, 1, 0x6b)    // i32.const 1, i32.sub
	global(0x24)                        // global.set
	global(0x23)                        // global.get
	out = append(out, 0x45, 0x04, 0x40) // i32.eqz, if
	out = appendSigned(append(out, 0x41), every)
	global(0x24)
	out = binary.AppendUvarint(append(out, 0x10), t.tick) // call
	return append(out, 0x0b)
}

func (t *ticker) function(r *reader) ([]byte, error) {
	whole := r.data
	for range r.unsigned() { // locals
		r.unsigned()
		r.bytes(1)
	}
	out := append([]byte(nil), whole[:len(whole)-len(r.data)]...)
	out = t.countdown(out)
	for len(r.data) > 0 {
		before := r.data
		op := r.bytes(1)[0]
		switch op {
		case 0x10, 0xd2: // call, ref.func
			out = binary.AppendUvarint(append(out, op), t.moved(r.unsigned()))
			continue
		default:
			if err := immediates(op, r); err != nil {
				return nil, err
			}
		}
		out = append(out, before[:len(before)-len(r.data)]...)
		if op == 0x03 { // loop
			out = t.countdown(out)
		}
	}
	return out, nil
}

// immediates reads what follows an opcode (WebAssembly core specification 2.0, 5.4).
func immediates(op byte, r *reader) error {
	switch {
	case op == 0x02, op == 0x03, op == 0x04: // block, loop, if
		r.signed()
	case op == 0x0e: // br_table
		for range r.unsigned() {
			r.unsigned()
		}
		r.unsigned()
	case op == 0x11: // call_indirect
		r.unsigned()
		r.unsigned()
	case op == 0x0c, op == 0x0d, op >= 0x20 && op <= 0x26, op == 0x3f, op == 0x40: // br, locals, globals, memory.size
		r.unsigned()
	case op == 0x1c: // select
		r.bytes(r.unsigned())
	case op >= 0x28 && op <= 0x3e: // loads and stores
		r.unsigned()
		r.unsigned()
	case op == 0x41, op == 0x42: // integers
		r.signed()
	case op == 0x43:
		r.bytes(4)
	case op == 0x44:
		r.bytes(8)
	case op == 0xfc:
		switch sub := r.unsigned(); {
		case sub <= 7: // conversions
		case sub == 10: // memory.copy
			r.bytes(2)
		case sub == 11: // memory.fill
			r.bytes(1)
		default:
			return fmt.Errorf("opcode 0xfc %d", sub)
		}
	case op <= 0x01, op == 0x05, op == 0x0b, op == 0x0f, op == 0x1a, op == 0x1b, op >= 0x45 && op <= 0xc4:
	default:
		return fmt.Errorf("opcode %#x", op)
	}
	return nil
}
