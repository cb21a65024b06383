package audio

// The laws of ITU-T G.711: 8 bits a sample, which telephony has carried since there were digital exchanges.

// AppendMuLaw appends samples in mu-law, one octet each.
func AppendMuLaw(dst []byte, samples []int16) []byte {
	for _, s := range samples {
		dst = append(dst, toMuLaw[uint16(s)>>2])
	}
	return dst
}

// AppendALaw appends samples in A-law, one octet each.
func AppendALaw(dst []byte, samples []int16) []byte {
	for _, s := range samples {
		dst = append(dst, toALaw[uint16(s)>>3])
	}
	return dst
}

// FromMuLaw appends the samples of mu-law octets.
func FromMuLaw(dst []int16, data []byte) []int16 {
	for _, b := range data {
		dst = append(dst, fromMuLaw[b])
	}
	return dst
}

// FromALaw appends the samples of A-law octets.
func FromALaw(dst []int16, data []byte) []int16 {
	for _, b := range data {
		dst = append(dst, fromALaw[b])
	}
	return dst
}

// The tables are indexed by the octet, and by the sample without the low bits that the law does not see.
var (
	fromMuLaw, fromALaw = decodeTables()
	toMuLaw             = muLawTable()
	toALaw              = aLawTable()
)

func decodeTables() (mu, a [256]int16) {
	for i := range 256 {
		u := ^byte(i)
		t := (int(u&0x0F)<<3 + muBias) << (u & 0x70 >> 4)
		mu[i] = int16(t - muBias)
		if u&0x80 != 0 {
			mu[i] = int16(muBias - t)
		}
		v := byte(i) ^ 0x55
		t = int(v&0x0F)<<4 + 8
		if segment := v & 0x70 >> 4; segment > 0 {
			t = (t + 0x100) << (segment - 1)
		}
		a[i] = int16(t)
		if v&0x80 == 0 {
			a[i] = int16(-t)
		}
	}
	return mu, a
}

// muBias is added to magnitudes, so that every segment begins at a power of two.
const muBias = 0x84

func muLawTable() (table [1 << 14]byte) {
	for i := range table {
		v := int(int16(i << 2))
		sign := byte(0)
		if v < 0 {
			v, sign = -v, 0x80
		}
		v = min(v, 32635) + muBias
		segment := 7
		for ; segment > 0 && v < 128<<segment; segment-- {
		}
		table[i] = ^(sign | byte(segment<<4) | byte(v>>(segment+3))&0x0F)
	}
	return table
}

func aLawTable() (table [1 << 13]byte) {
	for i := range table {
		v := int(int16(i << 3))
		mask := byte(0xD5)
		if v < 0 {
			v, mask = ^v, 0x55
		}
		code := byte(v >> 4)
		if v >= 256 {
			segment := 7
			for ; v < 128<<segment; segment-- {
			}
			code = byte(segment<<4) | byte(v>>(segment+3))&0x0F
		}
		table[i] = code ^ mask
	}
	return table
}
