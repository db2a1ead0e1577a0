/** What changes cost a live table: what stays warm, and how long they keep the event loop busy. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as LiveTable from "../../../src/LiveTable.js"
import * as Table from "../../../src/Table.js"
import * as Watch from "../../../src/Watch.js"
import type { Bench } from "../support/bench.js"
import {
  filled,
  idOf,
  type Key,
  type Keys,
  keys,
  type LiveKeys,
  makeKeys,
  pageOf,
  remote
} from "../support/keys.js"
import { using } from "../support/recorders.js"

const unbounded = { concurrency: "unbounded", discard: true } as const

/** A live table over a logged master, and the master itself, for foreign writes. */
const opened = (rows: ReadonlyArray<Key>, options: LiveTable.Options<Keys> = {}) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<Table.TableChange>()
    const master = yield* filled(Table.memory(keys, { log }), rows)
    const changes = yield* Watch.make(log)
    const { calls, table } = remote(master)
    const live = yield* LiveTable.make(table, { changes, ...options })
    // What is read before the log is reached is suspect afterwards.
    yield* reach(live, (yield* log.head).head)
    return { live, master, calls }
  })

/** Waits until the live table has applied the log up to a revision. */
const reach = (live: LiveKeys, atLeast: ChangeLog.Revision) => live.get("none", { atLeast })

const reached = (live: LiveKeys, { revision }: Table.Written<Keys>): Promise<unknown> =>
  Effect.runPromise(Effect.flatMap(revision, (atLeast) => reach(live, atLeast)))

const hitsAfter = async (bench: Bench): Promise<void> => {
  const rows = makeKeys(10_000, 200)
  const ids = rows.map(({ id }) => id)
  for (const writer of ["own", "foreign"] as const) {
    await using(opened(rows), async ({ live, master }) => {
      await Effect.runPromise(live.getMany(ids))
      const writes = ids
        .filter((_, n) => n % 100 === 0)
        .map((id) => (writer === "own" ? live.patch(id, { uses: 1 }) : master.patch(id, { uses: 1 })))
      const written = await Effect.runPromise(Effect.all(writes, { concurrency: "unbounded" }))
      await reached(live, written.at(-1)!)
      const hits = ids.filter((id) => live.unsafeGet(id) !== undefined).length
      bench.limit(
        `gets that hit after ${writer} writes to 1 % of 10,000 rows`,
        [(hits * 100) / ids.length],
        "%",
        {
          atLeast: 95
        }
      )
    })
  }
}

const pagesAfter = async (bench: Bench): Promise<void> => {
  const rows = makeKeys(20_000, 200)
  const accounts = Array.from({ length: 200 }, (_, n) => n)
  for (const writer of ["own", "foreign"] as const) {
    await using(opened(rows), async ({ calls, live, master }) => {
      const pages = Effect.forEach(accounts, (account) => live.list(pageOf(account)), unbounded)
      await Effect.runPromise(pages)
      const before = calls.lists
      // Ids of all accounts, in their pages and behind them.
      const writes = Array.from({ length: 20 }, (_, n) => idOf(n * 997)).map((id) =>
        writer === "own" ? live.patch(id, { uses: 1 }) : master.patch(id, { uses: 1 })
      )
      const written = await Effect.runPromise(Effect.all(writes, { concurrency: "unbounded" }))
      await reached(live, written.at(-1)!)
      await Effect.runPromise(pages)
      bench.limit(
        `of 200 warm pages, dropped by 20 ${writer} patches outside of their conditions and order`,
        [calls.lists - before],
        "pages",
        { atMost: 20 }
      )
    })
  }
}

/** Hits and pages after writes. */
export const changes = async (bench: Bench): Promise<void> => {
  bench.heading("what writes leave")
  await hitsAfter(bench)
  await pagesAfter(bench)
}
