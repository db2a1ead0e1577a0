/** The Recorder over Postgres. */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import { databaseUrls } from "../../support/postgres/databases.js"
import { ownSchema } from "../../support/postgres/tables.js"
import { columns, failsToStart, recorderSuite } from "./recorder.suite.js"

const table = { table: "t", columns, id: "id" } as const

const changed = (url: string, over: Partial<Pick<URL, "password" | "pathname">>): string =>
  Object.assign(new URL(url), over).href

describe.each(databaseUrls())("a Recorder over $name", ({ url: server }) => {
  recorderSuite(
    "Postgres",
    Effect.flatMap(ownSchema(server), (url) => PgStorage.make({ ...table, url }))
  )
  failsToStart(
    "a wrong password",
    PgStorage.make({ ...table, url: changed(server, { password: "wrong" }) }),
    /password/
  )
  failsToStart(
    "a wrong database",
    PgStorage.make({ ...table, url: changed(server, { pathname: "/nowhere" }) }),
    /database/
  )
  failsToStart("a wrong URL", PgStorage.make({ ...table, url: "not a url" }), /url/i)
})
