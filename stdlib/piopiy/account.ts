// The app's own account on the platform, for scripts that place calls.
import { Piopiy, type ClassicClient } from 'piopiy'

/**
 * A client of the platform's REST API with the app's credentials, which its configuration hands it as
 * env.PIOPIY_APPID and env.PIOPIY_SECRET.
 * @throws Error when one of them is not configured
 */
export function account(): ClassicClient {
  const appid = Number(env.require('PIOPIY_APPID'))
  if (!Number.isInteger(appid)) throw new TypeError('PIOPIY_APPID is not the number of an app')
  return new Piopiy(appid, env.require('PIOPIY_SECRET'))
}

/**
 * A phone number as the SDK wants it: a number. Takes "+1 415 555-0101", "14155550101" and 14155550101.
 * @throws TypeError for what is not digits with country code
 */
export function phone(value: string | number): number {
  const digits = String(value).replace(/^\+|[\s().-]/g, '')
  if (!/^[1-9]\d{6,14}$/.test(digits)) {
    throw new TypeError(`${JSON.stringify(value)} is not a phone number: write digits with country code, such as 14155550101`)
  }
  return Number(digits)
}
