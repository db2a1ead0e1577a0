/** How a storage reads: at once, and as a stream of pages. */
import type { Fragment } from "@effect/sql/Statement"
import { Effect, Either, Stream } from "effect"
import { checkQuery } from "../../../internal/columns/checkQuery.js"
import type { Columns, RowOf } from "../../../internal/columns/columns.js"
import { isInOrder } from "../../../internal/columns/evaluateQuery.js"
import { pagesOf } from "../../../internal/columns/pages.js"
import type { AnyCondition, CheckedQuery, InvalidQuery, Query } from "../../../internal/columns/query.js"
import { StorageError } from "../../../Storage.js"
import type { Backend } from "../backend.js"
import type { Dialect, Row, Run, Table } from "../dialect.js"
import { storageError } from "../errors.js"
import { type Also, type Condition, headOf, rowDecoder, select, Unreadable } from "./renderQuery.js"

/** A typed query, and a condition in SQL as the way out of it. */
export interface SqlQuery<C extends Columns> extends Query<C> {
  /** A further condition, ANDed to `where`: `` sql`"detail" ->> 'door' = ${door}` ``. */
  readonly sql?: Fragment
}

const unreadableRow = (table: Table, error: unknown) => {
  const why = error instanceof Unreadable ? ` (${error.message})` : ""
  return new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message: `a row of the table ${table.sql} cannot be read as its columns define it: another program has written it${why}`
  })
}

const disordered = (table: Table) =>
  new StorageError({
    kind: "Fatal",
    outcome: "NotStored",
    message:
      `a page of the table ${table.sql} does not go on behind the row before it: it holds values that do not compare ` +
      "as they are read, such as text that is no Unicode; another program has written them"
  })

/** A checked query, and the caller's own condition. */
interface Checked {
  readonly typed: CheckedQuery
  readonly extra: Condition | undefined
}

const checkedQuery = <C extends Columns>(
  { compile }: Backend,
  table: Table,
  columns: C,
  query: SqlQuery<C>
): Either.Either<Checked, InvalidQuery> =>
  Either.map(checkQuery(columns, table.id.name, query, "sql"), (typed) => {
    if (query.sql === undefined) return { typed, extra: undefined }
    const [text, params] = compile(query.sql)
    return { typed, extra: { text, params } }
  })

/** Gives what looks for a row that the pages of a query pass by, where there can be one. */
const nullFinder = (table: Table) => {
  const withNulls = table.columns.filter(({ mayHoldNull }) => mayHoldNull).map(({ name }) => name)
  const byId = [{ column: table.id.name, direction: "asc" }] as const
  // Where NULL is not foreseen no page begins before or behind it: the pages would pass by such rows.
  const endsAtNull = ({ limit, orderBy }: CheckedQuery, rows: ReadonlyArray<unknown>) =>
    (limit === undefined || rows.length < limit) && orderBy.some(({ column }) => withNulls.includes(column))
  const withNull = ({ orderBy, where }: CheckedQuery): CheckedQuery => {
    const columns = orderBy.map(({ column }) => column).filter((column) => withNulls.includes(column))
    const isNull: AnyCondition = {
      op: "or",
      conditions: columns.map((column) => ({ op: "isNull", column }))
    }
    const conditions = where === undefined ? [isNull] : [where, isNull]
    return { where: { op: "and", conditions }, orderBy: byId, limit: 1, offset: 0, after: undefined }
  }
  return { endsAtNull, withNull }
}

/** Rows, and the head of the log as of the same instant, as text; none without rows, and none if it is not read. */
export interface Found<C extends Columns> {
  readonly rows: Array<RowOf<C>>
  readonly head: string | undefined
}

/** Makes what decodes the result of a SELECT over the table, or what returns its rows; `always` is {@link Also.always}. */
export const makeFound = <C extends Columns>(dialect: Dialect, table: Table, always = false) => {
  // The decoded row has the columns of the definition with their types, as `RowOf` has.
  const decode = rowDecoder(dialect, table) as (row: Row) => RowOf<C>
  return (result: unknown): Effect.Effect<Found<C>, StorageError> =>
    Effect.try({
      try: () => {
        const rows = dialect.rows(result)
        const found = always && rows[0]?.[table.id.name] === null ? [] : rows
        return { rows: found.map(decode), head: headOf(rows[0]) }
      },
      catch: (error) => unreadableRow(table, error)
    })
}

/** Reads what a checked query asks for. */
type ReadQuery<C extends Columns> = (
  run: Run,
  checked: Checked
) => Effect.Effect<Found<C>, StorageError | InvalidQuery>

/** Makes the reads by queries. `head` is an expression that is read beside the rows. */
export const makeReadQuery = <C extends Columns>(
  dialect: Dialect,
  table: Table,
  columns: C,
  state: { readonly saved: boolean },
  head?: string
): ReadQuery<C> => {
  const failures = storageError(dialect, state)
  const reading = dialect.reading(table)
  const { endsAtNull, withNull } = nullFinder(table)
  const found = makeFound<C>(dialect, table)

  const page = (run: Run, { extra, typed }: Checked) =>
    Effect.flatMap(select(dialect, table, typed, extra, { head }), (statement) =>
      Effect.flatMap(failures(reading(run(statement))), found)
    ).pipe(
      // Pages that do not go on would have no end.
      Effect.filterOrFail(
        ({ rows }) => typed.after === undefined || isInOrder(columns, typed.orderBy, typed.after, rows),
        () => disordered(table)
      )
    )

  return (run, { extra, typed }) =>
    Effect.tap(page(run, { typed, extra }), ({ rows }) =>
      endsAtNull(typed, rows) ? page(run, { typed: withNull(typed), extra }) : Effect.void
    )
}

/** Reads the rows that have an id of these rows, in the order of the ids. `end` is how the statement ends. */
export type ReadIds<C extends Columns> = (
  run: Run,
  rows: ReadonlyArray<Row>,
  end?: string
) => Effect.Effect<Found<C>, StorageError>

/** Makes the reads by ids. `head` is an expression that is read beside the rows, or without any. */
export const makeReadIds = <C extends Columns>(
  dialect: Dialect,
  table: Table,
  state: { readonly saved: boolean },
  head?: string
): ReadIds<C> => {
  const failures = storageError(dialect, state)
  const reading = dialect.reading(table)
  const always = head !== undefined
  const found = makeFound<C>(dialect, table, always)
  const sameIds = dialect.sameIds(table)
  const orderBy = [{ column: table.id.name, direction: "asc" }] as const
  const all = { where: undefined, orderBy, limit: undefined, offset: 0, after: undefined }
  return (run, rows, end) =>
    Effect.suspend(() => {
      // One parameter holds all ids, so that no statement has too many.
      const also: Also = { head, end, always }
      const { params, text } = Either.getOrThrow(select(dialect, table, all, sameIds(rows), also))
      return Effect.flatMap(failures(reading(run({ text, params }))), found)
    })
}

/** Makes the reads of a storage over a table that exists. */
export const makeReads = <C extends Columns>(
  backend: Backend,
  table: Table,
  columns: C,
  state: { readonly saved: boolean }
) => {
  const find = makeReadQuery(backend.dialect, table, columns, state)
  const read = (run: Run, checked: Checked) => Effect.map(find(run, checked), ({ rows }) => rows)
  const checked = (query: SqlQuery<C>) => checkedQuery(backend, table, columns, query)
  return {
    load: (query: SqlQuery<C>) =>
      Effect.flatMap(checked(query), (checked) => read(backend.executor.run, checked)),
    query: (query: SqlQuery<C>) =>
      Stream.unwrap(
        Effect.map(checked(query), ({ extra, typed }) =>
          pagesOf(typed, (page) => read(backend.read, { typed: page, extra }))
        )
      )
  }
}
