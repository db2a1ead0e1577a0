/** Creates a table and indexes, and refuses a table that does not fit. It never alters one. */
import { Effect } from "effect"
import { StorageError } from "../../Storage.js"
import { type Dialect, type Executor, type ExistingTable, type Layout, plain, type Run } from "./dialect.js"
import { storageError, whileBusy } from "./errors.js"

/** What keeps an existing table from serving, each with what to do about it. */
const misfits = (dialect: Dialect, table: Layout, existing: ExistingTable): ReadonlyArray<string> => {
  const found: Array<string> = []
  const expected = new Map(table.columns.map((column) => [column.name, column]))
  for (const column of table.columns) {
    const type = dialect.columnType(column)
    const is = existing.columns.find(({ name }) => name === column.name)
    if (is === undefined) {
      const notNull = column.nullable ? "" : ` NOT NULL DEFAULT ${dialect.defaultLiteral(column)}`
      const hint = column.nullable ? "" : " (choose the default for the rows that exist)"
      found.push(
        `has no column ${column.sql}; run: ALTER TABLE ${table.sql} ADD COLUMN ${column.sql} ${type}${notNull}${hint}`
      )
    } else if (!dialect.accepts(column, is.type)) {
      const alter = dialect.alterType(table, column)
      const todo = alter === undefined ? "create the table anew and copy its rows" : `run: ${alter}`
      found.push(`has the column ${column.sql} as ${is.type || "of no type"}, not ${type}; ${todo}`)
    } else if (column.nullable && !is.nullable) {
      const alter = dialect.alterNullable(table, column)
      const todo = alter === undefined ? "create the table anew and copy its rows" : `run: ${alter}`
      found.push(`refuses NULL in the column ${column.sql}, which is nullable here; ${todo}`)
    }
  }
  for (const { column: name, index } of existing.loose) {
    const column = expected.get(name)
    if (column === undefined) continue
    const takes = "takes values for the same that differ by case, accents or trailing spaces"
    const alter =
      dialect.alterType(table, column) ?? "create the table anew without a collation and copy its rows"
    found.push(
      index === undefined
        ? `compares the column ${column.sql} by a collation that ${takes}; run: ${alter}`
        : `has a unique index "${index}" on ${column.sql} that ${takes}; ` +
            `drop it, or create it anew with COLLATE ${dialect.exactCollation}`
    )
  }
  for (const { hasDefault, name, nullable } of existing.columns) {
    if (!expected.has(name) && !nullable && !hasDefault) {
      found.push(`has the column "${name}", which is not in columns, and is NOT NULL without a default`)
    }
  }
  if (
    !existing.keyUnique &&
    table.key.every((column) => existing.columns.some(({ name }) => name === column.name))
  ) {
    const key = table.key.map(({ sql }) => sql).join(", ")
    found.push(
      existing.partitionedBy === undefined
        ? `has no unique key on (${key}) alone; run: CREATE UNIQUE INDEX "${table.name}_unique_id" ON ${table.sql} (${key})`
        : `is partitioned by ${existing.partitionedBy}, so it can have no unique key on (${key}) alone; ` +
            `partition it BY RANGE (${key}) instead (the ids of Id.uuid7 sort by time), ` +
            "or use a table without partitions and delete its old rows by prune"
    )
  }
  return found
}

const fatal = (message: string) => new StorageError({ kind: "Fatal", outcome: "NotStored", message })

const missingIndexes = (table: Layout, existing: ExistingTable | undefined) =>
  table.indexes.filter(({ name }) => existing?.indexes.includes(name) !== true)

/** The table when it is there and complete; fails when it does not fit. */
const complete = (dialect: Dialect, table: Layout, run: Run) =>
  Effect.flatMap(dialect.inspect(table, run), (existing) => {
    if (existing === undefined) return Effect.succeed(undefined)
    const problems = misfits(dialect, table, existing)
    if (problems.length > 0) return Effect.fail(fatal(`the table ${table.sql} ${problems.join("; it ")}`))
    return Effect.succeed(missingIndexes(table, existing).length === 0 ? existing : undefined)
  })

const create = (dialect: Dialect, table: Layout, run: Run) =>
  Effect.gen(function* () {
    yield* Effect.forEach(dialect.lock(table), run, { discard: true })
    // Another starter may have been first: what exists now is what counts.
    const existing = yield* dialect.inspect(table, run)
    if (existing === undefined) yield* run(plain(dialect.createTable(table)))
    for (const index of missingIndexes(table, existing)) yield* run(plain(dialect.createIndex(table, index)))
    yield* run(plain("COMMIT"))
  }).pipe(Effect.onError(() => Effect.ignore(run(plain("ROLLBACK")))))

/**
 * Makes sure that the table and its indexes exist, and gives the table as it is. Any number of processes may do it at
 * once. If another process holds a SQLite file, it waits for up to 10 seconds.
 */
export const ensureTable = (
  dialect: Dialect,
  table: Layout,
  executor: Executor
): Effect.Effect<ExistingTable, StorageError> =>
  Effect.gen(function* () {
    const run = yield* executor.reserve
    const before = yield* complete(dialect, table, run)
    if (before !== undefined) return before
    yield* create(dialect, table, run)
    const made = yield* complete(dialect, table, run)
    if (made !== undefined) return made
    const names = table.indexes.map(({ name }) => `"${name}"`).join(", ")
    return yield* fatal(
      `the table ${table.sql} lacks one of its indexes ${names}: another table has an index of that name`
    )
  }).pipe(
    Effect.scoped,
    storageError(dialect, { saved: false }),
    // Starters of several processes wait for each other: on Postgres inside of the server, on SQLite here.
    whileBusy
  )
