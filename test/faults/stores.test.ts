/**
 * Stores whose process is killed or stopped: what was answered as stored is there, what a subscriber saw is there, nothing acts
 * twice, and two owners never both write.
 */
import type { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Exit, Layer, Redacted, Schedule, Scope } from "effect"
import * as Datastore from "../../src/Datastore.js"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import { runs } from "../support/laws/laws.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { ownSchema } from "../support/postgres/tables.js"
import { bundled } from "../support/processes/bundled.js"
import { type Child, startChild } from "../support/processes/childProcess.js"
import { tempFile } from "../support/sqlite/sqlite.js"
import type { Ack, Item, StoreSetting } from "./processes/storeChild.js"

const lease = 500
const clients = ["a", "b", "c"]

let script: string
// Hooks of vitest are in promises.
const scope = Effect.runSync(Scope.make())

beforeAll(async () => {
  script = await Effect.runPromise(Scope.extend(bundled("test/faults/processes/storeChild.ts"), scope))
})
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const sqlite = Effect.map(tempFile, (filename) => ({
  at: { filename },
  layer: Layer.orDie(SqliteClient.layer({ filename }))
}))

const postgres = (server: string) =>
  Effect.map(ownSchema(server), (url) => ({
    at: { url },
    layer: Layer.orDie(PgClient.layer({ url: Redacted.make(url), maxConnections: 3 }))
  }))

/** The databases, and how often a process is killed on each. */
const databases = [
  ["SQLite", sqlite, runs(3)],
  ...databaseUrls()
    .slice(0, 1)
    .map(({ name, url }) => [name, postgres(url), runs(2)] as const)
] as const

const start = (at: object, setting: Omit<StoreSetting, "lease" | "clients">) =>
  startChild(script, JSON.stringify({ ...at, ...setting, lease, clients } satisfies StoreSetting))

/** A catalog in this process. */
const catalogOf = (layer: Layer.Layer<SqlClient>) =>
  Effect.gen(function* () {
    const context = yield* Layer.build(layer)
    const backend = yield* Effect.provide(
      SqlDatastore.make({ table: "kept", lease, poll: "1 second" }),
      context
    )
    return yield* Datastore.make(backend)
  })

/** Opens a store as soon as a former owner's lease is over. */
const opened = (catalog: Datastore.Datastores, ack: Ack) =>
  catalog
    .open<Item>({ id: ack, kind: "permanent", ack })
    .pipe(Effect.retry({ schedule: Schedule.spaced(50), while: ({ reason }) => reason === "Owned" }))

interface Noted {
  readonly client: string
  readonly n: number
  readonly seq: number
}

/** The lines of a child that begin with a word, of a store. */
const notedOf = ({ lines }: Child, word: string, ack: Ack): ReadonlyArray<Noted> =>
  lines
    .filter((line) => line.startsWith(`${word} ${ack} `))
    .map((line) => line.split(" "))
    .map(([, , client = "", n, seq]) => ({ client, n: Number(n), seq: Number(seq) }))

/** What is stored. Each operation has a key of its own, so one that acts twice leaves a hole. */
const contentOf = (store: Datastore.StoreHandle<Item>) =>
  Effect.map(store.snapshot(), ({ rows, seq }) => {
    expect(rows.map((row) => row.seq)).toEqual(Array.from({ length: seq }, (_, before) => before + 1))
    return { seq, seqs: new Map(rows.map((row) => [row.key, row.seq])) }
  })

/** Clients remember fewer operations than a store does. */
const again = 500

/** Sends again what a child has sent, and what it may have sent when it ended. */
const sendAgain = (store: Datastore.StoreHandle<Item>, noted: ReadonlyArray<Noted>) =>
  Effect.forEach(
    clients.flatMap((client) => {
      const last = noted.reduce((most, one) => (one.client === client ? Math.max(most, one.n) : most), 0) + 1
      const first = Math.max(1, last - again)
      return Array.from({ length: last - first + 1 }, (_, before) => ({ client, n: first + before }))
    }),
    ({ client, n }) =>
      store.set({ id: `${client} ${n}`, client, n }, { as: { principal: "child", client, n } }),
    { concurrency: "unbounded" }
  )

/** Whether a store holds what its former process answered and showed, and applies nothing twice. */
const check = (ack: Ack, store: Datastore.StoreHandle<Item>, child: Child) =>
  Effect.gen(function* () {
    const before = yield* contentOf(store)
    const saw = notedOf(child, "saw", ack)
    const answered = notedOf(child, "answered", ack)
    const must = ack === "flushed" ? [...saw, ...answered] : saw
    expect(must.filter(({ client, n, seq }) => before.seqs.get(`${client} ${n}`) !== seq)).toEqual([])
    const replies = yield* sendAgain(store, [...saw, ...answered])
    const isWrong = ({ key, seq }: Datastore.Row<Item>) => seq !== (before.seqs.get(key) ?? seq)
    expect(replies.filter(isWrong)).toEqual([])
    const added = replies.filter(({ key }) => !before.seqs.has(key)).length
    expect((yield* contentOf(store)).seq).toBe(before.seq + added)
    return { answered: answered.length, saw: saw.length, lost: answered.length - before.seq }
  })

for (const [name, database, times] of databases) {
  describe(`stores, ${name}`, () => {
    it.scopedLive(
      "hold what they must when their process is killed, and apply each operation once when it is sent again",
      () => {
        const round = Effect.gen(function* () {
          const { at, layer } = yield* database
          const child = yield* start(at, { stores: ["flushed", "memory"], stopsAfter: 0 })
          const after = 20 + Math.floor(Math.random() * 200)
          yield* child.said("saw flushed", 10)
          yield* child.said("saw", after)
          child.kill("SIGKILL")
          yield* child.ended
          const catalog = yield* catalogOf(layer)
          const found = yield* Effect.forEach(["flushed", "memory"] as const, (ack) =>
            Effect.flatMap(opened(catalog, ack), (store) => check(ack, store, child))
          )
          process.stdout.write(`killed after ${after} frames: ${JSON.stringify(found)}\n`)
        })
        return Effect.forEach(
          Array.from({ length: times }, () => Effect.scoped(round)),
          (one) => one,
          { concurrency: 3, discard: true }
        )
      },
      60_000 * times
    )

    it.scopedLive(
      "of an owner that is stopped for longer than its lease get nothing of it behind the next owner",
      () =>
        Effect.gen(function* () {
          const { at, layer } = yield* database
          const former = yield* start(at, { stores: ["memory"], stopsAfter: 75 })
          yield* former.said("stopping")
          const store = yield* opened(yield* catalogOf(layer), "memory")
          const { seq } = yield* contentOf(store)
          const write = (n: number) => store.set({ id: `next ${n}`, client: "next", n })
          for (let n = 1; n <= 30; n++) yield* write(n)
          former.kill("SIGCONT")
          yield* former.said("ended")
          yield* write(31)
          yield* contentOf(store)
          const { rows } = yield* store.snapshot()
          const behind = rows.filter((row) => row.seq > seq)
          expect(behind.map(({ data }) => data)).toEqual(
            Array.from({ length: 31 }, (_, before) => ({
              id: `next ${before + 1}`,
              client: "next",
              n: before + 1
            }))
          )
          const [, reason, unsaved] = former.lines.find((line) => line.startsWith("ended"))?.split(" ") ?? []
          expect(reason).toBe("Failed")
          // What it answered is stored, or handed back.
          expect(Number(unsaved)).toBeGreaterThanOrEqual(notedOf(former, "answered", "memory").length - seq)
          expect(Number(unsaved)).toBeGreaterThan(0)
        }),
      60_000
    )
  })
}
