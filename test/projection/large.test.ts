/** A log of very many events: a key costs what its own events cost. */
import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Projection from "../../src/Projection.js"
import * as SqliteChangeLog from "../../src/sql/SqliteChangeLog.js"
import { lawTimeout } from "../support/laws/ensure.js"
import { runs } from "../support/laws/laws.js"
import { accounts, balanceOf, type Log, opened, paid } from "../support/projection/accounts.js"
import { tempFile } from "../support/sqlite/sqlite.js"

/** The same log; `read` is the number of events that its index has given. */
const counting = (log: Log) => {
  const index = log.index!
  let read = 0
  const counted: Log = {
    ...log,
    index: {
      ...index,
      history: (key, options) =>
        Effect.tap(index.history(key, options), ({ events }) => Effect.sync(() => (read += events.length)))
    }
  }
  return { counted, read: () => read }
}

const fill = (log: Log, count: number) =>
  Effect.gen(function* () {
    const others = 1000
    const [first, ...payments] = [opened("few"), ...Array.from({ length: 9 }, () => paid("few", 1))]
    yield* log.append([first!])
    for (let n = 0; n < count; n += others) {
      const payment = payments.pop()
      const changes = Array.from({ length: others }, (_, key) =>
        n === 0 ? opened(`key ${key}`) : paid(`key ${key}`, 1)
      )
      yield* log.commit(
        [...changes, ...(payment === undefined ? [] : [payment])].map((change) => ({ changes: [change] }))
      )
    }
    for (const payment of payments) yield* log.append([payment])
  })

const count = 10_000

describe("a key of ten events among very many in a SQLite file", () => {
  it.scopedLive(
    "is folded by reading its ten",
    () =>
      Effect.gen(function* () {
        const filename = yield* tempFile
        const log = yield* SqliteChangeLog.make<Projection.EventValue>({
          filename,
          table: "events",
          keys: "indexed"
        })
        yield* fill(log, runs(count))
        const { counted, read } = counting(log)
        const projection = yield* Projection.make({ ...accounts, incremental: "on" }, counted, { slots: 10 })
        expect(balanceOf(yield* projection.project("few"))).toBe("9")
        expect(read()).toBe(10)
        // One new event is all that is read further, and no more than ten states stay in memory.
        yield* log.append([paid("few", 5)])
        expect(balanceOf(yield* projection.project("few"))).toBe("14")
        expect(read()).toBe(11)
        for (let n = 0; n < 50; n++) yield* projection.project(`key ${n}`)
        expect(projection.unsafeStats().slots).toBeLessThanOrEqual(10)
      }),
    lawTimeout
  )
})
