/**
 * Many writers who decide by a projection of one log on a real Postgres, while their connections are killed and the head
 * is locked by a session that does nothing: each decision counts once, and what is folded is what was committed.
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Option, Random, Schema } from "effect"
import * as Projection from "../../src/Projection.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { openClient, ownSchema } from "../support/postgres/tables.js"
import { following } from "../support/watch/following.js"

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres()
}, 120_000)
afterAll(() => server?.stop())

const counts = Projection.define({
  name: "counts",
  events: Projection.events({ counted: Schema.Struct({ by: Schema.Number, to: Schema.Number }) }),
  state: Schema.Struct({ to: Schema.Number, writers: Schema.Array(Schema.Number) }),
  initial: { to: 0, writers: [] },
  incremental: "on",
  apply: ({ writers }, { data: { by, to } }) => ({ to, writers: [...writers, by] })
})

const writers = 64

const kill =
  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'writer%' AND pid <> pg_backend_pid()"

describe("writers who decide", () => {
  it.scopedLive(
    "count each once, though connections are killed and a session keeps the head and does nothing",
    () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server.url)
        const admin = yield* openClient(url)
        const idle = yield* openClient(url)
        const openLog = (n: number) =>
          PgChangeLog.make<Projection.EventValue>({
            url,
            table: "events",
            keys: "indexed",
            lockTimeout: "300 millis",
            applicationName: `writer ${n}`
          })
        const logs = yield* Effect.forEach([1, 2], openLog)
        const reader = yield* following(
          yield* PgChangeLog.make({ url, table: "events", keys: "indexed", poll: "5 millis" })
        )
        const projections = yield* Effect.forEach(logs, (log) => Projection.make(counts, log))
        let conflicts = 0
        let failures = 0
        let isHeld = false
        let stuck = 0
        const waited = yield* Effect.makeLatch()
        const next = (by: number) => (state: Option.Option<typeof counts.initial>) => [
          {
            kind: "counted" as const,
            data: { by, to: 1 + Option.match(state, { onNone: () => 0, onSome: ({ to }) => to }) }
          }
        ]
        // What is not known to be appended is decided again, under the same id.
        const decide = (
          by: number
        ): Effect.Effect<void, Projection.ProjectionError | Projection.InvalidOptions> =>
          projections[by % 2]!.decide("count", next(by), { id: `writer ${by}`, attempts: 1_000 }).pipe(
            Effect.tap(({ attempts }) => Effect.sync(() => (conflicts += attempts - 1))),
            Effect.asVoid,
            Effect.catchIf(
              (error) => error._tag === "ProjectionError" && error.reason === "Log",
              () => {
                failures++
                if (isHeld && ++stuck === 3) waited.unsafeOpen()
                const pause = Effect.flatMap(Random.nextRange(5, 40), (millis) => Effect.sleep(millis))
                return Effect.andThen(
                  pause,
                  Effect.suspend(() => decide(by))
                )
              }
            )
          )
        const all = yield* Effect.fork(
          Effect.forEach(
            Array.from({ length: writers }, (_, by) => by),
            decide,
            { concurrency: "unbounded", discard: true }
          )
        )
        // Each time that some more were appended, all connections of the writers are killed.
        for (let n = 1; n <= 4; n++) {
          yield* reader.until(5 * n)
          yield* admin(kill)
        }
        yield* idle("BEGIN; SELECT * FROM events_heads FOR UPDATE")
        isHeld = true
        // Others give up at their lockTimeout while it holds the head.
        yield* Effect.raceFirst(waited.await, Fiber.await(all))
        expect(stuck).toBeGreaterThanOrEqual(3)
        yield* idle("ROLLBACK")
        yield* Fiber.join(all)

        const [log] = logs
        const { head } = yield* Effect.retry(log!.head, { times: 5 })
        expect(head.seq).toBe(writers)
        const committed = (yield* log!.read({
          after: { epoch: head.epoch, seq: 0, tag: 0 },
          limit: 1_000
        })).flatMap(({ events }) =>
          events.map((event) => (event._tag === "Put" ? event.value.data : undefined))
        )
        for (const projection of projections) {
          const { to, writers: folded } = Option.getOrThrow(yield* projection.project("count"))
          expect(to).toBe(writers)
          expect([...folded].sort((a, b) => a - b)).toEqual(Array.from({ length: writers }, (_, by) => by))
          expect(committed).toEqual(folded.map((by, n) => ({ by, to: n + 1 })))
        }
        process.stdout.write(`${writers} writers, ${conflicts} conflicts, ${failures} failed calls\n`)
      }),
    Duration.toMillis("60 seconds")
  )
})
