// Opening hours: is a business open now, in its own time zone?

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

interface Span { days: boolean[]; from: number; to: number }

/** Minutes since midnight of "HH:MM"; "24:00" is the end of the day. */
function minutes(text: string, plan: string): number {
  const match = /^(\d{1,2}):(\d{2})$/.exec(text)
  const value = match ? Number(match[1]) * 60 + Number(match[2]) : NaN
  if (!match || Number(match[2]) > 59 || value > 24 * 60) throw new TypeError(`hours: ${JSON.stringify(text)} in ${JSON.stringify(plan)} is not a time such as 09:30`)
  return value
}

function dayIndex(text: string, plan: string): number {
  const index = days.indexOf(text)
  if (index < 0) throw new TypeError(`hours: ${JSON.stringify(text)} in ${JSON.stringify(plan)} is not a day; write Mon, Tue, Wed, Thu, Fri, Sat or Sun`)
  return index
}

function parse(plan: string): Span[] {
  return plan.split(/;|,\s/).map(part => {
    const match = /^([A-Za-z,-]+)\s+(\S+?)-(\S+)$/.exec(part.trim())
    if (!match) throw new TypeError(`hours: ${JSON.stringify(part)} is not of the form "Mon-Fri 09:00-18:00"`)
    const on = days.map(() => false)
    for (const range of match[1].split(',')) {
      const [first, last = first] = range.split('-')
      const begin = dayIndex(first, plan)
      const end = dayIndex(last, plan)
      for (let d = begin; ; d = (d + 1) % 7) {
        on[d] = true
        if (d === end) break
      }
    }
    return { days: on, from: minutes(match[2], plan), to: minutes(match[3], plan) }
  })
}

/** The weekday (0 is Sunday) and the minute of the day that a time zone's clocks show. */
function local(at: Date, timeZone: string): { day: number, minute: number } {
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).formatToParts(at)
  const get = (type: string) => parts.find(p => p.type === type)!.value
  return { day: days.indexOf(get('weekday')), minute: Number(get('hour')) * 60 + Number(get('minute')) }
}

export const hours = {
  /**
   * Reports whether a plan such as "Mon-Fri 09:00-18:00; Sat 10:00-14:00" is open.
   * A span whose end is before its beginning runs past midnight.
   * @param plan days and times, spans separated by semicolons
   * @param timeZone the business's IANA time zone, such as "Asia/Kolkata"
   * @param at the time to ask about; now if not given
   * @throws TypeError for a plan that cannot be read, RangeError for an unknown time zone
   */
  open(plan: string, timeZone: string, at: Date = new Date()): boolean {
    const { day, minute } = local(at, timeZone)
    const yesterday = (day + 6) % 7
    return parse(plan).some(span => span.to > span.from
      ? span.days[day] && minute >= span.from && minute < span.to
      : span.days[day] && minute >= span.from || span.days[yesterday] && minute < span.to)
  },
}
