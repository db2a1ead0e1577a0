/** Guards of permanent stores: what other processes write, what belongs to sessions, and what is too large. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("datastore")

const inside = (file: string): string => `internal/datastore/${file}`

const schemas: ReadonlyArray<NamedMutant> = [
  guard(
    "take a row that the schema does not have",
    inside("stored"),
    ["problem = problemOf?.(row.data)", "void problemOf"],
    ["datastore/schemas", "ends the store for all that read it, and names its key"]
  ),
  guard(
    "end a store by a row that it has gone past",
    inside("sharedStore"),
    ['if (value.seq > mirror.holding.seq()) end(store, "Failed", cause)', 'end(store, "Failed", cause)'],
    ["datastore/schemas", "fails alone when what it is to read on is not as the schema has it"]
  ),
  guard(
    "die of a value that cannot be read",
    "internal/log/readView",
    [
      "viewed(() => rows.map((row) => revisionOf(row, f)))",
      "Effect.sync(() => rows.map((row) => revisionOf(row, f)))"
    ],
    ["datastore/schemas", "fails alone when what it is to read on is not as the schema has it"]
  ),
  guard(
    "show as the latest what a store had before it ended",
    inside("reading"),
    ["resume(store.ended ?? Effect.succeed(store))", "resume(Effect.succeed(store))"],
    ["datastore/schemas", "fails those that wait for the latest"]
  )
]

export const datastoreStoredGuards: ReadonlyArray<NamedMutant> = [...schemas]
