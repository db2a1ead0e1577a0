/** Opens pools: one that is open is returned, if it is what was asked for. */
import { Effect } from "effect"
import { type ChangeLog, make as makeLog } from "../../ChangeLog.js"
import { OpenError } from "../catalog/ended.js"
import * as Following from "../catalog/following.js"
import * as Lifetime from "../catalog/lifetime.js"
import * as Places from "../catalog/places.js"
import * as Policy from "../catalog/policy.js"
import type { InvalidOptions } from "../options.js"
import { makeClock } from "./clock.js"
import { type Definition, define } from "./definition.js"
import { access, end, type Pool } from "./pool.js"
import type { PoolCell } from "./poolCells.js"
import type { Entry, Opened, Runtime } from "./poolRuntime.js"
import type { Opening } from "./poolSettings.js"
import { noStamp } from "./stamp.js"
import { makeState } from "./state.js"
import * as Ticking from "./ticking.js"

export const invalidOpening = ({ message, option }: Pick<InvalidOptions, "message" | "option">): OpenError =>
  new OpenError({ reason: "InvalidOptions", option, message: `${option} ${message}` })

/** What is opened, by its id. */
export type Named = Opening & { readonly id: string }

const openedBy = ({ settings }: Runtime, opening: Opening, { fingerprint }: Definition): Opened => ({
  kind: opening.kind,
  strategies: fingerprint,
  ttl: opening.ttl === undefined || opening.ttl === 0 ? settings.ttl : opening.ttl,
  expiry: opening.expiry,
  onLeave: opening.onLeave
})

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

const makePool = (
  { newClient, settings, shared }: Runtime,
  opening: Named,
  { expiry, ttl }: Opened,
  definition: Definition
): Effect.Effect<Pool, InvalidOptions> =>
  Effect.gen(function* () {
    const { id } = opening
    const log: ChangeLog<PoolCell> = yield* makeLog<PoolCell>({
      state: "latest",
      maxRevisions: opening.maxRevisions,
      sizeOf: Ticking.cellBytes
    })
    const { head } = yield* Effect.orDie(log.head)
    const state = makeState(definition)
    const marks = Policy.makeMarks()
    const pool: Pool = {
      id,
      kind: opening.kind,
      epoch: head.epoch,
      shared,
      state,
      clock: makeClock(newClient(), noStamp),
      ticking: Ticking.make(state, shared.timers, log, {
        onRevision: (seq) => Policy.mark(marks, shared.policy.count(), seq),
        onFailed: (cause) => {
          end(pool, "Failed", cause)
        }
      }),
      following: yield* Following.make(log, `${settings.name}/${id}`, settings.closeDeadline),
      marks,
      owners: new Map(),
      leaving: opening.onLeave === "remove" ? { bySession: new Map(), byRow: new Map() } : undefined,
      members: new Set(),
      hashed: undefined,
      bytes: 0,
      removalsSince: undefined,
      lifetime: { ttl, expiry },
      expiry: undefined,
      usedAt: shared.timers.now(),
      ended: undefined
    }
    Lifetime.start(pool, shared.timers, () => end(pool, "Expired"))
    return pool
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

/** Adds a pool that was made to those that are open, unless the catalog was closed meanwhile. */
const add = (
  { entries, shared }: Runtime,
  pool: Pool,
  opened: Opened,
  principal: string | undefined
): Effect.Effect<Pool, OpenError> =>
  Effect.suspend(() => {
    if (shared.isClosed) {
      end(pool, "Closed")
      // The tasks of a catalog that is closed run no more.
      return Effect.andThen(pool.following.end(pool.ended!), closed)
    }
    entries.set(pool.id, { pool, opened, principal })
    return Effect.succeed(pool)
  })

const openNow = (runtime: Runtime, opening: Named): Effect.Effect<Pool, OpenError> =>
  Effect.suspend(() => {
    const { entries, places, shared } = runtime
    if (shared.isClosed) return Effect.fail(closed)
    if (!mayOpen(runtime, opening)) return Effect.fail(forbidden)
    const definition = define(opening.strategies)
    if ("_tag" in definition) {
      return Effect.fail(
        invalidOpening({ option: "strategies", message: `cannot be: ${definition.message}` })
      )
    }
    const { as, id } = opening
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
    const made = makePool(runtime, opening, wanted, definition).pipe(
      Effect.mapError(invalidOpening),
      Effect.flatMap((pool) => add(runtime, pool, wanted, as?.principal))
    )
    return Places.counted(places, id, as?.principal, made)
  })

/** Opens a pool; callers that open one and the same share the opening. */
export const open = (runtime: Runtime, opening: Named): Effect.Effect<Pool, OpenError> =>
  runtime.inOrder(opening.id, openNow(runtime, opening))
