/**
 * The account as a property: whatever is done with a recorder, in whatever order, every record id ends in exactly one
 * place, and the backend holds what the account counts. Here over memory; account.sqlite and account.postgres play the
 * same schedules over real databases.
 *
 * The guards that keep the account stand in test/mutants/named, each with the test that fails without it.
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "../../src/Storage.js"
import { columns, type Table } from "./account/backend.js"
import { accountLaw } from "./account/suite.js"

const fresh = (prefix: string): Effect.Effect<Table, unknown> =>
  Effect.map(memory({ columns, id: "id" }), (storage) => ({
    storage,
    unique: false,
    prefix,
    peek: Effect.sync(() => storage.records.map(({ n }) => n))
  }))

describe("the account", () => {
  accountLaw("memory", 300, Effect.succeed(fresh))
})
