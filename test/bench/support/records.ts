/** The audit records of the SQL cases: about 310 bytes each, with time-ordered ids. */
import { Effect } from "effect"
import * as Id from "../../../src/Id.js"
import { Column, type Columns, type RowOf } from "../../../src/Storage.js"

export const columns = {
  id: Column.uuid,
  at: Column.timestamp,
  actor: Column.text,
  action: Column.text,
  target: Column.text,
  outcome: Column.text,
  status: Column.integer,
  duration_ms: Column.real,
  request_id: Column.text,
  detail: Column.json
} satisfies Columns

export const columnNames = Object.keys(columns)

export interface Entry extends RowOf<typeof columns> {
  readonly detail: { readonly [key: string]: unknown }
}

const nextId = Effect.runSync(Id.makeUuid7)

let made = 0

export const makeEntry = (): Entry => {
  const n = made++
  return {
    id: nextId(),
    at: new Date(1_790_000_000_000 + n),
    actor: `user-${100_000 + (n % 9_973)}`,
    action: "POST /orders/:id/lines",
    target: `/orders/${1_000_000 + n}/lines`,
    outcome: "ok",
    status: 200 + (n % 5),
    duration_ms: (n % 1_000) / 8,
    request_id: `req-${(n * 2_654_435_761).toString(36).padStart(14, "0")}`,
    detail: {
      article: `A-${n % 1_009}`,
      quantity: 1 + (n % 7),
      price: { amount: 1_999 + (n % 100), currency: "EUR" },
      note: "leave it with the neighbours, second door on the left"
    }
  }
}

export const makeEntries = (count: number): Array<Entry> => Array.from({ length: count }, makeEntry)

/** Cuts records into batches of one size. */
export const batchesOf = (entries: ReadonlyArray<Entry>, size: number): ReadonlyArray<ReadonlyArray<Entry>> =>
  Array.from({ length: Math.ceil(entries.length / size) }, (_, i) => entries.slice(i * size, (i + 1) * size))
