/** What an invalidation concerns, and what it does. */
import { Effect } from "effect"
import * as Cells from "../cache/cells.js"
import * as Flights from "../cache/flights.js"
import * as KeyJournal from "../cache/journal.js"
import { type Condition, InvalidQuery, type Query } from "../columns/query.js"
import type { AnyDefinition, Id } from "../columns/writes.js"
import * as Rules from "../options.js"
import {
  anythingChanged,
  doubt,
  type Key,
  queryChanged,
  rowChanged,
  tagChanged,
  unknownChange
} from "./coherence.js"
import type { Core } from "./core.js"
import * as Interest from "./interests.js"
import { refused } from "./readOptions.js"
import { noteChange, outdateOthers, outdateOwn } from "./tierEntry.js"

/**
 * What an invalidation concerns: rows, and with them every list and count that may hold them; one list, or the count of
 * a condition; what was read with a tag; or everything.
 */
export type Target<D extends AnyDefinition> =
  | { readonly ids: ReadonlyArray<Id<D>> }
  | { readonly query: Query<D["columns"]> }
  | { readonly count: Condition<D["columns"]> | undefined }
  | { readonly tag: string }
  | "all"

/** A target whose ids and queries were checked. */
export type CheckedTarget =
  | { readonly _tag: "Rows"; readonly keys: ReadonlyArray<Key> }
  | { readonly _tag: "Query"; readonly key: Key }
  | { readonly _tag: "Tag"; readonly tag: string }
  | { readonly _tag: "All" }

const rules = {
  ids: Rules.optional(Rules.that("an array of ids", Array.isArray)),
  // The table checks it.
  query: Rules.anything,
  count: Rules.anything,
  tag: Rules.optional(Rules.text)
} satisfies Rules.Rules<Parts>

/** The parts of which a target has one. */
export interface Parts {
  readonly ids?: ReadonlyArray<unknown> | undefined
  readonly query?: unknown
  readonly count?: unknown
  readonly tag?: string | undefined
}

const noTarget = (why: string): InvalidQuery =>
  new InvalidQuery({
    part: "target",
    message: `the target must be "all" or a record with one of ids, query, count and tag, ${why}`
  })

/** Checks the shape of a target, which may come from untyped code. */
export const checkShape = (target: unknown): "all" | Parts | InvalidQuery => {
  if (target === "all") return target
  if (typeof target !== "object" || target === null || Array.isArray(target))
    return noTarget("not another value")
  const parts = Rules.readOptions<Parts>()(rules, target)
  if (parts instanceof Rules.InvalidOptions) return refused(parts)
  const names = Object.keys(target)
  if (names.length !== 1) return noTarget(`not with ${names.length} of them`)
  const isEmpty =
    (names[0] === "ids" && parts.ids === undefined) || (names[0] === "tag" && parts.tag === undefined)
  return isEmpty ? noTarget(`not with ${names[0]} that are undefined`) : target
}

/** Checks a target. */
export const check = <D extends AnyDefinition>(
  core: Core<D>,
  given: unknown
): CheckedTarget | InvalidQuery => {
  const target = checkShape(given)
  if (target === "all") return { _tag: "All" }
  if (target instanceof InvalidQuery) return target
  if (target.tag !== undefined) return { _tag: "Tag", tag: target.tag }
  if (target.ids !== undefined) {
    const keys: Array<Key> = []
    for (const id of target.ids) {
      const key = core.keyOf(id)
      if (typeof key === "object") return key
      keys.push(key)
    }
    return { _tag: "Rows", keys }
  }
  const asked = "query" in target ? core.listOf(target.query) : core.countOf(target.count)
  return "key" in asked ? { _tag: "Query", key: asked.key } : asked
}

/** Ends the own entries of a tier: which rows have left the memory since they were read with a tag is not known. */
const outdateTagged = ({ beliefs, c }: Pick<Core<AnyDefinition>, "beliefs" | "c">): void =>
  outdateOwn(beliefs, Cells.nextStamp(c.cells))

/** Invalidates, also what may still change until a time: nothing that was read before is served again. */
export const invalidate = <D extends AnyDefinition>(
  { beliefs, c, interests }: Core<D>,
  target: CheckedTarget,
  until?: number
): void => {
  outdateOthers(beliefs, until)
  switch (target._tag) {
    case "All":
      anythingChanged(c)
      break
    case "Rows":
      for (const key of target.keys) rowChanged(c, unknownChange(key))
      break
    case "Query":
      queryChanged(c, target.key)
      break
    case "Tag":
      tagChanged(c, target.tag, Interest.keysWith(interests, target.tag))
      outdateTagged({ beliefs, c })
  }
}

/** Ends freshness, also of what is being loaded, and for ever that of a tier; values may still be served stale. */
export const expire = <D extends AnyDefinition>(
  { beliefs, c, interests, queries, rows }: Core<D>,
  target: CheckedTarget
): void => {
  const expireKey = (key: Key): void => {
    KeyJournal.note(c.expiredRows, key, Cells.nextStamp(c.cells))
    Cells.expire(c.cells, key)
    Flights.expire(rows, key)
    Flights.expire(queries, key)
    c.effects.wake(key)
  }
  switch (target._tag) {
    case "All":
      outdateOthers(beliefs)
      Cells.expireAll(c.cells)
      Flights.expireAll(rows)
      Flights.expireAll(queries)
      c.effects.wakeAll()
      break
    case "Rows":
      for (const key of target.keys) {
        noteChange(beliefs, key, undefined)
        expireKey(key)
      }
      break
    case "Query":
      expireKey(target.key)
      break
    case "Tag":
      Cells.keysWith(c.cells, target.tag).forEach(expireKey)
      Interest.keysWith(interests, target.tag).forEach(expireKey)
      outdateOthers(beliefs)
      outdateTagged({ beliefs, c })
  }
}

/** What a statement of unknown outcome may still change is not stored for a while. */
const doubtTarget = <D extends AnyDefinition>({ c }: Core<D>, target: CheckedTarget, until: number): void => {
  const ids = target._tag === "Rows" ? new Set(target.keys) : undefined
  doubt(c, { batch: "", ids, until })
}

/** Does what was asked for before the master was up: a tier may hold what is outdated. `until`: it may change until then. */
export const invalidateEarly = <D extends AnyDefinition>(core: Core<D>, until: number): void => {
  invalidate(core, { _tag: "All" }, until)
  if (until > core.beliefs.now()) doubtTarget(core, { _tag: "All" }, until)
}

/**
 * Runs statements of the caller's own as a write of a target: however they end, it is invalidated. Of those that fail it
 * may still change for `doubt`.
 */
export const invalidateAfter = <D extends AnyDefinition, A, E, R>(
  coreOf: () => Core<D> | undefined,
  target: CheckedTarget,
  early: (until: number) => void,
  { doubt, now }: { readonly doubt: number; readonly now: () => number },
  statements: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> =>
  Effect.onExit(statements, (exit) =>
    Effect.sync(() => {
      const core = coreOf()
      const isDone = exit._tag === "Success"
      const until = isDone ? now() : now() + doubt
      if (core === undefined) return early(until)
      invalidate(core, target, until)
      if (!isDone) doubtTarget(core, target, until)
    })
  )
