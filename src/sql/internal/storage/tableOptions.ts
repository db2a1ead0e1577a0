/** From the options of a storage to a checked table. */
import { Effect } from "effect"
import { type Columns, type IdOf, type NewRowOf, validateColumns } from "../../../internal/columns/columns.js"
import type { Sortable } from "../../../internal/columns/query.js"
import type { Entry } from "../../../internal/log/events.js"
import {
  anything,
  each,
  func,
  InvalidOptions,
  nested,
  oneOf,
  optional,
  or,
  type Resolved,
  type Rules,
  text
} from "../../../internal/options.js"
import type { Table, TableColumn } from "../dialect.js"
import { type LogOptions, storedLogRules } from "../log/sqlChangeLog.js"
import type { FeedOptions } from "../log/tables.js"
import { sqlName } from "../options.js"
import type { SizeLimits } from "../statementSize.js"

/** A named index over columns, ascending. */
export interface IndexOptions<C extends Columns> {
  readonly name: string
  readonly columns: ReadonlyArray<Sortable<C>>
  /** `unique` refuses a second row with the same values (NULLs are never the same). Default `plain`. */
  readonly kind?: "plain" | "unique"
}

/** A change log that is written to by the commits of a table. */
export interface TableLog extends FeedOptions, Pick<LogOptions, "lockTimeout" | "doorbell"> {}

/** The change log that a storage writes what it stores to. */
export interface StorageLog<C extends Columns> extends TableLog {
  /**
   * The changes that a record makes, at least one: they are one revision. A record for which it throws, or gives what
   * cannot be logged, is bad. The id of the entry is not used: the record's own id decides whether it is new. A storage
   * cannot judge conditions, so a record whose entry has `expect` is bad.
   */
  readonly toEntry: (record: NewRowOf<C>) => Entry<unknown>
}

/** Where a table is, and its indexes. */
export interface LayoutOptions<C extends Columns> {
  /** Its schema on Postgres, or attached database on SQLite; by default the connection's own. It must exist. */
  readonly schema?: string
  /** Created when no index of that name exists. An existing one is taken as it is. */
  readonly indexes?: ReadonlyArray<IndexOptions<C>>
}

/** Which table a storage writes and reads. */
export interface TableOptions<C extends Columns> extends LayoutOptions<C> {
  /** Its name, at most 63 bytes, without double quotes. It is created when it does not exist. */
  readonly table: string
  readonly columns: C
  /** The primary key: records whose id the table already holds are counted as duplicates, and not written. */
  readonly id: IdOf<C>
  /**
   * A log of the same database, to follow by `SqlChangeLog`. What a save stores is in it by the same commit: a revision
   * for each record that was new, in order, and none for a duplicate. Every commit of a feed waits for the one before.
   */
  readonly log?: StorageLog<C> | undefined
}

const quote = (name: string): string => `"${name}"`

/** The rules of where a table is. */
export const layoutRules = {
  schema: optional(sqlName),
  indexes: or(
    each(
      nested<IndexOptions<Columns>>()({
        name: sqlName,
        columns: each(text),
        kind: or(oneOf("plain", "unique"), "plain")
      })
    ),
    []
  )
} satisfies Rules<LayoutOptions<Columns>>

/** The rules of a table's options. `columns` are checked with the id. */
export const tableRules = {
  ...layoutRules,
  table: sqlName,
  columns: anything,
  id: text,
  log: optional(nested<StorageLog<Columns>>()({ ...storedLogRules, toEntry: func("that gives an entry") }))
} satisfies Rules<TableOptions<Columns>>

/** A table's options with their defaults. */
export type ResolvedTable = Resolved<TableOptions<Columns>, typeof tableRules>

type ResolvedIndexes = ResolvedTable["indexes"]

const wrongIndexes = (message: string) => new InvalidOptions({ option: "indexes", message })

const validateIndexColumns = (
  { columns, name }: ResolvedIndexes[number],
  known: Columns
): string | undefined => {
  if (columns.length === 0) return `the index "${name}" needs columns`
  for (const [at, column] of columns.entries()) {
    if (!Object.hasOwn(known, column)) return `the index "${name}" names a column that is not in columns`
    if (known[column]?.type === "json") return `the index "${name}" cannot have the json column "${column}"`
    if (columns.indexOf(column) !== at) return `the index "${name}" names the column "${column}" twice`
  }
  return undefined
}

const validateIndexes = ({
  columns,
  indexes,
  table
}: Omit<ResolvedTable, "log">): InvalidOptions | undefined => {
  const names = new Set([table.toLowerCase()])
  for (const index of indexes) {
    const name = index.name.toLowerCase()
    if (names.has(name)) {
      return wrongIndexes(`the index name "${index.name}" is taken by the table or by another index`)
    }
    names.add(name)
    const problem = validateIndexColumns(index, columns)
    if (problem !== undefined) return wrongIndexes(problem)
  }
  return undefined
}

/** Checks what needs several options, and makes the table. */
export const makeTable = (
  options: Omit<ResolvedTable, "log">,
  limits: SizeLimits
): Effect.Effect<Table, InvalidOptions> => {
  const { columns, id, indexes, schema, table } = options
  const problem = validateColumns(columns, id) ?? validateIndexes(options)
  if (problem !== undefined) return Effect.fail(problem)
  const list = Object.entries(columns).map(
    ([name, { nullable, type }], position): TableColumn => ({
      name,
      sql: quote(name),
      type,
      nullable,
      position
    })
  )
  const byName = new Map(list.map((column) => [column.name, column]))
  // Every name has been found in the columns.
  const columnOf = (name: string): TableColumn => byName.get(name)!
  const key = columnOf(id)
  return Effect.succeed({
    schema,
    name: table,
    sql: schema === undefined ? quote(table) : `${quote(schema)}.${quote(table)}`,
    columns: list,
    key: [key],
    exact: [key],
    id: key,
    indexes: indexes.map(({ columns, kind, name }) => ({
      name,
      columns: columns.map(columnOf),
      unique: kind === "unique"
    })),
    limits
  })
}
