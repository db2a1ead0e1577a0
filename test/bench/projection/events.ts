/** Events of accounts, for the benchmarks of event logs and projections. */
import * as ChangeLog from "../../../src/ChangeLog.js"

/** An event as it stands in a log. */
export interface Logged {
  readonly kind: string
  readonly data: unknown
}

/** The kinds and what they carry; `renamed` is one event in a hundred. */
export const eventAt = (n: number): Logged =>
  n % 100 === 99
    ? { kind: "renamed", data: { name: `account of customer ${n}` } }
    : { kind: n % 3 === 2 ? "withdrawn" : "deposited", data: { amount: (n % 50) + 1, note: `booking ${n}` } }

/** Entries of one event each, for these many keys in turn. */
export const entriesOf = (count: number, keys: number, first = 0): ReadonlyArray<ChangeLog.Entry<Logged>> =>
  Array.from({ length: count }, (_, n) => ({
    changes: [ChangeLog.put(`account/${(first + n) % keys}`, eventAt(first + n))]
  }))

/** Entries in groups, each for one commit. */
export const inGroups = <A>(all: ReadonlyArray<A>, size: number): ReadonlyArray<ReadonlyArray<A>> =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, n) => all.slice(n * size, (n + 1) * size))
