// Which locales the package speaks, and what Node calls them. Shared by generate.mjs and golden.mjs.

export const languages = ['ar', 'bn', 'de', 'en', 'es', 'fr', 'gu', 'hi', 'id', 'it', 'ja', 'kn', 'ko', 'ml', 'mr',
  'nl', 'pa', 'pl', 'pt', 'ru', 'ta', 'te', 'tr', 'zh']

const scripts = ['Arab', 'Beng', 'Cyrl', 'Deva', 'Dsrt', 'Guru', 'Hans', 'Hant', 'Latn', 'Shaw']
const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ']
const regions = [...letters.flatMap(a => letters.map(b => a + b)), '001', '150', '419']

// Numbering systems beside latn which a language's people write.
const native = { ar: 'arab', bn: 'beng', gu: 'gujr', hi: 'deva', kn: 'knda', ml: 'mlym', mr: 'deva', pa: 'guru', ta: 'tamldec', te: 'telu' }

export const zeros = { latn: 0x30, arab: 0x660, arabext: 0x6f0, deva: 0x966, beng: 0x9e6, guru: 0xa66, gujr: 0xae6, tamldec: 0xbe6, telu: 0xc66, knda: 0xce6, mlym: 0xd66 }

/** Tags of a language for which this Node has data of their own. */
export function localesOf(language) {
  const stems = [language, ...scripts.map(s => `${language}-${s}`)].filter(known)
  return stems.flatMap(stem => [stem, ...regions.map(r => `${stem}-${r}`).filter(known)])
}

function known(tag) {
  return Intl.NumberFormat.supportedLocalesOf([tag])[0] === tag && new Intl.NumberFormat(tag).resolvedOptions().locale === tag
}

export function numberingSystemsOf(tag) {
  const own = new Intl.NumberFormat(tag).resolvedOptions().numberingSystem
  return [...new Set([own, 'latn', native[tag.split('-')[0]] ?? 'latn'])]
}

/** ISO 4217 codes in use. */
export const currencies = ('AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP ' +
  'CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES ' +
  'KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN ' +
  'PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SOS SRD SSP STN SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS ' +
  'VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW').split(' ')
