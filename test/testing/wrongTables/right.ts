/** A table that keeps every law, whose source, log and handle a wrong one replaces. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { makeMemorySource } from "../../../src/internal/table/memory.js"
import * as Table from "../../../src/Table.js"
import type { Place, Subject } from "../../../src/testing/TableLaws.js"

export type Any = Table.AnyDefinition
export type Log = ChangeLog.ChangeLog<Table.TableChange>
export type Row = { readonly [column: string]: unknown }

/** A write without the types of its columns. */
export type AnyWrite =
  | { readonly _tag: "Insert" | "Replace"; readonly row: Row }
  | { readonly _tag: "Patch"; readonly id: unknown; readonly fields: Row; readonly when?: unknown }
  | { readonly _tag: "Delete"; readonly id: unknown; readonly when?: unknown }
  | { readonly _tag: "DeleteAll" }

type Result = Table.WriteResult<Any>
type Answer = ReadonlyArray<Result>

/** A source and a table without the types of their columns: what is wrong with them is the same for all. */
export type AnySource = Omit<Table.Source<Any>, "write"> & {
  readonly write: (writes: ReadonlyArray<AnyWrite>, batch: string) => Effect.Effect<Answer, unknown>
}
export type AnyTable = Omit<Table.Table<Any>, "write" | "getMany" | "get"> & {
  readonly get: (id: unknown) => Effect.Effect<Table.Read<unknown>, Table.ReadError>
  readonly getMany: (
    ids: ReadonlyArray<unknown>
  ) => Effect.Effect<Table.Read<ReadonlyArray<unknown>>, Table.ReadError>
  readonly write: (writes: ReadonlyArray<AnyWrite>, batch?: string) => Effect.Effect<Answer>
}

/** A table that breaks some laws. */
export interface Wrong {
  /** What it does. */
  readonly name: string
  /** The laws of its groups that it breaks: the one that is named for it first. It keeps the others of them. */
  readonly breaks: ReadonlyArray<string>
  readonly source?: (right: AnySource, definition: Any) => AnySource
  readonly log?: (right: Log) => Log
  readonly table?: (right: AnyTable, definition: Any) => AnyTable
  /** In place of the whole source. */
  readonly instead?: (definition: Any, log: Log) => Effect.Effect<AnySource>
  /** Each handle has a place of its own. */
  readonly apart?: boolean
}

const idOf = (write: AnyWrite, id: string): unknown => {
  if ("row" in write) return write.row[id]
  return "id" in write ? write.id : undefined
}

const tagOf = (write: AnyWrite): unknown =>
  write._tag === "Patch" ? write.fields.tag : "row" in write ? write.row.tag : undefined

const taken = new Table.WriteRefused({ reason: "Unique", message: "another row has this tag" })

/** Refuses what breaks the unique constraint of the column `tag`, and does the others. */
export const withUniqueTag = (source: AnySource, { columns, id }: Any): AnySource => ({
  ...source,
  write: (writes, batch) =>
    Effect.gen(function* () {
      if (!("tag" in columns)) return yield* source.write(writes, batch)
      const everything = {
        where: undefined,
        orderBy: [{ column: id, direction: "asc" as const }],
        limit: undefined,
        offset: 0,
        after: undefined
      }
      const owners = new Map<unknown, unknown>()
      const held = (yield* source.list(everything)).value as ReadonlyArray<Row>
      for (const row of held) if (row.tag !== null) owners.set(row.tag, row[id])
      const isTaken = (write: AnyWrite) => {
        const tag = tagOf(write)
        if (typeof tag !== "string") return false
        const owner = owners.get(tag)
        if (owner !== undefined && owner !== idOf(write, id)) return true
        owners.set(tag, idOf(write, id))
        return false
      }
      const refused = writes.map(isTaken)
      const results = [
        ...(yield* source.write(
          writes.filter((_, at) => refused[at] !== true),
          batch
        ))
      ]
      return refused.map((is) => (is ? taken : (results.shift() as Result)))
    })
})

/** A source in memory with a unique constraint. */
export const rightSource = (definition: Any, log: Log): Effect.Effect<AnySource> =>
  Effect.map(makeMemorySource(definition, log), (source) =>
    withUniqueTag(source as unknown as AnySource, definition)
  )

/** Something before and after it takes a turn, as in a database. */
const aTurn = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.andThen(Effect.yieldNow(), Effect.tap(call, Effect.yieldNow()))

const inTurns = ({ count, getMany, list, write }: AnySource): AnySource => ({
  maxBatch: 50,
  count: (where) => aTurn(Effect.suspend(() => count(where))),
  getMany: (ids) => aTurn(Effect.suspend(() => getMany(ids))),
  list: (query) => aTurn(Effect.suspend(() => list(query))),
  write: (writes, batch) => aTurn(Effect.suspend(() => write(writes, batch)))
})

const placeOf = (wrong: Partial<Wrong>, definition: Any): Effect.Effect<Place<Any>, unknown> =>
  Effect.gen(function* () {
    const { apart = false, instead = rightSource, log: change, source, table } = wrong
    const log = yield* ChangeLog.make<Table.TableChange>()
    const makeSource = Effect.map(instead(definition, change === undefined ? log : change(log)), (right) =>
      inTurns(source === undefined ? right : source(right, definition))
    )
    const shared = yield* makeSource
    const open = Effect.gen(function* () {
      const own = apart ? yield* makeSource : shared
      const right = yield* Table.make(definition, own as unknown as Table.Source<Any>)
      const handle = right as unknown as AnyTable
      return (table === undefined ? handle : table(handle, definition)) as unknown as Table.Table<Any>
    })
    return { open, log }
  })

/** A table, right or wrong, as a subject of the laws. */
export const subjectOf = (wrong: Partial<Wrong>): Subject => ({
  name: wrong.name ?? "right",
  // What is wrong does not depend on the columns.
  place: ((definition: Any) => placeOf(wrong, definition)) as unknown as Subject["place"],
  capabilities: { log: "yes", handles: "together", tag: "unique" }
})

/** A wrong source whose writes are other ones. */
export const rewriting = (
  name: string,
  rewrite: (write: AnyWrite, definition: Any) => AnyWrite,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  source: (right, definition) => ({
    ...right,
    write: (writes, batch) =>
      right.write(
        writes.map((write) => rewrite(write, definition)),
        batch
      )
  })
})

/** A wrong table that returns other outcomes than its source. */
export const answering = (
  name: string,
  answer: (results: Answer, writes: ReadonlyArray<AnyWrite>) => Answer,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  table: (right) => ({
    ...right,
    write: (writes, batch) => Effect.map(right.write(writes, batch), (results) => answer(results, writes))
  })
})

/** A wrong table that logs other changes. */
export const logging = (
  name: string,
  change: (value: Table.TableChange) => Table.TableChange,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  log: (right) => {
    const append: Log["append"] = (changes) =>
      right.append(changes.map((one) => (one._tag === "Put" ? { ...one, value: change(one.value) } : one)))
    return { ...right, append }
  }
})

/** A wrong table that does each write by itself, in its own way. */
export const doing = (
  name: string,
  each: (right: AnyTable, write: AnyWrite, batch: string, definition: Any) => Effect.Effect<Result, unknown>,
  breaks: ReadonlyArray<string>
): Wrong => ({
  name,
  breaks,
  table: (right, definition) => ({
    ...right,
    write: (writes, batch = "one by one") =>
      Effect.orDie(Effect.forEach(writes, (write) => each(right, write, batch, definition)))
  })
})

/** Does one write as the right table does. */
export const rightly = (right: AnyTable, write: AnyWrite, batch: string): Effect.Effect<Result> =>
  Effect.map(right.write([write], batch), ([result]) => result as Result)
