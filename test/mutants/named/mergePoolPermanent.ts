/** Guards of permanent pools: what is stored, when it is answered, and by which strategies. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("permanent pool")

const inside = (file: string): string => `internal/mergePool/${file}`
const keeps = (title: string) => ["mergePool/permanent", title] as const

const horizon = keeps("forgets removals after an hour, and keeps its horizon over restarts")
const strategies = keeps("is not opened with other strategies, unless its cells are migrated, once")
const committed = keeps("shows followers what is committed, and nothing before")
const both = keeps("joins what both write at once, and both hold the same")
const former = keeps("ends a process that joins by former strategies, and takes nothing of it")
const leaves = (title: string) => ["mergePool/leavingPermanent", title] as const
const passes = (title: string) => ["mergePool/sharedHorizon", title] as const

export const mergePoolPermanentMutants: ReadonlyArray<NamedMutant> = [
  guard(
    "copy a patch before its cells are counted",
    "internal/mergePool/sharedMerging",
    [
      "    if (as !== undefined && isTooLong(patch)) return tooLarge()\n",
      "    if (as === null) return tooLarge()\n"
    ],
    ["mergePool/hostile", "is refused a merge of a million cells at once, and what others wrote stays"]
  ),
  guard(
    "show once more who has left meanwhile",
    "internal/mergePool/poolOpening",
    ["Effect.andThen(leasing.endOver, removed)", "Effect.as(removed, leasing)"],
    [
      "mergePool/leavingPermanent",
      "removes as soon as it is opened what has ended meanwhile, and stores leave it alone"
    ]
  ),
  guard(
    "wait for the removal of what clients have left, however long",
    "internal/mergePool/poolOpening",
    [
      "Effect.timeoutOption(Effect.andThen(leasing.endOver, removed), maxWait)",
      "Effect.as(Effect.andThen(leasing.endOver, removed), maxWait)"
    ],
    ["mergePool/leavingPermanent", "is opened after 5 seconds where the backend does not say what has ended"]
  ),
  guard(
    "save what one process holds, without joining anew",
    inside("sharedCells"),
    [
      "keys.flatMap((key) => locked.get(key) ?? [])",
      "keys.flatMap((key) => (key === horizonKey ? (locked.get(key) ?? []) : []))"
    ],
    both
  ),
  guard(
    "read nothing that another process takes away",
    inside("poolTail"),
    ["else if (event.key !== horizonKey) takeAway(draft, event.key)", "else void takeAway"],
    both
  ),
  guard(
    "store no horizon",
    inside("storedCells"),
    ["key === horizonKey ? [cell[0], fingerprint] : cell", 'key === horizonKey ? ["", fingerprint] : cell'],
    horizon
  ),
  guard(
    "remember removals for ever after a restart",
    inside("poolPermanent"),
    ["if (state.removals > 0) pool.removalsSince = 0", "if (state.removals < 0) pool.removalsSince = 0"],
    horizon
  ),
  guard(
    "open a pool whatever its strategies are",
    inside("poolPermanent"),
    ["if (fingerprint === definition.fingerprint) {", "if (fingerprint !== null) {"],
    strategies
  ),
  guard(
    "migrate what was loaded, and not what is stored",
    inside("poolMigrating"),
    ["flatMap(({ key }) => get(key) ?? [])", "flatMap((one) => (get(one.key) === undefined ? [] : one))"],
    keeps("is migrated with what was written while it was loaded")
  ),
  guard(
    "leave cells behind that were added while it was loaded",
    inside("poolMigrating"),
    ["values.length === loaded.values.length && totals.records === values.length", "values.length > 0"],
    keeps("is migrated with what was written while it was loaded")
  ),
  guard(
    "migrate for ever while others write",
    inside("poolPermanent"),
    ["if (round > maxRounds) return", "if (round < 0) return"],
    keeps("is not migrated for ever while others add rows: its opening fails, and says what to do")
  ),
  guard(
    "take a merge by former strategies",
    inside("sharedCells"),
    ["(stored.fingerprint ?? fingerprint) !== definition.fingerprint", "stored.fingerprint === null"],
    former
  ),
  guard(
    "go on with former strategies",
    inside("poolTail"),
    [
      "(read.fingerprint ?? fingerprint) === fingerprint ? undefined",
      "read.fingerprint !== null ? undefined"
    ],
    former
  ),
  guard(
    "count no rows of the merges before it in a tick",
    inside("sharedMerging"),
    ["rows += judged.added", "rows += 0"],
    keeps("judges rights and quotas in the turn of a merge")
  ),
  guard(
    "hold an old removal that was merged while the horizon was raised",
    inside("poolTail"),
    ["isRaised ? undefined : draft.rows.keys()", "[]"],
    passes("keeps no client from coming up to date")
  ),
  guard(
    "load a removal up to the horizon",
    inside("poolPermanent"),
    ["keysOfChanges(state, forgetPassed(state))", "keysOfChanges(state, [])"],
    passes("is held by no process, nor by one that begins")
  ),
  guard(
    "join with a removal up to the horizon",
    inside("sharedMerging"),
    ["  forgetPassed(state)\n", ""],
    passes("takes nothing away of what is written over it")
  ),
  guard(
    "leave removals up to the horizon in the backend",
    inside("pool"),
    ["parts.passed.size > 0", "parts.passed.size < 0"],
    passes("is taken away by the next round, with its key")
  ),
  guard(
    "answer before the commit",
    inside("sharedMerging"),
    [
      "    waiting.push(request)\n",
      "    waiting.push({ ...request, done: () => {} })\n    done(Either.right(request.patch))\n"
    ],
    committed
  ),
  guard(
    "answer before it is read here",
    inside("sharedMerging"),
    ["reached.whenAt(outcome.head.seq, () => {", "reached.whenAt(0, () => {"],
    keeps("shows a merge where it was answered")
  ),
  guard(
    "close without the last tick",
    inside("poolClosing"),
    ["for (const { pool } of Array.from(entries.values())) pool.flow.flush()", "void entries"],
    keeps("is closed with all that was merged within the last tick")
  ),
  guard(
    "hand nothing back",
    inside("poolPermanent"),
    ["keep(runtime.unsaved, {", "keep([] as never, {"],
    keeps("hands back what could not be stored, which can be merged again")
  ),
  guard(
    "load before an earlier life is saved",
    inside("poolPermanent"),
    ['if (owner !== "") yield* saving.flush', 'if (owner === "") yield* saving.flush'],
    keeps("that was ended comes back with what was still to be saved")
  ),
  guard(
    "go on without the ownership",
    inside("poolRuntime"),
    ["if (pool.lifetime === undefined && pool.parts === undefined) end", "if (pool.lifetime === null) end"],
    keeps("is refused to a second one, and ends when the ownership is lost")
  ),
  guard(
    "stay in memory for ever",
    inside("poolCatalog"),
    ['if (isIdle(clients, pool, now, settings.idleTimeout)) end(pool, "Unloaded")', "void isIdle"],
    keeps("leaves memory when it is idle, and comes back with its epoch")
  ),
  guard(
    "never end by a lease what clients have left",
    inside("poolRuntime"),
    ["pool?.leaving === undefined || pool.ended !== undefined", "pool !== null"],
    leaves("removes what an earlier process has left, when its lease is over, though looks for it die")
  ),
  guard(
    "name leases of pools as those of stores",
    "internal/catalog/leasing",
    ['part === "pool" ?', "part === null ?"],
    leaves("removes as soon as it is opened what has ended meanwhile, and stores leave it alone")
  ),
  guard(
    "await the lease of a session that has ended here",
    inside("poolRuntime"),
    ["Effect.andThen(all, leasing.release(session))", "all"],
    leaves("knows whose its rows are when it has left memory meanwhile")
  ),
  guard(
    "leave what was merged just before the end of its session",
    inside("poolRuntime"),
    ["Effect.andThen(merged, removed)", "removed"],
    leaves("removes what was merged just before the end of its session")
  ),
  guard(
    "leave cells of a row to its former writer",
    inside("sharedCells"),
    ["    writers.keys(),\n", "    [],\n"],
    leaves("leaves a row to its last writer, with all of its cells")
  ),
  guard(
    "store cells of a row for its former writer",
    inside("leavingRows"),
    ["if (stored.get(row) === session) continue", "if (session !== null) continue"],
    leaves("leaves a row to its last writer, with all of its cells")
  ),
  guard(
    "remove a row of its next writer",
    inside("sharedUpkeep"),
    ["locked.get(key)?.session === lease", "locked.get(key)?.session !== null"],
    leaves("leave a row to who has written it while its removal was under way")
  ),
  guard(
    "remove rows by stamps that are not above theirs",
    inside("sharedUpkeep"),
    ["makeClock(clock.client, state.latest)", 'makeClock(clock.client, "")'],
    leaves("removes what was stamped by a clock that is ahead")
  ),
  guard(
    "forget whose cells are when old removals are forgotten",
    inside("sharedCells"),
    ["writers.has(row) ? writers.get(row) : get(key)?.session", "writers.get(row)"],
    leaves("keeps the session of cells from which old removals are forgotten")
  )
]
