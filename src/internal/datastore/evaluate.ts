/** Decides an operation of a store that several processes write: while its head is locked, by what is stored. */
import * as Either from "effect/Either"
import type { Broken, Decision, HeldValue, Locked, Save } from "../catalog/backend.js"
import * as Operations from "../catalog/operations.js"
import * as Quotas from "../catalog/quotas.js"
import type { JsonObject } from "../columns/jsonData.js"
import { asSeenNow, bytesOf, judgeOf, noSession, quotaRefusal, type Request } from "./accept.js"
import { apply, keysOf } from "./apply.js"
import type { JsonRow } from "./holding.js"
import type { Changes, Judge, State } from "./operation.js"
import { type Done, decodeReply, encodeReply, type RefusalData, type Reply } from "./reply.js"
import type { Store } from "./store.js"
import { storedChange } from "./stored.js"

/** Reads a value that the backend holds. */
export type Reader = (key: string, value: HeldValue) => JsonRow

/** What was decided last. */
export interface Evaluation {
  readonly save: Save
  /** The reply, once the save is committed. */
  readonly reply: () => Reply
}

interface Context {
  readonly store: Store
  readonly request: Request
  readonly read: Reader
}

const refusalOf = (refused: RefusalData): Reply => ({ _tag: "Refused", refused })

const stateOf = ({ read, store }: Context, locked: Locked, judge: Judge | undefined): State => ({
  primary: store.primary,
  seq: locked.head.seq,
  get: (key) => {
    const held = locked.get(key)
    return held && read(key, held)
  },
  endsAt: (key) => locked.get(key)?.ends,
  judge,
  problem: store.problem
})

/** Returns the limit that the changes would pass, by what the backend counts. */
const overQuota = (
  { store }: Context,
  { totals }: Locked,
  { changed }: Changes
): Quotas.Exceeded | undefined => {
  const { quotas } = store.shared
  let records = 0
  let bytes = 0
  let writes = false
  for (const { after, before } of changed) {
    records += (after === undefined ? 0 : 1) - (before === undefined ? 0 : 1)
    const size = after === undefined ? 0 : bytesOf(after)
    bytes += size - (before === undefined ? 0 : bytesOf(before))
    if (after === undefined) continue
    writes = true
    const over = Quotas.exceeded(quotas, "valueBytes", size)
    if (over !== undefined) return over
  }
  if (!writes) return undefined
  const over = records > 0 ? Quotas.exceeded(quotas, "records", totals.records + records) : undefined
  return over ?? (bytes > 0 ? Quotas.exceeded(quotas, "bytes", totals.bytes + bytes) : undefined)
}

/** What an earlier try has committed, whose answer was lost. */
const repliedBefore = (context: Context, locked: Locked, seq: number): Done => {
  const { read, request, store } = context
  const rows = request.owned.steps.map((step): JsonRow | undefined => {
    if (step._tag === "Delete") return undefined
    // The primary field of checked data is text.
    const key = step._tag === "Set" ? (step.data[store.primary] as string) : step.key
    const held = locked.get(key)
    if (held !== undefined && (held.seq === seq || step._tag === "Patch")) return read(key, held)
    return step._tag === "Set" ? Object.freeze({ key, data: step.data, seq }) : undefined
  })
  return { _tag: "Done", revision: seq, rows, changed: true }
}

const judgeNew = (
  context: Context,
  locked: Locked
): { readonly reply: Reply; readonly changes?: Changes } => {
  const { request, store } = context
  const early = noSession(store, request)
  if (early !== undefined) return { reply: refusalOf(early) }
  const judge = judgeOf(store, request.as)
  if (judge !== undefined && "reason" in judge) return { reply: refusalOf(judge) }
  const judged = apply(stateOf(context, locked, judge), request.owned, locked.now)
  if (Either.isLeft(judged)) return { reply: refusalOf(judged.left) }
  const changes = judged.right
  const over = overQuota(context, locked, changes)
  if (over !== undefined) return { reply: refusalOf(quotaRefusal(store, over)) }
  const { changed, revision, rows } = changes
  return { reply: { _tag: "Done", revision, rows, changed: changed.length > 0 }, changes }
}

/** The revisions of an operation; what was over before is removed by one of its own. */
const revisionsOf = (
  { request, store }: Context,
  { now }: Locked,
  changes: Changes
): Decision["revisions"] => {
  const { session, ttl } = request
  const extra = {
    version: store.version,
    session,
    ends: ttl === undefined ? undefined : Math.round(now + ttl)
  }
  const made = (changed: Changes["changed"]) => changed.map((one) => storedChange(one, extra))
  return [changes.expired, changes.changed].filter(({ length }) => length > 0).map(made)
}

/** Decides, and answers what is replied if it is committed. Ids come before conditions. */
const decide = (context: Context, locked: Locked): { readonly decision: Decision; readonly reply: Reply } => {
  const { id } = context.request
  if (locked.logged !== undefined && id === undefined) {
    return { decision: { revisions: [] }, reply: repliedBefore(context, locked, locked.logged.seq) }
  }
  if (id !== undefined) {
    const { remembered } = locked
    const known = Operations.judgeId(
      id,
      remembered && { ...remembered, reply: decodeReply(remembered.reply) },
      locked.window
    )
    if (known._tag === "Repeated") {
      return { decision: { revisions: [] }, reply: asSeenNow(context.store, context.request, known.reply) }
    }
    if (known._tag !== "New") {
      return { decision: { revisions: [] }, reply: refusalOf({ reason: known._tag, message: known.message }) }
    }
  }
  const { changes, reply } = judgeNew(context, locked)
  const revisions = changes === undefined ? [] : revisionsOf(context, locked, changes)
  if (id === undefined) return { decision: { revisions }, reply }
  const floor = Operations.floorAfter(locked.window, id.n)
  return { decision: { revisions, reply: encodeReply(reply), floor }, reply }
}

const undecided: Reply = refusalOf({ reason: "NotStored", message: "it was not decided" })

/** Makes the save of a request, which is decided in the backend's turn. */
export const evaluationOf = (store: Store, request: Request, read: Reader): Evaluation => {
  const context: Context = { store, request, read }
  let last: Reply = undecided
  const save: Save = {
    store: store.id,
    name: store.shared.nextName(),
    keys: keysOf(store.primary, request.owned),
    id: request.id,
    decide: (locked): Decision | Broken => {
      const { decision, reply } = decide(context, locked)
      last = reply
      return decision
    }
  }
  return { save, reply: () => last }
}

/** The data of a value without its store. */
export const dataOf = ({ data }: HeldValue): JsonObject => data as JsonObject
