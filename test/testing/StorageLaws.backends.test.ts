/** This library's own storages keep the storage laws. LAWS_RUNS multiplies the random records. */
import { it } from "@effect/vitest"
import { Effect } from "effect"
import { laws, type Subject } from "effect-recorder/testing/StorageLaws"
import { storageLaws } from "effect-recorder/testing/vitest"
import * as ChangeLog from "../../src/ChangeLog.js"
import { type MemoryTable, memory, type Storage } from "../../src/Storage.js"
import * as SqliteStorage from "../../src/sql/SqliteStorage.js"
import * as SqliteWorker from "../../src/sql/SqliteWorker.js"
import { runs } from "../support/laws/laws.js"
import { sharedPlace } from "../support/laws/sharedPlace.js"
import {
  type All,
  arraySubject,
  columns,
  type Row,
  tableSubject,
  textIdColumns,
  textIdSubject
} from "../support/laws/subjects.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { openClient, ownSchema, pgPlace, ways } from "../support/postgres/tables.js"
import { openPlain, sqlitePlace, tempFile } from "../support/sqlite/sqlite.js"

// Several threads at once take long to start on a busy machine.
const options = { samples: runs(100), limit: "30 seconds" } as const

const inMemory = (
  name: string,
  open: (
    storage: MemoryTable<typeof columns>
  ) => Effect.Effect<Storage<Row, All, ReadonlyArray<Row>>, unknown>
) =>
  tableSubject(
    name,
    Effect.map(memory({ columns, id: "id" }), (storage) => ({
      open: open(storage),
      peek: Effect.sync(() => storage.records.map(({ id }) => id))
    })),
    {
      capabilities: {
        duplicates: "ignored",
        peeks: "in order",
        loads: "in any order",
        handles: "one",
        prepares: "no"
      },
      // A table in memory has no constraint but its id.
      clash: undefined
    }
  )

storageLaws(arraySubject)
storageLaws(inMemory("Storage.memory({ columns, id })", Effect.succeed), options)

storageLaws({
  ...arraySubject,
  name: "Storage.memory() with a log",
  place: Effect.map(ChangeLog.make(), (log) => {
    const storage = memory<{ readonly name: string; readonly text: string }>()
    const toEntry = ({ name, text }: { readonly name: string; readonly text: string }) => ({
      changes: [ChangeLog.put(name, text)]
    })
    return {
      open: ChangeLog.withLog(storage, { log, toEntry }),
      peek: Effect.sync(() => storage.records.map(({ name }) => name))
    }
  })
})
storageLaws(
  inMemory("Storage.memory({ columns, id }) with a log", (storage) =>
    Effect.flatMap(ChangeLog.make<Row>({ state: "latest" }), (log) => {
      const toEntry = (row: Row) => ({ id: row.id, changes: [ChangeLog.put(row.id, row)] })
      return ChangeLog.withLog(storage, { log, toEntry })
    })
  ),
  options
)

const textIds = { table: "laws", columns: textIdColumns, id: "id" } as const

/** The law of text ids alone: what the others are about does not depend on the type of the id. */
const likeIdsLaw = (name: string, place: Subject<Row, All>["place"], more: Partial<Subject<Row, All>> = {}) =>
  it.live(`keeps like ids apart: ${name}`, () => {
    const law = laws.find(({ name }) => name === "like-ids-are-others")
    return Effect.orDie(law?.check(textIdSubject(name, place, more)) ?? Effect.die("there is no such law"))
  })

likeIdsLaw(
  "Storage.memory({ columns, id })",
  Effect.map(memory(textIds), (storage) => ({
    // The law asks for everything, which is the same query of both.
    open: Effect.succeed(storage as unknown as Storage<Row, All, ReadonlyArray<Row>>),
    peek: Effect.sync(() => storage.records.map(({ id }) => id))
  }))
)
for (const [name, make] of [
  ["SqliteStorage", SqliteStorage.make],
  ["SqliteWorker", SqliteWorker.make]
] as const) {
  likeIdsLaw(
    name,
    Effect.gen(function* () {
      const filename = yield* tempFile
      const db = yield* openPlain(filename)
      return {
        open: make({ filename, ...textIds }),
        peek: Effect.sync(() => db.prepare("SELECT id FROM laws").pluck().all() as ReadonlyArray<string>)
      }
    })
  )
}

storageLaws(tableSubject("SqliteStorage", sqlitePlace(SqliteStorage.make)), options)
// Several threads at once take long to start on a busy machine.
storageLaws(tableSubject("SqliteWorker", sharedPlace(sqlitePlace(SqliteWorker.make))), {
  limit: "30 seconds"
})

for (const { name, url } of databaseUrls()) {
  for (const [kind, way] of Object.entries(ways)) {
    likeIdsLaw(
      `${kind}, ${name}`,
      Effect.gen(function* () {
        const own = yield* ownSchema(url)
        const sql = yield* openClient(own)
        const peek = Effect.map(sql("SELECT id FROM laws"), (rows) => rows.map(({ id }) => `${id}`))
        return { open: way(own).make(textIds), peek }
      })
    )
    storageLaws(tableSubject(`${kind}, ${name}`, sharedPlace(pgPlace(url, way))), options)
  }
}
