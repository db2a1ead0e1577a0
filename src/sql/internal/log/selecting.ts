/** Selectors as conditions of statements. */
import { type Part, partsOf, type Selector } from "../../../internal/log/selector.js"
import type { Dialect, Layout, TableColumn } from "../dialect.js"
import { columnOf } from "../orderBy.js"
import { type Parts, param } from "./compose.js"

/** How the databases make rows of a list that comes as JSON: of keys, and of pairs (`first`, `second`). */
const lists: {
  readonly [Name in Dialect["name"]]: {
    readonly keys: readonly [before: string, behind: string]
    readonly pairs: readonly [before: string, behind: string]
  }
} = {
  sqlite: {
    keys: ["SELECT value FROM json_each(", ")"],
    pairs: ["SELECT value ->> 0 AS first, value ->> 1 AS second FROM json_each(", ")"]
  },
  pg: {
    keys: ["SELECT jsonb_array_elements_text((", ")::jsonb)"],
    // Without OFFSET each pair would be decoded again for each row that it is compared with.
    pairs: [
      "SELECT value ->> 0 AS first, value ->> 1 AS second FROM jsonb_array_elements((",
      ")::jsonb) OFFSET 0"
    ]
  }
}

/** A table function that gives the changes of a revision, as `value`. */
export const changesOf = (dialect: Dialect, changes: string): string =>
  `${dialect.name === "pg" ? "jsonb_array_elements" : "json_each"}(${changes})`

/** A query that gives one row for each of these values of a column of text: they are one parameter. */
export const keyList = (dialect: Dialect, column: TableColumn, values: ReadonlyArray<string>): Parts => {
  const [before, behind] = lists[dialect.name].keys
  return [before, param(column, JSON.stringify(values)), behind]
}

/** The first key that a part holds, and the first one behind it that it does not; none of a part that holds all keys. */
const boundsOf = (part: Exclude<Part, { readonly _tag: "Key" }>): readonly [string, string] | undefined => {
  if (part._tag === "Range") return [part.from, part.to]
  // It ends with "/", and "0" is the code point behind that.
  return part.prefix === "" ? undefined : [part.prefix, `${part.prefix.slice(0, -1)}0`]
}

/** A feed, and a table with all of its keys that have to be found. */
export interface Keys {
  readonly feed: string
  readonly keys: Layout & { readonly column: { readonly feed: TableColumn; readonly key: TableColumn } }
}

/**
 * The condition that a key meets if a selector matches it. However many keys it has are one parameter, and so are its ranges and prefixes:
 * databases bound the parameters, the terms and the depth of a statement.
 */
export const conditionOf = (
  dialect: Dialect,
  { feed, keys: table }: Keys,
  key: TableColumn,
  selector: Selector
): Parts => {
  const [beforePairs, behindPairs] = lists[dialect.name].pairs
  const operand = dialect.operand(key)
  const found = dialect.operand(columnOf("r", table.column.key))
  const keys: Array<string> = []
  const ranges: Array<readonly [string, string]> = []
  for (const part of partsOf(selector)) {
    const bounds = part._tag === "Key" ? undefined : boundsOf(part)
    if (part._tag === "Key") keys.push(part.key)
    else if (bounds === undefined) return ["1 = 1"]
    else ranges.push(bounds)
  }
  const conditions: Array<Parts> = []
  if (keys.length === 1) conditions.push([`${operand} = `, param(key, keys[0])])
  else if (keys.length > 1) conditions.push([`${operand} IN (`, ...keyList(dialect, key, keys), ")"])
  const [range] = ranges
  if (range !== undefined && ranges.length === 1) {
    conditions.push([
      `(${operand} >= `,
      param(key, range[0]),
      ` AND ${operand} < `,
      param(key, range[1]),
      ")"
    ])
  } else if (range !== undefined) {
    conditions.push([
      `${operand} IN (SELECT ${found} FROM (`,
      beforePairs,
      param(key, JSON.stringify(ranges)),
      behindPairs,
      // In this order: for each range the index gives the keys in it.
      `) p CROSS JOIN ${table.sql} r WHERE r."feed" = `,
      param(table.column.feed, feed),
      ` AND ${found} >= p.first AND ${found} < p.second)`
    ])
  }
  return conditions.flatMap((condition, n) => (n === 0 ? condition : [" OR ", ...condition]))
}
