/**
 * Two processes that share a table, a log or stores, both behind what does as a pooler in transaction mode: notifications
 * do not arrive, so each reads what the other one has written by the polls of its doorbell.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Layer, Option, Redacted, Schema, Stream } from "effect"
import * as Datastore from "../../src/Datastore.js"
import * as LiveTable from "../../src/LiveTable.js"
import * as Projection from "../../src/Projection.js"
import { Column } from "../../src/Storage.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import * as SqlChangeLog from "../../src/sql/SqlChangeLog.js"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import * as SqlTable from "../../src/sql/SqlTable.js"
import * as Table from "../../src/Table.js"
import * as Watch from "../../src/Watch.js"
import { tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pooling } from "../support/postgres/poolers.js"
import { ownSchema } from "../support/postgres/tables.js"

const { url: server = "" } = databaseUrls()[0] ?? {}

/** A url of an empty schema behind the pooler. */
const behindPooler = Effect.gen(function* () {
  const url = yield* ownSchema(server)
  return throughProxy(url, yield* tcpProxy(Number(new URL(url).port), pooling))
})

/** What a process connects with. */
const connect = (url: string) =>
  Effect.gen(function* () {
    const client = yield* Layer.build(PgClient.layer({ url: Redacted.make(url), maxConnections: 4 }))
    // Its intervals are an hour, but for the polls of a doorbell that is down.
    const bell = { url, poll: "1 hour", pollWhileDown: "20 millis", pingTimeout: "100 millis" } as const
    return { client, doorbell: yield* PgDoorbell.make(bell), url }
  })

type Connected = Effect.Effect.Success<ReturnType<typeof connect>>

const keys = Table.define({ name: "keys", columns: { id: Column.text, scope: Column.text }, id: "id" })

const liveTable = ({ client, doorbell }: Connected) =>
  Effect.gen(function* () {
    const log = yield* SqlChangeLog.make<Table.TableChange>({ table: "changes", doorbell })
    const table = yield* SqlTable.make(keys, { log: { table: "changes", doorbell } })
    return yield* LiveTable.make(table, { changes: yield* Watch.make(log) })
  }).pipe(Effect.provide(client))

const counts = Projection.define({
  name: "counts",
  events: Projection.events({ Counted: Schema.Null }),
  state: Schema.Number,
  initial: 0,
  apply: (count) => count + 1
})

const projection = ({ doorbell, url }: Connected) =>
  Effect.flatMap(
    PgChangeLog.make<Projection.EventValue>({
      url: Redacted.make(url),
      table: "events",
      keys: "indexed",
      doorbell
    }),
    (log) => Projection.make(counts, log)
  )

const stores = ({ client, doorbell }: Connected) =>
  Effect.flatMap(SqlDatastore.make({ table: "stores", poll: "1 hour", doorbell }), (backend) =>
    Datastore.make(backend)
  ).pipe(Effect.provide(client))

interface Seat {
  readonly id: string
  readonly guest: string
}

const openHall = ({ open }: Datastore.Datastores) => open<Seat>({ id: "hall", kind: "permanent" })

/** The guests of a frame: all of them in a snapshot, then those that change. */
const guestsOf = (frame: Watch.Frame<Datastore.Row<Seat>>): ReadonlyArray<string> => {
  if (frame._tag === "Snapshot") return frame.entries.map(({ value }) => value.data.guest)
  if (frame._tag !== "Events") return []
  return frame.events.flatMap((event) => (event._tag === "Put" ? [event.value.data.guest] : []))
}

describe("behind a pooler in transaction mode", () => {
  it.scopedLive("a live table shows what another process has written", () =>
    Effect.gen(function* () {
      const url = yield* behindPooler
      const one = yield* liveTable(yield* connect(url))
      const other = yield* liveTable(yield* connect(url))
      yield* one.insert({ id: "a", scope: "read" })
      const scopes = other.follow("a").pipe(
        Stream.filterMap(({ value }) => Option.map(value, ({ scope }) => scope)),
        Stream.tap((scope) => (scope === "read" ? one.patch("a", { scope: "write" }) : Effect.void)),
        Stream.takeUntil((scope) => scope === "write"),
        Stream.runCollect
      )
      expect(Array.from(yield* Effect.timeout(scopes, "15 seconds"))).toEqual(["read", "write"])
    })
  )

  it.scopedLive("a projection follows what another process has decided", () =>
    Effect.gen(function* () {
      const url = yield* behindPooler
      const one = yield* projection(yield* connect(url))
      const other = yield* projection(yield* connect(url))
      const decide = one.decide("a", () => [{ kind: "Counted", data: null }])
      yield* decide
      const states = other.follow("a").pipe(
        Stream.map(({ state }) => Option.getOrElse(state, () => 0)),
        Stream.tap((count) => (count === 1 ? decide : Effect.void)),
        Stream.takeUntil((count) => count === 2),
        Stream.runLast
      )
      expect(yield* Effect.timeout(states, "15 seconds")).toEqual(Option.some(2))
    })
  )

  it.scopedLive("stores follow what another process has set", () =>
    Effect.gen(function* () {
      const url = yield* behindPooler
      const one = yield* openHall(yield* stores(yield* connect(url)))
      const other = yield* openHall(yield* stores(yield* connect(url)))
      const set = (guest: string) => one.set({ id: "1A", guest })
      yield* set("Ada")
      const guests = other.follow().pipe(
        Stream.mapConcat(guestsOf),
        Stream.tap((guest) => (guest === "Ada" ? set("Bob") : Effect.void)),
        Stream.takeUntil((guest) => guest === "Bob"),
        Stream.runLast
      )
      expect(yield* Effect.timeout(guests, "15 seconds")).toEqual(Option.some("Bob"))
    })
  )
})
