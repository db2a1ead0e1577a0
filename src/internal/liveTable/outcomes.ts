/** What the outcome of a write does to the memory, before its writer gets the reply. Synchronous. */
import { Option } from "effect"
import type { StorageError } from "../../Storage.js"
import { Malformed, type WriteRefused, type WriteResult, type Written } from "../../Table.js"
import * as Cells from "../cache/cells.js"
import { type CheckedWrite, idOfWrite } from "../columns/checkWrite.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Revision } from "../log/events.js"
import type { AnyRow, Sharing } from "./answers.js"
import {
  acknowledge,
  anythingChanged,
  type Coherence,
  doubt,
  isExpired,
  type Key,
  type RowChange,
  rowChanged,
  rowDisproved,
  unknownChange
} from "./coherence.js"
import { WriteFailed } from "./errors.js"
import * as Journal from "./journal.js"
import { isReadSince, storeAcknowledged } from "./landing.js"
import type { TierCache } from "./tierCache.js"
import { type Beliefs, noteChange, outdateOthers } from "./tierEntry.js"

/** The outcome of one write, as its writer gets it. */
export type Outcome<D extends AnyDefinition> = Written<D> | WriteRefused | WriteFailed

/** What outcomes change. */
export interface Memory {
  readonly c: Coherence
  readonly beliefs: Beliefs
  readonly tier: TierCache | undefined
}

/** One call of the master that has ended. */
export interface Call {
  /** The stamp taken before it began. */
  readonly begun: number
  /** Its name in the changes of the log. */
  readonly batch: string
  readonly askedAt: number
  readonly now: number
  /** It went to a write target: the master shows it later. */
  readonly toTarget: boolean
}

export const outcomeOf = <D extends AnyDefinition>(result: WriteResult<D>): Outcome<D> => {
  if (result._tag !== "StorageError") return result
  const reason = result.cause instanceof Malformed ? "Malformed" : "Master"
  return failureOf(reason, result)
}

const failureOf = (reason: WriteFailed["reason"], error: StorageError): WriteFailed =>
  new WriteFailed({ reason, outcome: error.outcome, message: error.message, cause: error })

/** The outcome for its writer: the memory keeps the row too. */
export const forWriter = <D extends AnyDefinition>(
  { isFrozen, share }: Sharing,
  outcome: Outcome<D>
): Outcome<D> =>
  isFrozen || outcome._tag !== "Written" ? outcome : { ...outcome, row: Option.map(outcome.row, share) }

/** The ids that something other than this call has changed since it began; `undefined`: perhaps all. */
const foreignSince = (c: Coherence, { batch, begun }: Call): ReadonlySet<Key> | undefined => {
  const changes = Journal.since(c.journal, begun)
  if (changes === undefined) return undefined
  const ids = new Set<Key>()
  for (const change of changes) {
    if (change.batch === batch) continue
    if (change.id === undefined) return undefined
    ids.add(change.id)
  }
  return ids
}

const rowOf = <D extends AnyDefinition>({ row }: Written<D>): AnyRow | undefined =>
  // Every row is a record of its columns.
  Option.getOrUndefined(row) as AnyRow | undefined

/** The change of a row that was written. */
const changeOf = <D extends AnyDefinition>(
  write: CheckedWrite,
  written: Written<D>,
  id: Key,
  batch: string
): RowChange => {
  const row = rowOf(written)
  const change = { id, row, batch, columns: undefined }
  if (row === undefined) return { ...change, op: "Deleted" }
  // A row that was replaced may have been there before or not. One that is unchanged may differ from what is remembered.
  if (written.change === "Unchanged" || write._tag === "Replace") return { ...change, op: "Unknown" }
  if (write._tag === "Patch") return { ...change, op: "Updated", columns: new Set(Object.keys(write.fields)) }
  return { ...change, op: "Inserted" }
}

/** Does what the outcomes of one call ask for, all of it before the first reply. `idName` is the column of the id. */
export const settleCall = <D extends AnyDefinition>(
  memory: Memory,
  call: Call,
  writes: ReadonlyArray<CheckedWrite>,
  outcomes: ReadonlyArray<Outcome<D>>,
  idName: string
): void => {
  const { beliefs, c } = memory
  const foreign = foreignSince(c, call)
  const unknown = new Set<Key>()
  let anyUnknown = false
  for (const [index, write] of writes.entries()) {
    const outcome = outcomes[index]!
    const id = idOfWrite(idName, write)
    if (outcome._tag === "WriteFailed") {
      if (outcome.outcome === "NotStored") continue
      if (id === undefined) anyUnknown = true
      else unknown.add(id)
    } else if (outcome._tag === "Written") settleWritten(memory, call, write, outcome, id, foreign)
    else if (id !== undefined && (outcome.reason === "Missing" || outcome.reason === "Conflict")) {
      rowDisproved(c, id)
      // The master may still show a row that the target has no more.
      if (call.toTarget && outcome.reason === "Missing") acknowledge(c, id, undefined, undefined, call.now)
      noteChange(beliefs, id, undefined)
    }
  }
  settleUnknown(memory, call, anyUnknown ? undefined : unknown)
}

const settleWritten = <D extends AnyDefinition>(
  { beliefs, c, tier }: Memory,
  call: Call,
  write: CheckedWrite,
  written: Written<D>,
  id: Key | undefined,
  foreign: ReadonlySet<Key> | undefined
): void => {
  const revision: Revision | undefined = Option.getOrUndefined(written.revision)
  if (id === undefined) {
    outdateOthers(beliefs)
    anythingChanged(c, call.batch)
    if (call.toTarget) acknowledge(c, undefined, undefined, revision, call.now)
    return
  }
  noteChange(beliefs, id, revision)
  rowChanged(c, changeOf(write, written, id, call.batch))
  const row = rowOf(written)
  const { askedAt, now, toTarget } = call
  if (toTarget) acknowledge(c, id, row, revision, now)
  if (foreign === undefined || foreign.has(id) || isExpired(c, id, call.begun)) return
  // What a caller got meanwhile may be what others wrote after this call. A target's rows are not read from the master.
  if (!toTarget && isReadSince(c, id, call.begun)) return
  const stamp = Cells.nextStamp(c.cells)
  if (storeAcknowledged(c, id, row, revision, { stamp, askedAt }))
    tier?.put({ id, row, revision, stamp, askedAt })
}

/** What may still be committed is not stored, until the log shows it or its time is over. */
const settleUnknown = (
  { beliefs, c }: Memory,
  { batch, now, toTarget }: Call,
  ids: ReadonlySet<Key> | undefined
): void => {
  if (ids !== undefined && ids.size === 0) return
  // The master shows what a target commits late even later.
  const until = now + c.lifetimes.doubt + (toTarget ? c.lifetimes.targetLag : 0)
  if (ids === undefined) {
    outdateOthers(beliefs, until)
    anythingChanged(c, batch)
  } else {
    for (const id of ids) {
      noteChange(beliefs, id, undefined, until)
      rowChanged(c, { ...unknownChange(id), batch })
    }
  }
  doubt(c, { batch, ids, until })
}
