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
import type { Row, Run, Table } from "../dialect.js"
import { storageError } from "../errors.js"
import { type Condition, rowDecoder, select, Unreadable } from "./renderQuery.js"

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

/** Reads what a checked query asks for. */
type Read<C extends Columns> = (
  run: Run,
  checked: Checked
) => Effect.Effect<Array<RowOf<C>>, StorageError | InvalidQuery>

const makeRead = <C extends Columns>(
  { dialect }: Backend,
  table: Table,
  columns: C,
  state: { readonly saved: boolean }
): Read<C> => {
  const failures = storageError(dialect, state)
  const reading = dialect.reading(table)
  const { endsAtNull, withNull } = nullFinder(table)
  // The decoded row has the columns of the definition with their types, as `RowOf` has.
  const decode = rowDecoder(dialect, table) as (row: Row) => RowOf<C>
  const decodeAll = (result: unknown): Effect.Effect<Array<RowOf<C>>, StorageError> =>
    Effect.try({ try: () => dialect.rows(result).map(decode), catch: (error) => unreadableRow(table, error) })

  const page = (run: Run, { extra, typed }: Checked) =>
    Effect.flatMap(select(dialect, table, typed, extra), (statement) =>
      Effect.flatMap(failures(reading(run(statement))), decodeAll)
    ).pipe(
      // Pages that do not go on would have no end.
      Effect.filterOrFail(
        (rows) => typed.after === undefined || isInOrder(columns, typed.orderBy, typed.after, rows),
        () => disordered(table)
      )
    )

  return (run, { extra, typed }) =>
    Effect.tap(page(run, { typed, extra }), (rows) =>
      endsAtNull(typed, rows) ? page(run, { typed: withNull(typed), extra }) : Effect.void
    )
}

/** Makes the reads of a storage over a table that exists. */
export const makeReads = <C extends Columns>(
  backend: Backend,
  table: Table,
  columns: C,
  state: { readonly saved: boolean }
) => {
  const read = makeRead(backend, table, columns, state)
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
