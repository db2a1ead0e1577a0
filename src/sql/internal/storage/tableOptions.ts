/** From the options of a storage to a checked table. */
import { Either } from "effect"
import {
  type Columns,
  type IdOf,
  type NewRowOf,
  validateColumns,
  validateName
} from "../../../internal/columns/columns.js"
import type { Sortable } from "../../../internal/columns/query.js"
import type { Entry } from "../../../internal/log/events.js"
import { InvalidOptions } from "../../../internal/options.js"
import type { Table, TableColumn, TableIndex } from "../dialect.js"
import type { LogOptions } from "../log/sqlChangeLog.js"
import type { FeedOptions } from "../log/tables.js"
import type { SizeLimits } from "../statementSize.js"

/** A named index over columns, ascending. */
export interface IndexOptions<C extends Columns> {
  readonly name: string
  readonly columns: ReadonlyArray<Sortable<C>>
  /** `unique` refuses a second row with the same values (NULLs are never the same). Default `plain`. */
  readonly kind?: "plain" | "unique"
}

/** The change log that a storage writes what it stores to. */
export interface StorageLog<C extends Columns>
  extends FeedOptions,
    Pick<LogOptions, "lockTimeout" | "doorbell"> {
  /**
   * The changes that a record makes, at least one: they are one revision. A record for which it throws, or gives what
   * cannot be logged, is bad. The id of the entry is not used: the record's own id says whether it is new.
   */
  readonly toEntry: (record: NewRowOf<C>) => Entry<unknown>
}

/** Which table a storage writes and reads. */
export interface TableOptions<C extends Columns> {
  /** Its name, at most 63 bytes, without double quotes. It is created when it does not exist. */
  readonly table: string
  /** Its schema on Postgres, or attached database on SQLite; by default the connection's own. It must exist. */
  readonly schema?: string
  readonly columns: C
  /** The primary key: records whose id the table already holds are counted as duplicates, and not written. */
  readonly id: IdOf<C>
  /** Created when no index of that name exists. An existing one is taken as it is. */
  readonly indexes?: ReadonlyArray<IndexOptions<C>>
  /**
   * A log of the same database, to follow by `SqlChangeLog`. What a save stores is in it by the same commit: a revision
   * for each record that was new, in order, and none for a duplicate. Every commit of a feed waits for the one before.
   */
  readonly log?: StorageLog<C> | undefined
}

const quote = (name: string): string => `"${name}"`

const invalid = (option: string, message: string) => Either.left(new InvalidOptions({ option, message }))

const makeIndexes = (
  table: string,
  columns: ReadonlyArray<TableColumn>,
  options: unknown
): Either.Either<ReadonlyArray<TableIndex>, InvalidOptions> => {
  if (!Array.isArray(options)) return invalid("indexes", "indexes must be an array of { name, columns }")
  const names = new Set([table.toLowerCase()])
  const indexes: Array<TableIndex> = []
  for (const option of options as ReadonlyArray<unknown>) {
    const { columns: on, kind = "plain", name } = (option ?? {}) as { readonly [key: string]: unknown }
    const problem = validateName(name)
    if (problem !== undefined) return invalid("indexes", `the name of an index ${problem}`)
    if (names.has((name as string).toLowerCase())) {
      return invalid("indexes", `the index name "${name}" is taken by the table or by another index`)
    }
    names.add((name as string).toLowerCase())
    if (kind !== "plain" && kind !== "unique")
      return invalid("indexes", `the kind of "${name}" must be plain or unique`)
    if (!Array.isArray(on) || on.length === 0) return invalid("indexes", `the index "${name}" needs columns`)
    const found: Array<TableColumn> = []
    for (const column of on) {
      const one = columns.find((candidate) => candidate.name === column)
      if (one === undefined)
        return invalid("indexes", `the index "${name}" names a column that is not in columns`)
      if (one.type === "json")
        return invalid("indexes", `the index "${name}" cannot have the json column "${one.name}"`)
      if (found.includes(one))
        return invalid("indexes", `the index "${name}" names the column "${one.name}" twice`)
      found.push(one)
    }
    indexes.push({ name: name as string, columns: found, unique: kind === "unique" })
  }
  return Either.right(indexes)
}

/** Checks the options. */
export const makeTable = <C extends Columns>(
  options: TableOptions<C>,
  limits: SizeLimits
): Either.Either<Table, InvalidOptions> => {
  const { columns, id, indexes = [], schema, table } = options
  const nameWrong = validateName(table)
  if (nameWrong !== undefined) return invalid("table", `the table's name ${nameWrong}`)
  const schemaWrong = schema === undefined ? undefined : validateName(schema)
  if (schemaWrong !== undefined) return invalid("schema", `the schema's name ${schemaWrong}`)
  const problem = validateColumns(columns, id)
  if (problem !== undefined) return Either.left(problem)
  const list = Object.entries(columns).map(
    ([name, { nullable, type }], position): TableColumn => ({
      name,
      sql: quote(name),
      type,
      nullable,
      position
    })
  )
  const key = list.find(({ name }) => name === id)!
  return Either.map(makeIndexes(table, list, indexes), (made) => ({
    schema,
    name: table,
    sql: schema === undefined ? quote(table) : `${quote(schema)}.${quote(table)}`,
    columns: list,
    key: [key],
    exact: [key],
    id: key,
    indexes: made,
    limits
  }))
}
