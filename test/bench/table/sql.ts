/** Tables over SQLite and Postgres: patches in bulk to one UPDATE each, and what it costs a read to know its revision. */
import { SqlClient } from "@effect/sql/SqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as SqliteClient from "@effect/sql-sqlite-node/SqliteClient"
import { Effect, Layer, Redacted } from "effect"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import { type Bench, interleave } from "../support/bench.js"
import { withDatabase } from "../support/database.js"
import { inTemporaryFile } from "../support/files.js"
import { using } from "../support/recorders.js"
import { columns, type Entry, makeEntries } from "../support/records.js"

const plainEntries = Table.define({ name: "entries", columns, id: "id" })
const loggedEntries = Table.define({ name: "logged", columns, id: "id" })
type Entries = Table.Of<typeof plainEntries>

/** A table without a log, one with it, and the client that both are over. */
interface Sides {
  readonly plain: Entries
  readonly logged: Table.Of<typeof loggedEntries>
  readonly sql: SqlClient
  readonly entries: ReadonlyArray<Entry>
}

const { Write } = Table

/** Rows in each table. */
const rows = 1000

/** Patches of one call. */
const queued = 100

const openSides = Effect.gen(function* () {
  const sql = yield* SqlClient
  const plain = yield* SqlTable.make(plainEntries)
  const logged = yield* SqlTable.make(loggedEntries, { log: { table: "log" } })
  const entries = makeEntries(rows)
  yield* plain.write(entries.map((entry) => Write.insert(entry)))
  yield* logged.write(entries.map((entry) => Write.insert(entry)))
  return { plain, logged, sql, entries } satisfies Sides
})

const perSecond = async (count: number, work: Effect.Effect<unknown, unknown>): Promise<number> => {
  const start = performance.now()
  await Effect.runPromise(work)
  return (count * 1000) / (performance.now() - start)
}

let round = 0

/** The next rows to patch, and a value that none of them has. */
const next = ({ entries }: Sides): { readonly some: ReadonlyArray<Entry>; readonly value: string } => {
  const from = (round * queued) % rows
  round++
  return { some: entries.slice(from, from + queued), value: `actor ${round}` }
}

const patching = <D extends typeof plainEntries>(sides: Sides, table: Table.Of<D>, calls: number) =>
  perSecond(
    calls * queued,
    Effect.repeatN(
      Effect.suspend(() => {
        const { some, value } = next(sides)
        const writes = some.map(({ id }) =>
          Write.patch(id as never, { actor: value, status: round } as never)
        )
        return Effect.flatMap(table.write(writes as ReadonlyArray<Table.Write<D>>), (results) =>
          results.every((one) => one._tag === "Written" && one.change === "Changed")
            ? Effect.void
            : Effect.fail("a patch was not done")
        )
      }),
      calls - 1
    )
  )

const updating = (sides: Sides) =>
  perSecond(
    queued,
    Effect.suspend(() => {
      const { some, value } = next(sides)
      const { sql } = sides
      return Effect.forEach(
        some,
        ({ id }) => sql`UPDATE entries SET actor = ${value}, status = ${round} WHERE id = ${id}`,
        { discard: true }
      )
    })
  )

interface Targets {
  readonly plain: number
  readonly logged?: number
}

const patches = async (bench: Bench, name: string, sides: Sides, targets: Targets): Promise<void> => {
  const samples = await interleave(
    { rounds: bench.pairs, warmUps: 3 },
    {
      single: () => updating(sides),
      plain: () => patching(sides, sides.plain, 10),
      logged: () => patching(sides, sides.logged, 10)
    }
  )
  bench.heading(`${name}: ${queued} patches of two columns, rows of about 310 bytes, every row returned`)
  bench.figure("one UPDATE for each, awaited", samples.single, "rows/s")
  bench.figure("one call of write", samples.plain, "rows/s")
  bench.figure("the same, and its changes in a log", samples.logged, "rows/s")
  bench.ratio(`${name}, ${queued} queued patches to one awaited UPDATE each`, samples.plain, samples.single, {
    atLeast: targets.plain
  })
  bench.ratio(
    `${name}, the same with the log in the same commit`,
    samples.logged,
    samples.single,
    targets.logged === undefined ? undefined : { atLeast: targets.logged }
  )
}

/** Microseconds a read. */
const reading = async (read: Effect.Effect<unknown, unknown>, times: number): Promise<number> =>
  1_000_000 / (await perSecond(times, Effect.repeatN(read, times - 1)))

const reads = async (bench: Bench, name: string, { entries, logged, plain }: Sides): Promise<void> => {
  bench.heading(`${name}: reads that return the log's revision, to reads that do not`)
  const [first, ...more] = entries.slice(0, 100).map(({ id }) => id)
  const kinds = {
    "get of one row": [plain.get(first!), logged.get(first!), 20],
    "getMany of 99 rows": [plain.getMany(more), logged.getMany(more), 5],
    "a list of 50 rows": [plain.list({ limit: 50 }), logged.list({ limit: 50 }), 10],
    "a count": [plain.count(), logged.count(), 10]
  } as const
  for (const [what, [without, withRevision, times]] of Object.entries(kinds)) {
    const samples = await interleave(
      { rounds: bench.pairs, parts: 5, warmUps: 2 },
      { without: () => reading(without, times), withRevision: () => reading(withRevision, times) }
    )
    bench.figure(`${what}, without`, samples.without, "us")
    bench.figure(`${what}, with its revision`, samples.withRevision, "us")
    bench.ratio(`${name}, ${what} with its revision`, samples.withRevision, samples.without, { atMost: 1.25 })
  }
}

const onClient = (
  client: Layer.Layer<SqlClient, unknown>,
  prepare: (sql: SqlClient) => Effect.Effect<unknown, unknown>,
  use: (sides: Sides) => Promise<void>
): Promise<void> =>
  using(
    Effect.flatMap(Layer.build(client), (context) =>
      Effect.provide(Effect.andThen(Effect.flatMap(SqlClient, prepare), openSides), context)
    ),
    use
  )

/** The rows of the case `table` that are about SQL. */
export const sqlTables = async (bench: Bench): Promise<void> => {
  await withDatabase(({ url, version }) => {
    bench.note(`PostgreSQL ${version}, fsync on; SQLite in WAL mode, synchronous FULL`)
    const client = PgClient.layer({ url: Redacted.make(url), maxConnections: 4 })
    return onClient(
      client,
      () => Effect.void,
      async (sides) => {
        await patches(bench, "Postgres", sides, { plain: 10, logged: 6 })
        await reads(bench, "Postgres", sides)
      }
    )
  })
  await inTemporaryFile((filename) =>
    onClient(
      SqliteClient.layer({ filename }),
      (sql) => sql`PRAGMA synchronous = FULL`,
      async (sides) => {
        await patches(bench, "SQLite", sides, { plain: 3 })
        await reads(bench, "SQLite", sides)
      }
    )
  )
}
