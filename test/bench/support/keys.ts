/** A table of API keys, and a master whose calls are counted, and which answers in a later turn. */
import { Effect, type Scope } from "effect"
import type * as LiveTable from "../../../src/LiveTable.js"
import { Column, Query } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"

export const keys = Table.define({
  name: "keys",
  columns: { id: Column.text, account: Column.text, state: Column.text, uses: Column.integer },
  id: "id"
})

export type Keys = typeof keys
export type KeyTable = Table.Of<Keys>
export type LiveKeys = LiveTable.Of<Keys>
export type Key = Table.Row<Keys>

export const idOf = (n: number): string => `0193c8f0-0000-7000-8000-${n.toString(16).padStart(12, "0")}`

export const accountOf = (n: number): string => `account-${n}`

/** Keys that are spread over so many accounts. */
export const makeKeys = (count: number, accounts: number): ReadonlyArray<Key> =>
  Array.from({ length: count }, (_, n) => ({
    id: idOf(n),
    account: accountOf(n % accounts),
    state: "active",
    uses: 0
  }))

/** The first page of an account's keys. */
export const pageOf = (account: number, limit = 50): Table.Query<Keys["columns"]> => ({
  where: Query.eq("account", accountOf(account)),
  orderBy: [{ column: "state", direction: "asc" }],
  limit
})

/** Fills an empty table. */
export const filled = (
  table: Effect.Effect<KeyTable, unknown, Scope.Scope>,
  rows: ReadonlyArray<Key>
): Effect.Effect<KeyTable, unknown, Scope.Scope> =>
  Effect.tap(table, (table) => table.write(rows.map((row) => Table.Write.insert(row))))

/** How often a master was called. */
export interface Calls {
  rows: number
  lists: number
  writes: number
}

const laterTurn = Effect.async<void>((resume) => {
  setImmediate(() => resume(Effect.void))
})

/** The same table. Its calls are counted, and each answers in a later turn, as one over a network does. */
export const remote = (
  table: KeyTable,
  before: Effect.Effect<void> = laterTurn
): { readonly table: KeyTable; readonly calls: Calls } => {
  const calls: Calls = { rows: 0, lists: 0, writes: 0 }
  const counting =
    <Args extends ReadonlyArray<unknown>, A, E>(
      name: keyof Calls,
      call: (...args: Args) => Effect.Effect<A, E>
    ) =>
    (...args: Args): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        calls[name]++
        return Effect.andThen(before, call(...args))
      })
  const { getMany, list, write } = table
  const counted = {
    getMany: counting("rows", getMany),
    list: counting("lists", list),
    write: counting("writes", write)
  }
  return { table: { ...table, ...counted }, calls }
}
