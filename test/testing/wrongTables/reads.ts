/** Wrong in what is read, and in single writes. */
import { Effect, Option, Stream } from "effect"
import { WriteRefused } from "../../../src/Table.js"
import { answering, type Row, rewriting, type Wrong } from "./right.js"

const ghost = { id: "0000000a-0000-7000-8000-ffffffffffff", n: 0, note: null, tag: null }

export const wrongReads: ReadonlyArray<Wrong> = [
  {
    name: "shows a row of another place until its first write",
    breaks: ["empty-at-first"],
    source: (right) => ({
      ...right,
      list: (query) =>
        Effect.map(right.list(query), (read) =>
          read.value.length === 0 && query.where === undefined && query.limit === undefined
            ? { ...read, value: [ghost] }
            : read
        )
    })
  },
  {
    name: "counts one row too few",
    breaks: ["all-reads-agree", "queries-as-in-memory"],
    source: (right) => ({
      ...right,
      count: (where) =>
        Effect.map(right.count(where), (read) => ({ ...read, value: Math.max(0, read.value - 1) }))
    })
  },
  {
    name: "answers only the ids that have a row",
    breaks: ["each-id-is-answered"],
    table: (right) => ({
      ...right,
      getMany: (ids) =>
        Effect.map(right.getMany(ids), (read) => ({
          ...read,
          value: read.value.filter((row) => Option.isSome(row as Option.Option<Row>))
        }))
    })
  },
  {
    name: "counts rows whose condition NULL leaves open",
    breaks: ["queries-as-in-memory"],
    source: (right) => ({
      ...right,
      count: (where) =>
        where === undefined
          ? right.count(where)
          : Effect.zipWith(
              right.count(undefined),
              right.count({ op: "not", condition: where }),
              (all, others) => ({ ...all, value: all.value - others.value })
            )
    })
  },
  {
    name: "answers every page with the first one",
    breaks: ["pages-join", "queries-as-in-memory"],
    table: (right) => ({
      ...right,
      list: ({ page: _, ...query } = {}) => right.list(query)
    })
  },
  {
    name: "ends a stream after 500 rows",
    breaks: ["streams-all"],
    table: (right) => ({ ...right, stream: (query) => Stream.take(right.stream(query), 500) })
  }
]

const withoutNulls = (row: Row): Row =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null))

export const wrongWrites: ReadonlyArray<Wrong> = [
  answering(
    "returns the row of an insert without the columns that it has left out",
    (results, writes) =>
      results.map((result, at) =>
        result._tag === "Written" && writes[at]?._tag === "Insert"
          ? { ...result, row: Option.map(result.row, withoutNulls) }
          : result
      ),
    ["insert-adds"]
  ),
  rewriting(
    "replaces a row by an insert of its id",
    (write) => (write._tag === "Insert" ? { ...write, _tag: "Replace" } : write),
    ["existing-wins"]
  ),
  rewriting(
    "replaces only what is there",
    (write) => {
      if (write._tag !== "Replace") return write
      const { id, ...fields } = write.row
      return { _tag: "Patch", id, fields }
    },
    ["replace-adds", "writes-by-name"]
  ),
  {
    name: "keeps what a replace leaves out",
    breaks: ["replace-drops-absent"],
    source: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.gen(function* () {
          const ids = writes.flatMap((write) => (write._tag === "Replace" ? [write.row.id] : []))
          const held = new Map(
            ((yield* right.getMany(ids as never)).value as ReadonlyArray<Row>).map((row) => [row.id, row])
          )
          return yield* right.write(
            writes.map((write) =>
              write._tag === "Replace"
                ? { ...write, row: { ...write.row, ...held.get(write.row.id), ...withoutNulls(write.row) } }
                : write
            ),
            batch
          )
        })
    })
  },
  rewriting(
    "sets the note to NULL in a patch that leaves it out",
    (write) => (write._tag === "Patch" ? { ...write, fields: { note: null, ...write.fields } } : write),
    ["patch-sets-some", "null-is-not-absent"]
  ),
  {
    name: "adds a row by a patch",
    breaks: ["patch-needs-a-row", "writes-by-name"],
    source: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.gen(function* () {
          for (const write of writes) {
            if (write._tag !== "Patch") continue
            const { value } = yield* right.getMany([write.id] as never)
            const row = { id: write.id, n: 0, note: null, tag: null, ...write.fields }
            if (value.length === 0) yield* right.write([{ _tag: "Insert", row }], batch)
          }
          return yield* right.write(writes, batch)
        })
    })
  },
  rewriting(
    "takes null in a patch for absent",
    (write) => (write._tag === "Patch" ? { ...write, fields: withoutNulls(write.fields) } : write),
    ["null-is-not-absent"]
  ),
  rewriting(
    "does a patch whatever its condition",
    (write) => (write._tag === "Patch" ? { ...write, when: undefined } : write),
    ["condition-of-a-patch"]
  ),
  answering(
    "refuses a delete of no row",
    (results, writes) =>
      results.map((result, at) => {
        const write = writes[at]
        return write?._tag === "Delete" &&
          write.when === undefined &&
          "change" in result &&
          result.change === "Unchanged"
          ? new WriteRefused({ reason: "Missing", message: "no row" })
          : result
      }),
    ["delete-is-idempotent"]
  ),
  rewriting(
    "does a delete whatever its condition",
    (write) => (write._tag === "Delete" ? { ...write, when: undefined } : write),
    ["condition-of-a-delete"]
  ),
  {
    name: "leaves the first row at a DeleteAll",
    breaks: ["delete-all", "writes-by-name"],
    source: (right) => ({
      ...right,
      write: (writes, batch) =>
        Effect.gen(function* () {
          if (writes[0]?._tag !== "DeleteAll") return yield* right.write(writes, batch)
          const orderBy = [{ column: "id", direction: "asc" as const }]
          const first = yield* right.list({
            where: undefined,
            orderBy,
            limit: 1,
            offset: 0,
            after: undefined
          })
          const results = yield* right.write(writes, batch)
          yield* right.write(
            first.value.map((row) => ({ _tag: "Insert", row })),
            batch
          )
          return results
        })
    })
  },
  {
    name: "has a deleteAll that does nothing",
    breaks: ["writes-by-name"],
    table: (right) => ({ ...right, deleteAll: right.delete("0000000a-0000-7000-8000-ffffffffffff") })
  },
  {
    name: "finds no uuid in upper case",
    breaks: ["one-uuid-in-two-spellings"],
    table: (right) => ({
      ...right,
      get: (id) =>
        typeof id === "string" && id.length === 36 && id !== id.toLowerCase()
          ? right.get("0000000a-0000-7000-8000-ffffffffffff")
          : right.get(id)
    })
  },
  rewriting(
    "compares text ids without case",
    (write, { name }) =>
      write._tag === "Insert" && name === "text_ids"
        ? { ...write, row: { ...write.row, id: String(write.row.id).toLowerCase() } }
        : write,
    ["like-ids-are-others"]
  ),
  {
    name: "counts nothing where bytes are compared",
    breaks: ["conditions-of-every-type"],
    source: (right) => ({
      ...right,
      count: (where) =>
        where !== undefined && "column" in where && where.column === "bytes"
          ? right.count({ op: "or", conditions: [] })
          : right.count(where)
    })
  }
]
