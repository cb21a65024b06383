package guard

import (
	"slices"
	"unicode"
)

// merge flattens tables into sorted ranges that do not touch.
func merge(tables []*unicode.RangeTable) [][2]rune {
	var all [][2]rune
	add := func(lo, hi, stride rune) {
		if stride == 1 {
			all = append(all, [2]rune{lo, hi})
			return
		}
		for r := lo; r <= hi; r += stride {
			all = append(all, [2]rune{r, r})
		}
	}
	for _, t := range tables {
		for _, r := range t.R16 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
		for _, r := range t.R32 {
			add(rune(r.Lo), rune(r.Hi), rune(r.Stride))
		}
	}
	slices.SortFunc(all, func(a, b [2]rune) int { return int(a[0] - b[0]) })
	out := all[:0]
	for _, r := range all {
		if n := len(out); n > 0 && r[0] <= out[n-1][1]+1 {
			out[n-1][1] = max(out[n-1][1], r[1])
			continue
		}
		out = append(out, r)
	}
	return out
}

// complement returns the characters outside of merged ranges.
func complement(ranges [][2]rune) (out [][2]rune) {
	next := rune(0)
	for _, r := range ranges {
		if r[0] > next {
			out = append(out, [2]rune{next, r[0] - 1})
		}
		next = r[1] + 1
	}
	if next <= unicode.MaxRune {
		out = append(out, [2]rune{next, unicode.MaxRune})
	}
	return out
}
