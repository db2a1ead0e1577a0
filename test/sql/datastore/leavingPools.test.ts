/** What clients leave in permanent pools over SQLite and Postgres: the sessions of rows, and their leases. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Option, Scope, Stream } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import { databases, passing } from "./fixture.js"

const strategies = { title: MergePool.last<string>(), votes: MergePool.counter }

/** Completes when the removal of a row is committed. */
const removed = (pool: MergePool.PoolHandle, row: string) =>
  pool.follow().pipe(
    Stream.filter((frame) => {
      if (frame._tag !== "Events" && frame._tag !== "Snapshot") return false
      const all = frame._tag === "Events" ? frame.events : frame.entries
      return all.some(({ key }) => key === `${row}/`)
    }),
    Stream.runHead
  )

describe.each(databases())("permanent pools on %s", (_, database) => {
  for (const ack of ["memory", "flushed"] as const) {
    const opening = { id: "board", kind: "permanent", strategies, onLeave: "remove", ack } as const

    it.scopedLive(`keep whose rows are whose, and remove them when a lease is over, ack ${ack}`, () =>
      Effect.gen(function* () {
        const { db, one, other } = yield* database
        const gone = yield* Scope.make()
        const pools = yield* Scope.extend(MergePool.make(one), gone)
        const pool = yield* pools.open(opening)
        const replica = yield* MergePool.replica(strategies)
        const as = { principal: "ann", client: replica.client }
        const session = yield* Scope.extend(pools.session(as), gone)
        const later = yield* Scope.extend(pools.session(as), gone)
        const edit = (key: string, edits: { readonly [name: string]: MergePool.FieldEdit }, by: string) =>
          Effect.gen(function* () {
            const { n, patch } = yield* replica.edit(key, edits)
            yield* pool.merge(patch, { as, session: by })
            yield* replica.confirm(n)
            return patch
          })
        const title = (value: string): { readonly [name: string]: MergePool.FieldEdit } => ({
          title: { _tag: "Set", value }
        })
        const patch = yield* edit("a", title("first"), session.id)
        yield* edit("b", title("first"), session.id)
        yield* edit("b", { votes: { _tag: "Increment", by: 1 } }, later.id)
        yield* pool.flush
        const keysOf = (id: string) =>
          Effect.map(one.sessions.keysOf("board", `pool/${id}`), (keys) => [...keys].sort())
        expect([yield* keysOf(session.id), yield* keysOf(later.id)]).toEqual([
          ["a/title"],
          ["b/title", "b/votes"]
        ])
        yield* Scope.close(gone, Exit.void)
        // Of the two sessions the process of the first one is gone for longer than its lease.
        yield* Effect.forEach(passing(91_000), (statement) => db.sql(statement), { discard: true })
        yield* one.sessions.extend([{ id: `pool/${later.id}`, ttl: 90_000 }])
        const next = yield* MergePool.make(other)
        const board = yield* next.open(opening)
        yield* removed(board, "a")
        yield* board.merge(patch)
        expect(yield* board.get("a")).toEqual(Option.none())
        expect(Option.isSome(yield* board.get("b"))).toBe(true)
        yield* board.flush
        expect([yield* keysOf(session.id), yield* keysOf(later.id)]).toEqual([[], ["b/title", "b/votes"]])
      })
    )
  }
})
