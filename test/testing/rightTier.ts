/** A tier that keeps every law, in parts that a wrong one replaces. */
import { Duration, Effect } from "effect"
import { monotonicMillis } from "../../src/internal/time.js"
import * as Tier from "../../src/Tier.js"
import type { Subject } from "../../src/testing/TierLaws.js"
import { timedPlace } from "../support/laws/tiers.js"

/** An entry that is held. */
export interface Held {
  readonly key: string
  readonly value: string
  readonly order: Tier.Order | undefined
  readonly expires: number
}

/** Where the tier is kept: every handle works on it. */
export interface Disk {
  readonly spaces: Map<string, Map<string, Held>>
  down: boolean
  /** Whatever a wrong tier remembers. */
  readonly notes: Map<string, unknown>
}

/** The parts of a tier. */
export interface Parts {
  /** Under which name a namespace is kept. */
  readonly space: (namespace: string) => string
  /** Under which name a key is kept. */
  readonly name: (key: string) => string
  /** What is kept of a value. */
  readonly keep: (value: string) => string
  readonly replaces: (held: Held | undefined, next: Tier.CheckedEntry) => boolean
  /** When an entry ends. */
  readonly expires: (ttl: Duration.Duration | undefined, now: number, held: Held | undefined) => number
  readonly isOver: (held: Held, now: number) => boolean
  readonly clear: (disk: Disk, space: string) => void
  /** What a call does while the place is down. */
  readonly down: Effect.Effect<never, unknown>
}

export const parts: Parts = {
  space: (namespace) => namespace,
  name: (key) => key,
  keep: (value) => value,
  replaces: (held, next) => Tier.replaces(held?.order, next.order),
  expires: (ttl, now) => (ttl === undefined ? Number.POSITIVE_INFINITY : now + Duration.toMillis(ttl)),
  isOver: ({ expires }, now) => expires <= now,
  clear: (disk, space) => void disk.spaces.delete(space),
  down: Effect.fail("the place is down")
}

export const newDisk = (): Disk => ({ spaces: new Map(), down: false, notes: new Map() })

export const spaceOf = (disk: Disk, space: string): Map<string, Held> => {
  const entries = disk.spaces.get(space) ?? new Map<string, Held>()
  disk.spaces.set(space, entries)
  return entries
}

const aTurn = Effect.yieldNow()

/** One namespace, with some parts replaced. Every call takes a turn before and after it, as a database does. */
export const rightStore = (disk: Disk, namespace: string, over: Partial<Parts> = {}): Tier.SourceStore => {
  const of = { ...parts, ...over }
  const space = of.space(namespace)
  const moment = <A>(call: (now: number) => A): Effect.Effect<A, unknown> =>
    Effect.andThen(
      aTurn,
      Effect.flatMap(Effect.clock, (clock) =>
        disk.down ? of.down : Effect.zipLeft(Effect.succeed(call(monotonicMillis(clock))), aTurn)
      )
    )
  const current = (key: string, now: number): Held | undefined => {
    const held = spaceOf(disk, space).get(of.name(key))
    return held === undefined || of.isOver(held, now) ? undefined : held
  }
  return {
    get: (keys) => moment((now) => keys.map((key) => current(key, now)?.value)),
    put: (entries) =>
      moment((now) => {
        for (const entry of entries) {
          const held = current(entry.key, now)
          if (!of.replaces(held, entry)) continue
          const { key, order, ttl, value } = entry
          spaceOf(disk, space).set(of.name(key), {
            key,
            value: of.keep(value),
            order,
            expires: of.expires(ttl, now, held)
          })
        }
      }),
    remove: (keys) =>
      moment(() => {
        for (const key of keys) spaceOf(disk, space).delete(of.name(key))
      }),
    clear: moment(() => of.clear(disk, space))
  }
}

export const right = (disk: Disk, over: Partial<Parts> = {}): Tier.Tier =>
  Tier.make({ open: (namespace) => Effect.succeed(rightStore(disk, namespace, over)) })

/** A wrong tier, or the right one, as a subject of the laws. */
export const subjectOf = (name: string, open: (disk: Disk) => Tier.Tier): Subject => ({
  name,
  place: Effect.suspend(() => {
    const disk = newDisk()
    const fail = Effect.sync(() => {
      disk.down = true
    })
    return timedPlace({ open: Effect.sync(() => open(disk)), fail })
  }),
  capabilities: { order: "compared", ttl: "kept", faults: "on demand" }
})
