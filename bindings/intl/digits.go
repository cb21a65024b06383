package intl

// digitOptions say how many digits a number is written with (ECMA-402 SetNumberFormatDigitOptions).
type digitOptions struct {
	whole, minFraction, maxFraction int
	minSignificant, maxSignificant  int // 0: fraction digits count
	rounding                        string
	stripZeros                      bool // trailingZeroDisplay: stripIfInteger
}

const digitNames = "minimumIntegerDigits minimumFractionDigits maximumFractionDigits minimumSignificantDigits maximumSignificantDigits " +
	"roundingIncrement roundingMode roundingPriority trailingZeroDisplay "

// readDigits reads the digit options; least and most are the fraction digits when nothing is said.
func readDigits(b *bag, least, most int) digitOptions {
	d := digitOptions{whole: b.number("minimumIntegerDigits", 1, 21, 1)}
	low, high := b.number("minimumFractionDigits", 0, 20, -1), b.number("maximumFractionDigits", 0, 20, -1)
	smin, smax := b.value("minimumSignificantDigits"), b.value("maximumSignificantDigits")
	if n := b.number("roundingIncrement", 1, 5000, 1); n != 1 {
		b.fail(rangeError("Intl.%s: roundingIncrement: %d is not supported by piopiyd; supported: 1", b.class, n))
	}
	d.rounding = b.choice("roundingMode", "ceil", "floor", "expand", "trunc", "halfCeil", "halfFloor", "halfExpand", "halfTrunc", "halfEven")
	if d.rounding == "" {
		d.rounding = "halfExpand"
	}
	b.only("roundingPriority", "morePrecision lessPrecision", "auto")
	d.stripZeros = b.choice("trailingZeroDisplay", "auto", "stripIfInteger") == "stripIfInteger"
	if smin != nil || smax != nil {
		d.minSignificant = b.number("minimumSignificantDigits", 1, 21, 1)
		d.maxSignificant = b.number("maximumSignificantDigits", 1, 21, 21)
		if d.minSignificant > d.maxSignificant {
			b.fail(rangeError("Intl.%s: minimumSignificantDigits: %d is more than maximumSignificantDigits: %d", b.class, d.minSignificant, d.maxSignificant))
		}
		return d
	}
	switch {
	case low >= 0 && high >= 0:
		if low > high {
			b.fail(rangeError("Intl.%s: minimumFractionDigits: %d is more than maximumFractionDigits: %d", b.class, low, high))
		}
		least, most = low, high
	case low >= 0:
		least, most = low, max(most, low)
	case high >= 0:
		least, most = min(least, high), high
	}
	d.minFraction, d.maxFraction = least, most
	return d
}

// apply rounds a number and writes its digits.
func (o digitOptions) apply(d decimal) (rounded decimal, whole, fraction string) {
	minFraction := o.minFraction
	if o.maxSignificant > 0 {
		d = d.round(o.maxSignificant, o.rounding)
		minFraction = max(o.minSignificant-d.point, 0)
		if d.zero() {
			minFraction = o.minSignificant - 1
		}
	} else {
		d = d.round(d.point+o.maxFraction, o.rounding)
	}
	whole, fraction = d.split(o.whole, minFraction)
	if o.stripZeros && allZero(fraction) {
		fraction = ""
	}
	return d, whole, fraction
}

func allZero(s string) bool {
	for i := range len(s) {
		if s[i] != '0' {
			return false
		}
	}
	return true
}

// resolved lists the options for resolvedOptions.
func (o digitOptions) resolved() []any {
	if o.maxSignificant > 0 {
		return []any{"minimumIntegerDigits", o.whole, "minimumSignificantDigits", o.minSignificant, "maximumSignificantDigits", o.maxSignificant}
	}
	return []any{"minimumIntegerDigits", o.whole, "minimumFractionDigits", o.minFraction, "maximumFractionDigits", o.maxFraction}
}
