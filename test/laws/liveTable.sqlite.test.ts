/** The live table as a property over a SQLite file. See liveTable.test.ts. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { sqliteFile } from "../support/table/databases.js"
import { equalLaw, loggedLaw } from "./liveTable/equal.js"

describe("the live table", () => {
  const client = Effect.flatMap(sqliteFile, ({ client }) => client)
  equalLaw("SQLite", 10, client)
  loggedLaw("SQLite", 4, client)
})
