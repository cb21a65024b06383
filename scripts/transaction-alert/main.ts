// A transaction alert: the customer is called and hears one announcement.
import { pcmo } from 'piopiy/pcmo'
import { account, phone } from 'piopiy/account'

/** Calls a customer: `piopiyd run transaction-alert alert '"14155550199"'`. */
export function alert(customer: string) {
  const announcement = pcmo().play(env.ANNOUNCEMENT ?? 'transaction_alert.wav')
  return account().voice.call(phone(customer), phone(env.FROM ?? '14155550100'), announcement, {
    extra_params: { alert: crypto.randomUUID() },
  })
}

/** Alerts that nobody heard are worth a second look. */
export function cdr(record: CDR) {
  if (record.status === 'missed') console.warn(`${record.to} did not hear the alert ${record.extraParams}`)
}
