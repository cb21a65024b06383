// What a stub has seen, and who waits for more of it. Waiting looks on from where it last found something.
import { later, atEnd } from 'piopiy/test/native'

export class Seen<T> {
  readonly items: T[] = []
  private next = 0
  private waiting: { fits: (item: T) => boolean, settle: (item: T) => void, fail: (how: string) => void }[] = []

  constructor() {
    atEnd(() => this.waiting.splice(0).forEach(one => one.fail('before the test was over')))
  }

  add(item: T) {
    this.items.push(item)
    this.look()
  }

  /** Waits for an item that fits; what says how a wait that was in vain is told, in which the time is how. */
  wait(fits: (item: T) => boolean, within: string | number | undefined, what: (how: string) => string): Promise<T> {
    const failure = new Error()
    failure.name = 'AssertionError'
    const promise = new Promise<T>((resolve, reject) => {
      const one = {
        fits,
        settle: (item: T) => { cancel(); resolve(item) },
        fail: (how: string) => { failure.message = what(how); reject(failure) },
      }
      const cancel = later(within ?? '2h', () => {
        this.waiting.splice(this.waiting.indexOf(one), 1)
        one.fail('within ' + (within === undefined ? 'two hours' : typeof within === 'number' ? within + ' ms' : within))
      })
      this.waiting.push(one)
    })
    this.look()
    return promise
  }

  private look() {
    while (this.next < this.items.length && this.waiting.length > 0) {
      const item = this.items[this.next++]
      if (this.waiting[0].fits(item)) this.waiting.shift()!.settle(item)
    }
  }
}
