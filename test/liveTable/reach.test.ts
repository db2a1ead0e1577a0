/** How often the master is called, and what writes leave warm: facts that do not depend on time. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { filled, idOf, keys, makeKeys, pageOf, remote } from "../bench/support/keys.js"

const unbounded = { concurrency: "unbounded" } as const

/** A live table in front of a counted master, which holds so many rows. */
const opened = (rows: number, before?: Effect.Effect<void>) =>
  Effect.gen(function* () {
    const { calls, table } = remote(yield* filled(Table.memory(keys), makeKeys(rows, 200)), before)
    return { live: yield* LiveTable.make(table), calls }
  })

/** The same over a log that the live table follows, and has reached. */
const logged = (rows: number) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const master = yield* filled(Table.memory(keys, { log }), makeKeys(rows, 200))
    const { calls, table } = remote(master)
    const live = yield* LiveTable.make(table, { changes: yield* Watch.make(log), sample: 0 })
    const reached = Effect.flatMap(log.head, ({ head }) => live.get("none", { atLeast: head }))
    yield* reached
    return { live, master, calls, reached }
  })

type Logged = Effect.Effect.Success<ReturnType<typeof logged>>

const writers = {
  own: ({ live }: Logged, id: string): Effect.Effect<unknown, unknown> => live.patch(id, { uses: 1 }),
  foreign: ({ master }: Logged, id: string): Effect.Effect<unknown, unknown> => master.patch(id, { uses: 1 })
}

describe("calls of the master", () => {
  it.scoped("10,000 concurrent gets of one cold key are one read", () =>
    Effect.gen(function* () {
      const { calls, live } = yield* opened(1)
      const gets = Array.from({ length: 10_000 }, () => live.get(idOf(0)))
      const answers = yield* Effect.all(gets, unbounded)
      expect(new Set(answers).size).toBe(1)
      expect(calls.rows).toBe(1)
    })
  )

  it.scoped("gets of 10,000 distinct cold ids in one turn are at most 20 reads", () =>
    Effect.gen(function* () {
      const { calls, live } = yield* opened(10_000)
      yield* Effect.forEach(makeKeys(10_000, 200), ({ id }) => live.get(id), { ...unbounded, discard: true })
      expect(calls.rows).toBeLessThanOrEqual(20)
      expect(live.unsafeStats().entries).toBe(10_000)
    })
  )

  it.scoped("1,000 patches of distinct ids behind a slow master are at most 5 calls", () =>
    Effect.gen(function* () {
      // Each call takes until nothing else can run: the writers whose turn it is have queued their writes.
      const { calls, live } = yield* opened(1_000, Effect.repeatN(Effect.yieldNow({ priority: 100 }), 10))
      const written = yield* Effect.forEach(
        makeKeys(1_000, 200),
        ({ id }) => live.patch(id, { state: "revoked" }),
        unbounded
      )
      expect(written.every(({ change }) => change === "Changed")).toBe(true)
      expect(calls.writes).toBeLessThanOrEqual(5)
    })
  )
})

describe("what writes leave warm", () => {
  for (const writer of ["own", "foreign"] as const) {
    it.scoped(`95 % of gets hit after ${writer} writes to 1 % of the rows`, () =>
      Effect.gen(function* () {
        const made = yield* logged(5_000)
        const ids = makeKeys(5_000, 200).map(({ id }) => id)
        yield* made.live.getMany(ids)
        const some = ids.filter((_, n) => n % 100 === 0)
        yield* Effect.forEach(some, (id) => writers[writer](made, id), unbounded)
        yield* made.reached
        const hits = ids.filter((id) => made.live.unsafeGet(id) !== undefined)
        expect(hits.length).toBeGreaterThanOrEqual(4_750)
      })
    )

    it.scoped(`20 ${writer} patches outside of conditions and order drop at most 20 of 200 pages`, () =>
      Effect.gen(function* () {
        const made = yield* logged(4_000)
        const accounts = Array.from({ length: 200 }, (_, n) => n)
        const pages = Effect.forEach(accounts, (account) => made.live.list(pageOf(account, 10)), unbounded)
        yield* pages
        const before = made.calls.lists
        // Rows of many accounts, in their pages and behind them.
        const some = Array.from({ length: 20 }, (_, n) => idOf(n * 199))
        yield* Effect.forEach(some, (id) => writers[writer](made, id), unbounded)
        yield* made.reached
        yield* pages
        expect(made.calls.lists - before).toBeGreaterThan(0)
        expect(made.calls.lists - before).toBeLessThanOrEqual(20)
      })
    )
  }
})
