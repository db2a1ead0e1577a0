/**
 * Makes permanent pools of what a backend has loaded. One that this process owns is decided in memory, and saved behind; any
 * other one is decided while the backend holds its head.
 */
import { Effect, Either, ExecutionStrategy, Exit, Scope } from "effect"
import type { Backend, Loaded, OpenedStore, Save, Stored } from "../catalog/backend.js"
import { nextAfter } from "../catalog/decideNext.js"
import { OpenError } from "../catalog/ended.js"
import { lifeMark } from "../catalog/epochMark.js"
import * as Finding from "../catalog/finding.js"
import * as Reached from "../catalog/reached.js"
import type { Saving } from "../catalog/saving.js"
import { keep, offerDecided } from "../catalog/unsaved.js"
import { readView } from "../log/readView.js"
import { storageError } from "../log/storageError.js"
import type { Definition } from "./definition.js"
import { forgetPassed } from "./horizon.js"
import { leaseOfPool, noteStored, wholeRows } from "./leavingRows.js"
import { makePool } from "./newPool.js"
import { end, type Pool } from "./pool.js"
import { horizonKey, type PoolCell, patchOf } from "./poolCells.js"
import { bytesOf } from "./poolJudging.js"
import { rewrite } from "./poolMigrating.js"
import type { Runtime } from "./poolRuntime.js"
import type { Named } from "./poolSettings.js"
import * as Tail from "./poolTail.js"
import { share } from "./sharedMerging.js"
import { makeState, type State } from "./state.js"
import {
  cellReader,
  keysOfChanges,
  putStored,
  type Read,
  readHorizon,
  storedRevisions
} from "./storedCells.js"
import * as Ticking from "./ticking.js"

/** How a permanent pool is opened. */
export interface PermanentOptions {
  readonly runtime: Runtime
  readonly backend: Backend
  readonly saving: Saving
  readonly opening: Named
  readonly definition: Definition
  /** The name that owns it; empty: any process writes it. */
  readonly owner: string
}

/** A pool that a backend has opened and loaded. */
interface Found {
  readonly opened: OpenedStore
  readonly loaded: Loaded
  readonly state: State
}

const otherStrategies = (id: string): OpenError =>
  new OpenError({
    reason: "OpenMismatch",
    option: "strategies",
    message: `the pool ${JSON.stringify(id)} is stored with other strategies: name them as they were, pass migrate, which makes its cells anew, or use another id`
  })

const readState = (definition: Definition, { values }: Loaded): Effect.Effect<State, OpenError> =>
  Effect.suspend(() => {
    const state = makeState(definition)
    const problem = putStored(state, values)
    if (problem === undefined) return Effect.succeed(state)
    const { key, message } = problem
    return new OpenError({
      reason: "Undecodable",
      key,
      message: `the cell ${JSON.stringify(key)} is not as the strategies have it: ${message}. Mend it, or pass migrate`
    })
  })

/** How often a pool is migrated anew, because others have written rows since it was loaded. */
const maxRounds = 10

/** The pause after a round, in milliseconds: bursts of writes pass meanwhile. */
const pauseAfter = (round: number): number => Math.min(1_000, 50 * 2 ** (round - 1))

const stillWritten = (id: string): OpenError =>
  new OpenError({
    reason: "Unavailable",
    message: `the pool ${JSON.stringify(id)} was not migrated: others have written it anew in each of ${maxRounds} rounds. Stop the processes that write it by its former strategies, and open it again`
  })

const load = (options: PermanentOptions, opened: OpenedStore, round = 1): Effect.Effect<Found, OpenError> =>
  Effect.gen(function* () {
    const { definition, opening, runtime, saving } = options
    const { id, migrate } = opening
    const loaded = yield* Effect.mapError(opened.load, (cause) => Finding.unavailable("pool", cause))
    const stored = readHorizon(loaded.values.find(({ key }) => key === horizonKey))
    const first = opened.stored.fingerprint
    const fingerprint = stored.fingerprint ?? first
    if (fingerprint === definition.fingerprint) {
      return { opened, loaded, state: yield* readState(definition, loaded) }
    }
    if (migrate === undefined) return yield* otherStrategies(id)
    if (round > maxRounds) return yield* stillWritten(id)
    const { nextName } = runtime.shared
    const migrating = { id, definition, loaded, fingerprint, first, migrate, nextName }
    const isRewritten = yield* rewrite(migrating, saving)
    if (!isRewritten) yield* Effect.sleep(pauseAfter(round))
    return yield* load(options, opened, round + 1)
  })

/** Appends the ticks of a pool that this process owns, by saves. */
const appendOwned =
  ({ definition, opening, runtime, saving }: PermanentOptions, pool: () => Pool): Ticking.Append =>
  (revisions, last) => {
    const { id } = opening
    const changes = revisions.flat()
    const stored = storedRevisions(revisions, last, definition, (row) =>
      leaseOfPool(pool().leaving?.byRow.get(row))
    )
    const save: Save = {
      store: id,
      name: runtime.shared.nextName(),
      keys: Array.from(new Set(changes.map(({ key }) => key))),
      id: undefined,
      decide: nextAfter(last, () => ({ revisions: stored }))
    }
    const isTaken = offerDecided(saving, pool(), save, (error) => {
      const cells = changes.flatMap((change) => (change._tag === "Put" ? [change.value] : []))
      keep(runtime.unsaved, { pool: id, patch: patchOf(cells), error })
      end(pool(), "Failed", error)
    })
    return isTaken ? Either.right(last + revisions.length) : Either.left("nothing is saved any more")
  }

/** Makes the pool that this process owns. */
const makeOwned = (
  options: PermanentOptions,
  { loaded, opened, state }: Found,
  release: Effect.Effect<void>
): Effect.Effect<Pool, never, Scope.Scope> => {
  const { definition, opening, runtime } = options
  // What was answered before it was stored may be lost with a process or a life that failed: clients of an exchange compare.
  const mark = lifeMark(runtime.process, runtime.shared.count.failed)
  return makePool(runtime, opening, {
    epoch: `${loaded.revision.epoch}${mark}`,
    state,
    log: readView(
      opened.log,
      cellReader(definition, () => {}),
      mark
    ),
    lifetime: undefined,
    release,
    flow: (pool, on) => ({
      flow: Ticking.make(
        state,
        {
          timers: runtime.shared.timers,
          seq: loaded.revision.seq,
          append: appendOwned(options, pool),
          complete: (changes) => wholeRows(pool(), changes)
        },
        on
      )
    })
  })
}

/** Makes the pool that any process writes, and begins to read what they write. */
const makeShared = (
  { definition, opening, runtime, saving }: PermanentOptions,
  { loaded, opened, state }: Found,
  release: Effect.Effect<void>
): Effect.Effect<Pool, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { mark } = runtime.shared
    const reads = new WeakMap<PoolCell, Read>()
    const reader = cellReader(definition, (cell, read) => reads.set(cell, read))
    const head = Effect.mapBoth(opened.log.head, {
      onFailure: storageError,
      onSuccess: ({ head }) => head.seq
    })
    const reached = Reached.make(loaded.revision.seq)
    const { fingerprint } = opened.stored
    const passed = new Set(keysOfChanges(state, forgetPassed(state)))
    const epoch = `${loaded.revision.epoch}${mark}`
    const pool = yield* makePool(runtime, opening, {
      epoch,
      state,
      log: readView(opened.log, reader, mark),
      lifetime: undefined,
      release,
      flow: (pool) => share({ pool, saving, fingerprint }, reached, head, passed)
    })
    yield* Tail.start(pool, reads, { ...loaded.revision, epoch })
    return pool
  })

/** Opens a permanent pool. What it has of the backend lives until it ends, or the catalog does. */
export const open = (options: PermanentOptions): Effect.Effect<Pool, OpenError> =>
  Effect.gen(function* () {
    const { backend, definition, opening, owner, runtime, saving } = options
    const { fingerprint } = definition
    const wanted: Stored = { id: opening.id, part: "pool", primary: "", version: 0, fingerprint, owner }
    const scope = yield* Scope.fork(runtime.scope, ExecutionStrategy.sequential)
    const release = Scope.close(scope, Exit.void)
    const begin = Effect.gen(function* () {
      // What an earlier life has left to be saved is loaded too.
      if (owner !== "") yield* saving.flush
      const found = yield* load(options, yield* Finding.find(backend, wanted))
      const pool = yield* owner === ""
        ? makeShared(options, found, release)
        : makeOwned(options, found, release)
      noteStored(pool, found.loaded.values)
      const { state } = pool
      // When they were removed is not known: what is old enough by its stamps is forgotten soon.
      if (state.removals > 0) pool.removalsSince = 0
      if (runtime.settings.quotas.bytes !== undefined) {
        for (const row of state.rows.values()) pool.bytes += bytesOf(state, row)
      }
      return pool
    })
    return yield* Effect.onError(Scope.extend(begin, scope), (cause) =>
      Scope.close(scope, Exit.failCause(cause))
    )
  })
