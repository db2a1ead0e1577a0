/** A tier in memory whose calls do what a test wants, and two live tables that share one. */
import { Effect, TestClock } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { makeMemorySource } from "../../../src/internal/table/memory.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Table from "../../../src/Table.js"
import * as Tier from "../../../src/Tier.js"
import * as Watch from "../../../src/Watch.js"
import { type Key, type Keys, keys } from "./keys.js"
import type { How } from "./master.js"

export type TierCall = "open" | "get" | "put" | "remove"

export interface ScriptedTier {
  readonly tier: Tier.Tier
  /** Does all calls of this kind in this way; without one, as they are. */
  readonly always: (call: TierCall, how: How | undefined) => void
  readonly count: (call: TierCall) => number
}

export const scriptedTier = Effect.gen(function* () {
  const memory = yield* Tier.memory()
  const hows = new Map<TierCall, How>()
  const counts = new Map<TierCall, number>()
  const scripted = <A, E, R>(name: TierCall, call: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      counts.set(name, (counts.get(name) ?? 0) + 1)
      const how = hows.get(name)
      // A tier of untyped code does anything.
      return how === undefined ? call : (how(call as Effect.Effect<A>) as typeof call)
    })
  const tier: Tier.Tier = {
    ...memory,
    open: (namespace) =>
      Effect.map(scripted("open", memory.open(namespace)), (store) => ({
        ...store,
        get: (keys) => scripted("get", store.get(keys)),
        put: (entries) => scripted("put", store.put(entries)),
        remove: (keys) => scripted("remove", store.remove(keys))
      }))
  }
  const own: ScriptedTier = {
    tier,
    always: (call, how) => {
      if (how === undefined) hows.delete(call)
      else hows.set(call, how)
    },
    count: (call) => counts.get(call) ?? 0
  }
  return own
})

/**
 * A table with a log, and a tier. `open` opens a live table over them, as one more process does, once the table is `up`.
 * `past` changes what the master returns of every row, as a writer does that no log knows.
 */
export const sharedTier = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const source = yield* makeMemorySource(keys, log)
  const { tier, ...script } = yield* scriptedTier
  const fields: { now: Partial<Key> } = { now: {} }
  let asked = 0
  const master = yield* Table.make(keys, {
    ...source,
    getMany: (ids) =>
      Effect.map(source.getMany(ids), ({ value, ...read }) => {
        asked++
        return { ...read, value: value.map((row) => ({ ...row, ...fields.now })) }
      })
  })
  const open = (options: LiveTable.Options<Keys> = {}, up: Effect.Effect<void> = Effect.void) =>
    Effect.gen(function* () {
      const changes = yield* Watch.make(log, { heartbeat: 500 })
      const given = { sample: 0, closeDeadline: 0, changes, tier, ...options }
      const live = yield* LiveTable.makeDeferred(Effect.as(up, master), given)
      yield* TestClock.adjust(1_000)
      return live
    })
  const past = (changed: Partial<Key>) => Effect.sync(() => Object.assign(fields, { now: changed }))
  return { ...script, log, foreign: yield* Table.make(keys, source), open, past, asked: () => asked }
}).pipe(Effect.orDie)
