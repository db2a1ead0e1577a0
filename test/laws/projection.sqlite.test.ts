/** Projections as a property over a SQLite file. See projection.test.ts. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { sqliteFile } from "../support/table/databases.js"
import { projectionLaws } from "./projection/suite.js"

describe("projections", () => {
  projectionLaws(
    "SQLite",
    20,
    Effect.flatMap(sqliteFile, ({ client }) => client)
  )
})
