/** How long a store or pool lives, by monotonic time. */
import type { Timer, Timers } from "../lease/timers.js"

/** How long a store or pool lives without being used; permanent ones have none. */
export interface Lifetime {
  /** Milliseconds. */
  readonly ttl: number
  /** `sliding`: writes and `touch` extend it. */
  readonly expiry: "fixed" | "sliding"
}

/** What lives for a while. */
export interface Living {
  readonly lifetime: Lifetime | undefined
  /** Ends it; moved lazily: it looks at `usedAt` when it is due. */
  expiry: Timer | undefined
  /** Monotonic milliseconds of the last write or `touch`. */
  usedAt: number
}

const expiresAt = ({ ttl }: Lifetime, usedAt: number): number => usedAt + ttl

/** Begins the time of what lives. A use does not move the timer: when it is due, it looks when the last use was. */
export const start = (living: Living, timers: Timers, end: () => void): void => {
  const { lifetime } = living
  if (lifetime === undefined) return
  const onDue = (): void => {
    const due = expiresAt(lifetime, living.usedAt)
    if (timers.now() > due) end()
    else living.expiry = timers.schedule(due, onDue)
  }
  living.expiry = timers.schedule(expiresAt(lifetime, living.usedAt), onDue)
}

/** Extends a sliding lifetime. */
export const use = (living: Living, now: number): void => {
  if (living.lifetime?.expiry === "sliding") living.usedAt = now
}

/** Whether the time is over, whatever the timer has done. */
export const isOver = ({ lifetime, usedAt }: Living, now: number): boolean =>
  lifetime !== undefined && now > expiresAt(lifetime, usedAt)
