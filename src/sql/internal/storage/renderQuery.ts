/** From checked queries to SQL. Every value is a parameter; every name is quoted. */
import { Either } from "effect"
import { reason, validateValue } from "../../../internal/columns/checkRow.js"
import {
  type AnyCondition,
  type CheckedQuery,
  type Compare,
  InvalidQuery,
  type Order
} from "../../../internal/columns/query.js"
import type { Dialect, Row, Statement, Table, TableColumn } from "../dialect.js"
import { columnOf as qualified } from "../orderBy.js"

/** SQL of the caller's own, with its parameters; its placeholders count from the first. */
export interface Condition {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

const operators: { readonly [Op in Compare<string, unknown>["op"]]: string } = {
  eq: "=",
  ne: "<>",
  lt: "<",
  lte: "<=",
  gt: ">",
  gte: ">="
}

/** The least string behind all strings that begin with `prefix`, by code point; none when there is no such string. */
const behindPrefix = (prefix: string): string | undefined => {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    const next = last + 1 === 0xd800 ? 0xe000 : last + 1
    return points.map((point) => String.fromCodePoint(point)).join("") + String.fromCodePoint(next)
  }
  return undefined
}

/** What conditions are rendered for: the table's columns by name, and the list of parameters that their values join. */
interface Target {
  readonly dialect: Dialect
  readonly columns: ReadonlyMap<string, TableColumn>
  readonly params: Array<unknown>
}

// The query has been checked: every name in it is a column's.
const columnIn = ({ columns }: Target, name: string): TableColumn => columns.get(name)!

const bind = ({ dialect, params }: Target, column: TableColumn, value: unknown): string => {
  params.push(dialect.param(column, value))
  return dialect.placeholder(params.length, column)
}

type Finer = Exclude<Dialect["finer"], undefined>

/** Only numbered placeholders may stand twice: there are finer columns where those are. */
const compareFiner = (
  finer: Finer,
  { sql }: TableColumn,
  op: keyof typeof operators,
  bound: string
): string => {
  const [from, end] = [`${sql} >= ${bound}`, `${sql} < ${finer.behind(bound)}`]
  switch (op) {
    case "eq":
      return `(${from} AND ${end})`
    case "ne":
      return `NOT (${from} AND ${end})`
    case "lt":
      return `${sql} < ${bound}`
    case "lte":
      return end
    case "gt":
      return `${sql} >= ${finer.behind(bound)}`
    case "gte":
      return from
  }
}

const compare = (target: Target, column: TableColumn, op: keyof typeof operators, value: unknown): string => {
  const { finer, operand } = target.dialect
  const bound = bind(target, column, value)
  return column.finer && finer !== undefined
    ? compareFiner(finer, column, op, bound)
    : `${operand(column)} ${operators[op]} ${bound}`
}

const list = (target: Target, conditions: ReadonlyArray<AnyCondition>, word: string, none: string): string =>
  conditions.length === 0 ? none : conditions.map((inner) => `(${renderCondition(target, inner)})`).join(word)

const renderCondition = (target: Target, of: AnyCondition): string => {
  switch (of.op) {
    case "and":
      return list(target, of.conditions, " AND ", "1 = 1")
    case "or":
      return list(target, of.conditions, " OR ", "1 = 0")
    case "not":
      return `NOT (${renderCondition(target, of.condition)})`
  }
  const column = columnIn(target, of.column)
  const operand = target.dialect.operand(column)
  switch (of.op) {
    case "isNull":
      return `${column.sql} IS NULL`
    case "in":
      if (of.values.length === 0) return "1 = 0"
      if (column.finer) return of.values.map((value) => compare(target, column, "eq", value)).join(" OR ")
      return `${operand} IN (${of.values.map((value) => bind(target, column, value)).join(", ")})`
    case "between":
      return `${compare(target, column, "gte", of.from)} AND ${compare(target, column, "lte", of.to)}`
    case "startsWith": {
      const from = `${operand} >= ${bind(target, column, of.value)}`
      const end = behindPrefix(of.value)
      return end === undefined ? from : `${from} AND ${operand} < ${bind(target, column, end)}`
    }
    default:
      return compare(target, column, of.op, of.value)
  }
}

/** Rows strictly behind `value` in the order of one column. */
const behind = (
  target: Target,
  column: TableColumn,
  direction: Order["direction"],
  value: unknown
): string => {
  if (value === null) return direction === "asc" ? `${column.sql} IS NOT NULL` : "1 = 0"
  if (direction === "asc") return compare(target, column, "gt", value)
  const less = compare(target, column, "lt", value)
  return column.nullable ? `(${less} OR ${column.sql} IS NULL)` : less
}

const same = (target: Target, column: TableColumn, value: unknown): string =>
  value === null ? `${column.sql} IS NULL` : compare(target, column, "eq", value)

/** Rows behind a place in the whole order: behind in its first key, or the same there and behind in the rest. */
const renderAfter = (
  target: Target,
  order: ReadonlyArray<Order>,
  values: ReadonlyArray<unknown>,
  from = 0
): string => {
  const { column: name, direction } = order[from]!
  const column = columnIn(target, name)
  const value = values[from]
  if (from === order.length - 1) return behind(target, column, direction, value)
  // Implied by the rest, and what lets the database enter an index at the place. Parameters are bound in the
  // order of the text.
  const enters = value !== null && !(direction === "desc" && column.nullable)
  const bound = enters ? `${compare(target, column, direction === "asc" ? "gte" : "lte", value)} AND ` : ""
  const first = behind(target, column, direction, value)
  const rest = `${same(target, column, value)} AND (${renderAfter(target, order, values, from + 1)})`
  return `${bound}((${first}) OR (${rest}))`
}

const renderKey = ({ operand }: Dialect, column: TableColumn, direction: Order["direction"]): string => {
  const key = `${operand(column)} ${direction === "asc" ? "ASC" : "DESC"}`
  return column.nullable ? `${key} NULLS ${direction === "asc" ? "FIRST" : "LAST"}` : key
}

const renderer = (dialect: Dialect, table: Table, params: Array<unknown>) => {
  const columns = new Map(table.columns.map((column) => [column.name, qualified(`"${table.name}"`, column)]))
  const target: Target = { dialect, columns, params }
  const columnOf = (name: string) => columnIn(target, name)
  const condition = (of: AnyCondition) => renderCondition(target, of)
  const after = (order: ReadonlyArray<Order>, values: ReadonlyArray<unknown>) =>
    renderAfter(target, order, values)
  const orderKey = ({ column, direction }: Order) => renderKey(dialect, columnOf(column), direction)
  return { condition, after, orderKey, columnOf }
}

/** What a SELECT has besides. */
export interface Also {
  /** An expression without parameters: the column `head` of each row. */
  readonly head?: string | undefined
  /** How it ends, such as by a lock. */
  readonly end?: string | undefined
  /** Gives one row of NULLs if there is none, which has the head. Not with a limit, which no index could serve then. */
  readonly always?: boolean
}

/** The column that is read beside those of a table, whose names have no double quote. */
const headColumn = 'head"'

/** The value of {@link Also.head} in a row. */
export const headOf = (row: Row | undefined): string | undefined => {
  const head = row?.[headColumn]
  return typeof head === "string" ? head : undefined
}

const beside = (head: string | undefined): string =>
  head === undefined ? "" : `, ${head} AS "${headColumn}""`

const fits = (dialect: Dialect, params: ReadonlyArray<unknown>): Either.Either<void, InvalidQuery> => {
  if (params.length <= dialect.maxParams) return Either.right(undefined)
  const message = `the query has more than ${dialect.maxParams} values, the most that one statement may have`
  return Either.left(new InvalidQuery({ part: "where", message }))
}

/** The columns as they are read, and the head beside them. */
const selectList = (dialect: Dialect, table: Table, head: string | undefined): string =>
  table.columns
    .map((column) => `${dialect.selected(qualified(`"${table.name}"`, column))} AS ${column.sql}`)
    .join(", ") + beside(head)

/** What ends an INSERT or UPDATE that returns its rows as a SELECT gives them; the head is `mayChangeAfter`. */
export const returningOf = (dialect: Dialect, table: Table): string | undefined => {
  const { mayChangeAfter } = dialect
  return mayChangeAfter && ` RETURNING ${selectList(dialect, table, mayChangeAfter(table))}`
}

/** The SELECT that answers a checked query, with a further condition of the caller's own. */
export const select = (
  dialect: Dialect,
  table: Table,
  query: CheckedQuery,
  extra: Condition | undefined,
  { always = false, end = "", head }: Also = {}
): Either.Either<Statement, InvalidQuery> => {
  // The caller's placeholders count from the first, so its condition comes first.
  const params: Array<unknown> = extra === undefined ? [] : [...extra.params]
  const { after, columnOf, condition, orderKey } = renderer(dialect, table, params)
  const conditions = extra === undefined ? [] : [extra.text]
  if (query.where !== undefined) conditions.push(condition(query.where))
  if (query.after !== undefined) conditions.push(after(query.orderBy, query.after))
  const fit = fits(dialect, params)
  if (Either.isLeft(fit)) return Either.left(fit.left)
  const all = () => conditions.map((one) => `(${one})`).join(" AND ")
  const wheres = () => (conditions.length === 0 ? "" : ` WHERE ${all()}`)
  const first = query.orderBy[0]
  const lead = first && columnOf(first.column)
  if (first && lead?.finer && dialect.finer && query.limit !== undefined && query.limit > 0) {
    const rows = query.offset + query.limit
    conditions.push(dialect.finer.first(lead, first.direction, rows, `FROM ${table.sql}${wheres()}`))
  }
  const source = always
    ? `(SELECT 1) AS one LEFT JOIN ${table.sql} ON ${conditions.length === 0 ? "1 = 1" : all()}`
    : `${table.sql}${wheres()}`
  const order = ` ORDER BY ${query.orderBy.map(orderKey).join(", ")}`
  const limit = query.limit === undefined ? "" : ` LIMIT ${query.limit}`
  const offset = query.offset === 0 ? "" : ` OFFSET ${query.offset}`
  return Either.right({
    text: `SELECT ${selectList(dialect, table, head)} FROM ${source}${order}${limit}${offset}${end}`,
    params
  })
}

/** Compiles the SELECT that counts the rows which meet a condition: one row with the column `n`. */
export const countRows =
  (dialect: Dialect, table: Table, head?: string) =>
  (where: AnyCondition | undefined): Either.Either<Statement, InvalidQuery> => {
    const params: Array<unknown> = []
    const { condition } = renderer(dialect, table, params)
    const wheres = where === undefined ? "" : ` WHERE ${condition(where)}`
    return Either.map(fits(dialect, params), () => ({
      text: `SELECT count(*) AS n${beside(head)} FROM ${table.sql}${wheres}`,
      params
    }))
  }

/** The DELETE of at most `limit` rows that meet a checked query, the first ones in its order. */
export const deleteBatch = (
  dialect: Dialect,
  table: Table,
  query: CheckedQuery,
  limit: number
): Statement => {
  const params: Array<unknown> = []
  // What is before a millisecond is before all that is read as it, and the order needs no more than an index has.
  const columns = table.columns.map((column) => ({ ...column, finer: false }))
  const { condition, orderKey } = renderer(dialect, { ...table, columns }, params)
  const where = query.where === undefined ? "" : ` WHERE ${condition(query.where)}`
  const order = query.orderBy.map(orderKey).join(", ")
  const ids = `SELECT ${table.id.sql} FROM ${table.sql}${where} ORDER BY ${order} LIMIT ${limit}`
  return { text: `DELETE FROM ${table.sql} WHERE ${table.id.sql} IN (${ids})`, params }
}

/** A value that the column cannot hold by its definition. It names the column, and never what is in it. */
export class Unreadable extends Error {}

/** Compiles the way from a driver's row to the row that `load` gives. Throws {@link Unreadable}. */
export const rowDecoder = (dialect: Dialect, table: Table): ((row: Row) => Row) => {
  const decoders = table.columns.map((column) => [column, dialect.decode(column)] as const)
  return (row) => {
    const decoded: { [column: string]: unknown } = {}
    for (const [{ name, nullable, type }, decode] of decoders) {
      const value = row[name]
      if (value === null || value === undefined) {
        if (!nullable) throw new Unreadable(reason(name, "Missing", type).message)
        decoded[name] = null
        continue
      }
      const is = decode(value)
      // Nothing is compared with json, and what was parsed is plain data.
      const rule = type === "json" ? undefined : validateValue(type, is)
      if (rule !== undefined) throw new Unreadable(reason(name, rule, type).message)
      decoded[name] = is
    }
    return decoded
  }
}
