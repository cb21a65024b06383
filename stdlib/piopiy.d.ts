// What a call script can touch, for your editor: put this file beside your apps (piopiyd init does) and every name
// below has its documentation at hand. docs/script-api.md is made from this file, and a test holds both against what
// is really there at run time.

//# The four callbacks
// A script exports at least one of them. They may be sync or async. What `answer` returns is performed on the call;
// what the other three return is ignored. A script may export other functions too; `piopiyd run APP FUNCTION` calls them.

/** Decides what happens to a new call: by verbs, and by what it returns. Returning nothing hangs up when it is done. */
type AnswerCallback = (call: Call) => Reply | Promise<Reply>
/** Hears what happens, live. Delivered at least until it succeeds once: throw, and the event comes again later. */
type EventCallback = (event: CallEvent, call: Call) => unknown
/** Gets the record of each leg when it is over. Delivered like events. */
type CDRCallback = (record: CDR, call: Call) => unknown
/** Gets the call's media stream when a stream was opened to call.streamUrl. It ends when the promise of this function settles. */
type StreamCallback = (socket: Stream, call: Call) => unknown

/** What answer and continuations may return: a builder, an array of actions, or nothing. */
type Reply = PcmoChain | PipelineChain | PcmoDocument | { PCMO(): unknown } | void

/**
 * A function that stands where PIOPIY wants an action_url. It runs in the same session, with the same variables, when
 * the digits have come, and returns what happens next.
 */
type Continuation = (input: CallInput, call: Call) => Reply | Promise<Reply>

/** A length of time: milliseconds as a number, or text such as "500ms", "20s", "2m", "1h30m". */
type Duration = number | DurationText
/** The texts among them; a text made at run time needs `as DurationText`. */
type DurationText = `${number}ms` | `${number}s` | `${number}m` | `${number}h` | `${number}h${number}m` | `${number}m${number}s` | `${number}h${number}m${number}s`

/** A phone number: digits with country code, as text (a leading + is dropped) or as a number. */
type PhoneNumber = string | number

//# The call
// One object for the whole call: what you put on it stays there until the call is over.

/** One phone call, and what can be asked of it: see Verbs below. */
interface Call extends CallVerbs {
  /** The call's id: PIOPIY's cmiuuid. */
  readonly id: string
  /** The name of the app that answers. */
  readonly app: string
  /** What carries the call: "cloud", "sip" or "sim". Scripts need not look. */
  readonly driver: string
  /** Who began it. */
  readonly direction: 'inbound' | 'outbound'
  /** The calling party: digits with country code. */
  readonly from: string
  /** The called party: digits with country code. */
  readonly to: string
  /** When it began, in milliseconds since 1970. */
  readonly time: number
  /** What travels with the call (PIOPIY's extra_params), as the raw text; "" where there is none. */
  readonly extraParams: string
  /** extraParams read as JSON, or {} when they are no JSON object. Notes you make here live as long as the session; they are not sent anywhere: use pcmo().param() for that. */
  readonly vars: Record<string, any>
  /** The ws_url at which this app's own stream callback listens: hand it to pcmo().stream(). */
  readonly streamUrl: string
  /** The version of the app that this call runs: the first 12 digits of its hash. */
  readonly version: string
  /**
   * Listens to the call's live events of one status, or of all ("*"), besides the event callback and in the same order. An
   * exception that escapes a listener ends the session. At most 50 functions listen to one call.
   */
  on(status: ListenedStatus, listener: (event: CallEvent) => unknown): void
  /** The call's live events from now on, for `for await`; the iteration ends after the call's hang-up. Of those that wait to be read the last 1000 are kept. At most 50 iterations at a time. */
  events(): AsyncIterableIterator<CallEvent>
  [note: string]: unknown
}

/** What came back for an input or playGetInput: the first argument of a continuation. */
interface CallInput {
  /** The digits the caller pressed, "" when none came in time. */
  readonly digits: string
  /** The same as digits, under the name the platform uses. */
  readonly dtmf: string
  /** The recognised words, where a pipeline asked for speech; else "". */
  readonly speech: string
  readonly from: string
  readonly to: string
  /** The call's id. */
  readonly cmiuuid: string
  readonly extra_params: string
}

/** What a live event can say. */
type EventStatus = 'started' | 'ringing' | 'answered' | 'bridged' | 'hangup' | 'missed' | 'stream_connected' | 'stream_disconnected' | 'stream_error'
/** What call.on() can listen to. */
type ListenedStatus = Exclude<EventStatus, 'missed'> | '*'

/** A live event. */
interface CallEvent {
  /** What happened, in one vocabulary for the platform's old and new names. */
  readonly status: EventStatus
  /** The status as the platform wrote it, such as "in_answered". */
  readonly wireStatus: string
  /** The party it is about: a is the first, b the one that was dialled. */
  readonly leg: 'a' | 'b'
  readonly direction: 'inbound' | 'outbound'
  /** When it happened, in milliseconds since 1970. */
  readonly time: number
  readonly from: string
  readonly to: string
  /** The id of the call, and of the leg. */
  readonly callId: string
  readonly legId: string
  /** The id that placing the call returned, for outbound calls; else "". */
  readonly requestId: string
  readonly extraParams: string
  /** The event exactly as it was received. */
  readonly raw: any
}

/** A call detail record: what became of one leg. */
interface CDR {
  readonly status: 'answered' | 'missed'
  readonly leg: 'a' | 'b'
  readonly direction: 'inbound' | 'outbound'
  readonly from: string
  readonly to: string
  /** Milliseconds since 1970; 0 where the platform sent none. */
  readonly start: number
  readonly answer: number
  readonly end: number
  /** Talk time in seconds. */
  readonly duration: number
  readonly callId: string
  readonly legId: string
  readonly requestId: string
  readonly extraParams: string
  /** The record exactly as it was received. */
  readonly raw: any
}

//# Verbs
// A verb asks something of a call and returns a promise: `await` it, and the next line runs when the caller has heard the
// text, pressed the digits, or talked. A script may wait in verbs as long as the call lasts.
//
// What interrupts what, in one rule: verbs that use the line (answer, ring, say, play, gather, record, dial, conference, stream,
// pause, a warm transfer) wait for each other in the order they were called. While a document is performed such a verb
// interrupts it, and afterwards the document goes on: a prompt or a question that was interrupted begins again, anything
// else is followed by the next action. While two parties talk say and play are heard by both and interrupt nothing.
// bridge is such a verb of both calls: it waits for its turn in the other one too, and interrupts a document there.
// announce, stop, hold, mute, sendDigits and the recording verbs never wait and never interrupt, but stop, which silences
// every prompt. perform, and transfer without warm, take the place of what is performed. hangup and reject end the call.
//
// announce, hold, mute, sendDigits, refer and the recording verbs are for a call that has been answered, and reject with a
// StateError before; what they do to the callee is for a call that is connected to one.
//
// When the call ends every verb under way, and every later one, rejects with a HangupError, whoever hung up. A script need
// not catch it: it is no fault, unless it is the end of another call (calls.get). What stands in finally or after a catch gets 5 s before the CDR is handed over.
//
// All verbs work on the drivers "sip" and "sim". On "cloud" piopiyd does answer, say, play, pause, gather, record, dial,
// stream, startRecording, hangup, reject, perform and transfer without warm by webhooks, while answer or a continuation runs;
// the others, and other moments, reject with an UnsupportedError. say and play settle there as soon as they are on their way;
// ring takes no time; gather takes digits only, and a text that is said first cannot be interrupted; record has no tone and does
// not know where its recording is; dial with whisper, accept or machineDetection rejects, and so does stream without a URL.
//
// Arguments that do not fit reject with a TypeError that names what would.

/** What can be asked of a call: of the script's own, and of another one of its app (calls.get). */
interface CallVerbs {
  /** Answers the call, if that has not been done. Verbs that need the caller's ear or voice answer by themselves. */
  answer(): Promise<void>
  /**
   * Lets a caller who was not answered hear ringing, for a time; without one it settles once the call rings, which on "sip" it does
   * from the beginning. Rejects with a StateError when the call has been answered.
   */
  ring(time?: Duration): Promise<void>
  /** Refuses the call: hangup with the cause CALL_REJECTED, or another. */
  reject(cause?: HangupCause): Promise<void>
  /** Ends the call, with the cause NORMAL_CLEARING or another: 1 to 64 of A-Z, 0-9 and _. */
  hangup(cause?: HangupCause): Promise<void>
  /** Keeps the line open and silent for a time. */
  pause(time: Duration): Promise<void>
  /** Says a text, and settles at its end. While two parties talk both hear it. */
  say(text: string, options?: VoiceOptions): Promise<void>
  /** Plays a file or URL, or up to 100 of them one after the other, and settles at the end. While two parties talk both hear it. */
  play(sound: string | string[], options?: PlaySoundOptions): Promise<void>
  /** Plays a prompt over what a party hears, whatever that is, and settles at its end. Interrupts nothing. */
  announce(prompt: Prompt, options?: AnnounceOptions): Promise<void>
  /** Silences every prompt and announcement that plays: the verb that played it settles as if it had come to its end. */
  stop(): Promise<void>
  /** Asks for digits, words or both, as often as retries allow, and settles with what came. The caller may answer while the prompt still plays. It does not reject because nothing came: look at valid. */
  gather(options?: GatherOptions & SayOrPlay): Promise<GatherResult>
  /** Records a message: until the finish key, the longest time, or the caller's hang-up. Then it rejects, and the recording stands in the CDR. */
  record(options?: RecordOptions & SayOrPlay): Promise<RecordResult>
  /** Begins to record the call, until it ends or stopRecording. Does nothing while a recording is under way. */
  startRecording(): Promise<void>
  /** Ends the recording. This and the two below reject when there is none. */
  stopRecording(): Promise<void>
  /** Leaves out of the recording what is said from now on, such as a card number; resumeRecording goes on. */
  pauseRecording(): Promise<void>
  resumeRecording(): Promise<void>
  /**
   * Rings somebody and, when they answer, lets the two talk. Settles when that is over, or when nobody has answered: look at status.
   * @param to a number with country code, a SIP address, or the name of a SIP user; or up to 50 of them. A list within the list rings at once
   */
  dial(to: string | number | (string | number | (string | number)[])[], options?: DialOptions): Promise<DialResult>
  /**
   * Hands the call over. With warm: the other is rung while the caller waits, and the promise settles once the two talk, or rejects with
   * a TransferError and the call goes on as before. Without: a connect to them takes the place of what is performed, as perform does. When the two have talked the call ends.
   * @param to a number with country code, a SIP address, or the name of a SIP user
   */
  transfer(to: string | number, options?: TransferOptions): Promise<void>
  /** The same as perform. */
  transfer(document: Reply): Promise<void>
  /**
   * Connects the call with another one of the app: both hear each other and each other's keys. Settles, like dial, when one has hung up,
   * one of them leaves (leave) or does something else (perform, transfer): then both go on. Both calls are answered first. Rejects
   * with a StateError when the other call is over, talks with somebody already, or is this one.
   * @param other what calls.get or calls.make returned, or its id
   */
  bridge(other: OtherCall | MadeCall | string, options?: CallBridgeOptions): Promise<DialResult>
  /** Asks the caller's phone to call somebody else itself (SIP REFER) and then ends the call. Rejects when the phone does not do it. */
  refer(to: string): Promise<void>
  /** Takes the call into a conference with all calls of the app that name the same room, of 1 to 100 characters. Settles when it has left: by leave, or because everybody was sent away. */
  conference(room: string, options?: ConferenceOptions): Promise<void>
  /** Leaves the conference, or the call that this one is bridged with. Does nothing outside of both. */
  leave(): Promise<void>
  /** Puts the caller on hold, with music: a file or URL, or the driver's own. */
  hold(options?: HoldOptions): Promise<void>
  unhold(): Promise<void>
  /** Lets a party no longer be heard. */
  mute(options?: MuteOptions): Promise<void>
  unmute(options?: MuteOptions): Promise<void>
  /** Sends 1 to 100 DTMF digits of 0-9, *, # and A-D. Settles when the last one is on its way. */
  sendDigits(digits: string, options?: SendDigitsOptions): Promise<void>
  /**
   * Opens a media stream to this script itself, without a WebSocket, and settles with it: the caller's sound to iterate over,
   * and a way to play. It ends with close() or with the call, which lasts as long as the stream. Verbs go on beside it.
   */
  stream(options?: OwnStreamOptions): Promise<Stream>
  /** Opens a media WebSocket to a server; call.streamUrl is the app's own, for its stream callback. Settles when it is open, or rejects with a StreamError, and the call goes on. The call lasts as long as the stream. */
  stream(url: string, options?: CallStreamOptions): Promise<void>
  /** Lets a document take the place of what is performed. Called while answer runs, it is performed when answer is done, in place of what it returns. Settles at once. */
  perform(document: Reply): Promise<void>
}

/** Why a call ends; carriers know others too. */
type HangupCause = 'NORMAL_CLEARING' | 'USER_BUSY' | 'NO_ANSWER' | 'CALL_REJECTED' | 'NO_ROUTE_DESTINATION' | 'NORMAL_TEMPORARY_FAILURE' | 'SWITCH_CONGESTION' | (string & {})
/** Who ended something: the party of leg a, that of leg b, the script, or piopiyd itself. */
type CallSide = 'caller' | 'callee' | 'app' | 'platform'
/** A key of a phone. */
type PhoneKey = '0' | '1' | '2' | '3' | '4' | '5' | '6' | '7' | '8' | '9' | '*' | '#' | 'A' | 'B' | 'C' | 'D'
/** Something for the ear: a text to say, or audio to play by file name or URL. */
type Prompt = string | { say: string, play?: undefined } | { play: string, say?: undefined }
/** Of the options say and play at most one may stand. */
type SayOrPlay = { say?: string, play?: undefined } | { say?: undefined, play?: string }

/** How a text is said. */
interface VoiceOptions {
  /** The language (BCP 47), such as "en-IN"; the driver's own when it is left out, as for the other two. */
  language?: string
  /** The voice, by the speech provider's name for it. */
  voice?: string
  /** The speed: 1 is the voice's own. */
  speed?: number
}

interface PlaySoundOptions {
  /** How often the sounds are played, 1 to 1000 (default 1). */
  loop?: number
}

interface AnnounceOptions extends VoiceOptions {
  /** Who hears it (default both). */
  to?: 'caller' | 'callee' | 'both'
}

/** What gather asks for. */
interface GatherOptions extends VoiceOptions {
  /** The text to say first. Give say or play, or neither to listen in silence. */
  say?: string
  /** The file or URL to play first. */
  play?: string
  /** How many digits there must be, 1 to 100 (default 1). */
  minDigits?: number
  /** How many digits end the input, 1 to 100 (default minDigits). */
  maxDigits?: number
  /** A key that ends the input and is not part of it, "" for none (default none). */
  finishOnKey?: PhoneKey | ''
  /** How long to wait for the first digit or word after the prompt (default 5 s). */
  timeout?: Duration
  /** How long to wait for each digit after the first (default timeout). */
  digitTimeout?: Duration
  /** How often to ask again, 0 to 100 (default 0). */
  retries?: number
  /** What is heard instead of the prompt when nothing came and it is asked again (default the prompt). */
  noInput?: Prompt
  /** The same for too few digits, and for what validate refused. */
  invalid?: Prompt
  /** Judges what came, the digits or else the words: false asks again. An exception rejects the gather. */
  validate?: (answer: string, result: GatherResult) => boolean | Promise<boolean>
  /** Whether words are taken (default false). */
  speech?: boolean
  /** Whether digits are taken where words are (default true). */
  digits?: boolean
  /** Whether digits pressed before are forgotten (default false). */
  flush?: boolean
}

/** What came of a gather. */
interface GatherResult {
  /** The digits pressed, without the finish key; "" when none came. */
  readonly digits: string
  /** The words said; "" when none came. */
  readonly speech: string
  /** Whether enough came, and validate found it right. */
  readonly valid: boolean
  /** How often it was asked. */
  readonly attempts: number
}

/** How a message is recorded. */
interface RecordOptions extends VoiceOptions {
  /** The text to say first. Give say or play, or neither. */
  say?: string
  /** The file or URL to play first. */
  play?: string
  /** Whether a tone is played before (default true). */
  beep?: boolean
  /** The longest message (default 10 min). */
  maxLength?: Duration
  /** The key that ends it, "" for none (default #). */
  finishOnKey?: PhoneKey | ''
  /** The file's format, where the driver can write both. */
  format?: 'wav' | 'mp3'
  /** One track, or the caller on the left and what the caller hears on the right. */
  channels?: 'single' | 'dual'
}

/** A recorded message. */
interface RecordResult {
  /** Its name among the recordings, "" where it is not known. */
  readonly file: string
  /** Where it can be had, "" when nowhere. */
  readonly url: string
  /** Its length in seconds. */
  readonly duration: number
}

/** How somebody is dialled. */
interface DialOptions {
  /** sequential rings one after the other (default), group all at once. */
  strategy?: 'sequential' | 'group'
  /** How long each rings, or each group (default 40 s). */
  timeout?: Duration
  /** How long the talk may last (default 90 min). */
  maxDuration?: Duration
  /** The number that the phones show (default the app's own in this call). */
  callerId?: string
  /** Whether the talk is recorded (default false). */
  record?: boolean
  /** What the caller hears meanwhile, a file or URL (default a ringing tone). */
  music?: string
  /** What the one who answers hears before the caller. */
  whisper?: Prompt
  /** The key that whoever answers must press within 10 s to take the call; else they count as missed. */
  accept?: PhoneKey
  /** Whether an answering machine counts as missed, with the cause MACHINE_DETECTED (default false). */
  machineDetection?: boolean
  /** SIP headers sent along: at most 20, of one line and 1024 characters each. */
  headers?: Record<string, string>
}

/** What came of a dial. */
interface DialResult {
  readonly status: 'answered' | 'missed'
  /** The id of the leg that answered, or was missed last: legId in its events and CDR. */
  readonly id: string
  /** Who answered, as they were dialled; "" when nobody did. */
  readonly to: string
  /** Why the talk ended, or why the last one was missed, such as USER_BUSY or NO_ANSWER. */
  readonly cause: HangupCause
  /** Who ended it. */
  readonly by: CallSide
  /** How long they talked, in seconds. */
  readonly duration: number
}

/** How a call is handed over. */
interface TransferOptions {
  /** Whether the other is asked first (default false). confirm, whisper, music and headers are for that. */
  warm?: boolean
  /** How long they ring (default 40 s); whole seconds without warm. */
  timeout?: Duration
  /** How long the talk may last (default 90 min); whole seconds without warm. */
  maxDuration?: Duration
  /** The number that they see (default the app's own in this call). */
  callerId?: string
  /** Whether they must press 1 to take the call (default false). */
  confirm?: boolean
  /** What they hear first. */
  whisper?: Prompt
  /** What the caller hears meanwhile, a file or URL. */
  music?: string
  /** SIP headers sent along, as for dial. */
  headers?: Record<string, string>
}

interface CallBridgeOptions {
  /** How long the talk may last (default 90 min). */
  maxDuration?: Duration
}

interface ConferenceOptions {
  /** Whether the call only listens (default false). */
  muted?: boolean
  /** Whether the conference ends for everybody when this call leaves it (default false). */
  endOnLeave?: boolean
}

interface HoldOptions {
  /** The music: a file or URL. */
  music?: string
}

interface MuteOptions {
  /** Who is no longer heard, or is again (default both). */
  party?: 'caller' | 'callee' | 'both'
}

interface SendDigitsOptions {
  /** Who hears them (default both). */
  to?: 'caller' | 'callee' | 'both'
}

/** How call.stream sends audio. */
interface OwnStreamOptions {
  /** Whose audio is sent (default caller). */
  listen?: 'caller' | 'callee' | 'both'
  /** The sample rate in Hz (default 8000). */
  sampleRate?: 8000 | 16000
}

/** What a stream to a server carries. */
interface CallStreamOptions extends OwnStreamOptions {
  /** Whether text frames come beside the audio: dtmf, played, cleared, error and stop (default false). */
  events?: boolean
}

/** The call is over: what every verb under way rejects with, and every later one, and fetches that the hang-up aborts. Tell it by its name, as all errors of verbs: `error.name === 'HangupError'`. */
interface HangupError extends Error {
  readonly name: 'HangupError'
  /** Who hung up; not there when a verb came only after the end. */
  readonly by?: CallSide
  /** Why, such as NORMAL_CLEARING; not there when by is not. */
  readonly cause?: HangupCause
  /** The cause; NORMAL_CLEARING where it is not known any more. */
  readonly code: HangupCause
}

/** What a verb under way rejects with when something else took its place: perform, a transfer, the REST API. A script may leave it uncaught: it then ends normally. */
interface ReplacedError extends Error {
  readonly name: 'ReplacedError'
  readonly code: 'REPLACED'
}

/** The daemon was restarted while this was under way, a POST for instance: it may have happened or not, and is not done again. Only calls from PIOPIY's cloud go on after a restart. */
interface InterruptedError extends Error {
  readonly name: 'InterruptedError'
  readonly code: 'INTERRUPTED'
}

/** The verb does not fit how the call stands, or the other one that it names. The call goes on. */
interface StateError extends Error {
  readonly name: 'StateError'
  /** What was asked for. */
  readonly verb: string
  /** Why it cannot be: the call has been answered, or not yet; there is no callee; the other call is over, talks with somebody or is about to, or is this one. */
  readonly code: 'ANSWERED' | 'NOT_ANSWERED' | 'NOT_CONNECTED' | 'OTHER_OVER' | 'OTHER_TALKS' | 'SAME_CALL'
}

/** What carries the call cannot do this. */
interface UnsupportedError extends Error {
  readonly name: 'UnsupportedError'
  /** What was asked for, and the driver that cannot. */
  readonly verb: string
  readonly driver: string
  readonly code: 'UNSUPPORTED'
}

/** A warm transfer failed; the call goes on as before. */
interface TransferError extends Error {
  readonly name: 'TransferError'
  /** Why, in the words of the platform's v3 API. */
  readonly reason: TransferReason
  /** Why, as the carrier reported it. */
  readonly cause: HangupCause
  /** The same as reason. */
  readonly code: TransferReason
}

/** A media WebSocket could not be opened; the call goes on, and its events say stream_error. */
interface StreamError extends Error {
  readonly name: 'StreamError'
  readonly code: 'STREAM_FAILED'
}

type TransferReason = 'busy' | 'no_answer' | 'rejected' | 'invalid_number' | 'unreachable' | 'call_barred' | 'network_error'

//# Other calls: piopiy/calls
// A script reaches the calls of its own app that are under way where piopiyd carries them, and places new ones.

declare module 'piopiy/calls' {
  /** The calls of this app. */
  export const calls: {
    /** A call under way, by its id or by the requestId that placing it returned; undefined when it has ended, is not there, or is another app's. */
    get(id: string): OtherCall | undefined
    /** The calls under way, the oldest first. */
    list(): CallInfo[]
    /**
     * Places a call. When it is answered the document is performed or, without one, this app's answer is called. Settles as soon as the call is on its way; what becomes of it is in its events and CDR.
     * @throws TypeError for options that do not fit; the promise rejects with an UnsupportedError where nothing can place calls
     */
    make(options: MakeCallOptions): Promise<MadeCall>
  }
  export default calls
}

/** A call as calls.list() shows it: how it stood then. */
interface CallInfo {
  readonly id: string
  /** The id that placing it returned; "" for inbound calls. */
  readonly requestId: string
  readonly app: string
  readonly driver: string
  readonly direction: 'inbound' | 'outbound'
  readonly from: string
  readonly to: string
  /** When it began, in milliseconds since 1970. */
  readonly time: number
  readonly status: 'started' | 'ringing' | 'answered' | 'bridged' | 'hangup'
  /** Whether the caller is on hold. */
  readonly held: boolean
}

/** Another call of the app: how it stood when it was got, and its verbs. */
interface OtherCall extends CallVerbs {
  readonly id: string
  /** The id that placing it returned; "" for inbound calls. */
  readonly requestId: string
  readonly app: string
  readonly driver: string
  readonly direction: 'inbound' | 'outbound'
  readonly from: string
  readonly to: string
  /** When it began, in milliseconds since 1970. */
  readonly time: number
  readonly status: 'started' | 'ringing' | 'answered' | 'bridged' | 'hangup'
  /** Whether the caller is on hold. */
  readonly held: boolean
}

/** The call to place. */
interface MakeCallOptions {
  /** Whom to call: a number with country code, a SIP address, or the name of a SIP user. */
  to: string | number
  /** The number that they see. */
  from?: string | number
  /** What is performed when they answer. Functions cannot stand in it. Without it this app's answer decides. */
  pcmo?: Reply
  /** What travels with the call: text, or an object that becomes JSON; at most 8 KiB. */
  extraParams?: string | object
  /** How long it rings (default 40 s). */
  timeout?: Duration
  /** How long the call may last (default 90 min). */
  maxDuration?: Duration
  /** Whether it is recorded from its answer on (default false). */
  record?: boolean
}

/** A call that was placed. */
interface MadeCall {
  readonly id: string
  /** The id in the requestId of its events and CDR. */
  readonly requestId: string
}

//# Live audio
// A script gets the call's audio as a Stream: 16-bit samples, one channel, 20 ms a frame, at the rate that was asked for.
// Iterate over the frames with `for await`. Where piopiyd carries the call, `await call.stream()` gives it in the middle of
// answer; PIOPIY's cloud opens a WebSocket, and the callback stream gets it. Both are the same object.

/** A call's media stream: iterate over it for the frames, at most once at a time. */
interface Stream extends AsyncIterableIterator<Int16Array> {
  /** Waits for the next frame; done is true when the stream has ended. */
  next(): Promise<IteratorResult<Int16Array, undefined>>
  return(value?: any): Promise<IteratorResult<Int16Array, any>>
  [Symbol.asyncIterator](): this
  /**
   * Plays audio to the caller, after what is playing already.
   * @param audio samples, bytes, or base64 text; up to 6 MiB
   * @throws TypeError for audio or options that do not fit, and when the peer does not read
   */
  play(audio: Int16Array | Uint8Array | ArrayBuffer | string, options?: PlayOptions): void
  /** Drops the audio that is playing or waiting to be played: the caller has begun to speak. */
  clear(): void
  /**
   * From now on what plays falls silent with the first sound of the caller that may be a word, before any frame of it is
   * here, and goes on where it was 160 ms after the last such sound unless clear() was called. The call engine does so;
   * elsewhere nothing changes.
   * @param on false takes it back
   */
  giveWay(on?: boolean): void
  /**
   * Settles once all that was played before has been heard: true, or false when it never will be, since it was cleared
   * or the stream has ended. The call engine tells exactly; on the cloud the length of the audio does, which is not
   * known of mp3 and ogg.
   * @param name what the mark is called in the timeline, up to 256 bytes; 100 marks wait at most
   */
  mark(name: string): Promise<boolean>
  /** The same as clear, under the name of the SDK. */
  interrupt(): void
  /** Stops streaming for a while; resume goes on. */
  pause(): void
  resume(): void
  /** Ends streaming for good. */
  stop(): void
  /** Lets the platform perform a document now, such as pcmo().hangup() or pcmo().bridge(…). Functions cannot stand in it. */
  perform(document: Reply): void
  /** Sends a text frame as it is. */
  send(text: string): void
  /** Ends the stream. */
  close(): void
  /** Listens for all text frames as they come. At most 10 listeners for an event. */
  on(event: 'text', listener: (this: Stream, text: string) => void): this
  /** Listens for keys that the caller presses while the stream is open, on the call engine and in the simulator. */
  on(event: 'dtmf', listener: (this: Stream, digit: string) => void): this
  /** Listens for what the call engine has to complain about, such as audio that it cannot decode. */
  on(event: 'error', listener: (this: Stream, message: string) => void): this
  /** Listens for the stream's end. */
  on(event: 'end', listener: (this: Stream) => void): this
  /** Settles when the stream has ended. */
  readonly ended: Promise<void>
  /** The sample rate of the frames in Hz: 8000 until the first text frame has told another. */
  readonly rate: number
  /**
   * How much of what was played the caller has heard since the stream began, in milliseconds: exact on the call engine,
   * as the clock has it elsewhere. What was cleared does not count.
   */
  readonly playedMs: number
  /** How many frames were lost because the script was slower than the call; 100 wait at most. */
  readonly dropped: number
}

/** How audio is played. */
interface PlayOptions {
  /** What the audio is (default "raw": 16-bit little-endian samples). */
  type?: 'raw' | 'mp3' | 'wav' | 'ogg'
  /** Its sample rate in Hz (default: the stream's). Raw audio is resampled to the stream's rate, however it is cut into pieces. */
  rate?: 8000 | 16000 | 24000 | 48000
}

//# Documents: pcmo()
// What happens to a call is a PCMO document: a list of actions, performed in order. At its end the call is hung up,
// unless a stream is open. These builders check every argument at the line you wrote it.

declare module 'piopiy/pcmo' {
  /** Begins a document of the classic dialect, the one PIOPIY's answer URLs speak. */
  export function pcmo(): PcmoChain
  /** Begins a document of the v3 dialect, for the v3 REST API. */
  export function pipeline(): PipelineChain
}

/** A document being built. Every method adds one action and returns the builder. */
interface PcmoChain {
  /** Plays audio: the name of a file you uploaded to the platform, or an http(s) URL; mp3 or wav. */
  play(source: string): this
  /** Says a text. */
  speak(text: string): this
  /** Makes a text or an object travel with the call: it comes back as extraParams. Objects travel as JSON. */
  param(value: string | object): this
  /** Records from here on; without a bridge this is voicemail. */
  record(): this
  /** Hangs up. As the first action it rejects the call. The cause, such as "USER_BUSY", is our addition. */
  hangup(cause?: string): this
  /** Connects the call to a phone, or to the first of several that answers. */
  bridge(to: PhoneNumber | PhoneNumber[], options?: BridgeOptions): this
  /** Connects the call to SIP users. */
  connect(to: PhoneNumber | PhoneNumber[], options?: ConnectOptions): this
  /** Waits for digits and gives them to a function, or posts them to a URL. */
  input(target: Continuation | string, options?: InputOptions): this
  /** Plays audio and waits for digits. */
  playGetInput(source: string, target: Continuation | string, options?: PlayInputOptions): this
  /** Streams the call's audio to a WebSocket server; goes on at once when other actions follow. */
  stream(url: string, options?: StreamOptions): this
  /** The document as a plain array. */
  PCMO(): PcmoDocument
  toJSON(): PcmoDocument
}

interface BridgeOptions {
  /** The caller id that the phones show. */
  from?: PhoneNumber
  /** How long they ring, in whole seconds (PIOPIY's default 40 s). */
  timeout?: Duration
  /** How long the talk may last, in whole seconds (PIOPIY's default 90 min). */
  duration?: Duration
  /** How often to try in total, 1 to 1000 (PIOPIY's default 1). */
  tries?: number
  /** single rings one after the other (PIOPIY's default), group all at once. */
  strategy?: 'single' | 'group'
}

interface ConnectOptions extends BridgeOptions {
  /** Whether the talk is recorded. */
  record?: boolean
  /** What kind of call, such as "audio". */
  media?: string
}

interface InputOptions {
  /** How many digits end the input (PIOPIY's default 1). */
  maxDigits?: number
  /** How long to wait, in whole seconds (PIOPIY's default 5 s). */
  timeout?: Duration
}

interface PlayInputOptions extends InputOptions {
  /** How often the audio is played again when nothing was pressed (PIOPIY's default 1). */
  retries?: number
}

interface StreamOptions {
  /** Whose audio is sent. */
  listen?: 'caller' | 'callee' | 'both'
  /** The sample rate in Hz. */
  rate?: 8000 | 16000
  /** Whether to wait until the call is answered. */
  onAnswer?: boolean
  /** Whether text frames come beside the audio: dtmf, played, cleared, error and stop (piopiyd's addition, where it carries the call itself). */
  events?: boolean
}

/** A classic document as a plain array: what goes over the wire, except that a function may stand at action_url. */
type PcmoDocument = PcmoAction[]

/** One action of the classic dialect. */
type PcmoAction =
  | { action: 'play', file_name?: string, file_url?: string }
  | { action: 'speak', text: string }
  | { action: 'param', text: string }
  | { action: 'record' }
  | { action: 'hangup', cause?: string }
  | { action: 'bridge', connect: { type: 'pstn', number: PhoneNumber }[], from?: PhoneNumber, duration?: number, timeout?: number, loop?: number, ring_type?: string }
  | { action: 'connect', connect: { type: 'sip', user: string }[], from?: PhoneNumber, duration?: number, timeout?: number, loop?: number, ring_type?: string, record?: boolean, call_type?: string }
  | { action: 'input', action_url: string | Continuation, max_digit?: number, timeout?: number }
  | { action: 'play_get_input', file_name?: string, file_url?: string, action_url: string | Continuation, max_digit?: number, max_retry?: number, timeout?: number }
  | { action: 'stream', ws_url: string, listen_mode?: string, voice_quality?: string, stream_on_answer?: boolean, events?: boolean }

/** A v3 document being built. */
interface PipelineChain {
  /** Plays a file or URL. */
  play(source: string): this
  /** Makes up to 10 values travel with the call. */
  param(data: Variables): this
  record(options?: { format?: 'mp3' | 'wav', channels?: 'single' | 'dual' }): this
  hangup(): this
  /** Connects to phones, SIP addresses and agents. */
  connect(to: PipelineEndpoint | PipelineEndpoint[], options: PipelineConnectOptions): this
  input(target: PipelineTarget, options?: PipelineDigits): this
  playGetInput(prompt: PipelinePrompt, target: PipelineTarget, options?: PipelineDigits & PipelineInputOptions): this
  /** The document as a plain array. */
  PCMO(): object[]
  build(): object[]
  toJSON(): object[]
}

/** Names and values: texts, numbers, true or false. */
type Variables = Record<string, string | number | boolean>
/** A phone number, a text that begins with sip:, or an object that says which it is. */
type PipelineEndpoint = PhoneNumber | { number?: PhoneNumber, sip?: string, agent?: string, headers?: Variables }
/** Where a result goes: a function, a URL, or the name of another document. */
type PipelineTarget = Continuation | string | { pcmo: string }
/** A file name or URL, or something to say. */
type PipelinePrompt = string | { say: string, language: string, voice: string, speed?: number }

interface PipelineConnectOptions {
  /** The caller id. */
  from: PhoneNumber
  strategy?: 'single' | 'group'
  timeout?: Duration
  duration?: Duration
  machineDetection?: boolean
  record?: boolean | { format?: 'mp3' | 'wav', channels?: 'single' | 'dual' }
  music?: string
  metadata?: Variables
}

interface PipelineDigits {
  minDigits?: number
  maxDigits?: number
  finishOnKey?: string
  /** How long to wait for the first digit, and for each after it. */
  timeout?: Duration
  digitTimeout?: Duration
  flush?: boolean
}

interface PipelineInputOptions {
  collect?: 'dtmf' | 'speech' | ('dtmf' | 'speech')[]
  retries?: number
  noInput?: PipelinePrompt
  invalid?: PipelinePrompt
}

//# The npm SDK's classes
// The same names, methods and bytes as the npm package piopiy; what a method throws, and when, is the same too. Where
// the SDK wants an action_url, a function may stand.

declare module 'piopiy' {
  export { pcmo, pipeline } from 'piopiy/pcmo'

  /** A client of the platform's REST API. Appid and secret make a classic client (SDK 1.0), one token a v3 client (SDK 1.2). */
  export const Piopiy: {
    new (appid: number, secret: string): ClassicClient
    new (token: string): TokenClient
  }

  /** The client of SDK 1.0. */
  export interface ClassicClient {
    appid: number
    secret: string
    voice: ClassicVoice
  }

  export interface ClassicVoice {
    /** Replaces the credentials. */
    setup(appid: number, secret: string): void
    /** Places a call whose document the platform fetches from an answer URL. The duration is in seconds. */
    create(to: number, from: number, answerUrl: string, duration: number): Promise<MakeCallReply>
    /** Places a call and performs a document, or connects it to one or several numbers. */
    call(to: number, from: number, third: number | number[] | PcmoDocument | PcmoChain, options?: ClassicCallOptions): Promise<MakeCallReply>
    hold(cmiuuid: string): Promise<any>
    unhold(cmiuuid: string): Promise<any>
    toggle(cmiuuid: string): Promise<any>
    hangup(cmiuuid: string): Promise<any>
  }

  export interface ClassicCallOptions {
    /** Seconds. */
    duration?: number
    timeout?: number
    loop?: number
    ring_type?: 'group' | 'single'
    extra_params?: object
  }

  export interface MakeCallReply {
    status?: string
    request_id?: string
    code?: number
    cmi_code?: number
    data?: { status?: string, request_id?: string }
    [other: string]: any
  }

  /** Collects the actions of a classic document. */
  export class PiopiyAction {
    /** The actions so far. */
    action: any[]
    playMusic(nameOrUrl: string): void
    speak(text: string): void
    setValue(text: string): void
    stream(wsUrl: string, options?: { listen_mode?: string, voice_quality?: string, stream_on_answer?: boolean }): void
    hangup(): void
    record(): void
    call(to: number | PhoneNumber[], from: number, options?: ActionDialOptions): void
    forward(to: number | PhoneNumber[], from: number, options?: ActionDialOptions & { record?: boolean }): void
    input(target: Continuation | string, options?: { max_digit?: number, timeout?: number }): void
    playGetInput(target: Continuation | string, nameOrUrl: string, options?: { max_digit?: number, max_retry?: number, timeout?: number }): void
    /** The live array: what is added later is in it too. */
    PCMO(): any[]
    clear(): true
  }

  export interface ActionDialOptions {
    /** Seconds. */
    duration?: number
    timeout?: number
    loop?: number
    ring_type?: string
  }

  /** Makes text frames for a media WebSocket: hand them to stream.send(). */
  export class StreamAction {
    action: any[]
    playMusic(nameOrUrl: string): void
    speak(text: string): void
    setValue(text: string): void
    stream(wsUrl: string, options?: object): void
    hangup(): void
    record(): void
    call(to: number | PhoneNumber[], from: number, options?: ActionDialOptions): void
    forward(to: number | PhoneNumber[], from: number, options?: ActionDialOptions): void
    pause(): string
    resume(): string
    stop(): string
    interrupt(): string
    playStream(base64: string, type: 'raw' | 'mp3' | 'wav' | 'ogg', rate: 8000 | 16000): string
    /** The queued actions as JSON text; the queue is empty afterwards. */
    PCMO(): string
  }

  /** Collects the actions of a v3 document, in the SDK's own words. */
  export class PipelineBuilder {
    constructor(actions?: object[])
    actions: object[]
    connect(params: object, endpoints: object[]): this
    play(file_name: string): this
    playGetInput(prompt: object, input: string[], on_result: object | Continuation, dtmf?: object, retries?: object): this
    play_get_input(prompt: object, input: string[], on_result: object | Continuation, dtmf?: object, retries?: object): this
    param(data: object): this
    record(format?: string, channels?: string): this
    hangup(): this
    input(on_result: object | Continuation, dtmf?: object): this
    build(): object[]
    PCMO(): object[]
    clear(): this
  }

  /** The client of SDK 1.2. Each call takes one object, or its fields as arguments in the SDK's order. */
  export interface TokenClient {
    auth: string
    ai: AiAgent
    voice: Voice
    pcmo: Pcmo
    flow: Flow
  }

  export interface AiAgent {
    auth: string
    call(request: { caller_id: string, to_number: string, agent_id: string, options?: object, variables?: Variables, app_id?: string, failover?: object }): Promise<any>
    call(to: string, from: string, agent_id: string, options?: object, variables?: Variables, app_id?: string, failover?: object): Promise<any>
    transfer(call_id: string, pipeline: object[] | PipelineChain): Promise<any>
    hangup(call_id: string, cause?: string, reason?: string): Promise<any>
    pipeline(): PipelineBuilder
    normalizeCallRequest(...request: any[]): any
    resolvePipeline(pipeline: any): any
    buildFailoverPipeline(caller_id: string, agent_id: string, failover: object): object[]
    post(path: string, payload: object): Promise<any>
  }

  export interface Voice {
    auth: string
    call(request: { caller_id: string, to_number: string, app_id: string, call_options?: object, variables?: Variables, connect?: object }): Promise<any>
    call(caller_id: string, to_number: string, app_id: string, call_options?: object, variables?: Variables, connect?: object): Promise<any>
    transfer(call_id: string, pipeline: object[] | PipelineChain): Promise<any>
    hangup(call_id: string, cause?: string, reason?: string): Promise<any>
    pipeline(): PipelineBuilder
    normalizeCallRequest(...request: any[]): any
    fromObjectInput(request: object): any
    buildVoiceCallPayload(request: object): any
    resolvePipeline(pipeline: any): any
    post(path: string, payload: object): Promise<any>
  }

  export interface Pcmo {
    auth: string
    call(request: { caller_id: string, to_number: string, app_id: string, pipeline: object[] | PipelineChain, options?: object, variables?: Variables, agent_id?: string }): Promise<any>
    call(caller_id: string, to_number: string, app_id: string, pipeline: object[] | PipelineChain, options?: object, variables?: Variables, agent_id?: string): Promise<any>
    transfer(call_id: string, pipeline: object[] | PipelineChain): Promise<any>
    pipeline(): PipelineBuilder
    normalizeCallRequest(...request: any[]): any
    resolvePipeline(pipeline: any): any
    compact(payload: object): any
    post(path: string, payload: object): Promise<any>
  }

  export interface Flow {
    auth: string
    call(request: { flow_id: string, org_id: string, caller_id: string, to_number: string, app_id: string, options?: object, variables?: Variables }): Promise<any>
    call(flow_id: string, org_id: string, caller_id: string, to_number: string, app_id: string, options?: object, variables?: Variables): Promise<any>
    normalizeCallRequest(...request: any[]): any
    compact(payload: object): any
    post(path: string, payload: object): Promise<any>
  }
}

//# Your account, opening hours
// Small modules written in JavaScript; they come with piopiyd.

declare module 'piopiy/account' {
  import type { ClassicClient } from 'piopiy'
  /**
   * A client of the platform's REST API with the app's credentials: env.PIOPIY_APPID and env.PIOPIY_SECRET.
   * @throws Error when one of them is not configured
   */
  export function account(): ClassicClient
  /**
   * A phone number as the SDK wants it: a number. Takes "+1 415 555-0101", "14155550101" and 14155550101.
   * @throws TypeError for what is not digits with country code
   */
  export function phone(value: PhoneNumber): number
}

declare module 'piopiy/hours' {
  export const hours: {
    /**
     * Reports whether a plan such as "Mon-Fri 09:00-18:00; Sat 10:00-14:00" is open. A span whose end is before its
     * beginning runs past midnight.
     * @param plan days and times, spans separated by semicolons
     * @param timeZone the business's IANA time zone, such as "Asia/Kolkata"
     * @param at the time to ask about; now if not given
     * @throws TypeError for a plan that cannot be read, RangeError for an unknown time zone
     */
    open(plan: string, timeZone: string, at?: Date): boolean
  }
}

//# Memory between calls: kv
// Module variables live as long as one call. What several calls of an app share goes into kv: JSON values of up to
// 64 KiB under keys of up to 512 bytes. Apps do not see each other's keys.

/** The app's store, also as `import { kv } from 'piopiy/kv'`. */
declare const kv: KV

/**
 * The app's store. Every method returns a promise. It rejects with a TypeError for keys and values that do not fit, and
 * with an Error whose code is ESTORE when the store fails. Options: ttl is how long a value is kept; without it, until
 * it is deleted.
 */
interface KV {
  /** The value of a key, or the fallback when there is none. */
  get<T = any>(key: string): Promise<T | undefined>
  get<T>(key: string, fallback: T): Promise<T>
  /** Stores what JSON can hold. */
  set(key: string, value: any, options?: { ttl?: Duration }): Promise<void>
  /** Removes a key and tells whether it was there. */
  delete(key: string): Promise<boolean>
  has(key: string): Promise<boolean>
  /** Adds to a number and gives the sum; a key that is not there counts as 0, and only then does ttl begin. TypeError with code ENOTNUMBER when the key holds something else. */
  increment(key: string, by?: number, options?: { ttl?: Duration }): Promise<number>
  /** Stores a value only if the key still holds what you expect (undefined: nothing), and tells whether it did: of two calls only one gets true. */
  compareAndSet(key: string, expected: any, value: any, options?: { ttl?: Duration }): Promise<boolean>
  /** Reads a value, lets a function make the new one of it and stores that; again from the beginning when another call came between. Returning undefined changes nothing. Gives the value as it is afterwards. */
  update<T = any>(key: string, change: (value: T | undefined) => T | undefined | Promise<T | undefined>, options?: { ttl?: Duration }): Promise<T>
  /** The keys that begin with a prefix, in order; 100 unless you say otherwise, 1000 at most. Hand the last one over as after to go on. */
  list(options?: ListOptions): Promise<string[]>
  /** The same with the values: for new Map() and Object.fromEntries(). */
  entries<T = any>(options?: ListOptions): Promise<[string, T][]>
}

interface ListOptions {
  prefix?: string
  after?: string
  limit?: number
}

declare module 'piopiy/kv' {
  export const kv: KV
  export default kv
}

//# Settings: env
// What the configuration hands to the app under apps.NAME.env, and nothing of the machine's own environment.

/** The app's settings: texts by name, undefined for what is not configured. Also as `import { env } from 'piopiy/env'`. */
declare const env: Readonly<Record<string, string | undefined>> & EnvReader

interface EnvReader {
  /** A setting that must be there: an Error that names the key of the configuration when it is not. */
  require(name: string): string
}

declare module 'piopiy/env' {
  export const env: Readonly<Record<string, string | undefined>> & EnvReader
  export default env
}

//# HTTP: fetch
// The Fetch standard. Addresses that are not public are refused unless fetch.allow names them. A whole exchange may
// take 10 s and a body may have 5 MiB unless configured otherwise. There are no cookies. Unknown options throw.
//
// The hang-up aborts what answer, stream or a continuation has begun before it, also after an await or in a timer: the
// promise, or that of the body that is being read, rejects with a HangupError. What begins later goes on, and so does what
// event, cdr, a listener or the top of the file has begun, and what has keepalive: true.

/**
 * Sends an HTTP request.
 * @throws TypeError when no answer comes; its code says why, such as ECONNREFUSED, ENOTFOUND, EBLOCKED (not public) or ETOOBIG. AbortError when the signal fires, TimeoutError after the time-out, HangupError when the caller hangs up
 */
declare function fetch(input: string | URL | Request, init?: RequestInit): Promise<Response>

/** The options of fetch and Request. */
interface RequestInit {
  method?: string
  headers?: HeadersInit
  body?: BodyInit | null
  /** What to do with redirects (default "follow"). */
  redirect?: 'follow' | 'error' | 'manual'
  signal?: AbortSignal | null
  /** The longest the whole exchange may take: ours, beside the standard's. */
  timeout?: Duration
  /** Whether it outlives the hang-up (default false). Await it: the session it ends with waits some seconds for who does. */
  keepalive?: boolean
  /** These mean something to browsers only; their values are checked and have no effect. */
  mode?: 'cors' | 'no-cors' | 'same-origin'
  credentials?: 'same-origin' | 'include' | 'omit'
  cache?: 'default' | 'no-store' | 'reload' | 'no-cache' | 'force-cache'
  referrer?: string
  referrerPolicy?: string
  priority?: 'auto' | 'high' | 'low'
  duplex?: 'half'
  /** Not available: only what means nothing is accepted. */
  integrity?: ''
  window?: null
}

/** A body: text, bytes, a form. Plain objects are refused: use JSON.stringify. */
type BodyInit = string | ArrayBuffer | ArrayBufferView | Blob | FormData | URLSearchParams | ReadableStream
type HeadersInit = Headers | Record<string, string> | Iterable<[string, string]>

declare class Request {
  constructor(input: string | URL | Request, init?: RequestInit)
  readonly method: string
  readonly url: string
  readonly headers: Headers
  readonly redirect: 'follow' | 'error' | 'manual'
  readonly signal: AbortSignal
  readonly keepalive: boolean
  readonly body: ReadableStream | null
  readonly bodyUsed: boolean
  readonly mode: string
  readonly credentials: string
  readonly cache: string
  readonly referrer: string
  readonly referrerPolicy: string
  readonly duplex: string
  clone(): Request
  text(): Promise<string>
  json(): Promise<any>
  arrayBuffer(): Promise<ArrayBuffer>
  bytes(): Promise<Uint8Array>
  blob(): Promise<Blob>
  formData(): Promise<FormData>
}

declare class Response {
  constructor(body?: BodyInit | null, init?: { status?: number, statusText?: string, headers?: HeadersInit })
  static error(): Response
  static json(value: any, init?: { status?: number, statusText?: string, headers?: HeadersInit }): Response
  static redirect(url: string | URL, status?: number): Response
  /** Whether the status is 200 to 299. */
  readonly ok: boolean
  readonly status: number
  readonly statusText: string
  readonly headers: Headers
  /** Where the response came from, after redirects. */
  readonly url: string
  readonly redirected: boolean
  readonly type: string
  readonly body: ReadableStream | null
  readonly bodyUsed: boolean
  clone(): Response
  text(): Promise<string>
  /** Reads the body as JSON; SyntaxError when it is none. */
  json(): Promise<any>
  arrayBuffer(): Promise<ArrayBuffer>
  bytes(): Promise<Uint8Array>
  blob(): Promise<Blob>
  formData(): Promise<FormData>
}

declare class Headers {
  constructor(init?: HeadersInit)
  append(name: string, value: string): void
  delete(name: string): void
  get(name: string): string | null
  getSetCookie(): string[]
  has(name: string): boolean
  set(name: string, value: string): void
  forEach(callback: (value: string, name: string, headers: Headers) => void, thisArg?: any): void
  keys(): IterableIterator<string>
  values(): IterableIterator<string>
  entries(): IterableIterator<[string, string]>
  [Symbol.iterator](): IterableIterator<[string, string]>
}

declare class FormData {
  constructor()
  append(name: string, value: string | Blob, filename?: string): void
  delete(name: string): void
  get(name: string): string | File | null
  getAll(name: string): (string | File)[]
  has(name: string): boolean
  set(name: string, value: string | Blob, filename?: string): void
  forEach(callback: (value: string | File, name: string, form: FormData) => void, thisArg?: any): void
  keys(): IterableIterator<string>
  values(): IterableIterator<string | File>
  entries(): IterableIterator<[string, string | File]>
  [Symbol.iterator](): IterableIterator<[string, string | File]>
}

declare class Blob {
  constructor(parts?: Iterable<string | ArrayBuffer | ArrayBufferView | Blob>, options?: { type?: string, endings?: 'transparent' | 'native' })
  readonly size: number
  readonly type: string
  text(): Promise<string>
  arrayBuffer(): Promise<ArrayBuffer>
  bytes(): Promise<Uint8Array>
  stream(): ReadableStream
  slice(start?: number, end?: number, type?: string): Blob
}

declare class File extends Blob {
  constructor(parts: Iterable<string | ArrayBuffer | ArrayBufferView | Blob>, name: string, options?: { type?: string, lastModified?: number, endings?: 'transparent' | 'native' })
  readonly name: string
  readonly lastModified: number
}

/** A body being read: iterate over it with for await. tee, pipeTo and pipeThrough are not available. */
interface ReadableStream extends AsyncIterable<Uint8Array> {
  readonly locked: boolean
  cancel(reason?: any): Promise<void>
  getReader(): ReadableStreamDefaultReader
  values(options?: { preventCancel?: boolean }): AsyncIterableIterator<Uint8Array>
  [Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array>
}

interface ReadableStreamDefaultReader {
  read(): Promise<{ done: false, value: Uint8Array } | { done: true, value: undefined }>
  cancel(reason?: any): Promise<void>
  releaseLock(): void
}

//# Addresses and text

declare class URL {
  constructor(url: string | URL, base?: string | URL)
  static canParse(url: string | URL, base?: string | URL): boolean
  static parse(url: string | URL, base?: string | URL): URL | null
  href: string
  readonly origin: string
  protocol: string
  username: string
  password: string
  host: string
  hostname: string
  port: string
  pathname: string
  search: string
  readonly searchParams: URLSearchParams
  hash: string
  toString(): string
  toJSON(): string
}

declare class URLSearchParams {
  constructor(init?: string | URLSearchParams | Record<string, string> | Iterable<[string, string]>)
  readonly size: number
  append(name: string, value: string): void
  delete(name: string, value?: string): void
  get(name: string): string | null
  getAll(name: string): string[]
  has(name: string, value?: string): boolean
  set(name: string, value: string): void
  sort(): void
  forEach(callback: (value: string, name: string, params: URLSearchParams) => void, thisArg?: any): void
  keys(): IterableIterator<string>
  values(): IterableIterator<string>
  entries(): IterableIterator<[string, string]>
  toString(): string
  [Symbol.iterator](): IterableIterator<[string, string]>
}

declare class TextEncoder {
  constructor()
  readonly encoding: 'utf-8'
  encode(text?: string): Uint8Array
  encodeInto(text: string, into: Uint8Array): { read: number, written: number }
}

declare class TextDecoder {
  constructor(label?: string, options?: { fatal?: boolean, ignoreBOM?: boolean })
  readonly encoding: string
  readonly fatal: boolean
  readonly ignoreBOM: boolean
  decode(bytes?: ArrayBuffer | ArrayBufferView, options?: { stream?: boolean }): string
}

/** Decodes base64 to a text of bytes. */
declare function atob(base64: string): string
/** Encodes a text of bytes as base64; characters above 255 throw. */
declare function btoa(text: string): string
/** Copies a value deeply: objects, arrays, maps, sets, dates, buffers, errors. */
declare function structuredClone<T>(value: T, options?: { transfer?: ArrayBuffer[] }): T

//# Time
// A script's time is its session's: under the simulator a half-hour call takes milliseconds. A session may have 1,000
// timers pending, and what is pending ends with it.

/** Calls a function once, after so many milliseconds. An exception that escapes it ends the session. */
declare function setTimeout<A extends any[]>(callback: (...args: A) => void, milliseconds?: number, ...args: A): number
declare function setInterval<A extends any[]>(callback: (...args: A) => void, milliseconds?: number, ...args: A): number
declare function setImmediate<A extends any[]>(callback: (...args: A) => void, ...args: A): number
declare function clearTimeout(id?: number): void
declare function clearInterval(id?: number): void
declare function clearImmediate(id?: number): void
declare function queueMicrotask(callback: () => void): void

//# The log: console
// What you log goes to the daemon's log and to the journal of the call, where `piopiyd timeline CALL` shows it.

declare const console: Console

interface Console {
  log(...values: any[]): void
  info(...values: any[]): void
  warn(...values: any[]): void
  error(...values: any[]): void
  debug(...values: any[]): void
  trace(...values: any[]): void
  assert(condition?: boolean, ...values: any[]): void
  dir(value?: any, options?: object): void
  table(rows?: any, columns?: string[]): void
  group(...label: any[]): void
  groupCollapsed(...label: any[]): void
  groupEnd(): void
  count(label?: string): void
  countReset(label?: string): void
  time(label?: string): void
  timeLog(label?: string, ...values: any[]): void
  timeEnd(label?: string): void
}

//# Chance and secrets: crypto

/** The Web Crypto API, with what call scripts need of it. */
declare const crypto: Crypto

interface Crypto {
  randomUUID(): string
  getRandomValues<T extends ArrayBufferView>(array: T): T
  readonly subtle: SubtleCrypto
}

/** Hashes with SHA-1, SHA-256, SHA-384 and SHA-512, and signs with HMAC. Encryption is not available. */
interface SubtleCrypto {
  digest(algorithm: string | { name: string }, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>
  importKey(format: 'raw', key: ArrayBuffer | ArrayBufferView, algorithm: { name: 'HMAC', hash: string | { name: string }, length?: number }, extractable: boolean, usages: ('sign' | 'verify')[]): Promise<CryptoKey>
  exportKey(format: 'raw', key: CryptoKey): Promise<ArrayBuffer>
  generateKey(algorithm: { name: 'HMAC', hash: string | { name: string }, length?: number }, extractable: boolean, usages: ('sign' | 'verify')[]): Promise<CryptoKey>
  sign(algorithm: string | { name: string }, key: CryptoKey, data: ArrayBuffer | ArrayBufferView): Promise<ArrayBuffer>
  verify(algorithm: string | { name: string }, key: CryptoKey, signature: ArrayBuffer | ArrayBufferView, data: ArrayBuffer | ArrayBufferView): Promise<boolean>
}

declare class CryptoKey {
  private constructor()
  readonly type: string
  readonly extractable: boolean
  readonly algorithm: object
  readonly usages: string[]
}

declare module 'piopiy/crypto' {
  type Bytes = string | ArrayBuffer | ArrayBufferView
  type Algorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512'
  /** The hash of a text (as UTF-8) or of bytes. */
  export function hash(algorithm: Algorithm, data: Bytes, encoding?: 'hex' | 'base64' | 'base64url'): string
  export function hash(algorithm: Algorithm, data: Bytes, encoding: 'bytes'): Uint8Array
  /** The HMAC of a text or of bytes: how webhooks are signed. */
  export function hmac(algorithm: Algorithm, key: Bytes, data: Bytes, encoding?: 'hex' | 'base64' | 'base64url'): string
  export function hmac(algorithm: Algorithm, key: Bytes, data: Bytes, encoding: 'bytes'): Uint8Array
  /** Compares without telling by the time it takes where two values differ. */
  export function timingSafeEqual(a: Bytes, b: Bytes): boolean
  export function randomBytes(size: number): Uint8Array
}

//# Giving up: AbortController

declare class AbortController {
  constructor()
  readonly signal: AbortSignal
  abort(reason?: any): void
}

declare class AbortSignal extends EventTarget {
  private constructor()
  static abort(reason?: any): AbortSignal
  /** A signal that fires after so many milliseconds. */
  static timeout(milliseconds: number): AbortSignal
  static any(signals: Iterable<AbortSignal>): AbortSignal
  readonly aborted: boolean
  readonly reason: any
  onabort: ((event: Event) => void) | null
  throwIfAborted(): void
}

declare class EventTarget {
  constructor()
  addEventListener(type: string, listener: ((event: any) => void) | { handleEvent(event: any): void } | null, options?: boolean | { once?: boolean, capture?: boolean, passive?: boolean, signal?: AbortSignal }): void
  removeEventListener(type: string, listener: ((event: any) => void) | { handleEvent(event: any): void } | null, options?: boolean | { capture?: boolean }): void
  dispatchEvent(event: Event): boolean
}

declare class Event {
  constructor(type: string, init?: { bubbles?: boolean, cancelable?: boolean, composed?: boolean })
  static readonly NONE: 0
  static readonly CAPTURING_PHASE: 1
  static readonly AT_TARGET: 2
  static readonly BUBBLING_PHASE: 3
  readonly NONE: 0
  readonly CAPTURING_PHASE: 1
  readonly AT_TARGET: 2
  readonly BUBBLING_PHASE: 3
  readonly type: string
  readonly target: EventTarget | null
  readonly srcElement: EventTarget | null
  readonly currentTarget: EventTarget | null
  readonly bubbles: boolean
  readonly cancelable: boolean
  readonly composed: boolean
  readonly defaultPrevented: boolean
  readonly isTrusted: boolean
  readonly timeStamp: number
  readonly eventPhase: number
  preventDefault(): void
  stopPropagation(): void
  stopImmediatePropagation(): void
  composedPath(): EventTarget[]
}

declare class CustomEvent<T = any> extends Event {
  constructor(type: string, init?: { bubbles?: boolean, cancelable?: boolean, composed?: boolean, detail?: T })
  readonly detail: T
}

/** The error of web APIs: its name says what kind, such as "AbortError" or "TimeoutError". */
declare class DOMException extends Error {
  constructor(message?: string, name?: string)
  readonly name: string
  readonly message: string
  readonly code: number
}

//# The language
// ECMAScript 2023 and some later additions. Not there: BigInt, WeakRef, SharedArrayBuffer, Atomics and
// top-level await; import() takes paths that are known when the script is loaded. Of Intl there are Collator, DateTimeFormat, ListFormat, NumberFormat, PluralRules and
// RelativeTimeFormat; the time zone is UTC unless you name one.

interface ErrorConstructor {
  /** Gives an object a stack, as V8 does. */
  captureStackTrace(target: object, constructor?: Function): void
}

interface RegExpConstructor {
  /** Escapes a text so that it stands for itself in a pattern. */
  escape(text: string): string
}

/** CommonJS, for scripts that are written so. */
declare const require: (specifier: string) => any
declare const module: { exports: any }
declare const exports: any

//# Connections: WebSocket
// The client of the web platform, with what a server needs besides: headers, and iteration. A socket reaches the public
// internet, and what fetch.allow in the configuration names; it follows no redirects and ends with the call. Messages that
// come before anybody listens are kept, up to 256 of them and 1 MiB; then the oldest give way. A script that listens but
// is slower than the server lets the server wait. Up to 16 sockets of a call may be open. In a simulation, time passes no
// faster than the machine's while a socket is open.

/** A connection on which both sides send messages (https://websockets.spec.whatwg.org). */
declare class WebSocket extends EventTarget implements AsyncIterable<string | ArrayBuffer> {
  /**
   * Begins to connect.
   * @param url ws:// or wss://; http:// and https:// mean the same
   * @throws DOMException named SyntaxError for a URL or protocol that cannot be used, RangeError when 16 sockets are open
   */
  constructor(url: string | URL, options?: string | string[] | WebSocketOptions)
  static readonly CONNECTING: 0
  static readonly OPEN: 1
  static readonly CLOSING: 2
  static readonly CLOSED: 3
  readonly CONNECTING: 0
  readonly OPEN: 1
  readonly CLOSING: 2
  readonly CLOSED: 3
  readonly url: string
  /** CONNECTING, OPEN, CLOSING or CLOSED. */
  readonly readyState: 0 | 1 | 2 | 3
  /** The protocol that the server has chosen, or "". */
  readonly protocol: string
  /** Always "". */
  readonly extensions: string
  /** How many bytes wait to be sent; at most 4 MiB do. */
  readonly bufferedAmount: number
  /** What binary messages are; "blob" is not available. */
  binaryType: 'arraybuffer'
  /**
   * Settles when the socket is open: the socket itself. Rejects with an Error whose code says why it did not open, such as
   * "EBLOCKED", "ENOTFOUND", "ECONNREFUSED", "ETIMEDOUT", "EHANDSHAKE" or "EREDIRECT".
   */
  readonly opened: Promise<this>
  onopen: ((this: WebSocket, event: Event) => void) | null
  onmessage: ((this: WebSocket, event: MessageEvent<string | ArrayBuffer>) => void) | null
  /** Called when the connection fails or breaks off, with the reason; the event close follows. */
  onerror: ((this: WebSocket, event: ErrorEvent) => void) | null
  onclose: ((this: WebSocket, event: CloseEvent) => void) | null
  /**
   * Sends a message. After close it is lost, as bufferedAmount shows.
   * @throws DOMException named InvalidStateError while the socket is connecting, QuotaExceededError when more than 4 MiB
   *   would wait to be sent: the server is too slow
   */
  send(data: string | ArrayBuffer | ArrayBufferView): void
  /**
   * Closes the socket once all is sent. No more messages come.
   * @param code 1000, or 3000 to 4999
   * @param reason up to 123 bytes of UTF-8
   */
  close(code?: number, reason?: string): void
  /**
   * Iterates over the messages. The loop ends when the socket is closed, and throws when it broke off; leaving the loop
   * leaves the socket open. While a loop runs, messages come at its pace.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<string | ArrayBuffer>
}

/** How a socket is opened. */
interface WebSocketOptions {
  /** What both sides may speak; the server chooses one. */
  protocols?: string | string[]
  /** Headers of the handshake, such as Authorization. */
  headers?: Record<string, string> | [string, string][] | Headers
  /** How long the server may take to open the connection (default 10 s). */
  timeout?: Duration
}

/** A message that has come. */
declare class MessageEvent<T = any> extends Event {
  constructor(type: string, init?: { bubbles?: boolean, cancelable?: boolean, composed?: boolean, data?: T, origin?: string, lastEventId?: string })
  readonly data: T
  readonly origin: string
  readonly lastEventId: string
}

/** The end of a socket. */
declare class CloseEvent extends Event {
  constructor(type: string, init?: { bubbles?: boolean, cancelable?: boolean, composed?: boolean, wasClean?: boolean, code?: number, reason?: string })
  /** Whether both sides have said goodbye. */
  readonly wasClean: boolean
  /** The server's close code; 1005 when it gave none, 1006 when the connection broke off. */
  readonly code: number
  readonly reason: string
}

/** A failure: what happened, for people and for programs. */
declare class ErrorEvent extends Event {
  constructor(type: string, init?: { bubbles?: boolean, cancelable?: boolean, composed?: boolean, message?: string, error?: any })
  readonly message: string
  /** The Error; its code is a word such as "ECONNRESET". */
  readonly error: any
}

//# Sound: piopiy/audio
// Work on samples, done natively on whole pieces. Sound is an Int16Array of samples, one channel; a Uint8Array, an
// ArrayBuffer or a DataView will do as well: samples of 16 bits, little endian. A piece has up to 2,097,152 samples. Rates
// are 8000, 16000, 24000 and 48000 Hz. What does not fit is a TypeError, what is too much a RangeError.

/** Sound: samples, or bytes that hold them. */
type Sound = Int16Array | Uint8Array | ArrayBuffer | DataView

/** A sample rate in Hz. */
type SampleRate = 8000 | 16000 | 24000 | 48000

declare module 'piopiy/audio' {
  /** Returns a whole sound at another rate. For a sound that comes in pieces, use a Resampler. */
  export function resample(sound: Sound, from: SampleRate, to: SampleRate): Int16Array
  /** Encodes samples in mu-law (ITU-T G.711), one byte each. */
  export function encodeMuLaw(sound: Sound): Uint8Array
  /** Decodes mu-law. */
  export function decodeMuLaw(data: Uint8Array | ArrayBuffer): Int16Array
  /** Encodes samples in A-law (ITU-T G.711), one byte each. */
  export function encodeALaw(sound: Sound): Uint8Array
  /** Decodes A-law. */
  export function decodeALaw(data: Uint8Array | ArrayBuffer): Int16Array
  /** Returns the sound louder by dB, softer when that is below 0; what becomes too loud is clipped. */
  export function gain(sound: Sound, dB: number): Int16Array
  /** Returns 1 to 16 sounds at the same time, as long as the longest; what becomes too loud is clipped. */
  export function mix(...sounds: Sound[]): Int16Array
  /** Returns the level of a sound in dB below full scale: 0 is the loudest, speech is around -26, silence is -100. */
  export function energy(sound: Sound): number
  /**
   * Returns a sine tone at -15 dB, faded in and out.
   * @param frequency in Hz, below half the rate
   * @param rate default 8000
   */
  export function tone(frequency: number, length: Duration, rate?: SampleRate): Int16Array
  /** Encodes sound, or any bytes, in base64: samples as 16 bits, little endian. */
  export function toBase64(sound: Sound): string
  /** Decodes base64 that holds samples of 16 bits, little endian. */
  export function samplesFromBase64(text: string): Int16Array
  /** Decodes base64 that holds something else, such as mu-law. */
  export function bytesFromBase64(text: string): Uint8Array
  /** Returns the sound as a WAV file. */
  export function encodeWav(sound: Sound, rate: SampleRate): Uint8Array
  /** Reads a WAV file: PCM of 8 to 32 bits, float, A-law or mu-law, at any rate. Its channels are mixed. */
  export function decodeWav(file: Uint8Array | ArrayBuffer): { samples: Int16Array, rate: number }

  /** Changes the rate of a sound that comes in pieces, as one. */
  export class Resampler {
    constructor(from: SampleRate, to: SampleRate)
    readonly from: SampleRate
    readonly to: SampleRate
    /** Returns the next piece at the new rate. The first one is 3 ms shorter: that much is held back. */
    push(sound: Sound): Int16Array
    /** Returns what was held back, and begins anew. */
    flush(): Int16Array
  }

  /**
   * Tells where speech begins and ends, by its energy over a floor that follows the noise of the line. The same sound gives
   * the same answers, however it is cut into pieces.
   */
  export class VoiceActivity {
    constructor(options?: VoiceActivityOptions)
    /** Takes the next piece and says what has changed in it, or else how it is. */
    push(sound: Sound): 'began' | 'ended' | 'speech' | 'silence'
    readonly speaking: boolean
    /** Where the speech began, or the last one did, in milliseconds from the first sample on. */
    readonly start: number
    /** Where the last speech ended, before the silence that ended it. */
    readonly end: number
  }
}

/** What is taken for speech. */
interface VoiceActivityOptions {
  /** The rate of the sound (default 8000). */
  rate?: SampleRate
  /** How much voice begins it (default 100 ms): clicks are shorter. */
  onset?: Duration
  /** How much silence ends it (default 800 ms). */
  silence?: Duration
  /** How much before the first voice belongs to it (default 200 ms). */
  lead?: Duration
  /** What ends it in any case (default 30 s). */
  maxLength?: Duration
}

//# Tests: piopiy/test
// For files named NAME.test.ts or NAME.test.js beside your apps, which `piopiyd test` runs in the simulator, on virtual time: half an hour of a call takes milliseconds. Apps cannot import it. Each test begins with the top level of its file anew, an empty kv, the app's own env, a Monday at 09:00 UTC, and no network. Dead air of 10 s, calls that go in a circle or that nobody ends, faults of the script, and fetches and WebSockets without a stub fail a test without being asked.

declare module 'piopiy/test' {
  /** Declares a test; test.skip leaves it out, and where a file has a test.only the others are left out. */
  export const test: ((name: string, run: () => unknown) => void) & { readonly skip: (name: string, run: () => unknown) => void, readonly only: (name: string, run: () => unknown) => void }
  /** Calls an app; without a name, the one that the test file stands beside. */
  export function call(app?: string, options?: TestCallOptions): Promise<TestCall>
  export function call(options: TestCallOptions): Promise<TestCall>
  /** Waits for a call that an app places, with calls.make or the classes of the npm SDK; what becomes of it is said by a method of what it returns. A call that no test waits for is answered after 3 s by somebody who is silent. */
  export function callTo(to?: string | RegExp): TestOutgoing
  /** Calls an exported function of the app beside the test, or with 'desk/remind' of another, and returns its result. Both are copied as JSON. */
  export function run(what: string, ...args: any[]): Promise<any>
  /** Answers what apps fetch, and what the classes of the npm SDK send to PIOPIY, which else the simulator carries out. A text stands for one URL with any query; the newest stub that fits answers. */
  export function stubFetch(url: string | RegExp, reply?: StubReply | ((request: StubRequest) => StubReply | Promise<StubReply>)): FetchStub
  /** Answers the WebSockets that apps open, and the media WebSockets of streams to servers. A text stands for one URL with any query; the newest stub that fits answers. A function in place of the server answers messages. */
  export function stubWebSocket(url: string | RegExp, server?: StubServer | StubServer['message']): WebSocketStub
  /** Has the operations of apps on a key of kv fail, as they do when the store does: with an Error whose code is ESTORE. The key of list and entries is the prefix. The newest stub that fits decides; what none fits works. */
  export function stubKv(key: string | RegExp, options?: StubKvOptions): KvStub
  /** Changes the env of apps that are called from now on; undefined takes a value away. */
  export function setEnv(values: Record<string, string | undefined>): void
  /** Sets the clock, while no call is under way: '2026-11-23T09:00+05:30', a Date, or milliseconds since 1970. */
  export function at(time: string | number | Date): void
  /** Lets virtual time pass. */
  export function wait(time: Duration): Promise<void>
  /** Says what a value must be. */
  export function expect(actual: unknown): Expectation

  /** What fails, and how. */
  export interface StubKvOptions {
    /** What the store says; it stands in the error's message. */
    error?: string
    /** How many operations fail before kv works again (default: all). */
    times?: number
    /** Which operations do (default: all). */
    on?: KvOperation | KvOperation[]
  }

  /** What apps can do with kv. */
  export type KvOperation = 'get' | 'set' | 'delete' | 'has' | 'increment' | 'compareAndSet' | 'update' | 'list' | 'entries'

  export interface KvStub {
    /** What has failed so far. */
    readonly failed: { readonly op: KvOperation, readonly key: string }[]
  }

  export interface TestCallOptions {
    from?: string
    to?: string
    /** An outbound call is one that the platform has placed. */
    direction?: 'inbound' | 'outbound'
    /** What becomes of an outbound call (default: it was answered when the app is asked). */
    party?: TestCallee
    /** What travels with the call: text, or an object that becomes JSON. */
    extraParams?: string | object
    /** What becomes of the legs that the app dials, where dials() does not say it (default: each answers after 3 s and hangs up after 20 s). */
    callee?: TestCallee
    /** The same for single numbers and SIP users. */
    callees?: Record<string, TestCallee>
    /** Lets the script fail: the fault policy is what is tested. */
    allowFaults?: boolean
  }

  /** What becomes of a leg; with after, how long it rings, and talk, how long who answered stays. */
  export type TestCallee = TestOutcome | { outcome?: TestOutcome, after?: Duration, talk?: Duration }
  export type TestOutcome = 'answers' | 'busy' | 'no-answer' | 'rejects' | 'unreachable' | 'voicemail'

  /** A call under way, as its caller lives through it. Steps look on from where the last one found something, or from when the app has taken what the caller pressed or said, so that their order is the order of events. A step that the call ends without fails the test. */
  export interface TestCall {
    readonly id: string
    readonly app: string
    readonly from: string
    readonly to: string
    /** How the call ended; undefined before. */
    readonly ended: TestEnding | undefined
    /** All that was said and played to the caller so far. */
    readonly heard: string[]
    /** The legs that were dialled so far, without those of other calls; outcome is there once it is known. */
    readonly dialled: { readonly to: string, readonly from: string, readonly outcome?: 'answered' | 'missed', readonly cause?: string }[]
    /** What was recorded so far, without what is still being recorded; the duration is in seconds. */
    readonly recordings: { readonly file: string, readonly url: string, readonly duration: number }[]
    /** All that happened so far, as `piopiyd call --json` shows it. */
    readonly transcript: any[]
    /** Waits until the caller hears a text, or a file by its name or URL, and returns the whole. */
    hears(what: string | RegExp): Promise<string>
    /** Presses keys, shortly after what is heard now or so long from now, and waits until the app has taken them: a question, or a stream. */
    press(keys: string, options?: { after?: Duration }): Promise<void>
    /** Says words, and waits until the app has heard them. Where a stream is open they are sound in it, as long as it takes to say them. */
    says(words: string, options?: { after?: Duration }): Promise<void>
    /** Waits until the app has asked for something in vain. */
    staysSilent(): Promise<void>
    /** The caller hangs up, once he has thought or so long from now. Waits for the end of the call, like ends(). */
    hangsUp(options?: { after?: Duration }): Promise<TestEnding>
    /** Waits until the call is over and its events and CDRs are delivered. */
    ends(): Promise<TestEnding>
    /** Waits until a number or SIP user is dialled; what becomes of the leg is said by a method of what it returns. */
    dials(to?: string | RegExp): TestDial
    /** Waits until the caller talks with a callee. */
    talks(): Promise<void>
    /** Waits until a recording begins. */
    records(): Promise<void>
    /** Waits until the call joins a conference. */
    joins(room?: string | RegExp): Promise<void>
    /** Waits until a media WebSocket is opened. */
    streams(url?: string | RegExp): Promise<void>
    /** Waits until the caller begins to hear what the app plays into a stream. */
    hearsAudio(): Promise<TestAudio>
    /** Waits until the caller is referred to somebody. */
    refers(to?: string | RegExp): Promise<void>
  }

  /** A leg that is expected to be dialled. */
  export interface TestDial extends PromiseLike<void> {
    answers(options?: { after?: Duration, talk?: Duration }): Promise<void>
    busy(options?: { after?: Duration }): Promise<void>
    noAnswer(): Promise<void>
    rejects(options?: { after?: Duration }): Promise<void>
    unreachable(): Promise<void>
    /** An answering machine takes the call. */
    voicemail(options?: { after?: Duration, talk?: Duration }): Promise<void>
  }

  /** A call that is expected to be placed. Its caller is whoever is called. */
  export interface TestOutgoing extends PromiseLike<TestCall> {
    /** after: how long it rings; talk: how long who answered stays. */
    answers(options?: { after?: Duration, talk?: Duration }): Promise<TestCall>
    busy(options?: { after?: Duration }): Promise<TestCall>
    noAnswer(): Promise<TestCall>
    rejects(options?: { after?: Duration }): Promise<TestCall>
    unreachable(): Promise<TestCall>
    /** An answering machine takes the call. */
    voicemail(options?: { after?: Duration, talk?: Duration }): Promise<TestCall>
  }

  /** Sound of a stream that the caller hears without a gap. */
  export interface TestAudio {
    /** When it began, in seconds of the call. */
    readonly began: number
    /** How much of it was heard so far, in seconds. */
    readonly length: number
    readonly over: boolean
    /** Whether there was more, which was cleared or cut off by the stream's end. */
    readonly cut: boolean
    /** Waits until it is over. */
    ends(): Promise<TestAudio>
  }

  export interface TestEnding {
    readonly by: 'caller' | 'callee' | 'app' | 'platform'
    readonly cause: string
    /** How long the call was, in seconds. */
    readonly after: number
    /** What went wrong, where something did. */
    readonly error?: string
  }

  /** A reply to a fetch: a status, a body, a Response, or its parts. With error the fetch fails as if the network did; delay lets virtual time pass. */
  export type StubReply = number | string | Response | { status?: number, headers?: Record<string, string>, body?: string, json?: unknown, delay?: Duration, error?: string }

  /** What an app sent. */
  export interface StubRequest {
    readonly url: string
    readonly method: string
    readonly headers: Record<string, string>
    readonly body: string
    /** The body, where it is JSON. */
    readonly json?: any
  }

  export interface FetchStub {
    /** What it was asked so far. */
    readonly requests: StubRequest[]
  }

  /** What stands at a URL for WebSockets. What open and message return is sent, unless it is undefined: text and bytes as they are, anything else as JSON. */
  export interface StubServer {
    /** A socket is open. */
    open?: (socket: StubSocket) => unknown
    /** The app has sent a message. */
    message?: (message: StubMessage, socket: StubSocket) => unknown
    /** The app has closed the socket, or its call has ended. */
    close?: (closed: StubClosed, socket: StubSocket) => unknown
    /** Opens no socket: an HTTP status from 300 to 599, or the code of a network error such as 'ECONNREFUSED'. A function decides, undefined opens it. */
    refuse?: number | string | ((request: StubHandshake) => number | string | undefined | Promise<number | string | undefined>)
    /** The subprotocol that it chooses. */
    protocol?: string
    /** How long the handshake takes. */
    delay?: Duration
  }

  export interface StubHandshake {
    readonly url: string
    /** By their names in lower case. */
    readonly headers: Record<string, string>
    /** The subprotocols that the app offers. */
    readonly protocols: string[]
  }

  /** What an app sent by WebSocket: text, or data. */
  export interface StubMessage {
    /** Seconds since the socket opened. */
    readonly at: number
    readonly text?: string
    /** The text, where it is JSON. */
    readonly json?: any
    readonly data?: Uint8Array
  }

  export interface StubClosed {
    readonly by: 'app' | 'stub'
    readonly code: number
    readonly reason: string
  }

  /** Which message: text that it holds or a RegExp fits, JSON with at least these properties, or a function that picks it. */
  export type StubPattern = string | RegExp | object | ((message: StubMessage) => unknown)

  export interface WebSocketStub {
    /** The sockets that were opened so far. */
    readonly sockets: StubSocket[]
    /** The messages that came by any of them so far. */
    readonly received: StubMessage[]
    /** Waits for the next socket, within a time of the clock (default two hours). */
    opens(options?: { within?: Duration }): Promise<StubSocket>
    /** Waits for a message, and looks on from where the last one was found. */
    receives(what?: StubPattern, options?: { within?: Duration }): Promise<StubMessage>
  }

  /** The stub's end of a WebSocket. */
  export interface StubSocket extends StubHandshake {
    /** The messages that came so far. */
    readonly received: StubMessage[]
    /** How it was closed; undefined before. */
    readonly closed: StubClosed | undefined
    /** Sends text, bytes, or anything else as JSON; after lets time pass before. */
    send(data: unknown, options?: { after?: Duration }): void
    close(code?: number, reason?: string, options?: { after?: Duration }): void
    /** Breaks off without a goodbye. */
    drop(options?: { after?: Duration }): void
    receives(what?: StubPattern, options?: { within?: Duration }): Promise<StubMessage>
    /** Waits until it is closed. */
    closes(options?: { within?: Duration }): Promise<StubClosed>
  }

  export interface Expectation {
    readonly not: Expectation
    /** The same value. */
    toBe(expected: unknown): void
    /** The same structure. */
    toEqual(expected: unknown): void
    /** A text that holds a part or fits a RegExp; an object with at least these properties. */
    toMatch(expected: string | RegExp | object): void
    toContain(expected: unknown): void
    toBeTruthy(): void
    toBeUndefined(): void
    toBeGreaterThan(expected: number): void
    toBeLessThan(expected: number): void
    toThrow(expected?: string | RegExp): void
  }
}
