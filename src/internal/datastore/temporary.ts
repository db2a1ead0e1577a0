/** Makes the temporary stores of a catalog: they live in memory, and their log is what subscribers follow. */
import { Effect, type Scope } from "effect"
import { type ChangeLog, make as makeLog } from "../../ChangeLog.js"
import * as Following from "../catalog/following.js"
import * as Operations from "../catalog/operations.js"
import * as Policy from "../catalog/policy.js"
import { maxKeyBytes } from "../log/selector.js"
import type { InvalidOptions } from "../options.js"
import { removeAll } from "./accept.js"
import type { Codec } from "./data.js"
import { type JsonRow, type Measure, ofLog, sizeOf } from "./holding.js"
import * as Records from "./records.js"
import type { Opening, Settings } from "./settings.js"
import { type Shared, type Store, startExpiry } from "./store.js"

/** The deepest nesting of data. Deeper data is slow for everybody who reads it. */
const maxDepth = 100

/** How many milliseconds the life of a temporary store has. */
export const lifetimeOf = (opening: Opening, settings: Settings): number =>
  opening.ttl === undefined || opening.ttl === 0 ? settings.ttl : opening.ttl

export const limitsOf = (primary: string): Store["limits"] => ({ primary, maxKeyBytes, maxDepth })

/** Makes a temporary store, which is empty, and whose time begins now. */
export const make = (
  shared: Shared,
  settings: Settings,
  opening: Opening,
  id: string,
  codec: Codec<never>
): Effect.Effect<Store, InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const measure: Measure = { bytes: 0 }
    const log: ChangeLog<JsonRow> = yield* makeLog<JsonRow>({
      state: "latest",
      maxRevisions: opening.maxRevisions,
      sizeOf: sizeOf(measure)
    })
    const { head } = yield* Effect.orDie(log.head)
    const countsBytes = settings.quotas.bytes !== undefined
    const store: Store = {
      id,
      kind: opening.kind,
      primary: opening.primary,
      version: opening.version,
      epoch: head.epoch,
      life: { store: undefined, ended: undefined },
      shared,
      limits: limitsOf(opening.primary),
      problem: codec.problem,
      holding: ofLog(log, measure, head),
      operations: Operations.make(),
      records: Records.make(shared.timers, countsBytes, (key) => removeAll(store, [key])),
      marks: Policy.makeMarks(),
      lifetime: { ttl: lifetimeOf(opening, settings), expiry: opening.expiry },
      expiry: undefined,
      usedAt: shared.timers.now(),
      ended: undefined,
      outbox: undefined,
      clockOffset: 0,
      following: yield* Following.make(log, `${settings.name}/${id}`, settings.closeDeadline),
      parts: undefined,
      pending: 0,
      tidy: undefined,
      tidiedAt: 0,
      release: Effect.void,
      sessions: new Set(),
      members: new Set()
    }
    store.life.store = store
    startExpiry(store)
    return store
  })
