/** What a wrong tier is, and the ways to one. */
import { Effect } from "effect"
import * as Tier from "../../../src/Tier.js"
import { type Disk, type Held, type Parts, parts, right, rightStore } from "../rightTier.js"

/** A tier that breaks some laws. */
export interface WrongTier {
  /** What it does. */
  readonly name: string
  /** The laws that it breaks. It keeps all others. */
  readonly breaks: ReadonlyArray<string>
  readonly open: (disk: Disk) => Tier.Tier
}

/** Differs in some parts. */
export const differing = (name: string, over: Partial<Parts>, breaks: ReadonlyArray<string>): WrongTier => ({
  name,
  breaks,
  open: (disk) => right(disk, over)
})

/** Differs in some calls of its source. */
export const calling = (
  name: string,
  calls: (rightly: Tier.SourceStore, disk: Disk, namespace: string) => Partial<Tier.SourceStore>,
  breaks: ReadonlyArray<string>
): WrongTier => ({
  name,
  breaks,
  open: (disk) =>
    Tier.make({
      open: (namespace) => {
        const rightly = rightStore(disk, namespace)
        return Effect.succeed({ ...rightly, ...calls(rightly, disk, namespace) })
      }
    })
})

/** Differs in some calls of its handles, which no `Tier.make` guards. */
export const unguarded = (
  name: string,
  calls: (
    rightly: Tier.Store,
    source: Tier.SourceStore,
    disk: Disk,
    namespace: string
  ) => Partial<Tier.Store>,
  breaks: ReadonlyArray<string>
): WrongTier => ({
  name,
  breaks,
  open: (disk) => ({
    open: (namespace) =>
      Effect.map(right(disk).open(namespace), (rightly) => ({
        ...rightly,
        ...calls(rightly, rightStore(disk, namespace), disk, namespace)
      }))
  })
})

export const known = <A>(disk: Disk, name: string, first: A): A => {
  if (!disk.notes.has(name)) disk.notes.set(name, first)
  return disk.notes.get(name) as A
}

const isText = (given: unknown): boolean => typeof given === "string"

/** Whether entries have keys and values, whatever text these are. */
export const isPlain = (entries: ReadonlyArray<Tier.Entry>): boolean =>
  entries.every(
    (entry) => typeof entry === "object" && entry !== null && isText(entry.key) && isText(entry.value)
  )

/** The entry of a key, unless it has expired. */
export const current = (space: Map<string, Held>, key: string, now: number): Held | undefined => {
  const held = space.get(key)
  return held === undefined || parts.isOver(held, now) ? undefined : held
}

/** A failure that the laws take for one of the tier. */
export const failing = new Tier.TierError({ reason: "Unavailable", message: "busy" })
