/** Guards of what stores and pools share: their saves, remembered operations, rights, quotas and clients. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("catalog")

const inOrder = "internal/catalog/saveInOrder"
const ofSaving = (title: string) => ["catalog/saving", title] as const

const saving: ReadonlyArray<NamedMutant> = [
  guard(
    "store what waits behind a bad save",
    inOrder,
    ["for (const one of later) settle(waiting, one, error)", "void [later, error]"],
    ofSaving("that wait behind a bad one are not stored by a later commit")
  ),
  guard(
    "end stores by a failure that all of them meet",
    inOrder,
    ["return yield* outage(suspect.error)", "yield* convict(round, suspects)"],
    ofSaving("end no store while nothing at all can be stored (unknown)")
  ),
  guard(
    "take a commit before a failure for a proof",
    inOrder,
    ["(isBlamedItself(error) ? 0 : at)", "(isBlamedItself(error) ? 0 : at * 0)"],
    ofSaving("end no store by a failure that began after a commit, and has passed")
  ),
  guard(
    "let a decision that throws fail its commit",
    inOrder,
    ["decide: decideSafely(save)", "decide: save.decide"],
    ofSaving("end their store at one that cannot be stored (throws), and no other store")
  ),
  guard(
    "forget that an answer was lost",
    inOrder,
    ["item.mayBeStored = true", "item.mayBeStored = false"],
    ofSaving("may be stored where an answer was lost, also behind one that is bad")
  ),
  guard(
    "look for a bad save one by one",
    inOrder,
    ["const half = items.length >>> 1", "const half = 1"],
    ofSaving("find a bad one among many by halves")
  ),
  guard(
    "leave a save without an outcome",
    inOrder,
    [
      "for (const [index, item] of items.entries()) {\n    const outcome",
      "for (const [index, item] of items.entries()) {\n    if (outcomes[index] === undefined) continue\n    const outcome"
    ],
    ofSaving("end their store where the backend returns no outcome")
  ),
  guard(
    "settle a save twice",
    inOrder,
    ["  item.onSettled = nothing\n", ""],
    ofSaving("are not handed back once they are stored, though others of their batch are")
  ),
  guard(
    "leave what waits when nothing can be saved any more",
    "internal/catalog/saving",
    ["closeWithin(0))", "Effect.void)"],
    ofSaving("are handed back when nothing can be saved any more, and none is taken")
  )
]

const once = [
  "catalog/operations",
  "act once within their window, and are refused below it, above it, and with other content"
] as const
const ofRights = (title: string) => ["catalog/rights", title] as const
const index = ofRights("is equal to a list of follows, and nothing is left of those that have ended")
const rated = ofRights("are taken at their rate, a second of them at once, and others notice nothing")
const raised = ofRights("are raised by revoke, and when an answer is over; the answer is kept until then")

const sharing: ReadonlyArray<NamedMutant> = [
  guard(
    "take an operation one beyond the window",
    "internal/catalog/operations",
    ["if (n > top + windowSize)", "if (n > top + windowSize + 1)"],
    once
  ),
  guard(
    "act again below the window",
    "internal/catalog/operations",
    ["if (n <= floor) {", "if (n < floor) {"],
    ["catalog/operations", "do not act again after a window was loaded without its replies"]
  ),
  guard(
    "forget a reply at its last millisecond",
    "internal/catalog/operations",
    ["if (now - at <= rememberedFor) return", "if (now - at < rememberedFor) return"],
    once
  ),
  guard(
    "forget a reply by its time, and act again",
    "internal/catalog/operations",
    ["    client.floor = Math.max(client.floor, n)\n", ""],
    once
  ),
  guard(
    "answer another principal",
    "internal/catalog/operations",
    ["remembered.principal === principal && ", ""],
    once
  ),
  guard(
    "keep the floors of all clients for ever",
    "internal/catalog/operations",
    ["if (excess <= 0) return", "if (excess !== null) return"],
    ["catalog/operations", "are kept of a bounded number of clients, those that are remembered in any case"]
  ),
  guard(
    "keep all answers about stores that a principal asks for",
    "internal/catalog/policy",
    ["if (things.size > maxThings)", "if (things.size < 0)"],
    ofRights("are kept for a bounded number of stores")
  ),
  guard(
    "keep replies below the window",
    "internal/catalog/operations",
    ["  forgetBelow(client, floor)\n", ""],
    ["catalog/operations", "keep a bounded number of replies, in whatever order their numbers come"]
  ),
  guard(
    "count a cursor from before a change",
    "internal/catalog/policy",
    ["if (marks[middle]!.version >= version)", "if (marks[middle]!.version > version)"],
    ofRights("fall so among revisions that no cursor from before a change counts")
  ),
  guard(
    "take a cursor whose mark is gone",
    "internal/catalog/policy",
    ["return marks[low]?.seq ?? now", "return marks[low]?.seq ?? 0"],
    ofRights("begin more cursors anew, and never fewer, where the oldest marks are gone")
  ),
  guard(
    "end an answer at its last millisecond",
    "internal/catalog/policy",
    ["state.timers.now() <= known.until", "state.timers.now() < known.until"],
    raised
  ),
  guard(
    "take an answer that is none",
    "internal/catalog/policy",
    ["Array.isArray(grant?.actions) ? grant : nothing", "grant ?? nothing"],
    raised
  ),
  guard(
    "let a rule throw",
    "internal/catalog/policy",
    ["mayWrite && safely(mayWrite)", "mayWrite"],
    ["datastore/rights", "allows nothing, and holds up nobody else (flushed)"]
  ),
  guard(
    "fill a bucket beyond one second",
    "internal/catalog/quotas",
    [
      "bucket.tokens = Math.min(perSecond, bucket.tokens + ((",
      "bucket.tokens = Math.max(0, bucket.tokens + (("
    ],
    rated
  ),
  guard(
    "count all principals together",
    "internal/catalog/quotas",
    ["let bucket = buckets.get(principal)", "let bucket = buckets.values().next().value"],
    rated
  ),
  guard(
    "leave the follows of a principal",
    "internal/catalog/clients",
    [
      "if (subscription.principal !== undefined) removeFrom",
      "if (subscription.principal === null) removeFrom"
    ],
    index
  ),
  guard(
    "leave an empty set of follows",
    "internal/catalog/clients",
    [
      "if (known?.delete(entry) === true && known.size === 0)",
      "if (known?.delete(entry) === true && known.size < 0)"
    ],
    index
  ),
  guard(
    "forget where a client was subscribed by name",
    "internal/catalog/clients",
    ["  addTo(memberships, client, members)\n", ""],
    ["catalog/rights", "finds a client wherever it was subscribed, and nothing is left of what has ended"]
  )
]

const ofEnds = (title: string) => ["catalog/ends", title] as const
const oneDeadline = ofEnds("come within one deadline, however many logs of pools do not answer")
const others = ofEnds("are held up by no other log that does not answer, and hastened by a close")

const ends: ReadonlyArray<NamedMutant> = [
  guard(
    "end stores one after the other",
    "internal/catalog/host",
    ["      Effect.forkIn(scope)\n", "      Effect.interruptible\n"],
    others
  ),
  guard(
    "let a close wait for the ends that have begun",
    "internal/catalog/endings",
    ["Effect.exit(over(ending, limit))", "Effect.exit(over(ending, deadline))"],
    oneDeadline
  ),
  guard(
    "close a catalog before its followers have their ends",
    "internal/catalog/closing",
    ["yield* endings.finish(left())", "yield* Effect.sync(left)"],
    oneDeadline
  ),
  guard(
    "end followers before what was accepted is stored",
    "internal/catalog/endings",
    ["if (isSaved) yield*", "if (!isSaved) yield*"],
    ofEnds("come behind what was accepted just before")
  )
]

export const catalogMutants: ReadonlyArray<NamedMutant> = [...saving, ...sharing, ...ends]
