/** What comes from untyped code to a log, in memory and in a database: each call fails with its typed error. */
import { SqliteClient } from "@effect/sql-sqlite-node"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, type Scope } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"

type Log = ChangeLog.ChangeLog<number>

const logs: Readonly<Record<string, Effect.Effect<Log, unknown, Scope.Scope>>> = {
  "in memory": ChangeLog.make<number>({ keys: "indexed", state: "latest" }),
  "in a database": Effect.flatMap(Layer.build(SqliteClient.layer({ filename: ":memory:" })), (client) =>
    Effect.provide(SqlChangeLog.make<number>({ table: "log", keys: "indexed", state: "latest" }), client)
  )
}

// What types refuse.
const nothing = null as never
const wrongEntry = "a revision must have at least one change"
const wrongLimit = "the limit must be a whole number above 0"
const wrongAfter = "after must be a revision of the log: pass one that it has returned, or start(epoch)"
const wrongUpTo = wrongAfter.replace("after", "upTo")
const wrongHold = "the name of a hold must be a string"

type Call = (log: Log, index: ChangeLog.KeyIndex<number>, after: ChangeLog.Revision) => unknown

const calls: ReadonlyArray<readonly [what: string, call: Call, message: string]> = [
  ["no changes", (log) => log.append(nothing), wrongEntry],
  [
    "no entries",
    (log) => log.commit(nothing),
    "a commit must have an array of entries, each with { changes }"
  ],
  ["an entry that is null", (log) => log.commit([nothing]), wrongEntry],
  ["an entry with changes that are null", (log) => log.commit([{ changes: nothing }]), wrongEntry],
  ["a check of null", (log) => Effect.fail(log.check?.(nothing)), wrongEntry],
  ["no options of a reading", (log) => log.read(nothing), wrongLimit],
  ["a reading after null", (log) => log.read({ after: nothing, limit: 1 }), wrongAfter],
  ["a reading after a number", (log) => log.read({ after: 5 as never, limit: 1 }), wrongAfter],
  ["no options of a history", (_, index) => index.history("a", nothing), wrongLimit],
  ["a history after null", (_, index) => index.history("a", { after: nothing, limit: 1 }), wrongAfter],
  [
    "a history after a position without a revision",
    (_, index) => index.history("a", { after: { generation: 1, revision: nothing }, limit: 1 }),
    wrongAfter
  ],
  ["a history up to null", (_, index) => index.history("a", { upTo: nothing, limit: 1 }), wrongUpTo],
  ["no options of a scan", (_, index) => index.scan(nothing), wrongLimit],
  ["a scan after null", (_, index) => index.scan({ after: nothing, limit: 1 }), wrongAfter],
  ["a scan up to null", (_, index, after) => index.scan({ after, upTo: nothing, limit: 1 }), wrongUpTo],
  ["a hold without a name", (_, index, after) => index.hold(nothing, after), wrongHold],
  ["a hold after null", (_, index) => index.hold("a", nothing), wrongAfter],
  ["the release of null", (_, index) => index.release(nothing), wrongHold]
]

describe.each(Object.entries(logs))("a log %s", (_, make) => {
  it.scoped("refuses what is no entry, no options and no cursor", () =>
    Effect.gen(function* () {
      const log = yield* make
      const { head } = yield* log.head
      yield* Effect.forEach(calls, ([what, call, message]) =>
        Effect.gen(function* () {
          // Each call returns an Effect that fails.
          const error = yield* Effect.flip(call(log, log.index!, head) as Effect.Effect<unknown, unknown>)
          expect(error, what).toMatchObject({
            _tag: "ChangeLogError",
            reason: "Invalid",
            message,
            outcome: "NotStored"
          })
        })
      )
      expect((yield* log.head).head, "nothing was appended").toEqual(head)
    })
  )
})
