/** The selector of a key and every key after it. */
import { SqliteClient } from "@effect/sql-sqlite-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import * as Watch from "../../src/Watch.js"

const last = "\u{10FFFF}".repeat(256)
const keys = ["a", "b", "b\u0001", "ba", "c/1", "\uFFFF", "\u{10000}", "\u{10FFFF}", last]

const logs: Readonly<Record<string, Effect.Effect<ChangeLog.ChangeLog<number>, unknown, Scope.Scope>>> = {
  "in memory": ChangeLog.make<number>({ state: "latest" }),
  "in a database": Effect.flatMap(Layer.build(SqliteClient.layer({ filename: ":memory:" })), (client) =>
    Effect.provide(SqlChangeLog.make<number>({ table: "log", state: "latest" }), client)
  )
}

describe.each(Object.entries(logs))("from, of a log %s", (_, make) => {
  it.scopedLive("selects the key and all after it, in snapshots and for watchers, the last key too", () =>
    Effect.gen(function* () {
      const log = yield* make
      yield* log.append(keys.map((key, n) => ChangeLog.put(key, n)))
      for (const [n, first] of keys.entries()) {
        const after = keys.slice(n)
        const { entries } = yield* log.snapshot(ChangeLog.from(first))
        expect(
          entries.map(({ key }) => key),
          first
        ).toEqual(after)
        expect(keys.filter((key) => ChangeLog.matches(ChangeLog.from(first), key))).toEqual(after)
      }
      const watch = yield* Watch.make(log)
      const watcher = yield* watch.open(ChangeLog.from("b"))
      yield* log.append([ChangeLog.put("a", 1), ChangeLog.put("b", 1), ChangeLog.put(last, 1)])
      let events: ReadonlyArray<{ readonly key: string }> = []
      while (events.length === 0) {
        const frame = yield* watcher.take
        if (frame._tag === "Events") events = frame.events
      }
      expect(events.map(({ key }) => key)).toEqual(["b", last])
    })
  )

  it.scoped("is a part of anyOf, and is refused for what is no key", () =>
    Effect.gen(function* () {
      const log = yield* make
      yield* log.append(keys.map((key, n) => ChangeLog.put(key, n)))
      const either = ChangeLog.anyOf(ChangeLog.key("a"), ChangeLog.from("\u{10FFFF}"))
      const { entries } = yield* log.snapshot(either)
      expect(entries.map(({ key }) => key)).toEqual(["a", "\u{10FFFF}", last])
      for (const wrong of ["", "\ud800", null as never, `${last}x`]) {
        const error = yield* Effect.flip(log.snapshot(ChangeLog.from(wrong)))
        expect(error._tag).toBe("InvalidSelector")
      }
    })
  )
})
