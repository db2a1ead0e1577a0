/**
 * What a master table must do, and the table in memory.
 *
 * A table is a definition and four functions, its {@link Source}. {@link make} checks everything that goes in and comes
 * out of them. A `LiveTable` is a cache in front of a table.
 *
 * ```ts
 * const keys = Table.define({
 *   name: "keys",
 *   columns: { id: Column.uuid, account: Column.text, revoked: Column.boolean },
 *   id: "id"
 * })
 * const table = yield* Table.memory(keys)
 * yield* table.insert({ id, account: "a", revoked: false })
 * yield* table.patch(id, { revoked: true })
 * ```
 */
import { Effect } from "effect"
import { check, handle } from "./internal/arguments.js"
import { checkDefinition } from "./internal/columns/checkDefinition.js"
import type { Columns, IdOf } from "./internal/columns/columns.js"
import type { AnyDefinition, Definition, Id, Write as InternalWrite } from "./internal/columns/writes.js"
import type { ChangeLog } from "./internal/log/changeLog.js"
import { keyOfId, keyPrefix, type TableChange } from "./internal/log/tableChange.js"
import { func, type InvalidOptions, optional, or, resolve, whole } from "./internal/options.js"
import { makeRandom } from "./internal/random.js"
import type { Made } from "./internal/remedy.js"
import type { Source, Table } from "./internal/table/contract.js"
import { makeMemorySource } from "./internal/table/memory.js"
import { makeReads } from "./internal/table/reads.js"
import { makeWrites } from "./internal/table/writing.js"

export {
  Column,
  type Columns,
  type ColumnType,
  type ColumnTypes,
  type IdOf,
  type NewRowOf,
  type RowOf
} from "./internal/columns/columns.js"
export {
  type AnyCondition,
  type CheckedQuery,
  type Condition,
  InvalidQuery,
  type Order,
  Query
} from "./internal/columns/query.js"
export type { EncodedRow } from "./internal/columns/rowCodec.js"
export type {
  AnyDefinition,
  Definition,
  Delete,
  DeleteAll,
  Fields,
  Id,
  Insert,
  NewRow,
  Patch,
  Replace
} from "./internal/columns/writes.js"
export type { TableChange } from "./internal/log/tableChange.js"
export { InvalidOptions } from "./internal/options.js"
export {
  Malformed,
  type Read,
  type ReadError,
  type Row,
  type Source,
  type Table,
  WriteRefused,
  type WriteResult,
  type Written
} from "./internal/table/contract.js"

/** The table of a definition: `Table.Of<typeof keys>`. */
export type Of<D extends AnyDefinition> = Table<D>

/** One write. */
export type Write<D extends AnyDefinition> = InternalWrite<D>

/**
 * Builds writes. A write has the types of what it is made of: the call that takes it compares them with its definition,
 * and the table that does it checks the values.
 */
export const Write = {
  /** Adds a row. If there is a row with its id, that row stays, and is returned. */
  insert: <const Row>(row: Row) => ({ _tag: "Insert", row }) as const,
  /** Sets a whole row: columns that it leaves out become NULL. Adds it if there is none with its id. */
  replace: <const Row>(row: Row) => ({ _tag: "Replace", row }) as const,
  /** Sets some columns of a row that exists, if the row meets `when`. */
  patch: <const Id, const Fields, const When = undefined>(id: Id, fields: Fields, when?: When) =>
    ({ _tag: "Patch", id, fields, when }) as const,
  /** Removes a row, if it meets `when`. Without such a row nothing happens. */
  delete: <const Id, const When = undefined>(id: Id, when?: When) => ({ _tag: "Delete", id, when }) as const,
  /** Removes all rows. */
  deleteAll: { _tag: "DeleteAll" }
} as const

/** Defines a table: its name, its columns, and which of them is the id. It is checked where it is used. */
export const define = <const C extends Columns, const I extends IdOf<C>>(
  definition: Definition<C, I>
): Definition<C, I> => definition

/** Returns the key of a row in the table's log: `<name>/<id>`. An id that the table cannot hold gives a key of no row. */
export const keyOf = <D extends AnyDefinition>(definition: D, id: Id<D>): string => keyOfId(definition, id)

/** Returns the prefix of all keys of a table in its log, to follow it by: `<name>/`. */
export const prefixOf = (definition: AnyDefinition): string => keyPrefix(definition.name)

const call = func("that returns an Effect")

const sourceRules = {
  list: call,
  getMany: call,
  count: call,
  write: call,
  maxBatch: or(whole(1), 1000)
}

/**
 * Makes a table of a definition and its {@link Source}. Fails with {@link InvalidOptions} if one of them is not valid.
 *
 * - Queries, ids and writes are checked before the source gets them. A write that is not valid is `WriteRefused`, with
 *   the reason `Invalid`, and its neighbours go on.
 * - Answers are checked and copied. A wrong answer of a read fails as `Malformed`. A wrong answer of a write fails as a
 *   `StorageError` with the outcome `Unknown`, whose cause is `Malformed`.
 * - A source that throws, dies, or fails with an error of its own fails as a `StorageError` of kind `Unknown`.
 */
export const make = <const D extends AnyDefinition>(
  definition: D,
  source: Made & Source<D>
): Effect.Effect<Table<D>, InvalidOptions> =>
  Effect.gen(function* () {
    yield* checkDefinition(definition)
    yield* check("source", handle("a Source"), source)
    // A source may have members of its own.
    const { count, getMany, list, maxBatch: most, write } = source
    const { maxBatch } = yield* resolve<Source<D>>()(sourceRules, {
      count,
      getMany,
      list,
      write,
      maxBatch: most
    })
    const random = yield* makeRandom
    return {
      definition,
      maxBatch,
      ...makeReads(definition, source, maxBatch),
      ...makeWrites(definition, source, maxBatch, random)
    }
  })

/** The options of a table in memory. */
export interface MemoryOptions {
  /** Takes the table's changes: one revision for each call that changes something. Reads return its revisions. */
  readonly log?: (Made & ChangeLog<TableChange>) | undefined
}

const memoryRules = { log: optional(handle("a ChangeLog", "append", "head")) }

/**
 * Makes a table in memory, for tests and for trying things out. It ends with the process. With a `log`, a change is in
 * the table exactly if it is in the log.
 */
export const memory = <const D extends AnyDefinition>(
  definition: D,
  options: MemoryOptions = {}
): Effect.Effect<Table<D>, InvalidOptions> =>
  Effect.gen(function* () {
    yield* checkDefinition(definition)
    const { log } = yield* resolve<MemoryOptions>()(memoryRules, options)
    return yield* make(definition, yield* makeMemorySource(definition, log))
  })
