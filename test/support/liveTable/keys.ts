/** The table of most tests: API keys of accounts. */
import { Effect, Option, type Scope } from "effect"
import * as LiveTable from "../../../src/LiveTable.js"
import { Column } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"
import { type Master, master } from "./master.js"

export const keys = Table.define({
  name: "keys",
  columns: {
    id: Column.text,
    account: Column.text,
    state: Column.text,
    uses: Column.nullable(Column.integer)
  },
  id: "id"
})

export type Keys = typeof keys
export type Key = Table.Row<Keys>

/** A live table in front of a scripted master, which holds some rows. */
export interface KeyTable {
  readonly live: LiveTable.Of<Keys>
  readonly master: Master<Keys>
}

export const key = (id: string, state = "active", account = "a") => ({ id, account, state, uses: null })

/**
 * Makes a live table of keys. Unless its options differ, it samples no hits, and its scope waits for no write. A `ttl` of
 * 10 ms has no jitter.
 */
export const liveKeys = (
  options: LiveTable.Options<Keys> = {},
  rows: ReadonlyArray<Table.NewRow<Keys>> = []
): Effect.Effect<KeyTable, never, Scope.Scope> =>
  Effect.gen(function* () {
    const scripted = yield* master(keys)
    for (const row of rows) yield* scripted.foreign.insert(row)
    const live = yield* LiveTable.make(scripted.table, { sample: 0, closeDeadline: 0, ...options })
    yield* live.ready
    return { live, master: scripted }
  }).pipe(Effect.orDie)

/** The state of a row as an answer has it; "none" without a row. */
export const stateOf = ({ value }: LiveTable.Answer<Option.Option<Key>>): string =>
  Option.match(value, { onNone: () => "none", onSome: ({ state }) => state })

/** The ids of a list. */
export const idsOf = ({ value }: LiveTable.Answer<ReadonlyArray<Key>>): string =>
  value.map(({ id }) => id).join()

/** How fresh an answer is: its tag, with the reason where it is stale. */
export const freshnessOf = ({ freshness }: LiveTable.Answer<unknown>): string =>
  freshness._tag === "Stale" ? `Stale ${freshness.why}` : freshness._tag
