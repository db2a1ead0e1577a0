/**
 * What a store knows of its records beside their data: the session that a record belongs to, and when it ends. Most
 * records have neither.
 */
import type { Timer, Timers } from "../lease/timers.js"

interface Extra {
  session: string | undefined
  timer: Timer | undefined
}

export interface Records {
  readonly timers: Timers
  readonly extras: Map<string, Extra>
  /** By session. */
  readonly sessions: Map<string, Set<string>>
  /** The bytes of each record, if they are counted. */
  readonly sizes: Map<string, number> | undefined
  bytes: number
  /** Removes records whose time is over. */
  readonly onDue: (key: string) => void
}

export const make = (timers: Timers, countsBytes: boolean, onDue: (key: string) => void): Records => ({
  timers,
  extras: new Map(),
  sessions: new Map(),
  sizes: countsBytes ? new Map() : undefined,
  bytes: 0,
  onDue
})

const leaveSession = ({ sessions }: Records, key: string, session: string): void => {
  const keys = sessions.get(session)
  if (keys?.delete(key) === true && keys.size === 0) sessions.delete(session)
}

const joinSession = ({ sessions }: Records, key: string, session: string): void => {
  const keys = sessions.get(session)
  if (keys === undefined) sessions.set(session, new Set([key]))
  else keys.add(key)
}

/** Forgets what is known of a record: it is removed, or was written without a session and an end. */
export const clear = (records: Records, key: string): void => {
  const { extras, timers } = records
  const extra = extras.get(key)
  if (extra === undefined) return
  extras.delete(key)
  if (extra.session !== undefined) leaveSession(records, key, extra.session)
  if (extra.timer !== undefined) timers.cancel(extra.timer)
}

/** Notes the session and the end of a record that was just written; both replace those before. */
export const set = (
  records: Records,
  key: string,
  session: string | undefined,
  deadline: number | undefined
): void => {
  const { extras, onDue, timers } = records
  if (extras.size > 0) clear(records, key)
  if (session === undefined && deadline === undefined) return
  const timer = deadline === undefined ? undefined : timers.schedule(deadline, () => onDue(key))
  extras.set(key, { session, timer })
  if (session !== undefined) joinSession(records, key, session)
}

/** Notes the bytes of a record; `undefined`: it is removed. */
export const measure = (records: Records, key: string, bytes: number | undefined): void => {
  const { sizes } = records
  if (sizes === undefined) return
  records.bytes += (bytes ?? 0) - (sizes.get(key) ?? 0)
  if (bytes === undefined) sizes.delete(key)
  else sizes.set(key, bytes)
}

/** When a record ends, in monotonic milliseconds. */
export const deadlineOf = ({ extras }: Records, key: string): number | undefined =>
  extras.get(key)?.timer?.deadline

/** Returns the keys that belong to a session. */
export const keysOfSession = ({ sessions }: Records, session: string): ReadonlyArray<string> =>
  Array.from(sessions.get(session) ?? [])

/** Ends everything that waits. */
export const end = ({ extras, sessions, timers }: Records): void => {
  for (const { timer } of extras.values()) if (timer !== undefined) timers.cancel(timer)
  extras.clear()
  sessions.clear()
}
