/** The live table as a property over a SQLite file. See liveTable.test.ts. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { sqliteFile } from "../support/table/databases.js"
import { equalLaw } from "./liveTable/equal.js"

describe("the live table", () => {
  equalLaw(
    "SQLite",
    10,
    Effect.flatMap(sqliteFile, ({ client }) => client)
  )
})
