/**
 * Staged writes: shown at once to readers who ask for them, over the answers of the cache and the master. What a write
 * shows goes from the stack to the base in the step in which its outcome changes the memory.
 */
import { Deferred, Effect, Exit, Option } from "effect"
import type { WriteRefused, Written } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import { type CheckedWrite, idOfWrite } from "../columns/checkWrite.js"
import type { IdValue } from "../columns/ids.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import * as Pending from "../pending.js"
import { monotonicMillis } from "../time.js"
import * as Acknowledged from "./acknowledged.js"
import { type Answer, type AnyRow, withValue } from "./answers.js"
import type { Key, QueryAnswer, QueryEntry, QuerySpec, RowAnswer } from "./coherence.js"
import type { Asked, Core } from "./core.js"
import { WriteFailed } from "./errors.js"
import { judgedQuery } from "./landing.js"
import { forWriter, type Outcome } from "./outcomes.js"
import * as Lists from "./pendingLists.js"
import type { View } from "./slots.js"

/** `pending`: it has no outcome yet. `reverted`: it was refused or failed, and is not shown any more. */
export type StagedStatus = Pending.Status

/** A staged write. */
export interface Staged<D extends AnyDefinition> {
  readonly write: Write<D>
  readonly status: Effect.Effect<StagedStatus>
  /** Completes with the outcome of the write. */
  readonly outcome: Effect.Effect<Written<D>, WriteRefused | WriteFailed>
}

/** The staged writes of a table. Only this file writes it. */
export interface Staging {
  pending: Pending.Pending<number, CheckedWrite>
  staged: number
  /** The stamps of the reads under way that show staged writes, in order. */
  readonly reading: Set<{ readonly stamp: number }>
}

export const make = (): Staging => ({ pending: Pending.empty, staged: 0, reading: new Set() })

const release = (staging: Staging): void => {
  if (staging.pending.confirmed.length === 0) return
  const [oldest] = staging.reading
  staging.pending = Pending.release(staging.pending, oldest?.stamp ?? Number.POSITIVE_INFINITY)
}

/**
 * Runs a read as one whose base may be older than what is confirmed meanwhile. What was confirmed before it began is in its
 * base: that detaches each load under way of what it has changed, and drops its cell.
 */
const reading = <A, E>(
  { c: { cells }, staging }: Pick<Core<AnyDefinition>, "c" | "staging">,
  run: Effect.Effect<A, E>,
  show: (answer: A, stamp: number) => A
): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    const base = { stamp: cells.lastStamp }
    staging.reading.add(base)
    const end = Effect.sync(() => {
      staging.reading.delete(base)
      release(staging)
    })
    return Effect.ensuring(
      Effect.map(run, (answer) => show(answer, base.stamp)),
      end
    )
  })

/** The stamp of the base that was read: that of its cell, if its value is the answer and later than the read. */
const stampOf = (
  { value }: Answer<unknown>,
  cell: { readonly stamp: number } | undefined,
  held: Answer<unknown> | undefined,
  stamp: number
): number => (cell !== undefined && held?.value === value ? Math.max(cell.stamp, stamp) : stamp)

/** Shows what is staged for a row over its answer. */
export const withRow =
  <D extends AnyDefinition>(core: Core<D>, key: Key): View<RowAnswer> =>
  (read) => {
    const { c, master, staging } = core
    const { columns, id } = master.definition
    // The key of a row is its normal id.
    const apply = Lists.applyToRow(columns, id, key as IdValue)
    return reading(core, read, (answer, stamp) => {
      const base = Option.getOrUndefined(answer.value)
      const cell = Cells.get(c.cells, key)
      // The cell of a row holds its answer.
      const since = stampOf(answer, cell, cell?.value as RowAnswer | undefined, stamp)
      const shown = Pending.view(staging.pending, base, since, apply)
      return shown === base ? answer : withValue(answer, Option.map(Option.fromNullable(shown), ownOf(core)))
    })
  }

/** A row that was made of staged writes, for one caller. */
const ownOf =
  <D extends AnyDefinition>({ c: { sharing } }: Core<D>) =>
  (row: AnyRow): AnyRow =>
    sharing.share(sharing.own(row))

/** Shows what is staged over a list. A count is not changed by it. */
export const withQuery =
  <D extends AnyDefinition>(core: Core<D>, { key, spec }: Asked): View<QueryAnswer> =>
  (read, way) =>
    reading(core, read, (answer, stamp) => {
      const { value } = answer
      if (typeof value === "number") return answer
      const cell = judgedQuery(core.c, key)
      // The cell of a query holds its entry.
      const since = stampOf(answer, cell, (cell?.value as QueryEntry | undefined)?.answer, stamp)
      return showList(core, spec, answer, value, { stamp: since, rowsSince: way === "cache" ? 0 : stamp })
    })

/** The base of a list. */
interface Base {
  readonly stamp: number
  /** Rows that were loaded before it are not known. */
  readonly rowsSince: number
}

/** A row as the cache would answer it now: nothing older is shown in a list either. */
const knownRow = <D extends AnyDefinition>(
  { c: { cells }, loading: { clock } }: Core<D>,
  of: IdValue,
  since: number
): AnyRow | undefined => {
  const cell = Cells.get(cells, of)
  if (cell === undefined || cell.stamp <= since || Cells.stateOf(cells, cell) !== "Current") return undefined
  // The cell of a row holds its answer.
  return monotonicMillis(clock) < cell.freshUntil
    ? Option.getOrUndefined((cell.value as RowAnswer).value)
    : undefined
}

const showList = <D extends AnyDefinition>(
  core: Core<D>,
  { query }: QuerySpec,
  answer: QueryAnswer,
  rows: ReadonlyArray<AnyRow>,
  { rowsSince, stamp }: Base
): QueryAnswer => {
  const { c, master, staging } = core
  const { columns, id } = master.definition
  const open = Lists.open(columns, id, query, rows, (of) => knownRow(core, of, rowsSince))
  const acknowledged = Acknowledged.stagedUnshown(c.acknowledged, Option.getOrUndefined(answer.revision))
  const base = acknowledged.reduce(
    (view, [of, { value }]) => Lists.applyToList(view, madeBy(of, Option.getOrUndefined(value))),
    open
  )
  const shown = Pending.view(staging.pending, base, stamp, Lists.applyToList)
  return shown === open ? answer : withValue(answer, Object.freeze(Lists.rowsOf(shown).map(ownOf(core))))
}

/** A write that makes what is stored: a row, or that there is none; without an id, that there are none. */
const madeBy = (of: IdValue | undefined, row: AnyRow | undefined): CheckedWrite => {
  if (row !== undefined) return { _tag: "Replace", row }
  return of === undefined ? { _tag: "DeleteAll" } : { _tag: "Delete", id: of }
}

/** What was confirmed: the row as it is stored, or that there is none. */
const confirmedOf = <D extends AnyDefinition>(
  write: CheckedWrite,
  { row }: Written<D>,
  id: string
): CheckedWrite => {
  if (write._tag === "DeleteAll") return write
  // Every row is a record of its columns.
  return madeBy(idOfWrite(id, write), Option.getOrUndefined(row) as AnyRow | undefined)
}

const wake = <D extends AnyDefinition>({ c: { effects } }: Core<D>, key: Key | undefined): void => {
  if (key === undefined) effects.wakeAll()
  else {
    effects.wake(key)
    effects.wakeQueries()
  }
}

/** Puts a write on the stack. Returns what its outcome does to the stack. */
const push = <D extends AnyDefinition>(
  core: Core<D>,
  write: CheckedWrite
): { readonly settle: (outcome: Outcome<D>) => void } => {
  const { c, master, staging } = core
  const { id } = master.definition
  const key = idOfWrite(id, write)
  const number = ++staging.staged
  const cell = key === undefined ? undefined : Cells.pin(c.cells, key)
  staging.pending = Pending.stage(staging.pending, number, write)
  wake(core, key)
  return {
    settle: (outcome) => {
      if (!Pending.isPending(staging.pending, number)) return
      staging.pending =
        outcome._tag === "Written"
          ? Pending.confirm(staging.pending, number, {
              stamp: Cells.nextStamp(c.cells),
              op: confirmedOf(write, outcome, id)
            })
          : Pending.revert(staging.pending, number)
      if (outcome._tag === "Written") Acknowledged.markStaged(c.acknowledged, key)
      release(staging)
      if (cell !== undefined) Cells.unpin(c.cells, cell)
      wake(core, key)
    }
  }
}

/** Queues a write: calls `placed` when it is, or with why it is not; returns how to give up waiting for room: `true` if it was not queued. */
export type Queue<D extends AnyDefinition> = (
  onOutcome: (outcome: Outcome<D>) => void,
  placed: (refused: WriteFailed | undefined) => void
) => () => boolean

const leftBeforeRoom = new WriteFailed({
  reason: "Full",
  outcome: "NotStored",
  message: "its caller was interrupted while the write waited for room: nothing was queued"
})

/** Shows a write at once, and queues it. */
export const stage = <D extends AnyDefinition>(
  core: Core<D>,
  given: Write<D>,
  write: CheckedWrite,
  queue: Queue<D>
): Effect.Effect<Staged<D>, WriteFailed> =>
  Effect.flatMap(Deferred.make<Written<D>, WriteRefused | WriteFailed>(), (outcome) =>
    Effect.async((resume) => {
      const state: { status: StagedStatus } = { status: "pending" }
      const { settle } = push(core, write)
      const onOutcome = (result: Outcome<D>): void => {
        settle(result)
        const own = forWriter(core.c.sharing, result)
        state.status = own._tag === "Written" ? "confirmed" : "reverted"
        Deferred.unsafeDone(outcome, own._tag === "Written" ? Exit.succeed(own) : Exit.fail(own))
      }
      const cancel = queue(onOutcome, (refused) => {
        if (refused === undefined) {
          const status = Effect.sync(() => state.status)
          return resume(Effect.succeed({ write: given, status, outcome: Deferred.await(outcome) }))
        }
        onOutcome(refused)
        resume(Effect.fail(refused))
      })
      return Effect.sync(() => {
        if (cancel()) onOutcome(leftBeforeRoom)
      })
    })
  )
