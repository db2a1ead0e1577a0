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
const passes = (title: string) => ["mergePool/sharedHorizon", title] as const

export const mergePoolPermanentMutants: ReadonlyArray<NamedMutant> = [
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
  )
]
