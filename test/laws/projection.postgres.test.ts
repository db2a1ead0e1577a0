/** Projections as a property over Postgres. See projection.test.ts. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgSchema } from "../support/table/databases.js"
import { projectionLaws } from "./projection/suite.js"

describe.each(databaseUrls())("projections, $name", ({ url }) => {
  projectionLaws(
    "Postgres",
    10,
    Effect.flatMap(pgSchema(url), ({ client }) => client)
  )
})
