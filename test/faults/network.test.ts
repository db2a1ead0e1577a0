/**
 * A network between the recorder and its server that loses answers, delays, resets, and goes half-open, under load.
 *
 * An insert ignores the ids that are there (pg/dialect). The connection of an interrupted statement ends (pg/pool), and
 * a save that takes too long is interrupted (actor/watchdog).
 */
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Logger } from "effect"
import { type Fate, type Rules, tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { type PostgresServer, startPostgres } from "../support/postgres/server.js"
import { pgTarget, underLoad } from "../support/recorder/underLoad.js"
import { status } from "../support/recorder/watching.js"

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres()
})
afterAll(() => server?.stop())

const quiet = Logger.remove(Logger.defaultLogger)

/**
 * How many rows the server says it has stored, when these bytes hold such an answer. It is sent together with
 * ReadyForQuery, which comes after the commit.
 */
const inserted = (bytes: Buffer): number | undefined => {
  const tag = /INSERT 0 (\d+)/.exec(bytes.toString("latin1"))
  return tag === null ? undefined : Number(tag[1])
}

const setUp = (saveTimeout: Duration.DurationInput = "30 seconds") =>
  Effect.gen(function* () {
    const proxy = yield* tcpProxy(server.port)
    const target = yield* pgTarget(server.url, {
      via: (url) => throughProxy(url, proxy),
      connectTimeout: "500 millis"
    })
    return { proxy, ...(yield* underLoad(target, { saveTimeout })) }
  })

/** One fate for one chunk in so many, until there were enough of them. */
const sometimes = (fate: Fate, every: number, times: number) => {
  let chunks = 0
  let met = 0
  return {
    decide: (): Fate => {
      if (met === times || ++chunks % every !== 0) return "pass"
      met++
      return fate
    },
    isOver: () => met === times
  }
}

describe("a network to PostgreSQL", () => {
  it.scopedLive(
    "cuts the link after the commit, before the answer: each record is stored once, and found to be there",
    () =>
      Effect.gen(function* () {
        const { finish, progress, proxy } = yield* setUp()
        const over = yield* Deferred.make<void>()
        const cuts = sometimes("cut", 3, 20)
        let hidden = 0
        proxy.follow({
          fromServer: (bytes) => {
            const rows = inserted(bytes)
            if (rows === undefined) return "pass"
            const fate = cuts.decide()
            if (fate === "cut") hidden += rows
            if (cuts.isOver()) Deferred.unsafeDone(over, Effect.void)
            return fate
          }
        })
        yield* Deferred.await(over)
        yield* progress()
        const { duplicates, retries } = yield* finish("cut after COMMIT, 20 times")
        expect(hidden).toBeGreaterThan(0)
        expect(duplicates).toBe(hidden)
        expect(retries).toBeGreaterThanOrEqual(20)
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "delays every packet, by turns more and less: no save fails",
    () =>
      Effect.gen(function* () {
        const { finish, progress, proxy } = yield* setUp()
        let packets = 0
        const fate = () => (++packets * 7) % 31
        proxy.follow({ fromClient: fate, fromServer: fate })
        yield* progress(20)
        expect(yield* finish("delays of up to 30 ms")).toMatchObject({ retries: 0, duplicates: 0 })
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  it.scopedLive(
    "resets links in the midst of statements and answers",
    () =>
      Effect.gen(function* () {
        const { finish, progress, proxy } = yield* setUp()
        const over = yield* Deferred.make<void>()
        const statements = sometimes("reset", 11, 15)
        const answers = sometimes("reset", 7, 15)
        const told = (fate: Fate): Fate => {
          if (statements.isOver() && answers.isOver()) Deferred.unsafeDone(over, Effect.void)
          return fate
        }
        proxy.follow({
          fromClient: () => told(statements.decide()),
          fromServer: () => told(answers.decide())
        })
        yield* Deferred.await(over)
        yield* progress()
        const { retries } = yield* finish("30 resets")
        expect(retries).toBeGreaterThan(0)
      }).pipe(Effect.provide(quiet)),
    60_000
  )

  const saveTimeout = Duration.millis(1500)

  for (const [lost, rulesOf] of [
    ["the statement", (freeze: () => Fate): Rules => ({ fromClient: freeze })],
    [
      "the answer",
      (freeze: () => Fate): Rules => ({
        fromServer: (bytes) => (inserted(bytes) === undefined ? "pass" : freeze())
      })
    ]
  ] as const) {
    it.scopedLive(
      `goes half-open and loses ${lost}: the recorder stores again within 2 x saveTimeout`,
      () =>
        Effect.gen(function* () {
          const { finish, progress, proxy } = yield* setUp(saveTimeout)
          for (let round = 0; round < 2; round++) {
            yield* progress()
            const frozen = yield* Deferred.make<number>()
            const once = sometimes("freeze", 1, 1)
            proxy.follow(
              rulesOf(() => {
                Deferred.unsafeDone(
                  frozen,
                  // How long a real link takes to heal is measured on the host's clock.
                  Effect.sync(() => Date.now())
                )
                return once.decide()
              })
            )
            const since = yield* Deferred.await(frozen)
            yield* progress(1)
            const healed = Date.now() - since
            expect(healed).toBeGreaterThanOrEqual(Duration.toMillis(saveTimeout))
            expect(healed).toBeLessThanOrEqual(2 * Duration.toMillis(saveTimeout))
          }
          const { duplicates, retries } = yield* finish(`half-open, ${lost} lost`)
          expect(retries).toBe(2)
          if (lost === "the answer") expect(duplicates).toBeGreaterThan(0)
          else expect(duplicates).toBe(0)
        }).pipe(Effect.provide(quiet)),
      60_000
    )
  }

  it.scopedLive(
    "swallows everything, new connections too, and comes back",
    () =>
      Effect.gen(function* () {
        const { finish, progress, proxy, recorder } = yield* setUp("500 millis")
        yield* progress()
        proxy.follow({ fromClient: () => "freeze", fromServer: () => "freeze" })
        yield* status(recorder, "Degraded", ({ attempt }) => attempt >= 4)
        proxy.follow({})
        yield* progress()
        const { retries } = yield* finish("nothing passes")
        expect(retries).toBeGreaterThanOrEqual(4)
      }).pipe(Effect.provide(quiet)),
    60_000
  )
})
