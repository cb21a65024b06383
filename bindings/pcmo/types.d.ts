// The call document: the npm SDK's classes, and the fluent builders.

declare module 'piopiy/pcmo' {
  /** A time: milliseconds, or text such as "500ms", "5s", "2m", "1h30m". Where the platform counts seconds it must be whole seconds. */
  export type Duration = number | string

  /** A phone number with country code: "+14155550101", "14155550101" or 14155550101. */
  export type PhoneNumber = string | number

  /** What the caller entered, as the platform reports it. */
  export interface Digits {
    /** The digits, "" if none came in time. */
    dtmf: string
    [field: string]: unknown
  }

  /** What a callback or continuation may return. */
  export type Reply = Chain | Pipeline | readonly Action[] | { PCMO(): unknown } | null | undefined | void

  /** A function that gets the digits and answers with what to do next. It runs in the session of the call. */
  export type Continuation = (...args: any[]) => Reply | Promise<Reply>

  /** Where digits go: a function of the script, or the URL of a web server. */
  export type Target = Continuation | string

  export interface BridgeOptions {
    /** The caller id to show; the platform's choice unless given. */
    from?: PhoneNumber
    /** How long to ring (40s). */
    timeout?: Duration
    /** How long the conversation may last (5400s). */
    duration?: Duration
    /** How often to try in total (1). */
    tries?: number
    /** Ring one after the other ("single", the default) or all at once ("group"). */
    strategy?: 'single' | 'group'
  }

  export interface ConnectOptions extends BridgeOptions {
    record?: boolean
    media?: 'audio' | 'video'
  }

  export interface InputOptions {
    /** How many digits are wanted (1). */
    maxDigits?: number
    /** How long a digit is waited for (5s). */
    timeout?: Duration
  }

  export interface PlayGetInputOptions extends InputOptions {
    /** How often the file is played again without input (1). */
    retries?: number
  }

  export interface StreamOptions {
    /** Whose audio is sent ("caller"). */
    listen?: 'caller' | 'callee' | 'both'
    /** Sample rate in Hz (8000). */
    rate?: 8000 | 16000
    /** Wait for the answer (false). */
    onAnswer?: boolean
  }

  /** A call document of the classic dialect. Every method adds one action and throws a TypeError for what cannot be performed. */
  export interface Chain {
    /** Plays a file of the platform, or one at an http(s) URL. */
    play(file: string): Chain
    speak(text: string): Chain
    /** Sets the custom value of the call; an object travels as JSON. */
    param(value: string | object): Chain
    /** Records from here on. */
    record(): Chain
    /** Rings phone numbers and connects the call to the one that answers. */
    bridge(to: PhoneNumber | readonly PhoneNumber[], options?: BridgeOptions): Chain
    /** Rings SIP users of the platform. */
    connect(to: string | number | readonly (string | number)[], options?: ConnectOptions): Chain
    /** Collects digits in silence. */
    input(target: Target, options?: InputOptions): Chain
    /** Plays a file and collects digits. */
    playGetInput(file: string, target: Target, options?: PlayGetInputOptions): Chain
    /** Opens a media WebSocket to your server. */
    stream(url: string, options?: StreamOptions): Chain
    /** Ends the call, with a cause such as "USER_BUSY" where the driver can say one. */
    hangup(cause?: string): Chain
    /** The document as a plain array. */
    toJSON(): Action[]
    /** The document as a plain array. */
    PCMO(): Action[]
  }

  /** Begins a call document: pcmo().speak('Hello').hangup(). */
  export function pcmo(): Chain

  /** A prompt: a file name or URL, or a text to say. */
  export type Prompt = string | { say: string; language: string; voice: string; speed?: number }

  /** Whom to ring: a phone number, a SIP address, or one of these with headers; agents come last. */
  export type Endpoint =
    | PhoneNumber
    | { number: PhoneNumber; headers?: Record<string, string | number | boolean> }
    | { sip: string; headers?: Record<string, string | number | boolean> }
    | { agent: string; headers?: Record<string, string | number | boolean> }

  export interface PipelineConnectOptions {
    /** The caller id to show. */
    from: PhoneNumber
    strategy?: 'single' | 'group' | 'sequential' | 'simultaneous'
    /** How long to ring: 5s to 2m. */
    timeout?: Duration
    /** How long the conversation may last: 10s to 2h. */
    duration?: Duration
    machineDetection?: boolean
    record?: boolean | { format?: 'mp3' | 'wav'; channels?: 'single' | 'dual' }
    /** Waiting music: a file name or URL. */
    music?: string
    metadata?: Record<string, string | number | boolean>
  }

  export interface PipelineInputOptions {
    minDigits?: number
    maxDigits?: number
    finishOnKey?: string
    /** How long the first digit is waited for. */
    timeout?: Duration
    /** How long each further digit is waited for. */
    digitTimeout?: Duration
    /** Forget digits pressed before. */
    flush?: boolean
  }

  export interface PipelinePlayGetInputOptions extends PipelineInputOptions {
    /** What is collected ("dtmf"). */
    collect?: 'dtmf' | 'speech' | readonly ('dtmf' | 'speech')[]
    retries?: number
    noInput?: Prompt
    invalid?: Prompt
  }

  /** A call document of the v3 dialect. */
  export interface Pipeline {
    connect(to: Endpoint | readonly Endpoint[], options: PipelineConnectOptions): Pipeline
    play(file: string): Pipeline
    playGetInput(prompt: Prompt, target: Target | { pcmo: string }, options?: PipelinePlayGetInputOptions): Pipeline
    input(target: Target | { pcmo: string }, options?: PipelineInputOptions): Pipeline
    param(data: Record<string, string | number | boolean>): Pipeline
    record(options?: { format?: 'mp3' | 'wav'; channels?: 'single' | 'dual' }): Pipeline
    hangup(): Pipeline
    toJSON(): Action[]
    PCMO(): Action[]
    build(): Action[]
  }

  /** Begins a v3 document: pipeline().play('welcome.wav').hangup(). */
  export function pipeline(): Pipeline

  /** An action as it goes over the wire. */
  export interface Action {
    action: string
    [field: string]: unknown
  }
}

declare module 'piopiy' {
  import type { Action, Chain, Continuation, Pipeline } from 'piopiy/pcmo'
  export { pcmo, pipeline } from 'piopiy/pcmo'

  /** Options of call and forward. They are written into the action only if an object is given; 0 falls back to the default. */
  export interface CallOptions {
    duration?: number
    timeout?: number
    loop?: number
    ring_type?: string
    [other: string]: unknown
  }

  export interface StreamOptions {
    listen_mode?: string
    voice_quality?: string | number
    stream_on_answer?: boolean
    [other: string]: unknown
  }

  interface Queue {
    playMusic(fileNameOrUrl: string): void
    speak(text: string): void
    setValue(text: string): void
    stream(url: string, options?: StreamOptions): void
    hangup(): void
    record(): void
    call(to: number | readonly (number | string)[], from: number, options?: CallOptions): void
    forward(to: number | readonly (number | string)[], from: number, options?: CallOptions & { record?: boolean }): void
  }

  /** The npm SDK's action builder. Where it wants a URL for digits a function may stand. */
  export class PiopiyAction implements Queue {
    action: Action[]
    playMusic(fileNameOrUrl: string): void
    speak(text: string): void
    setValue(text: string): void
    stream(url: string, options?: StreamOptions): void
    hangup(): void
    record(): void
    call(to: number | readonly (number | string)[], from: number, options?: CallOptions): void
    forward(to: number | readonly (number | string)[], from: number, options?: CallOptions & { record?: boolean }): void
    input(actionUrl: string | URL | Continuation, options?: { max_digit?: number; timeout?: number; [other: string]: unknown }): void
    playGetInput(actionUrl: string | URL | Continuation, fileName: string, options?: { max_digit?: number; max_retry?: number; timeout?: number; [other: string]: unknown }): void
    /** The live array: what is added later shows in it. */
    PCMO(): Action[]
    clear(): true
  }

  /** The npm SDK's builder of text frames for the media socket. */
  export class StreamAction implements Queue {
    action: Action[]
    playMusic(fileNameOrUrl: string): void
    speak(text: string): void
    setValue(text: string): void
    stream(url: string, options?: StreamOptions): void
    hangup(): void
    record(): void
    call(to: number | readonly (number | string)[], from: number, options?: CallOptions): void
    forward(to: number | readonly (number | string)[], from: number, options?: CallOptions & { record?: boolean }): void
    pause(): string
    resume(): string
    stop(): string
    /** Drops the audio that is being played. */
    interrupt(): string
    playStream(audioBase64: string, type: 'raw' | 'mp3' | 'wav' | 'ogg', sampleRate: 8000 | 16000): string
    /** The queued actions as JSON text; the queue is then empty. */
    PCMO(): string
  }

  /** The npm SDK's builder of v3 documents. */
  export class PipelineBuilder {
    constructor(actions?: Iterable<Action>)
    actions: Action[]
    connect(params: object, endpoints: readonly object[]): this
    play(fileName: string): this
    playGetInput(prompt: object, input: readonly string[], onResult: object | Continuation, dtmf?: object, retries?: object): this
    play_get_input(prompt: object, input: readonly string[], onResult: object | Continuation, dtmf?: object, retries?: object): this
    param(data: object): this
    record(format?: string, channels?: string): this
    hangup(): this
    input(onResult: object | Continuation, dtmf?: object): this
    build(): Action[]
    PCMO(): Action[]
    clear(): this
  }

  /** The voice part of a classic client. */
  export interface ClassicVoice {
    setup(appid: number, secret: string): void
    create(to: number, from: number, answerUrl: string, duration: number): Promise<any>
    call(to: number, from: number, toOrPcmo: number | readonly number[] | readonly Action[] | Chain, options?: CallOptions & { extra_params?: object }): Promise<any>
    hold(cmiuuid: string): Promise<any>
    unhold(cmiuuid: string): Promise<any>
    toggle(cmiuuid: string): Promise<any>
    hangup(cmiuuid: string): Promise<any>
  }

  export interface V3Options {
    max_duration_sec?: number
    record?: boolean
    ring_timeout_sec?: number
  }
  type Variables = Record<string, string | number | boolean>
  type V3Pipeline = readonly Action[] | Pipeline

  export interface V3Pcmo {
    call(request: { caller_id: string; to_number: string; app_id: string; pipeline: V3Pipeline; options?: V3Options; variables?: Variables; agent_id?: string }): Promise<any>
    call(callerId: string, toNumber: string, appId: string, pipeline: V3Pipeline, options?: V3Options, variables?: Variables, agentId?: string): Promise<any>
    transfer(callId: string, pipeline: V3Pipeline): Promise<any>
    pipeline(): PipelineBuilder
  }

  export interface V3Voice {
    call(request: { caller_id: string; to_number: string; app_id: string; call_options?: V3Options; options?: V3Options; variables?: Variables; connect?: object; strategy?: string; connect_options?: object; metadata?: Variables }): Promise<any>
    call(callerId: string, toNumber: string, appId: string, callOptions?: V3Options, variables?: Variables, connect?: object, options?: V3Options, strategy?: string, connectOptions?: object, metadata?: Variables): Promise<any>
    transfer(callId: string, pipeline: V3Pipeline): Promise<any>
    hangup(callId: string, cause?: string, reason?: string): Promise<any>
    pipeline(): PipelineBuilder
  }

  export interface V3Ai {
    call(request: { caller_id: string; to_number: string; agent_id: string; options?: V3Options; variables?: Variables; app_id?: string; failover?: object }): Promise<any>
    call(to: string, from: string, agentId: string, options?: V3Options | object, variables?: Variables, appId?: string, failover?: object): Promise<any>
    transfer(callId: string, pipeline: V3Pipeline): Promise<any>
    hangup(callId: string, cause?: string, reason?: string): Promise<any>
    pipeline(): PipelineBuilder
  }

  export interface V3Flow {
    call(request: { flow_id: string; org_id: string; caller_id: string; to_number: string; app_id: string; options?: V3Options; variables?: Variables }): Promise<any>
    call(flowId: string, orgId: string, callerId: string, toNumber: string, appId: string, options?: V3Options, variables?: Variables): Promise<any>
  }

  /** A client of the v3 REST API. */
  export interface V3Client {
    readonly auth: string
    readonly ai: V3Ai
    readonly voice: V3Voice
    readonly pcmo: V3Pcmo
    readonly flow: V3Flow
  }

  /** A client of the v1 and v2 REST APIs. */
  export interface ClassicClient {
    readonly appid: number
    readonly secret: string
    readonly voice: ClassicVoice
  }

  /** The npm SDK's REST client; its arguments choose the generation. */
  export const Piopiy: {
    new (token: string): V3Client
    new (appid: number, secret: string): ClassicClient
  }
  export type Piopiy = V3Client | ClassicClient
}
