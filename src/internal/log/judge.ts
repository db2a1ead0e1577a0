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
  type Revision,
  type SeqCondition
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
  /** The number of the log's last revision. */
  readonly head: number
  /** Returns the number of the revision of a key's last value. */
  readonly seqOf: (key: string) => number | "absent"
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

/** An entry that was checked has conditions with either a seq or something else. */
export const isOfSeq = (condition: Condition): condition is SeqCondition =>
  "seq" in condition && condition.seq !== undefined

export const isOfGeneration = (condition: Condition): condition is GenerationCondition =>
  !isOfNothing(condition) && !isOfSeq(condition)

const anew = "read again, and decide anew"

type Found = Omit<ConstructorParameters<typeof Conflict>[0], "index" | "condition">

/** What the earlier entries of a commit change. */
interface Earlier {
  readonly changes: Array<Change<unknown>>
  /** By key, the number of the revision that its last value gets. */
  readonly seqs: Map<string, number | "absent">
}

const judgeGeneration = (
  { generation: expected, key }: GenerationCondition,
  earlier: Earlier["changes"],
  log: Evidence
): Found | undefined => {
  let generation = log.generationOf(key)
  for (const change of earlier) if (change.key === key) generation++
  if (generation === expected) return undefined
  const message = `the key has had ${generation} events, and not ${expected}: ${anew}`
  return { reason: "Changed", generation, message }
}

const judgeSeq = (
  { key, seq: expected }: SeqCondition,
  earlier: Earlier["seqs"],
  log: Evidence
): Found | undefined => {
  const seq = earlier.get(key) ?? log.seqOf(key)
  if (seq === expected) return undefined
  const is = seq === "absent" ? "the key has no value" : `the key's value is of revision ${seq}`
  const wanted = expected === "absent" ? "the key must have none" : `it must be of revision ${expected}`
  return { reason: "Changed", seq, message: `${is}, and ${wanted}: ${anew}` }
}

const judgeNothing = (
  condition: NothingCondition,
  earlier: Earlier["changes"],
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
  { changes, seqs }: Earlier,
  log: Evidence
): Found | undefined => {
  if (isOfNothing(condition)) return judgeNothing(condition, changes, log)
  return isOfSeq(condition) ? judgeSeq(condition, seqs, log) : judgeGeneration(condition, changes, log)
}

/** Judges the entries in order; an entry sees the changes of those before it. Returns the first conflict. */
export const judge = (fresh: ReadonlyArray<Fresh<unknown>>, log: Evidence): Conflict | undefined => {
  const earlier: Earlier = { changes: [], seqs: new Map() }
  let seq = log.head
  for (const { entry, index } of fresh) {
    for (const condition of entry.expect ?? []) {
      const found = judgeCondition(condition, earlier, log)
      if (found !== undefined) return new Conflict({ ...found, index, condition })
    }
    seq++
    for (const change of entry.changes) {
      earlier.changes.push(change)
      earlier.seqs.set(change.key, change._tag === "Put" ? seq : "absent")
    }
  }
  return undefined
}
