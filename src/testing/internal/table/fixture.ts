/** The moves that the laws of tables are made of. */
import { Effect, Option, Scope, Stream } from "effect"
import type { ChangeLog, LoggedRevision } from "../../../ChangeLog.js"
import { compileNormalise } from "../../../internal/columns/checkRow.js"
import {
  type AnyDefinition,
  Column,
  define,
  type Id,
  type NewRow,
  type Query,
  type Read,
  type Row,
  type Table,
  type TableChange,
  type Write,
  type WriteResult,
  type Written
} from "../../../Table.js"
import { describeError, exitOf, failedWith, type Limited, succeeds, unless } from "../calls.js"
import { lawMaker, type Trial } from "../law.js"
import { differingColumn, sameData } from "../sameData.js"
import type { TableGroup, TableLaw, TableNeed, TablePlace, TableSubject, TableSubjects } from "./subject.js"

/** The table of most laws. */
export const things = define({
  name: "things",
  columns: {
    id: Column.uuid,
    n: Column.integer,
    note: Column.nullable(Column.text),
    tag: Column.nullable(Column.text)
  },
  id: "id"
})

export type Things = typeof things
export type Thing = Row<Things>

export const uuid = (n: number): string => `0000000a-0000-7000-8000-${n.toString(16).padStart(12, "0")}`

/** A thing without a note. */
export const thing = (n: number, over: Partial<Thing> = {}): Thing => ({
  id: uuid(n),
  n,
  note: null,
  tag: `tag ${n}`,
  ...over
})

/** The numbers from 0. */
export const numbers = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, n) => n)

/** A handle whose calls have to end within the limit. */
export interface TableFixture<in out D extends AnyDefinition> {
  readonly table: Table<D>
  readonly list: (query?: Query<D["columns"]>) => Effect.Effect<ReadonlyArray<Row<D>>, string>
  readonly stream: (query?: Query<D["columns"]>) => Effect.Effect<ReadonlyArray<Row<D>>, string>
  readonly read: (id: Id<D>) => Effect.Effect<Read<Option.Option<Row<D>>>, string>
  readonly get: (id: Id<D>) => Effect.Effect<Row<D> | undefined, string>
  readonly getMany: (ids: ReadonlyArray<Id<D>>) => Effect.Effect<ReadonlyArray<Row<D> | undefined>, string>
  readonly count: (where?: Parameters<Table<D>["count"]>[0]) => Effect.Effect<number, string>
  readonly write: (
    writes: ReadonlyArray<Write<D>>,
    batch?: string
  ) => Effect.Effect<ReadonlyArray<WriteResult<D>>, string>
  /** Writes that have to be done, each. */
  readonly done: (...writes: ReadonlyArray<Write<D>>) => Effect.Effect<ReadonlyArray<Written<D>>, string>
  readonly insert: (...rows: ReadonlyArray<NewRow<D>>) => Effect.Effect<void, string>
  /** Exactly these rows are there, in any order. */
  readonly holds: (rows: ReadonlyArray<object>, when: string) => Effect.Effect<void, string>
}

/** A place, and the first handle on it. */
export interface TableTrial<in out D extends AnyDefinition> extends Trial<TableSubject>, TableFixture<D> {
  readonly definition: D
  readonly log: ChangeLog<TableChange> | undefined
  /** Another handle on the place. */
  readonly open: Effect.Effect<TableFixture<D>, string, Scope.Scope>
}

/** An outcome in words. */
export const brief = <D extends AnyDefinition>(result: WriteResult<D> | undefined): string => {
  if (result === undefined) return "no outcome"
  if (result._tag === "Written") return result.change
  return result._tag === "WriteRefused" ? `WriteRefused ${result.reason}` : describeError(result)
}

const writesOf = (count: number): string => (count === 1 ? "a write" : `${count} writes`)

/** How rows differ from those that are expected; `undefined` when they do not. */
export const rowsDiffer = (
  definition: AnyDefinition,
  seen: ReadonlyArray<object>,
  expected: ReadonlyArray<object>
): string | undefined => {
  const normalise = compileNormalise(definition.columns)
  if (seen.length !== expected.length) return `${seen.length} rows instead of ${expected.length}`
  const at = expected.findIndex((row, n) => !sameData(seen[n], normalise(row)))
  if (at < 0) return undefined
  const column = differingColumn(seen[at] as object, normalise(expected[at] as object))
  return `row ${at} is another one, in ${column}`
}

/** Sorts rows by their ids, in any spelling of a uuid. */
export const byId = <R extends object>({ id }: AnyDefinition, rows: ReadonlyArray<R>): ReadonlyArray<R> => {
  const textOf = (row: R) => {
    const text = String((row as { readonly [key: string]: unknown })[id])
    return `${text.toLowerCase()} ${text}`
  }
  return [...rows].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
}

const fixtureOf = <D extends AnyDefinition>(
  limits: Limited,
  definition: D,
  table: Table<D>
): TableFixture<D> => {
  const ok = <A>(what: string, call: () => Effect.Effect<A, unknown>) =>
    succeeds(limits, what, Effect.suspend(call))
  const write: TableFixture<D>["write"] = (writes, batch) =>
    ok(`doing ${writesOf(writes.length)}`, () => table.write(writes, batch))
  const done: TableFixture<D>["done"] = (...writes) =>
    Effect.flatMap(write(writes), (results) =>
      Effect.forEach(writes, ({ _tag }, at) => {
        const result = results[at]
        return result?._tag === "Written"
          ? Effect.succeed(result)
          : Effect.fail(`the ${_tag} at position ${at} ended with ${brief(result)}`)
      })
    )
  const read: TableFixture<D>["read"] = (id) => ok(`reading ${String(id)}`, () => table.get(id))
  const list: TableFixture<D>["list"] = (query) =>
    Effect.map(
      ok("a list", () => table.list(query)),
      ({ value }) => value
    )
  return {
    table,
    list,
    stream: (query) =>
      Effect.map(
        ok("a stream", () => Stream.runCollect(table.stream(query))),
        (rows) => [...rows]
      ),
    read,
    get: (id) => Effect.map(read(id), ({ value }) => Option.getOrUndefined(value)),
    getMany: (ids) =>
      Effect.map(
        ok(`reading ${ids.length} ids`, () => table.getMany(ids)),
        ({ value }) => value.map(Option.getOrUndefined)
      ),
    count: (where) =>
      Effect.map(
        ok("a count", () => table.count(where)),
        ({ value }) => value
      ),
    write,
    done,
    insert: (...rows) => done(...rows.map((row): Write<D> => ({ _tag: "Insert", row }))),
    holds: (rows, when) =>
      Effect.flatMap(list(), (seen) => {
        const differs = rowsDiffer(definition, byId(definition, seen), byId(definition, rows))
        return unless(differs && `${when}, a list has ${differs}`)
      })
  }
}

/** A place of its own for a table of this definition, and a handle on it. */
export const trialOf = <D extends AnyDefinition>(
  trial: Trial<TableSubject>,
  definition: D
): Effect.Effect<TableTrial<D>, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.gen(function* () {
      const made = Scope.extend(trial.subject.place(definition), scope)
      const place: TablePlace<D> = yield* succeeds(trial, "making a place", made)
      const open = Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(succeeds(trial, "opening the table", Scope.extend(place.open, scope)), (table) =>
          fixtureOf(trial, definition, table)
        )
      )
      return { ...trial, definition, log: place.log, open, ...(yield* open) }
    })
  )

const law = lawMaker<TableSubjects, TableNeed, TableGroup>()

/** Makes a law of its data and its body, which makes its places itself. */
export const plainLaw = (
  data: Parameters<typeof law>[0],
  body: (trial: Trial<TableSubject>) => Effect.Effect<void, string, Scope.Scope>
): TableLaw => law(data, body)

/** Makes a law of its data and its body, which begins with an empty table of things. */
export const tableLaw = (
  data: Parameters<typeof law>[0],
  body: (trial: TableTrial<Things>) => Effect.Effect<void, string, Scope.Scope>
): TableLaw => law(data, (trial) => Effect.flatMap(trialOf(trial, things), body))

/** Fails unless an outcome is this one, as {@link brief} words it. */
export const isOutcome = (
  result: WriteResult<Things> | undefined,
  expected: string,
  what: string
): Effect.Effect<void, string> => {
  const seen = brief(result)
  return unless(seen === expected ? undefined : `${what} ended with ${seen}, and must end with ${expected}`)
}

/** Fails unless the row of an outcome is this one. */
export const isRow = (
  row: object | undefined,
  expected: object | undefined,
  what: string
): Effect.Effect<void, string> => {
  if (row === undefined || expected === undefined) {
    return unless(row === expected ? undefined : `${what} has ${row === undefined ? "no" : "a"} row`)
  }
  return unless(sameData(row, expected) ? undefined : `${what} differs in ${differingColumn(row, expected)}`)
}

/** The row of an outcome. */
export const rowOf = <D extends AnyDefinition>(result: WriteResult<D> | undefined): Row<D> | undefined =>
  result?._tag === "Written" ? Option.getOrUndefined(result.row) : undefined

/** How a call ends that may end in any way; a hanging one fails. */
export const endOf = (trial: Limited, what: string, call: () => Effect.Effect<unknown, unknown>) =>
  Effect.map(exitOf(trial, what, Effect.suspend(call)), failedWith)

/** All revisions of the log. */
export const loggedOf = ({
  log
}: Pick<TableTrial<Things>, "log">): Effect.Effect<ReadonlyArray<LoggedRevision<TableChange>>, string> =>
  log === undefined
    ? Effect.fail("the place gives no log")
    : log.head.pipe(
        Effect.flatMap(({ floor }) => log.read({ after: floor, limit: 100_000 })),
        Effect.mapError((error) => `reading the log ended with ${error.message}`)
      )
