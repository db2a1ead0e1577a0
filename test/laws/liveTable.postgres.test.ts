/** The live table as a property over Postgres. See liveTable.test.ts. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema } from "../support/table/databases.js"
import { equalLaw, loggedLaw } from "./liveTable/equal.js"

describe.each(databaseUrls())("the live table, $name", ({ url }) => {
  const client = Effect.flatMap(pgSchema(url), ({ client }) => client)
  equalLaw("Postgres", 6, client)
  loggedLaw("Postgres", 2, client)
})
