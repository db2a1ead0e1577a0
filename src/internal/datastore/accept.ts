/**
 * Accepts operations: the one place where a store in memory changes. It is synchronous, so operations are judged in the
 * order in which they are accepted, and nothing is between the judgement and the change.
 */
import type { ChangeLogError } from "../../ChangeLog.js"
import type { OperationId, Save } from "../catalog/backend.js"
import { nextAfter } from "../catalog/decideNext.js"
import * as Operations from "../catalog/operations.js"
import * as Policy from "../catalog/policy.js"
import * as Quotas from "../catalog/quotas.js"
import type { As } from "../catalog/sessionCalls.js"
import { applied, keysOf } from "./apply.js"
import { type StoreEnded, WriteError } from "./errors.js"
import type { JsonRow } from "./holding.js"
import {
  type Changed,
  type Changes,
  isRefused,
  type Judge,
  type Owned,
  type Refused,
  type State
} from "./operation.js"
import { bytesOf, bytesWritten, type Held, overQuota } from "./recordQuota.js"
import * as Records from "./records.js"
import { type Done, encodeReply, type RefusalData, type Reply } from "./reply.js"
import { access, end, type Store, use } from "./store.js"
import { storedChange } from "./stored.js"

export type { As } from "../catalog/sessionCalls.js"

/** An operation whose steps are checked. */
export interface Request {
  readonly owned: Owned
  /** Milliseconds after which the records that it writes end. */
  readonly ttl: number | undefined
  /** The session that the records end with. */
  readonly session: string | undefined
  readonly as: As | undefined
  readonly id: OperationId | undefined
}

/** The outcome of an operation. */
export type Accepted = Done | WriteError | StoreEnded

const refuse = (refused: RefusalData): Accepted => new WriteError(refused)

/** What a principal may do, as an operation sees it; `undefined` for the server itself. */
export const judgeOf = ({ id, kind, shared }: Store, as: As | undefined): Judge | undefined | Refused => {
  if (as === undefined || shared.policy.isOpen) return undefined
  const { actions, mayWrite, view } = shared.policy.rights(as.principal, { id, kind })
  if (!actions.has("write")) {
    return { reason: "Forbidden", message: "the principal may not write to the store", step: 0 }
  }
  return {
    mayRead: (row) => actions.has("read") && (view === undefined || view(row)),
    mayWrite: (before, after) => mayWrite === undefined || mayWrite(before, after)
  }
}

const stateOf = (store: Store, judge: Judge | undefined): State => ({
  primary: store.primary,
  seq: store.holding.seq(),
  get: store.holding.get,
  judge,
  problem: store.problem
})

/** What a store in memory holds. */
const heldBy = ({ holding, records }: Store, { changed }: Changes): Held => ({
  records: holding.size(),
  bytes: records.bytes,
  // What earlier steps have made of a record is not measured yet.
  sizeBefore: (before, key) => (changed.length === 1 ? records.sizes?.get(key) : undefined) ?? bytesOf(before)
})

export const quotaRefusal = (store: Store, exceeded: Quotas.Exceeded): RefusalData => {
  store.shared.count.quotaRefusals++
  return { reason: "QuotaExceeded", message: Quotas.messageOf(exceeded), quota: exceeded }
}

/** Counts an operation, or refuses it because there were too many. */
export const overRate = (store: Store, { as }: Request): RefusalData | undefined => {
  const { quotas, rates } = store.shared
  if (as === undefined || rates.take(as.principal)) return undefined
  const limit = quotas.operationsPerSecond ?? 0
  return quotaRefusal(store, { name: "operationsPerSecond", limit })
}

/** Refuses a session that is not open, or belongs to another client or principal. */
export const noSession = ({ shared }: Store, { as, session }: Request): RefusalData | undefined => {
  if (session === undefined || shared.isSession(session, as)) return undefined
  const message = "there is no such session of this client: open one, or resume it"
  return { reason: "InvalidOperation", message }
}

export const logProblem = ({ message, reason }: ChangeLogError): RefusalData =>
  reason === "TooLarge"
    ? { reason: "TooLarge", message: `${message}, or write less at once` }
    : { reason: "InvalidKey", message }

/** Notes what belongs to the records that were written. */
const noteRecords = (store: Store, changed: ReadonlyArray<Changed>, request: Request, now: number): void => {
  const { records } = store
  const { session, ttl } = request
  const hasExtras = records.extras.size > 0 || session !== undefined || ttl !== undefined
  if (!hasExtras && records.sizes === undefined) return
  const deadline = ttl === undefined ? undefined : now + ttl
  if (session !== undefined) store.shared.noteSession(session, store)
  for (const { after, key } of changed) {
    if (records.sizes !== undefined) Records.measure(records, key, after && bytesOf(after))
    if (after === undefined) Records.clear(records, key)
    else Records.set(records, key, session, deadline)
  }
}

/** Makes the save of a decision that was made in memory: it holds as long as no other process has written. */
const saveOf = (store: Store, request: Request, changes: Changes, reply: Reply, now: number): Save => {
  const { changed } = changes
  const { clockOffset, holding, id, shared } = store
  const { session, ttl } = request
  const ends = ttl === undefined ? undefined : Math.round(now + ttl + clockOffset)
  const seq = holding.seq()
  const revisions =
    changed.length === 0
      ? []
      : [changed.map((one) => storedChange(one, { version: store.version, session, ends }))]
  const before = seq - revisions.length
  const json = request.id === undefined ? undefined : encodeReply(reply)
  return {
    store: id,
    name: shared.nextName(),
    keys: keysOfChanges(changed),
    id: request.id,
    decide: nextAfter(before, ({ window }) => ({
      revisions,
      reply: json,
      floor: request.id && Operations.floorAfter(window, request.id.n)
    }))
  }
}

const keysOfChanges = (changed: ReadonlyArray<Changed>): ReadonlyArray<string> =>
  changed.length === 1 ? [changed[0]!.key] : Array.from(new Set(changed.map(({ key }) => key)))

/** Gives the outbox of a permanent store what is to be stored. */
const offer = (store: Store, request: Request, changes: Changes, reply: Reply, now: number): void => {
  const { outbox } = store
  if (outbox === undefined) return
  if (!outbox(saveOf(store, request, changes, reply, now), request.owned.steps)) end(store, "Failed")
}

const replied = (store: Store, request: Request, reply: Reply, now: number): void => {
  if (request.id !== undefined) Operations.remember(store.operations, request.id, reply, now)
}

const refuseJudged = (store: Store, request: Request, refused: RefusalData, now: number): Accepted => {
  store.shared.count.refused++
  const reply: Reply = { _tag: "Refused", refused }
  if (request.id !== undefined) {
    replied(store, request, reply, now)
    const nothing: Changes = { revision: store.holding.seq(), expired: [], changed: [], rows: [] }
    offer(store, request, nothing, reply, now)
  }
  return refuse(refused)
}

/** Makes the revision of changes, and everything that follows from it. */
const commit = (
  store: Store,
  request: Request,
  judge: Judge | undefined,
  changes: Changes,
  now: number
): Accepted => {
  const { holding, marks, shared } = store
  const isChange = changes.changed.length > 0
  if (isChange) {
    Policy.mark(marks, shared.policy.count(), holding.seq())
    const problem = holding.commit(
      changes.changed,
      store.outbox === undefined ? request.owned.bytes : bytesWritten(request.owned, changes)
    )
    if (problem !== undefined) return refuseJudged(store, request, logProblem(problem), now)
    noteRecords(store, changes.changed, request, now)
  }
  const reply = doneOf(store, request, judge, changes)
  replied(store, request, reply, now)
  shared.count.applied++
  if (store.outbox !== undefined && (isChange || request.id !== undefined)) {
    offer(store, request, changes, reply, now)
  }
  return reply
}

/** Judges an operation that is new, and applies it. */
const acceptNew = (store: Store, request: Request, now: number): Accepted => {
  const early = overRate(store, request) ?? noSession(store, request)
  if (early !== undefined) {
    store.shared.count.refused++
    return refuse(early)
  }
  const judge = judgeOf(store, request.as)
  if (judge !== undefined && isRefused(judge)) return refuseJudged(store, request, judge, now)
  const changes = applied(stateOf(store, judge), request.owned, now)
  if (isRefused(changes)) return refuseJudged(store, request, changes, now)
  const over = overQuota(store.shared.quotas, changes, () => heldBy(store, changes))
  if (over !== undefined) {
    return refuseJudged(store, request, quotaRefusal(store, over), now)
  }
  return commit(store, request, judge, changes, now)
}

/** Names the rights that a principal has now, in this process. */
const rightsNow = ({ id, kind, shared }: Store, as: As | undefined): string | undefined =>
  as && `${shared.mark}/${shared.policy.versionOf(as.principal, { id, kind })}`

/** Makes the reply to an operation that is applied. */
export const doneOf = (
  store: Store,
  { as }: Request,
  judge: Judge | undefined,
  { changed, revision, rows }: Changes
): Done => {
  const done: Done = { _tag: "Done", revision, rows, changed: changed.length > 0 }
  const isUnseen = judge !== undefined && rows.some((row) => row !== undefined && !judge.mayRead(row))
  return isUnseen ? { ...done, unseen: rightsNow(store, as) } : done
}

/** Leaves out the records that patches have made, and that the principal may not see any more. */
const doneAsSeenNow = (store: Store, { as, owned }: Request, done: Done): Done => {
  const mayRead = readable(store, as)
  if (mayRead === undefined || done.unseen === rightsNow(store, as)) return done
  // What a set has written is all the caller's own.
  const isSeen = (row: JsonRow, step: number) => owned.steps[step]?._tag === "Set" || mayRead(row)
  return { ...done, rows: done.rows.map((row, step) => (row && isSeen(row, step) ? row : undefined)) }
}

/** Leaves out of a reply that is given again what the principal may not see any more. */
export const asSeenNow = (store: Store, request: Request, reply: Reply): Reply => {
  if (reply._tag === "Done") return doneAsSeenNow(store, request, reply)
  if (reply.refused.row === undefined) return reply
  if (readable(store, request.as)?.(reply.refused.row) !== false) return reply
  const { row, ...refused } = reply.refused
  return { _tag: "Refused", refused }
}

const repeated = (store: Store, request: Request, remembered: Reply): Accepted => {
  store.shared.count.repeated++
  const reply = asSeenNow(store, request, remembered)
  return reply._tag === "Done" ? reply : refuse(reply.refused)
}

/** Answers an operation whose reply is remembered in memory; `undefined`: it is not. */
export const repeatedHere = (store: Store, request: Request, now: number): Accepted | undefined => {
  if (request.id === undefined) return undefined
  const known = Operations.judge(store.operations, request.id, now)
  return known._tag === "Repeated" ? repeated(store, request, known.reply) : undefined
}

const acceptOnce = (store: Store, request: Request, now: number): Accepted => {
  const { id } = request
  if (id === undefined) return acceptNew(store, request, now)
  const known = Operations.judge(store.operations, id, now)
  if (known._tag === "New") return acceptNew(store, request, now)
  if (known._tag === "Repeated") return repeated(store, request, known.reply)
  store.shared.count.refused++
  return refuse({ reason: known._tag, message: known.message })
}

/** Accepts an operation, or refuses it. An operation with an id that is remembered gets the same reply again. */
export const accept = (store: Store, request: Request): Accepted => {
  const now = store.shared.timers.now()
  const ended = access(store, now)
  if (ended !== undefined) return ended
  const accepted = acceptOnce(store, request, now)
  if (accepted._tag === "Done") use(store, now)
  return accepted
}

/** Removes records by the store itself: their time is over, or their session has ended. One revision. */
export const removeAll = (store: Store, keys: ReadonlyArray<string>): void => {
  if (store.ended !== undefined) return
  const present = keys.filter((key) => store.holding.get(key) !== undefined)
  const now = store.shared.timers.now()
  for (let i = 0; i < present.length; i += maxRemoved) {
    const steps = present.slice(i, i + maxRemoved).map((key) => ({ _tag: "Delete" as const, key }))
    const request: Request = {
      owned: { steps, bytes: 0 },
      ttl: undefined,
      session: undefined,
      as: undefined,
      id: undefined
    }
    const changes = applied(stateOf(store, undefined), request.owned, now)
    if (!isRefused(changes)) commit(store, request, undefined, changes, now)
  }
}

/** A revision of more removals is split: a log has a bound, and each takes 128 bytes of it. */
export const maxRemoved = 50_000

/** Reads a record as a principal sees it. */
export const readable = (store: Store, as: As | undefined): ((row: JsonRow) => boolean) | undefined => {
  if (as === undefined || store.shared.policy.isOpen) return undefined
  const { actions, view } = store.shared.policy.rights(as.principal, { id: store.id, kind: store.kind })
  if (!actions.has("read")) return () => false
  return view
}

/** The keys that an operation needs of a backend. */
export const neededKeys = (store: Store, { owned }: Request): ReadonlyArray<string> =>
  keysOf(store.primary, owned)
