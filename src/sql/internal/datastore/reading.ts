/** What is read of a store while its head is locked, from rows to values. */
import { Effect } from "effect"
import type {
  ClientWindow,
  HeldValue,
  Remembered,
  Save,
  StoredValue
} from "../../../internal/catalog/backend.js"
import type { Before } from "../../../internal/catalog/decideSaves.js"
import type { Json } from "../../../internal/columns/jsonData.js"
import { ownRevision, type Revision } from "../../../internal/log/events.js"
import type { StorageError } from "../../../Storage.js"
import type { Dialect, Row } from "../dialect.js"
import { type HeadRow, unreadableRow } from "../log/store.js"
import type { Step } from "../transaction.js"
import type { SaveNames, StoreStatements } from "./statements.js"
import { type DatastoreTables, feedOf } from "./tables.js"

/** A database with the tables of stores. */
export interface Place {
  readonly dialect: Dialect
  readonly tables: DatastoreTables
  readonly statements: StoreStatements
}

/** A value as its row holds it. Throws on what this folder has not written. */
export const decodeValue = (key: string, value: string): HeldValue => ({
  // The value of a change, as JSON.
  ...(JSON.parse(value) as StoredValue),
  key
})

/** A remembered operation, from its columns in their order. */
export const decodeOperation = ([
  client,
  n,
  principal,
  content,
  reply,
  at
]: ReadonlyArray<unknown>): Remembered => ({
  client: String(client),
  n: Number(n),
  principal: String(principal),
  content: String(content),
  // What `JSON.stringify` made of one.
  reply: JSON.parse(String(reply)) as Json,
  at: Number(at)
})

/** A store before a batch, with its values as they are encoded. */
export interface Known {
  readonly before: Before
  /** The name whose owner alone saves to the store. */
  readonly owner: string
  readonly encoded: ReadonlyMap<string, string>
}

/** What saves of one store name. */
const namesOf = (saves: ReadonlyArray<Save>): SaveNames => {
  const operations = new Map<string, { readonly client: string; readonly n: number }>()
  for (const { id } of saves) {
    if (id !== undefined) operations.set(`${id.n} ${id.client}`, { client: id.client, n: id.n })
  }
  return {
    keys: [...new Set(saves.flatMap(({ keys }) => keys))],
    operations: [...operations.values()],
    entries: saves.map(({ name }) => name)
  }
}

const knownFrom = ({ head }: HeadRow, rows: ReadonlyArray<Row>): Known | undefined => {
  const encoded = new Map<string, string>()
  const values = new Map<string, HeldValue>()
  const operations = new Map<string, Remembered>()
  const windows = new Map<string, ClientWindow>()
  const entries = new Map<string, Revision>()
  let totals: Row | undefined
  for (const row of rows) {
    const { kind, v0, v1, v2, v3, v4, v5 } = row
    const name = String(v0)
    if (kind === "totals") totals = row
    else if (kind === "value") {
      const value = String(v2)
      encoded.set(name, value)
      values.set(name, decodeValue(name, value))
    } else if (kind === "entry") {
      entries.set(name, ownRevision({ epoch: head.epoch, seq: Number(v1), tag: Number(v2) }))
    } else if (kind === "client") windows.set(name, { top: Number(v1), floor: Number(v2) })
    else {
      const operation = decodeOperation([v0, v1, v2, v3, v4, v5])
      operations.set(`${operation.n} ${operation.client}`, operation)
    }
  }
  if (totals === undefined) return undefined
  return {
    encoded,
    owner: String(totals.v3),
    before: {
      head,
      now: Number(totals.v2),
      totals: { records: Number(totals.v0), bytes: Number(totals.v1) },
      get: (key) => values.get(key),
      operation: (client, n) => operations.get(`${n} ${client}`),
      window: (client) => windows.get(client),
      logged: (name) => entries.get(name)
    }
  }
}

/** Reads what saves of one store name, by one statement. Gives `undefined` if the store is not there. */
export const readNamed = (
  { dialect, statements, tables }: Place,
  run: Step,
  id: string,
  head: HeadRow,
  saves: ReadonlyArray<Save>
): Effect.Effect<Known | undefined, StorageError> =>
  Effect.flatMap(run(statements.named(id, namesOf(saves))), (result) =>
    Effect.try({
      try: () => knownFrom(head, dialect.rows(result)),
      catch: () => unreadableRow(feedOf(tables, id))
    })
  )
