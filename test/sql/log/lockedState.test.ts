/** The last values of several logs, read in one transaction that holds their heads. */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { Run } from "../../../src/sql/internal/dialect.js"
import { lockHeads, stateOf } from "../../../src/sql/internal/log/lockedState.js"
import { openLogOf } from "../../../src/sql/internal/log/sqlChangeLog.js"
import type { LogStore } from "../../../src/sql/internal/log/store.js"
import { step } from "../../../src/sql/internal/transaction.js"
import { make, places } from "./places.js"

const storeOf = (log: object): LogStore => {
  const open = openLogOf(log)
  if (open === undefined) throw new Error("the log has no store")
  return open.store
}

for (const [name, place] of places) {
  describe(`the last values of logs in ${name}`, () => {
    it.scopedLive("are read by one statement for each log, after its head is locked in one order", () =>
      Effect.gen(function* () {
        const { context } = yield* place
        const logs = yield* Effect.forEach(["b", "a"], (feed) =>
          make(context, { table: "log", feed, state: "latest" })
        )
        const [b, a] = logs
        yield* a!.append([ChangeLog.put("/é", { kind: "made", n: 1 }), ChangeLog.put("/gone", 1)])
        yield* a!.commit([
          { changes: [ChangeLog.put("/b", [1, "two", null])] },
          { changes: [ChangeLog.remove("/gone")] }
        ])
        yield* b!.append([ChangeLog.put("/b", 7)])
        const sql = yield* Effect.provide(SqlClient, context)
        const stores = logs.map(storeOf)
        yield* sql.withTransaction(
          Effect.gen(function* () {
            const joined = Option.getOrThrow(yield* stores[0]!.backend.joined)
            const texts: Array<string> = []
            const run: Run = (statement) => {
              texts.push(statement.text)
              return joined(statement)
            }
            const locked = yield* lockHeads(stores, run)
            expect(locked.map(([{ feed }, { head }]) => [feed.feed, head.seq])).toEqual([
              ["a", 3],
              ["b", 1]
            ])
            expect(texts.length).toBe(2)
            const many = Array.from({ length: 70_000 }, (_, n) => `/none/${n}`)
            const read = (store: LogStore, keys: ReadonlyArray<string>) =>
              Effect.map(stateOf(store, step(store.statements.dialect, run), keys), (rows) =>
                [...rows]
                  .sort((one, other) => ChangeLog.compareKeys(one.key, other.key))
                  .map(({ key, seq, value }) => [key, seq, JSON.parse(value)])
              )
            expect(yield* read(locked[0]![0], ["/é", "/gone", ...many, "/b"])).toEqual([
              ["/b", 2, [1, "two", null]],
              ["/é", 1, { kind: "made", n: 1 }]
            ])
            expect(yield* read(locked[1]![0], ["/é", "/b"])).toEqual([["/b", 1, 7]])
            expect(yield* read(locked[1]![0], [])).toEqual([])
            expect(texts.length).toBe(4)
          })
        )
      })
    )
  })
}
