/**
 * Stores whose process is killed or stopped: what was answered as stored is there, what a subscriber saw is there, nothing acts
 * twice, and two owners never both write.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule } from "effect"
import * as Datastore from "../../src/Datastore.js"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import { runs } from "../support/laws/laws.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { startChild } from "../support/processes/childProcess.js"
import { tempFile } from "../support/sqlite/sqlite.js"
import type { StoreSetting } from "./processes/storeChild.js"

interface Item {
  readonly id: string
  readonly by: string
  readonly n: number
}

const lease = 500

const sqlite = Effect.map(tempFile, (filename) => ({
  at: { filename },
  layer: Layer.orDie(SqliteClient.layer({ filename }))
}))

const postgres = (server: string) =>
  Effect.map(ownSchema(server), (url) => ({
    at: { url },
    layer: Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections: 3 }))
  }))

const databases = [
  ["SQLite", sqlite],
  ...databaseUrls()
    .slice(0, 1)
    .map(({ name, url }) => [name, postgres(url)] as const)
] as const

const script = bundled("test/faults/processes/storeChild.ts")

/** Opens the store in this process, as soon as a former owner's lease is over. */
const opened = (layer: Layer.Layer<SqlClient>, ack: StoreSetting["ack"]) =>
  Effect.gen(function* () {
    const backend = yield* SqlDatastore.make({ table: "kept", lease, poll: "1 second" }).pipe(
      Effect.provide(yield* Layer.build(layer))
    )
    const stores = yield* Datastore.make(backend)
    return yield* stores
      .open<Item>({ id: "board", kind: "permanent", ack })
      .pipe(Effect.retry({ schedule: Schedule.spaced(50), while: ({ reason }) => reason === "Owned" }))
  })

/** The numbers of the lines of a child that begin with a word. */
const numbersOf = (lines: ReadonlyArray<string>, word: string): ReadonlyArray<ReadonlyArray<number>> =>
  lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.split(" ").slice(1).map(Number))

const lastOf = (lines: ReadonlyArray<string>, word: string, at: number): number =>
  numbersOf(lines, word).reduce((most, numbers) => Math.max(most, numbers[at] ?? 0), 0)

for (const [name, database] of databases) {
  describe.each(["flushed", "memory"] as const)(`a store whose process is killed, ${name}, ack %s`, (ack) => {
    it.scopedLive(
      "holds what it must, and applies each operation once when it is sent again",
      () =>
        Effect.gen(function* () {
          const file = yield* script
          for (let round = 0; round < runs(1); round++) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                const { at, layer } = yield* database
                const child = yield* startChild(file, JSON.stringify({ ...at, ack, lease, stopsAfter: 0 }))
                yield* child.said("saw", 20 + Math.floor(Math.random() * 200))
                child.kill("SIGKILL")
                yield* child.ended
                const store = yield* opened(layer, ack)
                const { seq } = yield* store.snapshot()
                expect(seq).toBeGreaterThanOrEqual(lastOf(child.lines, "saw", 0))
                const answered = lastOf(child.lines, "answered", 0)
                if (ack === "flushed") expect(seq).toBeGreaterThanOrEqual(answered)
                // One operation is one revision, so the stored ones are the first ones.
                for (let n = Math.max(1, seq - 5); n <= answered + 1; n++) {
                  const as = { principal: "child", client: "one", n }
                  const row = yield* store.set({ id: `k${n % 20}`, by: "child", n }, { as })
                  expect(row.seq).toBe(n)
                }
                expect((yield* store.snapshot()).seq).toBe(Math.max(seq, answered + 1))
              })
            )
          }
        }),
      60_000 * runs(1)
    )
  })

  describe(`an owner of a store, ${name}`, () => {
    it.scopedLive(
      "that is stopped for longer than its lease saves nothing behind the next owner, and hands back what it had",
      () =>
        Effect.gen(function* () {
          const file = yield* script
          const { at, layer } = yield* database
          const former = yield* startChild(
            file,
            JSON.stringify({ ...at, ack: "memory", lease, stopsAfter: 75 })
          )
          yield* former.said("stopping")
          const store = yield* opened(layer, "memory")
          const { seq } = yield* store.snapshot()
          for (let n = 1; n <= 30; n++) yield* store.set({ id: `next${n}`, by: "next", n })
          former.kill("SIGCONT")
          yield* former.said("ended")
          yield* store.set({ id: "last", by: "next", n: 31 })
          const { rows } = yield* store.snapshot()
          const behind = rows.filter((row) => row.seq > seq)
          expect(behind.map(({ data }) => data.by)).toEqual(behind.map(() => "next"))
          expect(behind.length).toBe(31)
          expect(former.lines.some((line) => line.startsWith("ended Failed"))).toBe(true)
        }),
      60_000
    )
  })
}
