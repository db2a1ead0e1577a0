/** This library's own storages as subjects of the storage laws. */
import { Effect, type Scope } from "effect"
import { Column, type IdOf, type MemoryQuery, memory, type NewRowOf, Query } from "../../../src/Storage.js"
import type { Place, Subject } from "../../../src/testing/StorageLaws.js"
import { columns as everyType, plainRow } from "./rows.js"

/** Every type of column, and one with a unique constraint of its own. */
export const columns = { ...everyType, tag: Column.nullable(Column.text) }
const id: IdOf<typeof columns> = "id"

export const table = {
  table: "laws",
  columns,
  id,
  indexes: [{ name: "laws_tag", columns: ["tag"], kind: "unique" }]
} as const

export type Row = NewRowOf<typeof columns>

interface Named {
  readonly name: string
  readonly text: string
}

const row = (i: number, over: Partial<Row> = {}): Row => ({
  ...plainRow(`00000000-0000-7000-8000-${i.toString(16).padStart(12, "0")}`, {
    text: `record ${i}`,
    integer: i
  }),
  json: { of: [i] },
  tag: `tag ${i}`,
  ...over
})

export type All = Query<typeof columns>

/** A table storage with these columns. */
export const tableSubject = (
  name: string,
  place: Effect.Effect<Place<Row, All>, unknown, Scope.Scope>,
  more: Partial<Subject<Row, All>> = {}
): Subject<Row, All> => ({
  name,
  place,
  capabilities: {
    duplicates: "ignored",
    peeks: "in order",
    loads: "in any order",
    handles: "together",
    prepares: "yes"
  },
  record: (i) => row(i),
  idOf: (record) => record.id,
  all: {},
  poison: {
    "a value of another type": (i) => row(i, { integer: "seven" as unknown as number }),
    "a missing value": (i) => row(i, { text: undefined as unknown as string }),
    "U+0000": (i) => row(i, { text: "a\0b" })
  },
  clash: (i, other) => row(i, { tag: row(other).tag }),
  withText: (i, text) => row(i, { text }),
  page: (limit, page) => ({ orderBy: [Query.desc("integer")], limit, page }),
  wrongQuery: { where: Query.eq("nope" as "text", "") },
  table: { columns, id, keep: ["tag"] },
  ...more
})

/** The columns with ids of any text. */
export const textIdColumns = { ...columns, id: Column.text }

/** A table storage with ids of any text, which `like-ids-are-others` needs. */
export const textIdSubject = (
  name: string,
  place: Effect.Effect<Place<Row, All>, unknown, Scope.Scope>,
  more: Partial<Subject<Row, All>> = {}
): Subject<Row, All> =>
  tableSubject(name, place, {
    withId: (i, id) => row(i, { id }),
    table: { columns: textIdColumns, id, keep: ["tag"] },
    ...more
  })

/** `Storage.memory()`, an array of anything. */
export const arraySubject: Subject<Named, MemoryQuery<Named>> = {
  name: "Storage.memory()",
  place: Effect.sync(() => {
    const storage = memory<Named>()
    return {
      open: Effect.succeed(storage),
      peek: Effect.sync(() => storage.records.map(({ name }) => name))
    }
  }),
  capabilities: {
    duplicates: "kept",
    peeks: "in order",
    loads: "in order",
    handles: "one",
    prepares: "no"
  },
  record: (i) => ({ name: `record ${i}`, text: "" }),
  idOf: ({ name }) => name,
  all: undefined,
  withId: (_, name) => ({ name, text: "" }),
  withText: (i, text) => ({ name: `record ${i}`, text })
}
