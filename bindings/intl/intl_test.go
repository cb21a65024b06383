package intl_test

import (
	"strings"
	"testing"

	"github.com/dop251/goja"
	"github.com/google/go-cmp/cmp"

	"github.com/piopiy/piopiyd/bindings/intl"
)

// TestAnswers are the uses that call scripts have, spelled out.
func TestAnswers(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		// Opening hours.
		{"d.toLocaleString('en-GB', { timeZone: 'Asia/Kolkata' })", "04/03/2026, 10:36:07"},
		{"d.toLocaleTimeString('en-US', { timeZone: 'America/New_York', hour: 'numeric', minute: '2-digit' })", "12:06 AM"},
		{"d.toLocaleTimeString('en-GB', { timeZone: 'Asia/Kolkata', hour: '2-digit', minute: '2-digit' })", "10:36"},
		{"d.toLocaleDateString('en-IN', { timeZone: 'Asia/Kolkata', weekday: 'long', day: 'numeric', month: 'long' })", "Wednesday, 4 March"},
		{"d.toLocaleDateString('hi-IN', { timeZone: 'Asia/Kolkata', dateStyle: 'full' })", "बुधवार, 4 मार्च 2026"},
		{"d.toLocaleString('en-US', { timeZone: 'America/New_York', hour: 'numeric', hourCycle: 'h23' })", "00"},
		{"d.toLocaleString('en-US', { timeZone: 'Asia/Kolkata', weekday: 'short' })", "Wed"},
		{"d.toLocaleString()", "3/4/2026, 5:06:07 AM"},
		{"d.toLocaleDateString()", "3/4/2026"},
		{"d.toLocaleTimeString()", "5:06:07 AM"},
		{"d.toLocaleString('en-US', { timeZone: '+05:30', timeZoneName: 'short' })", "3/4/2026, 10:36:07 AM GMT+5:30"},
		{"d.toLocaleString('en-US', { timeZone: '-0930', timeStyle: 'short' })", "7:36 PM"},
		{"d.toLocaleTimeString('en-US', { timeZone: 'aSiA/kOlKaTa', timeStyle: 'full' })", "10:36:07 AM India Standard Time"},
		{"new Date(NaN).toLocaleString('en-IN')", "Invalid Date"},
		{"new Date(-62198755200000).toLocaleDateString('en-US')", "1/1/2"},
		{"new Intl.DateTimeFormat('en-US', { timeZone: 'Asia/Kolkata', hour: 'numeric', hourCycle: 'h23' }).formatToParts(d).find(p => p.type === 'hour').value", "10"},
		{"new Intl.DateTimeFormat().resolvedOptions().timeZone", "UTC"},
		{"new Intl.DateTimeFormat('en', { timeZone: 'asia/kolkata' }).resolvedOptions().timeZone", "Asia/Kolkata"},
		{"new Intl.DateTimeFormat('en-GB', { dateStyle: 'short', timeStyle: 'short' }).format()", "04/03/2026, 05:06"},
		{"[d, d].toLocaleString()", "3/4/2026, 5:06:07 AM,3/4/2026, 5:06:07 AM"},
		// Amounts.
		{"(1234567.5).toLocaleString('en-IN')", "12,34,567.5"},
		{"(1234567.5).toLocaleString('en-IN', { style: 'currency', currency: 'INR' })", "₹12,34,567.50"},
		{"(1234567.5).toLocaleString()", "1,234,567.5"},
		{"(0.256).toLocaleString('en', { style: 'percent', maximumFractionDigits: 1 })", "25.6%"},
		{"(5).toLocaleString('de', { style: 'currency', currency: 'EUR' })", "5,00\u00a0€"},
		{"(1500).toLocaleString('ja', { style: 'currency', currency: 'JPY' })", "￥1,500"},
		{"[1234.5, 2].toLocaleString()", "1,234.5,2"},
		{"[1, 2].map(new Intl.NumberFormat('en', { minimumFractionDigits: 2 }).format).join(' ')", "1.00 2.00"},
		{"new Intl.NumberFormat('en').format('123456789012345678901234567890.123')", "123,456,789,012,345,678,901,234,567,890.123"},
		{"new Intl.NumberFormat('en').format(12345678901234567890n)", "12,345,678,901,234,567,890"},
		{"['0x1f', 'abc', '', ' 12 ', '1e25', '-0', '-Infinity'].map(new Intl.NumberFormat('en').format).join('|')", "31|NaN|0|12|10,000,000,000,000,000,000,000,000|-0|-∞"},
		{"[null, undefined, true, new Number(3), {}, []].map(v => new Intl.NumberFormat('en').format(v)).join('|')", "0|NaN|1|3|NaN|0"},
		{"new Intl.NumberFormat('hi-u-nu-deva').format(123456)", "१,२३,४५६"},
		// Words.
		{"new Intl.PluralRules('en', { type: 'ordinal' }).select(22)", "two"},
		{"new Intl.ListFormat('en').format(['sales', 'support', 'billing'])", "sales, support, and billing"},
		{"new Intl.RelativeTimeFormat('en', { numeric: 'auto' }).format(-1, 'day')", "yesterday"},
		{"['b', 'ä', 'a'].sort(new Intl.Collator('de').compare).join('')", "aäb"},
		{"'résumé'.localeCompare('resume', 'en', { sensitivity: 'base' })", "0"},
		{"['10', '9'].sort((a, b) => a.localeCompare(b, undefined, { numeric: true })).join()", "9,10"},
		{"'title'.toLocaleUpperCase('tr') + 'TITLE'.toLocaleLowerCase('tr-TR')", "TİTLEtıtle"},
		{"'straße'.toLocaleUpperCase() + 'ÀB'.toLocaleLowerCase('en')", "STRASSEàb"},
		// Locales.
		{"Intl.getCanonicalLocales(['EN-us', 'zh-hANS-cn', 'en-UK', 'en-u-hc-h23-ca-gregory']).join()", "en-US,zh-Hans-CN,en-GB,en-u-ca-gregory-hc-h23"},
		{"new Intl.NumberFormat(['xx', 'de']).resolvedOptions().locale", "de"},
		{"['en-ZZ', 'es-IN', 'zh-Hant-SG', 'in-ID', 'pt-FR', 'en-UK', 'en-Latn-IN'].map(l => new Intl.DateTimeFormat(l).resolvedOptions().locale).join()", "en,es,zh-Hant,id-ID,pt,en-GB,en"},
		{"Intl.DateTimeFormat.supportedLocalesOf(['en-ZZ', 'xx', 'hi']).join()", "en-ZZ,hi"},
		{"new Intl.DateTimeFormat('en-u-hc-h23', { hour: 'numeric', minute: 'numeric' }).resolvedOptions().locale", "en-u-hc-h23"},
		{"Intl.supportedValuesOf('timeZone').includes('Asia/Kolkata')", "true"},
		// Objects.
		{"String(Intl) + Object.prototype.toString.call(new Intl.NumberFormat())", "[object Intl][object Intl.NumberFormat]"},
		{"Intl.DateTimeFormat().constructor === Intl.DateTimeFormat && Intl.NumberFormat('en') instanceof Intl.NumberFormat", "true"},
		{"class F extends Intl.NumberFormat { two(n) { return this.format(n) + '!' } }; const f = new F('en'); f.two(1) + (f instanceof F)", "1!true"},
		{"const f = new Intl.NumberFormat('en'); f.format === f.format && f.format.length + f.format.name", "1"},
		{"Object.keys(Intl.DateTimeFormat.prototype).length + Intl.DateTimeFormat.name + Intl.DateTimeFormat.length", "0DateTimeFormat0"},
		{"Date.prototype.toLocaleString.name + Number.prototype.toLocaleString.name + String.prototype.localeCompare.length", "toLocaleStringtoLocaleString1"},
		{"Object.getOwnPropertyDescriptor(Date.prototype, 'toLocaleString').enumerable", "false"},
		{"JSON.stringify(new Intl.NumberFormat('en').formatToParts(-1.5))", `[{"type":"minusSign","value":"-"},{"type":"integer","value":"1"},{"type":"decimal","value":"."},{"type":"fraction","value":"5"}]`},
	} {
		vm := newVM(t, intl.Options{})
		if _, err := vm.RunString("const d = new Date(1772600767000)"); err != nil {
			t.Fatal(err)
		}
		v, err := vm.RunString(c.code)
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		if diff := cmp.Diff(c.want, v.String()); diff != "" {
			t.Errorf("%s: -want +got\n%s", c.code, diff)
		}
	}
}

// TestRefusals are what the package does not know: an error, which says what would do.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ code, kind, says string }{
		{"new Date().toLocaleString('sv')", "RangeError", `"sv" is not supported by piopiyd; supported languages, with all their regions: ar, bn, de, en`},
		{"new Date().toLocaleString('en_US')", "RangeError", `"en_US" is not a language tag`},
		{"new Date().toLocaleString(null)", "TypeError", "locale is null"},
		{"new Date().toLocaleString([5])", "TypeError", "locale 0"},
		{"new Date().toLocaleString('en', null)", "TypeError", "options is null"},
		{"new Date().toLocaleString('en', { timezone: 'Asia/Kolkata' })", "TypeError", `unknown option "timezone"; did you mean "timeZone"?`},
		{"new Date().toLocaleString('en', { timeZone: 'India/Delhi' })", "RangeError", `"India/Delhi" is no time zone; use an IANA name`},
		{"new Date().toLocaleString('en', { timeZone: '' })", "RangeError", "is no time zone"},
		{"new Date().toLocaleString('en', { timeZone: '../../etc/passwd' })", "RangeError", "is no time zone"},
		{"new Date().toLocaleString('en', { timeZone: '+25:00' })", "RangeError", "is no time zone"},
		{"new Date().toLocaleString('en', { hour: 'two-digit' })", "RangeError", `hour: "two-digit" is not one of numeric, 2-digit`},
		{"new Date().toLocaleString('en', { era: 'short' })", "RangeError", "era is not supported"},
		{"new Date().toLocaleString('en', { calendar: 'indian' })", "RangeError", "supported: gregory"},
		{"new Date().toLocaleString('en-u-ca-buddhist')", "RangeError", "supported: gregory"},
		{"new Date().toLocaleString('en', { numberingSystem: 'thai' })", "RangeError", "supported: latn"},
		{"new Date().toLocaleString('en', { timeZoneName: 'longGeneric' })", "RangeError", "supported: short, long, shortOffset, longOffset"},
		{"new Date().toLocaleString('en', { dateStyle: 'full', hour: 'numeric' })", "TypeError", "cannot be combined"},
		{"new Date().toLocaleDateString('en', { timeStyle: 'short' })", "TypeError", "use toLocaleString"},
		{"new Date().toLocaleTimeString('en', { dateStyle: 'short' })", "TypeError", "use toLocaleString"},
		{"new Date().toLocaleString('en', { fractionalSecondDigits: 2 })", "RangeError", "fractionalSecondDigits needs minute and second"},
		{"new Date().toLocaleString('en', { fractionalSecondDigits: 9, second: 'numeric' })", "RangeError", "between 1 and 3"},
		{"new Date(-1e12).toLocaleString('en', { timeZone: 'Asia/Kolkata', timeZoneName: 'long' })", "RangeError", "names of Asia/Kolkata are known from 1970"},
		{"new Intl.DateTimeFormat('en').format(NaN)", "RangeError", "invalid"},
		{"new Intl.DateTimeFormat('en').formatRange(0, 1)", "TypeError", "formatRange is not supported"},
		{"Intl.DateTimeFormat.prototype.formatToParts.call({})", "TypeError", "no Intl.DateTimeFormat"},
		{"Date.prototype.toLocaleDateString.call(5)", "TypeError", "no Date"},
		{"Number.prototype.toLocaleString.call('5')", "TypeError", "no Number"},
		{"String.prototype.localeCompare.call(null, 'a')", "TypeError", "null"},
		{"(1).toLocaleString('en', { style: 'currency' })", "TypeError", "needs a currency"},
		{"(1).toLocaleString('en', { style: 'currency', currency: 'RUPEE' })", "RangeError", `"RUPEE" is not a currency in use`},
		{"(1).toLocaleString('en', { style: 'unit', unit: 'meter' })", "RangeError", `style: "unit" is not supported by piopiyd; supported: decimal, percent, currency`},
		{"(1).toLocaleString('en', { notation: 'compact' })", "RangeError", "supported: standard"},
		{"(1).toLocaleString('en', { maximumFractionDigits: 101 })", "RangeError", "between 0 and 20"},
		{"(1).toLocaleString('en', { minimumFractionDigits: 3, maximumFractionDigits: 1 })", "RangeError", "more than maximumFractionDigits"},
		{"(1).toLocaleString('en', { roundingIncrement: 5, maximumFractionDigits: 2 })", "RangeError", "roundingIncrement: 5 is not supported"},
		{"new Intl.NumberFormat('en').format(Symbol())", "TypeError", "Symbol"},
		{"new Intl.DateTimeFormat('en').format(Symbol())", "TypeError", "Symbol"},
		{"(1).toLocaleString('en-DE', { style: 'currency', currency: 'EUR', currencyDisplay: 'name' })", "RangeError", "supported: symbol, narrowSymbol, code"},
		{"new Intl.Segmenter()", "TypeError", "Intl.Segmenter is not supported by piopiyd"},
		{"new Intl.DisplayNames('en', { type: 'region' })", "TypeError", "Intl.DisplayNames is not supported by piopiyd"},
		{"Intl.PluralRules('en')", "TypeError", "must be called with new"},
		{"new Intl.RelativeTimeFormat('en').format(1, 'fortnight')", "RangeError", `"fortnight" is not one of second, minute`},
		{"new Intl.RelativeTimeFormat('en').format(Infinity, 'day')", "RangeError", "finite"},
		{"new Intl.ListFormat('en').format([1])", "TypeError", "item 0"},
		{"'a'.localeCompare('b', 'hi')", "RangeError", `"hi" is not supported by piopiyd for comparing`},
		{"'a'.localeCompare('b', 'en', { caseFirst: 'upper' })", "RangeError", "supported: false"},
		{"'a'.localeCompare('b', 'en', { sensitivity: 'case' })", "RangeError", "supported: variant, accent, base"},
		{"'a'.localeCompare('b', 'en', { ignorePunctuation: true })", "RangeError", "ignorePunctuation"},
		{"new Intl.Collator('de-u-co-phonebk')", "RangeError", "collation"},
		{"Intl.supportedValuesOf('planet')", "RangeError", "planet"},
		{"Intl.getCanonicalLocales('e')", "RangeError", "not a language tag"},
	} {
		vm := newVM(t, intl.Options{})
		_, err := vm.RunString(c.code)
		ex, ok := err.(*goja.Exception)
		if !ok {
			t.Errorf("%s: no exception: %v", c.code, err)
			continue
		}
		kind := ex.Value().(*goja.Object).Get("name").String()
		message := ex.Value().(*goja.Object).Get("message").String()
		if kind != c.kind || !strings.Contains(message, c.says) {
			t.Errorf("%s:\n got %s: %s\nwant %s: …%s…", c.code, kind, message, c.kind, c.says)
		}
	}
}

func TestDefaultTimeZone(t *testing.T) {
	vm := newVM(t, intl.Options{TimeZone: "Asia/Kolkata"})
	for code, want := range map[string]string{
		"new Date(0).toLocaleTimeString('en-GB')":                   "05:30:00",
		"new Intl.DateTimeFormat().resolvedOptions().timeZone":      "Asia/Kolkata",
		"new Date(0).toLocaleTimeString('en-GB', {timeZone:'UTC'})": "00:00:00",
	} {
		v, err := vm.RunString(code)
		if err != nil {
			t.Fatal(err)
		}
		if v.String() != want {
			t.Errorf("%s: %s, want %s", code, v, want)
		}
	}
	if _, err := intl.New(intl.Options{TimeZone: "Mars/Olympus"}); err == nil {
		t.Error("a zone that does not exist was accepted")
	}
}

// TestConcurrent uses the shared caches from several VMs at once; run it with -race.
func TestConcurrent(t *testing.T) {
	for range 8 {
		t.Run("vm", func(t *testing.T) {
			t.Parallel()
			vm := newVM(t, intl.Options{})
			_, err := vm.RunString(`for (const l of ['en-IN', 'hi', 'ta', 'ar-EG', 'de', 'fr-CA']) for (let i = 0; i < 30; i++) {
				new Date(i * 1e11).toLocaleString(l, { timeZone: 'Asia/Kolkata', dateStyle: 'full' });
				(i * 1e5).toLocaleString(l, { minimumFractionDigits: i % 20, maximumFractionDigits: 20 });
				'a'.localeCompare('b');
				new Intl.RelativeTimeFormat(l).format(i, 'day') + new Intl.ListFormat(l).format(['a', 'b']);
			}`)
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// FuzzOptions gives every constructor whatever options: it may throw TypeError or RangeError, but no Go panic, and
// must answer one or the other.
func FuzzOptions(f *testing.F) {
	for _, seed := range []struct{ locale, options string }{
		{"en-IN", `{"timeZone":"Asia/Kolkata","hour":"numeric","fractionalSecondDigits":3}`},
		{"hi-u-nu-deva-hc-h11", `{"style":"currency","currency":"INR","minimumSignificantDigits":"3"}`},
		{"zh-Hant-x-a-b", `{"dateStyle":"full","timeStyle":"long","hour12":false}`},
		{"en-t-hi-a-foo", `{"numeric":"auto","style":"narrow","type":"ordinal","maximumFractionDigits":1e300}`},
		{"", `[]`}, {"-", `"x"`}, {"en-u", `{"timeZone":"+99"}`}, {"ar", `{"minimumIntegerDigits":21,"useGrouping":"min2","signDisplay":"negative"}`},
	} {
		f.Add(seed.locale, seed.options)
	}
	vm := newVM(f, intl.Options{})
	v, err := vm.RunString(`(locale, text) => {
		let options
		try { options = JSON.parse(text) } catch { return }
		for (const use of [
			() => new Date(1e12).toLocaleString(locale, options), () => new Intl.DateTimeFormat(locale, options).formatToParts(-1e14),
			() => (-1234.5678).toLocaleString(locale, options), () => new Intl.NumberFormat(locale, options).formatToParts(1e-300),
			() => new Intl.NumberFormat('en', options).format(text),
			() => new Intl.NumberFormat(locale, options).resolvedOptions(), () => new Intl.DateTimeFormat(locale, options).resolvedOptions(),
			() => new Intl.PluralRules(locale, options).select(12.5), () => new Intl.ListFormat(locale, options).format(['a', locale]),
			() => new Intl.RelativeTimeFormat(locale, options).format(-1.5, 'day'), () => locale.localeCompare(text, locale, options),
			() => locale.toLocaleUpperCase(locale), () => Intl.getCanonicalLocales(locale),
		]) try { use() } catch (e) { if (!(e instanceof TypeError || e instanceof RangeError)) throw e }
	}`)
	if err != nil {
		f.Fatal(err)
	}
	call, _ := goja.AssertFunction(v)
	f.Fuzz(func(t *testing.T, locale, options string) {
		if _, err := call(goja.Undefined(), vm.ToValue(locale), vm.ToValue(options)); err != nil {
			t.Fatal(err)
		}
	})
}
