// The smallest useful app: whoever calls hears a greeting. Change the words, save, call again.
import { pcmo } from 'piopiy/pcmo'

export function answer(call: Call) {
  return pcmo()
    .speak(`Hello. You called ${call.to} from ${call.from}. This is your script speaking.`)
    .hangup()
}
