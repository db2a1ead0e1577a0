/** Opens pools: one that is open is returned, if it is what was asked for. */
import { Effect, Scope } from "effect"
import { type ChangeLog, make as makeLog } from "../../ChangeLog.js"
import { OpenError, type StoreEnded } from "../catalog/ended.js"
import * as Lifetime from "../catalog/lifetime.js"
import * as Places from "../catalog/places.js"
import type { Loading } from "../catalog/slot.js"
import type { InvalidOptions } from "../options.js"
import { type Definition, define } from "./definition.js"
import { makePool } from "./newPool.js"
import { access, end, type Pool } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import * as Permanent from "./poolPermanent.js"
import * as Reading from "./poolReading.js"
import type { Entry, Opened, Runtime } from "./poolRuntime.js"
import type { Named, Opening } from "./poolSettings.js"
import { makeState } from "./state.js"
import * as Ticking from "./ticking.js"

export const invalidOpening = ({ message, option }: Pick<InvalidOptions, "message" | "option">): OpenError =>
  new OpenError({ reason: "InvalidOptions", option, message: `${option} ${message}` })

const openedBy = ({ settings }: Runtime, opening: Opening, { fingerprint }: Definition): Opened => {
  const { ack, expiry, kind, onLeave, ttl } = opening
  const isPermanent = kind === "permanent"
  const lifetime = ttl === undefined || ttl === 0 ? settings.ttl : ttl
  return {
    kind,
    strategies: fingerprint,
    ttl: isPermanent ? 0 : lifetime,
    expiry: isPermanent ? "fixed" : expiry,
    onLeave,
    ack: isPermanent ? ack : "memory"
  }
}

/** Returns the difference between what is open and what is asked for. */
const mismatch = (id: string, open: Opened, wanted: Opened): OpenError | undefined => {
  for (const option of Object.keys(wanted) as ReadonlyArray<keyof Opened>) {
    if (open[option] === wanted[option]) continue
    const detail = option === "strategies" ? "" : ` (${open[option]}, and not ${wanted[option]})`
    const message = `the pool ${JSON.stringify(id)} has another ${option}${detail}: name it as it is, or use another id`
    return new OpenError({ reason: "OpenMismatch", option, message })
  }
  return undefined
}

/** Makes a pool in memory. */
const makeTemporary = (
  runtime: Runtime,
  opening: Named,
  { expiry, ttl }: Opened,
  definition: Definition
): Effect.Effect<Pool, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const log: ChangeLog<PoolCell> = yield* makeLog<PoolCell>({
      state: "latest",
      maxRevisions: opening.maxRevisions,
      sizeOf: Ticking.cellBytes
    })
    const { head } = yield* Effect.orDie(log.head)
    const state = makeState(definition)
    const { timers } = runtime.shared
    const pool = yield* makePool(runtime, opening, {
      epoch: head.epoch,
      state,
      log,
      lifetime: { ttl, expiry },
      release: Effect.void,
      flow: (_, on) => ({
        flow: Ticking.make(
          state,
          { timers, seq: head.seq, append: Ticking.appendTo(log), compact: log.compact },
          on
        )
      })
    })
    Lifetime.start(pool, timers, () => end(pool, "Expired"))
    return pool
  })

const makePermanent = (
  runtime: Runtime,
  opening: Named,
  definition: Definition
): Effect.Effect<Pool, OpenError> =>
  Effect.gen(function* () {
    const backend = yield* Effect.mapError(
      runtime.backend,
      (cause) => new OpenError({ reason: "Unavailable", message: cause.message, cause })
    )
    const owned = opening.ack === "memory" ? yield* runtime.owning.take(backend) : undefined
    const owner = owned === undefined ? "" : runtime.settings.name
    return yield* Permanent.open({
      runtime,
      backend,
      saving: owned ?? runtime.saving,
      opening,
      definition,
      owner
    })
  })

/** Returns the pool of an id that is open now, after what is over has ended. */
export const find = ({ entries, shared }: Runtime, id: string): Entry | undefined => {
  const entry = entries.get(id)
  if (entry === undefined || access(entry.pool, shared.timers.now()) !== undefined) return undefined
  return entry
}

const closed = new OpenError({ reason: "Closed", message: "the catalog is closed: make another one" })

const forbidden = new OpenError({ reason: "Forbidden", message: "the principal may not open the pool" })

const mayOpen = ({ shared }: Runtime, { as, id, kind }: Named): boolean =>
  as === undefined || shared.policy.rights(as.principal, { id, kind }).actions.has("open")

const failedMeanwhile = (cause: StoreEnded): OpenError =>
  new OpenError({
    reason: "Unavailable",
    message: "the pool has failed while it was opened: open it again",
    cause
  })

/** Adds a pool that was made to those that are open, unless it has ended meanwhile. */
const add = (
  { entries, shared }: Runtime,
  pool: Pool,
  entry: Omit<Entry, "pool">
): Effect.Effect<Pool, OpenError> =>
  Effect.suspend(() => {
    if (shared.isClosed) end(pool, "Closed")
    const { ended } = pool
    if (ended !== undefined) {
      const failed = ended.reason === "Closed" ? closed : failedMeanwhile(ended)
      // The tasks of a catalog that is closed run no more; it has no followers yet.
      return Effect.andThen(pool.following.end(ended, 0), Effect.andThen(pool.release, failed))
    }
    entries.set(pool.id, { pool, ...entry })
    return Effect.succeed(pool)
  })

/** Makes the definition of what is opened, or returns why it cannot be, whatever is there. */
export const validate = (opening: Named): Definition | OpenError => {
  const { strategies } = opening
  const definition = define(strategies)
  if ("_tag" in definition) {
    return invalidOpening({ option: "strategies", message: `cannot be: ${definition.message}` })
  }
  return definition
}

/** How long an opening waits for the removal of what clients have left: a backend may take long. A later round removes it then. */
const maxWait = "5 seconds"

/** Ends what is over of the sessions that a pool was loaded with, before anything is read of it. */
const endLeft =
  ({ leasing, saving }: Runtime) =>
  (pool: Pool): Effect.Effect<void> => {
    const { leaving, parts } = pool
    if (leaving?.isLoaded !== true) return Effect.void
    const removed =
      parts === undefined ? Effect.void : Effect.andThen(saving.flush, Reading.upToDate(pool, parts))
    return Effect.ignoreLogged(Effect.timeoutOption(Effect.andThen(leasing.endOver, removed), maxWait))
  }

const openNow = (runtime: Runtime, opening: Named): Effect.Effect<Pool, OpenError> =>
  Effect.suspend(() => {
    const { entries, places, shared } = runtime
    if (shared.isClosed) return Effect.fail(closed)
    if (!mayOpen(runtime, opening)) return Effect.fail(forbidden)
    const definition = validate(opening)
    if (definition instanceof OpenError) return Effect.fail(definition)
    const { as, id, kind } = opening
    const wanted = openedBy(runtime, opening, definition)
    const entry = find(runtime, id)
    if (entry !== undefined) {
      const problem = mismatch(id, entry.opened, wanted)
      return problem === undefined ? Effect.succeed(entry.pool) : Effect.fail(problem)
    }
    const over = Places.overQuota(places, shared.quotas, entries.size, as?.principal)
    if (over !== undefined) {
      shared.count.quotaRefusals++
      return Effect.fail(over)
    }
    const made =
      kind === "permanent"
        ? makePermanent(runtime, opening, definition)
        : Effect.mapError(
            Scope.extend(makeTemporary(runtime, opening, wanted, definition), runtime.scope),
            invalidOpening
          )
    const principal = Places.countedFor(opening)
    const added = Effect.flatMap(made, (pool) =>
      add(runtime, pool, { opened: wanted, reopen: reopen(runtime, opening), principal })
    )
    return Places.counted(places, id, principal, Effect.tap(added, endLeft(runtime)))
  })

/** Opens a pool; callers that open one and the same share the opening. */
export const open = (runtime: Runtime, opening: Named): Effect.Effect<Pool, OpenError> =>
  runtime.inOrder(opening.id, openNow(runtime, opening))

/**
 * Opens a pool again that has left memory. The server itself does it: each call of the handle is judged by its own `as`, and
 * the first opener may have lost the right since.
 */
export const reopen = (runtime: Runtime, opening: Named): Effect.Effect<Pool, OpenError> =>
  open(runtime, Places.again(opening))

/** How handles of this catalog load their pools. */
export const loading = (
  { scope, shared }: Runtime,
  reopen: Effect.Effect<Pool, OpenError>
): Loading<Pool> => ({
  thing: "pool",
  reopen,
  // An access would keep a permanent one in memory.
  look: (pool) => (pool.lifetime === undefined ? undefined : access(pool, shared.timers.now())),
  scope,
  inBackground: shared.inBackground
})
