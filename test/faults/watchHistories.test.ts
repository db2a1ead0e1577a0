/**
 * The laws of a watch over a log on Postgres, whose listeners are killed and whose links are cut. See
 * ../laws/watch.test.ts. Time stands still while the database is asked; the doorbells live on the host's.
 */
import { afterAll, beforeAll, describe } from "@effect/vitest"
import { Effect } from "effect"
import { pgPlaces } from "../laws/watch/pg.js"
import { faultySamples } from "../laws/watch/schedule.js"
import { watchLaw } from "../laws/watch/suite.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"

let server: PostgresServer

beforeAll(async () => {
  // No power fails here: nobody has to wait for the disk.
  server = await startPostgres({ settings: { fsync: "off", synchronous_commit: "off" } })
}, 120_000)
afterAll(() => server?.stop())

describe("the histories of a watch", () => {
  watchLaw(
    "a log on Postgres, with killed listeners and cut links",
    300,
    faultySamples,
    Effect.suspend(() => pgPlaces(server.url))
  )
})
