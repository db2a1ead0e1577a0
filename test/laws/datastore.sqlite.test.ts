/** Stores in a SQLite file as properties. See datastore.test.ts. */
import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as SqlDatastore from "../../src/sql/SqlDatastore.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { sqliteFile } from "../support/table/databases.js"
import { checkClients, type Open, openWith } from "./datastore/checkClients.js"
import { type Plans, plansOf } from "./datastore/clients.js"

const places: ReadonlyArray<readonly [name: string, open: Open]> = [
  ["ack memory", openWith({ kind: "permanent", ack: "memory" })],
  ["ack flushed", openWith({ kind: "permanent" })],
  ["ack flushed, that two catalogs write", openWith({ kind: "permanent" }, 2)]
]

/** A backend over a file of its own. */
const backend = Effect.gen(function* () {
  const { client } = yield* sqliteFile
  return yield* Effect.provide(SqlDatastore.make({ table: "shared" }), yield* client)
})

describe.each(places)("K1, K2: clients of a store in SQLite with %s", (_, open) => {
  const check = (plans: Plans, isSmall = false): Promise<void> =>
    Effect.runPromise(Effect.scoped(checkClients(backend, open, true, plans, isSmall)))

  it.live(
    "see one order of 1,000 operations, each of them once",
    () => holdsSeeded("K1 on SQLite", plansOf(5, 200), 1, check),
    seededTimeout
  )

  it.live(
    "see an order that a search finds, of few operations",
    () => holdsSeeded("K1 of few on SQLite", plansOf(4, 2), 3, (plans) => check(plans, true)),
    seededTimeout
  )
})
