/** A small table whose rows collide often, random changes of it, and random lists and counts over it. */
import { Either } from "effect"
import fc from "fast-check"
import { checkQuery } from "../../../src/internal/columns/checkQuery.js"
import { evaluateQuery } from "../../../src/internal/columns/evaluateQuery.js"
import type { CheckedQuery } from "../../../src/internal/columns/query.js"
import type { Change } from "../../../src/internal/liveTable/journal.js"
import { Column, type Condition, Query, type RowOf } from "../../../src/Storage.js"

export const columns = {
  id: Column.text,
  n: Column.nullable(Column.integer),
  name: Column.text,
  ok: Column.boolean,
  note: Column.nullable(Column.text)
}

export type Columns = typeof columns
export type TestRow = RowOf<Columns>

export const checked = (query: Query<Columns>): CheckedQuery =>
  Either.getOrThrow(checkQuery(columns, "id", query))

/** The rows of a table, by id. */
export type State = ReadonlyMap<string, TestRow>

export const stateOf = (rows: ReadonlyArray<TestRow>): State => new Map(rows.map((row) => [row.id, row]))

export const answerOf = (query: CheckedQuery, state: State): ReadonlyArray<TestRow> =>
  evaluateQuery(columns, query, state.values())

/** Whether two answers hold the same rows with the same values, in the same order. */
export const sameRows = (a: ReadonlyArray<TestRow>, b: ReadonlyArray<TestRow>): boolean =>
  a.length === b.length &&
  a.every((row, at) =>
    (Object.keys(columns) as ReadonlyArray<keyof TestRow>).every((name) => row[name] === b[at]![name])
  )

const values = {
  n: fc.constantFrom(null, 0, 1, 2, 3),
  name: fc.constantFrom("", "a", "ab", "b"),
  ok: fc.boolean(),
  note: fc.constantFrom(null, "x", "y")
}

const id = fc.constantFrom(..."abcdefghijklmnop")

export const testRow: fc.Arbitrary<TestRow> = fc.record({ id, ...values })

export const table: fc.Arbitrary<State> = fc.array(testRow, { maxLength: 16 }).map(stateOf)

const leaf: fc.Arbitrary<Condition<Columns>> = fc.oneof(
  fc
    .tuple(fc.constantFrom(Query.eq, Query.ne, Query.lt, Query.gte), fc.integer({ min: 0, max: 3 }))
    .map(([compare, n]) => compare("n", n)),
  fc.constant(Query.isNull("n")),
  fc.constantFrom("", "a", "ab").map((name) => Query.startsWith("name", name)),
  fc.uniqueArray(values.name, { maxLength: 3 }).map((names) => Query.in("name", names)),
  fc.boolean().map((ok) => Query.eq("ok", ok)),
  id.map((of) => Query.gte("id", of)),
  fc.constant(Query.eq("note", "x"))
)

export const condition: fc.Arbitrary<Condition<Columns>> = fc.letrec<{ readonly node: Condition<Columns> }>(
  (tie) => ({
    node: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 3, arbitrary: leaf },
      { weight: 2, arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((all) => Query.and(...all)) },
      { weight: 1, arbitrary: fc.array(tie("node"), { maxLength: 3 }).map((all) => Query.or(...all)) },
      { weight: 1, arbitrary: tie("node").map((inner) => Query.not(inner)) }
    )
  })
).node

const order = fc.record({
  column: fc.constantFrom("n" as const, "name" as const, "ok" as const, "note" as const, "id" as const),
  direction: fc.constantFrom("asc" as const, "desc" as const)
})

const maybe = <A>(arbitrary: fc.Arbitrary<A>): fc.Arbitrary<A | undefined> =>
  fc.option(arbitrary, { nil: undefined })

/** Lists of all rows, first pages, pages behind a row and pages by their number. */
export const query: fc.Arbitrary<CheckedQuery> = fc
  .record({
    where: maybe(condition),
    orderBy: fc.uniqueArray(order, { selector: ({ column }) => column, maxLength: 2 }),
    limit: maybe(fc.integer({ min: 0, max: 5 })),
    place: fc.oneof(
      fc.constant({}),
      fc.record({ page: fc.integer({ min: 1, max: 4 }) }),
      fc.record({ after: testRow })
    )
  })
  .map(({ limit, orderBy, place, where }) =>
    checked({
      orderBy,
      ...(where === undefined ? {} : { where }),
      ...(limit === undefined ? {} : { limit }),
      ...("page" in place && limit === undefined ? {} : place)
    })
  )

export const countedWhere = maybe(condition).map(
  (where) => checked(where === undefined ? {} : { where }).where
)

/** What happens to a row, and how much of it is made known. */
interface Step {
  readonly row: TestRow
  /** A patch, and most deletions, are of the row at this place of the table. */
  readonly at: number
  readonly kind: "set" | "patch" | "delete" | "delete any"
  /** The columns of a patch; further ones are named without having changed. */
  readonly patched: ReadonlyArray<keyof typeof values>
  readonly alsoNamed: ReadonlyArray<keyof typeof values>
  readonly known: {
    readonly op: boolean
    readonly columns: boolean
    readonly row: boolean
    readonly id: boolean
  }
}

const names = fc.subarray(["n", "name", "ok", "note"] as const, { minLength: 1, maxLength: 2 })

const mostly = fc.oneof(
  { weight: 9, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) }
)

const often = fc.constantFrom(true, true, false)

export const steps: fc.Arbitrary<ReadonlyArray<Step>> = fc.array(
  fc.record({
    row: testRow,
    at: fc.nat(15),
    kind: fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom("set" as const) },
      { weight: 6, arbitrary: fc.constantFrom("patch" as const) },
      { weight: 2, arbitrary: fc.constantFrom("delete" as const, "delete any" as const) }
    ),
    patched: names,
    alsoNamed: fc.oneof(fc.constant([]), names),
    known: fc.record({ op: mostly, columns: often, row: often, id: mostly })
  }),
  { minLength: 1, maxLength: 12 }
)

/** A change of the table, which has its states before and after it. */
export interface Made {
  readonly before: State
  readonly after: State
  readonly change: Change
}

const newRow = (old: TestRow | undefined, { kind, patched, row }: Step): TestRow | undefined => {
  if (kind === "set") return row
  if (kind !== "patch" || old === undefined) return undefined
  return { ...old, ...Object.fromEntries(patched.map((name) => [name, row[name]])) }
}

const opOf = (old: TestRow | undefined, row: TestRow | undefined): Change["op"] =>
  row === undefined ? "Deleted" : old === undefined ? "Inserted" : "Updated"

const make = (before: State, step: Step, stamp: number): Made => {
  const { at, kind, known } = step
  const present = kind === "set" || kind === "delete any" ? undefined : [...before.keys()][at % before.size]
  const id = present ?? step.row.id
  const old = before.get(id)
  const row = newRow(old, step)
  const after = new Map(before)
  if (row === undefined) after.delete(id)
  else after.set(id, row)
  const named = kind === "set" ? Object.keys(columns) : [...step.patched, ...step.alsoNamed]
  const change: Change = {
    stamp,
    id: known.id ? id : undefined,
    op: known.op ? opOf(old, row) : "Unknown",
    columns: known.columns ? new Set(named) : undefined,
    row: known.row ? row : undefined
  }
  return { before, after, change }
}

/** Makes the changes, one after the other. */
export const play = (state: State, steps: ReadonlyArray<Step>): ReadonlyArray<Made> => {
  const made: Array<Made> = []
  for (const step of steps) made.push(make(made.at(-1)?.after ?? state, step, made.length + 1))
  return made
}
