import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Fiber, Option, Stream } from "effect"
import * as LiveTable from "../../src/LiveTable.js"
import { Column, Query } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"

const keys = Table.define({
  name: "keys",
  columns: {
    id: Column.text,
    account: Column.text,
    state: Column.text,
    at: Column.nullable(Column.timestamp)
  },
  id: "id"
})

describe("LiveTable", () => {
  it.scoped("reads, writes and lists", () =>
    Effect.gen(function* () {
      const master = yield* Table.memory(keys)
      const live = yield* LiveTable.make(master)
      yield* live.insert({ id: "k1", account: "a", state: "active" })
      const first = yield* live.get("k1")
      expect(Option.getOrThrow(first.value).state).toBe("active")
      expect(live.unsafeGet("k1")?.freshness._tag).toBe("Fresh")
      const list = yield* live.list({ where: Query.eq("account", "a") })
      expect(list.value.length).toBe(1)
      yield* live.patch("k1", { state: "revoked" })
      expect(Option.getOrThrow(live.unsafeGet("k1")!.value).state).toBe("revoked")
      const after = yield* live.list({ where: Query.eq("account", "a") })
      expect(after.value[0]?.state).toBe("revoked")
      expect((yield* live.count()).value).toBe(1)
      const report = yield* live.close
      expect(report.unsaved).toEqual([])
      expect((yield* Effect.flip(live.get("k1")))._tag).toBe("ReadFailed")
    })
  )
  it.live("follows a list", () =>
    Effect.gen(function* () {
      const master = yield* Table.memory(keys)
      const live = yield* LiveTable.make(master, { minInterval: 1 })
      const seen = yield* Effect.fork(
        live.follow({ where: Query.eq("account", "a") }).pipe(
          Stream.map(({ value }) => value.map(({ id }) => id).join()),
          Stream.takeUntil((ids) => ids === "k1,k2"),
          Stream.runCollect
        )
      )
      yield* Effect.yieldNow()
      yield* live.insert({ id: "k1", account: "a", state: "active" })
      yield* live.insert({ id: "k2", account: "a", state: "active" })
      expect(Chunk.toReadonlyArray(yield* Fiber.join(seen)).at(-1)).toBe("k1,k2")
      const staged = yield* live.stage({ _tag: "Patch", id: "k1", fields: { state: "x" } })
      const shown = yield* live.get("k1", { pending: "include" })
      expect(Option.getOrThrow(shown.value).state).toBe("x")
      yield* staged.outcome
      expect(yield* staged.status).toBe("confirmed")
    }).pipe(Effect.scoped)
  )
})
