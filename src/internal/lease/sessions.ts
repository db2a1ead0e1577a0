/**
 * Sessions of clients, which outlive their connections for a grace.
 *
 *     open ──> Connected ── disconnected ──> Grace ── the grace is over ──> ended: Lost
 *                  ^                           │
 *                  └────────── resume ─────────┘          goodbye in either ──> ended: Goodbye
 *
 * Each connection of a session has a generation. Only that of the present one can begin the grace or end the session, so
 * an older connection that is closed late ends nothing. A session that has ended leaves nothing behind.
 */
import { Data, Effect } from "effect"
import { makeRandom, randomName } from "../random.js"
import { isSameSecret, makeSecret } from "./secret.js"
import type { Timer, Timers } from "./timers.js"

/** A session as it is at one moment. */
export interface Session {
  /** 24 hexadecimal digits, never used again. It is no secret. */
  readonly id: string
  readonly client: string
  readonly principal: string | undefined
  /** The number of the present connection, from 1. */
  readonly generation: number
  /** `Grace`: its connection is lost, and it can be resumed. */
  readonly state: "Connected" | "Grace" | "Ended"
}

/** A session that has begun. */
export interface Opened {
  readonly session: Session
  /** 24 hexadecimal digits for the client alone: they resume the session. */
  readonly secret: string
}

/** A session that goes on by another connection. */
export interface Resumed {
  readonly _tag: "Resumed"
  readonly session: Session
}

/**
 * A session is not resumed.
 *
 * - `Unknown`: it has ended, or was never open.
 * - `WrongSecret`: it has another secret.
 * - `OtherPrincipal`: it belongs to another principal.
 */
export class SessionRefused extends Data.TaggedError("SessionRefused")<{
  readonly reason: "Unknown" | "WrongSecret" | "OtherPrincipal"
  readonly id: string
  readonly message: string
}> {}

/** `Goodbye`: it was ended. `Lost`: its connection was lost, and the grace passed. */
export type EndReason = "Goodbye" | "Lost"

export interface SessionOptions {
  readonly client: string
  readonly principal?: string | undefined
  /** Milliseconds that a lost connection has to resume. Default 30,000. */
  readonly grace?: number | undefined
}

export interface Sessions {
  /** Begins a session with its first connection. */
  readonly open: (options: SessionOptions) => Opened
  /**
   * Continues a session by another connection, which is the present one from now on. It takes one that is connected,
   * and one whose grace is not over: at the last millisecond too.
   */
  readonly resume: (id: string, secret: string, principal?: string | undefined) => Resumed | SessionRefused
  /** Begins the grace, if this generation is the present one and connected. */
  readonly disconnected: (id: string, generation: number) => void
  /** Ends a session at once, if this generation is the present one. */
  readonly goodbye: (id: string, generation: number) => void
  /** Ends all sessions of a client at once. Returns how many. */
  readonly endClient: (client: string) => number
  /**
   * Calls the listener once for each session that ends, in the order of registration. What ends while a listener runs
   * follows after it. It must not throw: a throw is logged, and stops no other listener. Returns how to stop.
   */
  readonly onEnd: (listener: (session: Session, why: EndReason) => void) => () => void
  /** The session as it is now; `undefined` when it has ended or was never open. */
  readonly get: (id: string) => Session | undefined
  /** How many sessions have not ended. */
  readonly size: () => number
}

interface Entry {
  readonly id: string
  readonly client: string
  readonly principal: string | undefined
  readonly secret: string
  readonly grace: number
  generation: number
  /** Ends the session; there while its connection is lost. */
  timer: Timer | undefined
}

interface Listener {
  readonly call: (session: Session, why: EndReason) => void
}

interface Ended {
  readonly session: Session
  readonly why: EndReason
}

interface State {
  readonly timers: Timers
  readonly random: Int32Array
  readonly entries: Map<string, Entry>
  readonly byClient: Map<string, Set<Entry>>
  readonly listeners: Set<Listener>
  /** Ends that listeners are called for, in order. */
  readonly ended: Array<Ended>
  notifying: boolean
}

const defaultGrace = 30_000

const sessionOf = (entry: Entry, state: Session["state"]): Session => ({
  id: entry.id,
  client: entry.client,
  principal: entry.principal,
  generation: entry.generation,
  state
})

const present = (entry: Entry): Session => sessionOf(entry, entry.timer === undefined ? "Connected" : "Grace")

/** Finds a session after all those have ended whose grace is over, also when no fiber has run yet. */
const find = ({ entries, timers }: State, id: string): Entry | undefined => {
  timers.runDue()
  return entries.get(id)
}

const add = ({ byClient, entries }: State, entry: Entry): void => {
  entries.set(entry.id, entry)
  const known = byClient.get(entry.client)
  if (known === undefined) byClient.set(entry.client, new Set([entry]))
  else known.add(entry)
}

const remove = ({ byClient, entries }: State, entry: Entry): void => {
  entries.delete(entry.id)
  const known = byClient.get(entry.client)
  known?.delete(entry)
  if (known?.size === 0) byClient.delete(entry.client)
}

const newId = ({ entries, random }: State): string => {
  for (;;) {
    const id = randomName(random).slice(0, 24)
    if (!entries.has(id)) return id
  }
}

const open = (state: State, { client, grace = defaultGrace, principal }: SessionOptions): Opened => {
  const entry: Entry = {
    id: newId(state),
    client,
    principal,
    secret: makeSecret(),
    grace,
    generation: 1,
    timer: undefined
  }
  add(state, entry)
  return { session: present(entry), secret: entry.secret }
}

const stopGrace = ({ timers }: State, entry: Entry): void => {
  if (entry.timer !== undefined) timers.cancel(entry.timer)
  entry.timer = undefined
}

const refused = (reason: SessionRefused["reason"], id: string, message: string): SessionRefused =>
  new SessionRefused({ reason, id, message })

const resume = (
  state: State,
  id: string,
  secret: string,
  principal: string | undefined
): Resumed | SessionRefused => {
  const entry = find(state, id)
  if (entry === undefined) {
    return refused("Unknown", id, "the session has ended, or was never open: open another one")
  }
  if (!isSameSecret(secret, entry.secret)) {
    return refused("WrongSecret", id, "the session has another secret: give the one it was opened with")
  }
  if (principal !== entry.principal) {
    return refused("OtherPrincipal", id, "the session belongs to another principal: open another one")
  }
  stopGrace(state, entry)
  entry.generation++
  return { _tag: "Resumed", session: present(entry) }
}

const notify = ({ listeners, timers }: State, { session, why }: Ended): void => {
  for (const listener of [...listeners]) {
    if (listeners.has(listener)) timers.supervise(() => listener.call(session, why))
  }
}

/**
 * The session is gone before the first listener runs: none of them can resume it, or end it again. A listener that ends
 * others, or meets others whose grace is over, does not nest: thousands of sessions may be lost at once.
 */
const end = (state: State, entry: Entry, why: EndReason): void => {
  stopGrace(state, entry)
  remove(state, entry)
  state.ended.push({ session: sessionOf(entry, "Ended"), why })
  if (state.notifying) return
  state.notifying = true
  // It grows meanwhile.
  for (const ended of state.ended) notify(state, ended)
  state.ended.length = 0
  state.notifying = false
}

const disconnected = (state: State, id: string, generation: number): void => {
  const entry = find(state, id)
  if (entry === undefined || entry.generation !== generation || entry.timer !== undefined) return
  const { timers } = state
  entry.timer = timers.schedule(timers.now() + entry.grace, () => end(state, entry, "Lost"))
}

const goodbye = (state: State, id: string, generation: number): void => {
  const entry = find(state, id)
  if (entry?.generation === generation) end(state, entry, "Goodbye")
}

const endClient = (state: State, client: string): number => {
  state.timers.runDue()
  const ending = [...(state.byClient.get(client) ?? [])]
  let ended = 0
  for (const entry of ending) {
    // A listener may have ended it.
    if (state.entries.get(entry.id) !== entry) continue
    end(state, entry, "Goodbye")
    ended++
  }
  return ended
}

/** Makes sessions whose graces are timers of these. Once the timers have ended, no grace ends a session. */
export const make = (timers: Timers): Effect.Effect<Sessions> =>
  Effect.map(makeRandom, (random) => {
    const state: State = {
      timers,
      random,
      entries: new Map(),
      byClient: new Map(),
      listeners: new Set(),
      ended: [],
      notifying: false
    }
    return {
      open: (options) => open(state, options),
      resume: (id, secret, principal) => resume(state, id, secret, principal),
      disconnected: (id, generation) => disconnected(state, id, generation),
      goodbye: (id, generation) => goodbye(state, id, generation),
      endClient: (client) => endClient(state, client),
      onEnd: (call) => {
        const listener: Listener = { call }
        state.listeners.add(listener)
        return () => void state.listeners.delete(listener)
      },
      get: (id) => {
        const entry = find(state, id)
        return entry === undefined ? undefined : present(entry)
      },
      size: () => {
        timers.runDue()
        return state.entries.size
      }
    }
  })
