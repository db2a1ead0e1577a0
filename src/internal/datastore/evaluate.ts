/** Decides an operation of a store that several processes write: while its head is locked, by what is stored. */
import type { Broken, Decision, HeldValue, Locked, Save } from "../catalog/backend.js"
import * as Operations from "../catalog/operations.js"
import { asSeenNow, doneOf, judgeOf, logProblem, noSession, quotaRefusal, type Request } from "./accept.js"
import { applied, keysOf } from "./apply.js"
import { type JsonRow, maxRevisionBytes, sizeProblem } from "./holding.js"
import { type Changes, isRefused, type Judge, type State } from "./operation.js"
import { bytesOf, bytesWritten, overQuota } from "./recordQuota.js"
import { decodeReply, encodeReply, type RefusalData, type Reply } from "./reply.js"
import type { Store } from "./store.js"
import { storedChange } from "./stored.js"

/** Reads a value that the backend holds. */
export type Reader = (key: string, value: HeldValue) => JsonRow

/** What an operation has come to. */
export interface Outcome {
  readonly reply: Reply
  /** `Known`: what is remembered of its client refuses it. */
  readonly kind: "New" | "Repeated" | "Known"
}

/** What was decided last. */
export interface Evaluation {
  readonly save: Save
  /** The outcome, once the save is committed. */
  readonly outcome: () => Outcome
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

const judgeNew = (
  context: Context,
  locked: Locked
): { readonly reply: Reply; readonly changes?: Changes } => {
  const { request, store } = context
  const early = noSession(store, request)
  if (early !== undefined) return { reply: refusalOf(early) }
  const judge = judgeOf(store, request.as)
  if (judge !== undefined && isRefused(judge)) return { reply: refusalOf(judge) }
  const changes = applied(stateOf(context, locked, judge), request.owned, locked.now)
  if (isRefused(changes)) return { reply: refusalOf(changes) }
  const over = overQuota(store.shared.quotas, changes, () => ({ ...locked.totals, sizeBefore: bytesOf }))
  if (over !== undefined) return { reply: refusalOf(quotaRefusal(store, over)) }
  const large = sizeProblem(bytesWritten(request.owned, changes), changes.changed.length, maxRevisionBytes)
  if (large !== undefined) return { reply: refusalOf(logProblem(large)) }
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
): Outcome & { readonly decision: Decision } => {
  const { request, store } = context
  const { id } = request
  if (locked.logged !== undefined && id === undefined) {
    return { kind: "New", decision: { revisions: [] }, reply: asSeenNow(store, request, earlier) }
  }
  if (id !== undefined) {
    const { remembered } = locked
    const known = Operations.judgeId(
      id,
      remembered && { ...remembered, reply: decodeReply(remembered.reply) },
      locked.window
    )
    if (known._tag === "Repeated") {
      const reply = asSeenNow(store, request, known.reply)
      return { kind: "Repeated", decision: { revisions: [] }, reply }
    }
    if (known._tag !== "New") {
      const reply = refusalOf({ reason: known._tag, message: known.message })
      return { kind: "Known", decision: { revisions: [] }, reply }
    }
  }
  const { changes, reply } = judgeNew(context, locked)
  const revisions = changes === undefined ? [] : revisionsOf(context, locked, changes)
  if (id === undefined) return { kind: "New", decision: { revisions }, reply }
  const floor = Operations.floorAfter(locked.window, id.n)
  return { kind: "New", decision: { revisions, reply: encodeReply(reply), floor }, reply }
}

const undecided: Reply = refusalOf({ reason: "NotStored", message: "it was not decided" })

/** Makes the save of a request, which is decided in the backend's turn. */
export const evaluationOf = (store: Store, request: Request, read: Reader): Evaluation => {
  const context: Context = { store, request, read }
  let last: Outcome = { kind: "New", reply: undecided }
  const save: Save = {
    store: store.id,
    name: store.shared.nextName(),
    keys: keysOf(store.primary, request.owned),
    id: request.id,
    decide: (locked): Decision | Broken => {
      const { decision, kind, reply } = decide(context, locked, last.reply)
      last = { kind, reply }
      return decision
    }
  }
  return { save, outcome: () => last }
}
