/** Guards of stores: their order, what acts once, how they end, and what may be seen. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("datastore")

const inside = (file: string): string => `internal/datastore/${file}`
const follows = "internal/catalog/follows"
const once = ["laws/datastore", "see one order of what they do, each operation once"] as const
const followers = ["laws/datastore.views", "end equal, and get and learn what they may see now"] as const

const acting: ReadonlyArray<NamedMutant> = [
  guard(
    "forget a refusal",
    inside("accept"),
    ["    replied(store, request, reply, now)\n    const nothing", "    const nothing"],
    once
  ),
  guard(
    "judge the condition before the id",
    inside("accept"),
    [
      'if (known._tag === "Repeated") return repeated(store, request, known.reply)',
      'if (known._tag === "Repeated") {\n    const judged = applied(stateOf(store, undefined), request.owned, now)\n    return isRefused(judged) ? refuse(judged) : repeated(store, request, known.reply)\n  }'
    ],
    once
  ),
  guard(
    "judge the condition before the id where the backend decides",
    inside("evaluate"),
    [
      'if (known._tag === "Repeated") {',
      'if (known._tag === "Repeated" && judgeNew(context, locked).reply._tag === "Done") {'
    ],
    once
  ),
  guard(
    "remember a refusal in no backend",
    inside("evaluate"),
    [
      "decision: { revisions, reply: encodeReply(reply), floor }, reply }",
      'decision: reply._tag === "Done" ? { revisions, reply: encodeReply(reply), floor } : { revisions }, reply }'
    ],
    once
  ),
  guard(
    "let two principals share the numbers of a client",
    inside("writing"),
    ["client: `$", "client, unused: `$"],
    ["datastore/rights", "whose clients count alike do not meet"]
  ),
  guard(
    "show a record again to a principal that may not see it any more",
    inside("accept"),
    [
      'if (reply._tag === "Done") return doneAsSeenNow(store, request, reply)',
      'if (reply._tag === "Done") return reply'
    ],
    ["datastore/repeated", "after the right to see its record was taken does not show it"]
  ),
  guard(
    "refuse a reply again that has hidden its own record",
    inside("accept"),
    ["if (mayRead === undefined || done.unseen === rightsNow(store, as))", "if (mayRead === undefined)"],
    ["datastore/repeated", "is answered alike where it has hidden the record itself"]
  ),
  guard(
    "take a token for a reply that is given again",
    inside("sharedStore"),
    ["if (as !== undefined) rates.giveBack(as.principal)", "void as"],
    ["datastore/repeated", "takes nothing of the rate where another process has given it first"]
  ),
  guard(
    "ask the backend, and the rate, for a reply that is known here",
    inside("sharedStore"),
    ["ended ?? repeatedHere(store, request, now)", "ended"],
    ["datastore/repeated", "takes nothing of the rate, and is counted as repeated (flushed)"]
  ),
  guard(
    "count an operation anew that is sent again while it is decided",
    inside("sharedStore"),
    [
      "known === undefined && joined(store, parts, request, done)",
      "known === null && joined(store, parts, request, done)"
    ],
    [
      "datastore/repeated",
      "takes nothing of the rate while the first is on its way, though nothing of it is left"
    ]
  ),
  guard(
    "take other content for an operation that is sent again while it is decided",
    inside("inFlight"),
    ["known?.id.content !== id.content ||", "known === undefined ||"],
    [
      "datastore/repeated",
      "takes nothing of the rate while the first is on its way, though nothing of it is left"
    ]
  ),
  guard(
    "forget what a try has decided whose answer was lost",
    inside("evaluate"),
    ["reply: asSeenNow(store, request, earlier)", "reply: undecided"],
    ["datastore/repeated", "is answered by what it has made, also when its record is gone since"]
  ),
  guard(
    "ignore what a step expects",
    inside("apply"),
    ["if (conflict !== undefined) return conflict", "if (conflict === null) return conflict"],
    once
  ),
  guard(
    "let steps not see those before them",
    inside("apply"),
    ["latest?.has(key) === true ? latest.get(key)", "latest === null ? latest.get(key)"],
    once
  )
]

const ending: ReadonlyArray<NamedMutant> = [
  guard(
    "end a store twice",
    inside("store"),
    ["if (store.ended !== undefined) return false", "if (store.ended === null) return false"],
    ["datastore/life", "comes by itself a millisecond after its instant, once for each follower"]
  ),
  guard(
    "end a store at its instant",
    "internal/catalog/lifetime",
    ["lifetime !== undefined && now > expiresAt", "lifetime !== undefined && now >= expiresAt"],
    ["datastore/life", "is after its instant for get, however late the timers are"]
  ),
  guard(
    "extend by a late touch",
    inside("handle"),
    ["const ended = access(store, now)", "use(store, now)\n    const ended = access(store, now)"],
    ["datastore/life", "is not put off by a touch or a write that comes late"]
  ),
  guard(
    "open what is over before its timer has fired",
    inside("opening"),
    ["|| access(entry.store, shared.timers.now()) !== undefined", "|| entry.store.ended !== undefined"],
    [
      "datastore/orders",
      "ends once, or not at all, whatever is first of get, open, touch, janitor and set (fixed)"
    ]
  ),
  guard(
    "end by the wall clock",
    "internal/lease/timers",
    ["now: () => monotonicMillis(state.clock)", "now: () => state.clock.unsafeCurrentTimeMillis()"],
    ["datastore/life", "does not come earlier or later when the wall clock is set by an hour"]
  ),
  guard(
    "let an older timer remove a newer record",
    inside("records"),
    ["  if (extra.timer !== undefined) timers.cancel(extra.timer)\n}", "}"],
    ["datastore/life", "that is written again lives as the newer write has it"]
  ),
  guard(
    "end a session by the close of an older connection",
    "internal/lease/sessions",
    ["if (entry?.generation === generation) end", "if (entry !== undefined) end"],
    ["datastore/sessions", "goes on when it is resumed at the last millisecond of its grace"]
  ),
  guard(
    "deliver a frame before COMMIT",
    inside("permanent"),
    [
      "const log = readView(opened.log, read, shared.mark)",
      `const { make, put, remove } = yield* Effect.promise(() => import("../../ChangeLog.js"))
    const log = yield* Effect.orDie(make({ state: "latest" }))
    const { commit } = holding
    holding = {
      ...holding,
      commit: (changed, bytes) => {
        log.append.now(changed.map(({ after, key }) => (after ? put(key, after) : remove(key))))
        return commit(changed, bytes)
      }
    }
    void [readView, opened, read]`
    ],
    ["datastore/close", "gets nothing before it is committed, and reads get it at once"]
  ),
  guard(
    "save with no token",
    "internal/catalog/saveInOrder",
    ["              saver.token\n", "              undefined\n"],
    ["datastore/close", "gives each follower what was committed, then Closed (memory)"]
  ),
  guard(
    "save behind a hole",
    "internal/catalog/decideNext",
    ["if (head.seq !== before) return", "if (head === null) return"],
    ["datastore/close", "that another process has written ends as Failed, and stores nothing behind a hole"]
  )
]

const seeing: ReadonlyArray<NamedMutant> = [
  guard(
    "resume at the cursor, and not after it",
    follows,
    [
      ": Effect.catchTags(begin({ after }),",
      ": Effect.catchTags(begin({ after: { ...after, seq: after.seq - 1 } }),"
    ],
    ["datastore/rights", "gets what came after its cursor, and nothing twice (temp)"]
  ),
  guard("begin without the snapshot", follows, ['begin({ snapshot: "first" })', "begin({})"], followers),
  guard(
    "resume whatever rights the cursor was made under",
    follows,
    ["return version === 0 || seq >", "return version >= 0 || seq >"],
    followers
  ),
  guard(
    "take a cursor at the revision where rights changed for a later one",
    follows,
    ["return version === 0 || seq >", "return version === 0 || seq >="],
    ["datastore/rights", "give a follower that resumes a snapshot, with no revision between (temp)"]
  ),
  guard(
    "take a cursor of another process for one of the present rights",
    "internal/catalog/epochMark",
    ['authorize === undefined ? "" :', 'authorize !== null ? "" :'],
    ["datastore/restarts", "begins anew within the rights of now"]
  ),
  guard(
    "let the server itself begin anew after a restart",
    "internal/catalog/epochMark",
    ["unmarked(after.epoch) === unmarked(epoch)", "after.epoch === epoch"],
    ["datastore/restarts", "of the server itself goes on where it was"]
  ),
  guard(
    "begin anew for ever where other processes write too",
    inside("followCalls"),
    ["yield* markShared(policy, { id, kind, marks, head: parts.head }, as)", "void markShared"],
    ["datastore/restarts", "gives a follower whose rights were raised one snapshot, and then changes again"]
  ),
  guard(
    "compare rights when a frame is enqueued only",
    follows,
    [
      "version: () => policy.versionOf(principal, { id, kind }) + (rights?.version() ?? 0)",
      "version: () => rights?.version() ?? 0"
    ],
    followers
  ),
  guard(
    "let followers that wait go on after their token",
    follows,
    ["timer = until === Number.POSITIVE_INFINITY ? undefined : ", "timer = until !== null ? undefined : "],
    ["datastore/rights", "end a follower that waits, after it"]
  ),
  guard(
    "show by a Conflict that a hidden row is there",
    inside("apply"),
    ["before !== undefined && !judge.mayRead(before)) return", "before === null) return"],
    followers
  ),
  guard(
    "close without what a lost ownership hands back",
    "internal/catalog/owning",
    ["savings: () => Array.from(open)", "savings: () => (held === undefined ? [] : [held])"],
    ["datastore/close", "that has lost it hands back what it had, also to a catalog that is closed meanwhile"]
  ),
  guard(
    "count no store while it is opened",
    "internal/catalog/places",
    ["open + opening.size + 1", "open + 1"],
    ["datastore/quotas", "of stores holds for those that are opened at once"]
  ),
  guard(
    "measure nothing that was stored before",
    inside("permanent"),
    ["if (store.records.sizes !== undefined) {", "if (store.records.sizes === null) {"],
    ["datastore/quotas", "of bytes counts what was stored before"]
  ),
  guard(
    "set fields by a patch without their schema",
    inside("writing"),
    ["return Either.map(encodePart(step.set), (set)", "return Either.map(Either.right(step.set), (set)"],
    ["datastore/input", "that transforms is applied at every boundary of a temp store"]
  )
]

const comesBack = (title: string) => ["datastore/idle", title] as const

const idling: ReadonlyArray<NamedMutant> = [
  guard(
    "refuse a write that nothing waits for while its store is not in memory",
    inside("writing"),
    [
      "  let wasRefused = false\n",
      "  if (Slot.present(writing.slot) === undefined) return false\n  let wasRefused = false\n"
    ],
    comesBack("takes a write that nothing waits for, loads the store, and applies it first")
  ),
  guard(
    "flush without what waits for its store",
    inside("handle"),
    ["slot.waiting === undefined ? Effect.void : Effect.ignore(Slot.live(slot))", "Effect.void"],
    comesBack("shows what its store is doing, and waits for what was accepted")
  ),
  guard(
    "give a handle up whose store could not be loaded again",
    "internal/catalog/slot",
    ["else if (slot.life === undefined) slot.failed", "else slot.failed"],
    comesBack("reports such a write when the store cannot be loaded, and goes on when it can")
  ),
  guard(
    "load a store again on behalf of its first opener",
    inside("opening"),
    ["open(runtime, Places.again(opening), codec)", "open(runtime, opening, codec)"],
    comesBack("comes back though its opener may open it no more, and judges each call")
  ),
  guard(
    "leave a store open whose catalog was closed while it was opened",
    inside("opening"),
    ['if (shared.isClosed) end(store, "Closed")', "void shared"],
    ["datastore/late", "fails as Closed, and leaves nothing open"]
  ),
  guard(
    "hold a store that has left memory",
    inside("store"),
    ["  store.life.store = undefined\n", ""],
    comesBack("holds none of its records")
  ),
  guard(
    "hold a store by the sessions of its records",
    inside("store"),
    ["  for (const session of store.sessions) store.shared.leaveSession(session, store)\n", ""],
    comesBack("holds none of its records")
  ),
  guard(
    "read a property of a step again that was checked",
    inside("check"),
    ['step: { _tag: "Delete", key, expect }', 'step: { _tag: "Delete", key: given.key, expect }'],
    ["datastore/check", "takes what a getter answers first"]
  ),
  guard(
    "hold a store by what was saved of it",
    "internal/catalog/saveInOrder",
    ["  item.save = { ...item.save, decide: undecided }\n", ""],
    comesBack("holds none of its records")
  ),
  guard(
    "hold up what is in memory by a backend that hangs",
    "internal/datastore/catalogCalls",
    [
      "shared.inBackground(Effect.asVoid(stored))\n    })\n    return Effect.forever(",
      "void shared\n    }).pipe(Effect.andThen(stored))\n    return Effect.forever("
    ],
    ["datastore/idle", "leaves memory also while its backend hangs as it forgets what is old"]
  )
]

export const datastoreGuards: ReadonlyArray<NamedMutant> = [...acting, ...ending, ...seeing, ...idling]
