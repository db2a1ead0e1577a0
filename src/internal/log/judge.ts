/** Judges what entries expect of their log, while no other commit is possible. All of it is pure. */
import {
  type Change,
  type Compacted,
  type Condition,
  Conflict,
  type Entry,
  type EpochChanged,
  type GenerationCondition,
  type NothingCondition,
  type Revision
} from "./events.js"
import { matcherOfKinds } from "./kinds.js"
import { matcherOf } from "./selector.js"

/** An entry that is no duplicate, by its position in the commit. */
export interface Fresh<out V> {
  readonly index: number
  readonly entry: Entry<V>
}

/** What a log holds, as of the head that the commit begins with. */
export interface Evidence {
  /** Counts the events that a key ever had. */
  readonly generationOf: (key: string) => number
  /** Returns the first revision that is in the way, or why there is no answer. */
  readonly firstAfter: (condition: NothingCondition) => Revision | Compacted | EpochChanged | undefined
}

/** Returns the entries whose id is neither known to the log nor that of an earlier entry. */
export const freshOf = <V>(
  entries: ReadonlyArray<Entry<V>>,
  isKnown: (id: string) => boolean
): ReadonlyArray<Fresh<V>> => {
  const seen = new Set<string>()
  const fresh: Array<Fresh<V>> = []
  for (const [index, entry] of entries.entries()) {
    const { id } = entry
    if (id !== undefined && (seen.has(id) || isKnown(id))) continue
    if (id !== undefined) seen.add(id)
    fresh.push({ index, entry })
  }
  return fresh
}

/** An entry that was checked has conditions with either a key or `nothing`. */
export const isOfNothing = (condition: Condition): condition is NothingCondition =>
  "nothing" in condition && condition.nothing !== undefined

const anew = "read again, and decide anew"

type Found = Omit<ConstructorParameters<typeof Conflict>[0], "index" | "condition">

const judgeGeneration = (
  { generation: expected, key }: GenerationCondition,
  earlier: ReadonlyArray<Change<unknown>>,
  log: Evidence
): Found | undefined => {
  let generation = log.generationOf(key)
  for (const change of earlier) if (change.key === key) generation++
  if (generation === expected) return undefined
  const message = `the key has had ${generation} events, and not ${expected}: ${anew}`
  return { reason: "Changed", generation, message }
}

const judgeNothing = (
  condition: NothingCondition,
  earlier: ReadonlyArray<Change<unknown>>,
  log: Evidence
): Found | undefined => {
  const found = log.firstAfter(condition)
  const { after, kinds, nothing } = condition
  if (found === undefined) {
    const isMatch = matcherOf(nothing)
    const isOfKinds = matcherOfKinds(kinds)
    return earlier.some((change) => isMatch(change.key) && isOfKinds?.(change) !== false)
      ? { reason: "Changed", message: `an earlier entry of the commit has such an event: ${anew}` }
      : undefined
  }
  if (!("_tag" in found)) {
    const message = `revision ${found.seq}, after ${after.seq}, has such an event: ${anew}`
    return { reason: "Changed", revision: found, message }
  }
  const message = `what came after ${after.seq} cannot be judged: ${found.message}, and decide anew`
  return { reason: found._tag, message }
}

const judgeCondition = (
  condition: Condition,
  earlier: ReadonlyArray<Change<unknown>>,
  log: Evidence
): Found | undefined =>
  isOfNothing(condition) ? judgeNothing(condition, earlier, log) : judgeGeneration(condition, earlier, log)

/** Judges the entries in order; an entry sees the changes of those before it. Returns the first conflict. */
export const judge = (fresh: ReadonlyArray<Fresh<unknown>>, log: Evidence): Conflict | undefined => {
  const earlier: Array<Change<unknown>> = []
  for (const { entry, index } of fresh) {
    for (const condition of entry.expect ?? []) {
      const found = judgeCondition(condition, earlier, log)
      if (found !== undefined) return new Conflict({ ...found, index, condition })
    }
    for (const change of entry.changes) earlier.push(change)
  }
  return undefined
}
