/**
 * A server of our own that is restarted, killed, and away for a while, and sessions that are ended, all under load.
 *
 * A save of unknown outcome is sent again (recorder/batchRunner), and a server that goes down is a transient failure
 * (pg/errors, class 57P). Refused connections are transient; taken for unknown failures, they are not held against the
 * records either when nothing at all can be stored.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Effect, Logger, Schedule } from "effect"
import { runs } from "../support/laws/laws.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { pgTarget, underLoad } from "../support/recorder/underLoad.js"
import { status } from "../support/recorder/watching.js"

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const quiet = Logger.remove(Logger.defaultLogger)

/** In a long run (LAWS_RUNS) as long as a careless upgrade takes. */
const outageSeconds = runs(1) > 1 ? 60 : 5

describe("PostgreSQL under load", () => {
  for (const mode of ["fast", "immediate", "crash"] as const) {
    it.scopedLive(
      `restarts (${mode}), and nothing is lost or doubled`,
      () =>
        Effect.gen(function* () {
          const { finish, progress, recorder } = yield* underLoad(yield* pgTarget(server.url))
          for (let round = 0; round < 3; round++) {
            yield* progress(20)
            yield* Effect.promise(() => server.down(mode))
            yield* status(recorder, "Degraded")
            yield* Effect.promise(() => server.up())
            yield* status(recorder, "Running")
          }
          yield* progress()
          const { retries } = yield* finish(`restart, ${mode}`)
          expect(retries).toBeGreaterThan(2)
        }).pipe(Effect.provide(quiet)),
      60_000
    )
  }

  it.scopedLive(
    "ends the recorder's sessions again and again, and nothing is lost or doubled",
    () =>
      Effect.gen(function* () {
        const target = yield* pgTarget(server.url)
        const { finish, progress } = yield* underLoad(target)
        const sessions = "FROM pg_stat_activity WHERE application_name = 'effect-recorder'"
        for (let round = 0; round < 30; round++) {
          yield* progress()
          const ended = yield* target.sql(`SELECT pg_terminate_backend(pid) AS ended ${sessions}`)
          expect(ended).toContainEqual({ ended: true })
        }
        yield* progress()
        yield* finish("pg_terminate_backend")
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    `is away for ${outageSeconds} seconds, and nothing is set aside`,
    () =>
      Effect.gen(function* () {
        const retry = Schedule.exponential("100 millis", 2).pipe(Schedule.union(Schedule.spaced("1 second")))
        const { finish, progress, recorder } = yield* underLoad(yield* pgTarget(server.url), { retry })
        yield* progress(20)
        yield* Effect.promise(() => server.down("immediate"))
        yield* status(recorder, "Degraded", ({ since }) => Date.now() - since >= outageSeconds * 1000)
        yield* Effect.promise(() => server.up())
        yield* progress()
        const { longestOutage } = yield* finish(`outage of ${outageSeconds} s`)
        expect(longestOutage).toBeGreaterThanOrEqual(outageSeconds * 1000)
      }).pipe(Effect.provide(quiet)),
    30_000 + outageSeconds * 2000
  )
})
