/** The table of the laws, its queries, and what a state of it answers to them. */
import { Query } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"

export const items = Table.define({
  name: "items",
  columns: { id: Table.Column.text, g: Table.Column.text, n: Table.Column.integer },
  id: "id"
})

export type Items = typeof items
export type Row = Table.Row<Items>
export type Write = Table.Write<Items>
export type Id = "a" | "b" | "c"

export const ids: ReadonlyArray<Id> = ["a", "b", "c"]

/** Ids of rows that are never there. */
export const strangers: ReadonlyArray<string> = ["x", "y"]

/** The rows at one moment, in the order of their ids. */
export type State = ReadonlyArray<Row>

interface Asked {
  readonly query: Query<Items["columns"]>
  readonly where: (row: Row) => boolean
  readonly order: (a: Row, b: Row) => number
  readonly limit: number
}

/** The lists of the laws. */
export const queries = [
  { query: { where: Query.eq("g", "x") }, where: (row) => row.g === "x", order: () => 0, limit: 50 },
  {
    query: { orderBy: [Query.desc("n")] },
    where: () => true,
    order: (a, b) => b.n - a.n,
    limit: 50
  },
  {
    query: { orderBy: [Query.asc("n")], limit: 1 },
    where: () => true,
    order: (a, b) => a.n - b.n,
    limit: 1
  }
] as const satisfies ReadonlyArray<Asked>

/** The condition that is counted. */
export const counted = Query.eq("g", "y")

const idOrder = (a: Row, b: Row): number => (a.id < b.id ? -1 : 1)

export const sorted = (rows: ReadonlyArray<Row>): State => [...rows].sort(idOrder)

export const rowText = (row: Row | undefined): string =>
  row === undefined ? "none" : `${row.id}${row.n}${row.g}`

export const rowIn = (state: State, id: string): Row | undefined => state.find((row) => row.id === id)

export const listText = (rows: ReadonlyArray<Row>): string => rows.map(rowText).join()

/** What a state answers to a list. */
export const listIn = (state: State, at: number): string => {
  const { limit, order, where }: Asked = queries[at]!
  return listText(
    state
      .filter(where)
      .sort((a, b) => order(a, b) || idOrder(a, b))
      .slice(0, limit)
  )
}

export const countIn = (state: State): string => String(state.filter(({ g }) => g === "y").length)

/** What one write makes of a state. */
export const written = (state: State, write: Write): State => {
  if (write._tag === "DeleteAll") return []
  const id = write._tag === "Insert" || write._tag === "Replace" ? write.row.id : write.id
  const known = rowIn(state, id)
  const others = state.filter((row) => row.id !== id)
  switch (write._tag) {
    case "Insert":
      return known === undefined ? sorted([...others, write.row]) : state
    case "Replace":
      return sorted([...others, write.row])
    case "Patch":
      // The only condition of a patch is that of the first list.
      return known === undefined || (write.when !== undefined && known.g !== "x")
        ? state
        : sorted([...others, { ...known, ...(write.fields as Partial<Row>) }])
    case "Delete":
      return others
  }
}
