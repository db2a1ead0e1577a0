/**
 * Random histories of permanent pools: clients of one or two catalogs over one database edit at once, and the catalogs are
 * closed and opened again. Whatever was acknowledged is there, and all hold the same.
 */
import { Effect, Exit, Option, Scope } from "effect"
import fc from "fast-check"
import type { Fields } from "../../../src/internal/mergePool/definition.js"
import type { Edit } from "../../../src/internal/mergePool/edits.js"
import type { Patch } from "../../../src/internal/mergePool/patch.js"
import * as MergePool from "../../../src/MergePool.js"
import { edit } from "../../support/mergePool/arbitraries.js"
import { ensureHolds, joinOf } from "../../support/mergePool/convergence.js"
import type { Ack } from "../../support/mergePool/permanent.js"
import { definition } from "../../support/mergePool/pools.js"

const strategies: Fields = Object.fromEntries(
  definition.names.map((name, index) => [name, definition.strategies[index]!])
)

/** What the clients do at once; then one of them may read what there is, and all may restart. */
interface Round {
  readonly edits: ReadonlyArray<{ readonly client: number; readonly edit: Edit }>
  readonly reader: number | undefined
  readonly restarts: boolean
}

const clients = 3

const round: fc.Arbitrary<Round> = fc.record({
  edits: fc.array(fc.record({ client: fc.nat(clients - 1), edit }), { minLength: 1, maxLength: 6 }),
  reader: fc.option(fc.nat(clients - 1), { nil: undefined }),
  restarts: fc.integer({ min: 0, max: 3 }).map((n) => n === 0)
})

export interface History {
  readonly ack: Ack
  readonly rounds: ReadonlyArray<Round>
}

export const history: fc.Arbitrary<History> = fc.record({
  ack: fc.constantFrom<Ack>("memory", "flushed"),
  rounds: fc.array(round, { minLength: 2, maxLength: 5 })
})

/** The pools of all catalogs, until they are closed. */
const openAll = (backends: ReadonlyArray<MergePool.Backend>, id: string, ack: Ack) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const pools = yield* Effect.forEach(backends, (backend) =>
      Effect.flatMap(MergePool.make(backend), (catalog) =>
        catalog.open({ id, kind: "permanent", ack, strategies })
      )
    ).pipe(Scope.extend(scope))
    return { pools, close: Scope.close(scope, Exit.void) }
  })

type Edited = { readonly pool: MergePool.PoolHandle; readonly patch: Patch; readonly client: string }

const madeBy = (replica: MergePool.ReplicaHandle, edit: Edit) =>
  edit._tag === "Row" ? replica.edit(edit.key, edit.fields) : replica.remove(edit.key)

/** Plays a history. `backends`: of the processes; an owner has the first alone. */
export const play = ({ ack, rounds }: History, backends: ReadonlyArray<MergePool.Backend>, id: string) =>
  Effect.gen(function* () {
    const used = ack === "memory" ? backends.slice(0, 1) : backends
    const replicas = yield* Effect.forEach(Array.from({ length: clients }), () =>
      MergePool.replica(strategies)
    )
    const acknowledged: Array<Patch> = []
    let open = yield* openAll(used, id, ack)
    const check = (law: string) =>
      Effect.forEach(open.pools, (pool) => ensureHolds(pool, joinOf(definition, acknowledged), law))
    for (const { edits, reader, restarts } of rounds) {
      const made: Array<Edited> = []
      for (const { client, edit } of edits) {
        const replica = replicas[client]!
        const one = yield* Effect.option(madeBy(replica, edit))
        if (Option.isNone(one)) continue
        yield* replica.confirm(one.value.n)
        made.push({ pool: open.pools[client % used.length]!, patch: one.value.patch, client: replica.client })
      }
      yield* Effect.forEach(
        made,
        ({ client, patch, pool }) =>
          Effect.map(pool.merge(patch, { as: { principal: client, client } }), () =>
            acknowledged.push(patch)
          ),
        { concurrency: "unbounded", discard: true }
      )
      yield* check("what was acknowledged is there, in each process")
      if (reader !== undefined) {
        yield* replicas[reader]!.receive(yield* open.pools[reader % used.length]!.state())
      }
      if (!restarts) continue
      yield* open.close
      open = yield* openAll(used, id, ack)
      yield* check("what was acknowledged is there after a restart")
    }
    yield* open.close
  })
