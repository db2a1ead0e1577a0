/** Decides an operation of a store that several processes write: while its head is locked, by what is stored. */
import * as Either from "effect/Either"
import type { Broken, Decision, HeldValue, Locked, Save } from "../catalog/backend.js"
import * as Operations from "../catalog/operations.js"
import * as Quotas from "../catalog/quotas.js"
import { asSeenNow, bytesOf, doneOf, judgeOf, noSession, quotaRefusal, type Request } from "./accept.js"
import { apply, keysOf } from "./apply.js"
import type { JsonRow } from "./holding.js"
import type { Changes, Judge, State } from "./operation.js"
import { decodeReply, encodeReply, type RefusalData, type Reply } from "./reply.js"
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
  return { reply: doneOf(store, request, judge, changes), changes }
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

/**
 * Decides, and answers what is replied if it is committed. Ids come before conditions. `earlier`: the reply of the try
 * before, which is the one that was committed if the log holds this save.
 */
const decide = (
  context: Context,
  locked: Locked,
  earlier: Reply
): { readonly decision: Decision; readonly reply: Reply } => {
  const { request, store } = context
  const { id } = request
  if (locked.logged !== undefined && id === undefined) {
    return { decision: { revisions: [] }, reply: asSeenNow(store, request, earlier) }
  }
  if (id !== undefined) {
    const { remembered } = locked
    const known = Operations.judgeId(
      id,
      remembered && { ...remembered, reply: decodeReply(remembered.reply) },
      locked.window
    )
    if (known._tag === "Repeated") {
      return { decision: { revisions: [] }, reply: asSeenNow(store, request, known.reply) }
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
      const { decision, reply } = decide(context, locked, last)
      last = reply
      return decision
    }
  }
  return { save, reply: () => last }
}
