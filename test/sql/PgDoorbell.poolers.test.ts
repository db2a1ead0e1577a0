/** Doorbells behind what lets statements pass and notifications not. Polls are an hour apart unless they are tested. */
import { describe, expect, it } from "@effect/vitest"
import { Chunk, Effect, Queue, Stream } from "effect"
import { sessionLocksOf } from "../../src/sql/internal/owner/sessionLocks.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import { type Rewrite, tcpProxy, throughProxy } from "../support/http/tcpProxy.js"
import { databaseUrls } from "../support/postgres/databases.js"
import { pgbouncer, pooled, pooling, swallowing } from "../support/postgres/poolers.js"
import { ownSchema } from "../support/postgres/tables.js"

const never = { poll: "1 hour", pollWhileDown: "1 hour", pingTimeout: "100 millis" } as const

/** All states until the doorbell is deaf; fails if it is not. */
const untilDeaf = ({ states }: PgDoorbell.PgDoorbell) =>
  states.pipe(
    Stream.takeUntil((state) => state._tag === "Down" && state.cause.includes("notifications do not arrive")),
    Stream.runCollect,
    Effect.timeout("10 seconds"),
    Effect.map((states) => Chunk.toReadonlyArray(states).map(({ _tag }) => _tag))
  )

const untilUp = ({ states }: PgDoorbell.PgDoorbell) =>
  Stream.runHead(Stream.filter(states, ({ _tag }) => _tag === "Up"))

/** Listens on a channel; gives what takes the next ring. */
const listening = (bell: PgDoorbell.PgDoorbell, channel = "deaf") =>
  Effect.gen(function* () {
    const rings = yield* Queue.unbounded<void>()
    yield* bell.listen(channel, "f", () => rings.unsafeOffer(undefined))
    return Effect.timeout(Queue.take(rings), "10 seconds")
  })

const through = (url: string, rewriting: () => Rewrite) =>
  Effect.map(tcpProxy(Number(new URL(url).port), rewriting), (proxy) => throughProxy(url, proxy))

for (const { name, url: server } of databaseUrls()) {
  describe(`PgDoorbell, ${name}`, () => {
    const poolers = [
      ["a pooler that swallows notifications", () => swallowing()],
      ["a pooler that passes them with answers alone", pooling]
    ] as const
    for (const [kind, rewriting] of poolers) {
      it.scopedLive(`behind ${kind}, it is never up, gives the reason, and polls`, () =>
        Effect.gen(function* () {
          const url = yield* through(yield* ownSchema(server), rewriting)
          const bell = yield* PgDoorbell.make({ url, ...never, pollWhileDown: "5 millis" })
          const ring = yield* listening(bell)
          expect(yield* untilDeaf(bell)).not.toContain("Up")
          yield* ring
          yield* ring
        })
      )
    }

    it.scopedLive("behind such a pooler, it gives no lock of a session that others use next", () =>
      Effect.gen(function* () {
        const locks: Array<unknown> = []
        const url = yield* through(yield* ownSchema(server), () =>
          // The connection is there, and its own ring does not arrive.
          swallowing(() => locks.push(sessionLocksOf(bell)?.unsafeTake(1n)))
        )
        const bell = yield* PgDoorbell.make({ url, ...never })
        yield* untilDeaf(bell)
        expect(locks).toEqual([undefined])
      })
    )

    it.scopedLive("behind such a pooler, it rings others all the same", () =>
      Effect.gen(function* () {
        const url = yield* ownSchema(server)
        const deaf = yield* PgDoorbell.make({ url: yield* through(url, () => swallowing()), ...never })
        const bell = yield* PgDoorbell.make({ url, ...never })
        yield* untilUp(bell)
        const ring = yield* listening(bell)
        yield* ring
        yield* untilDeaf(deaf)
        yield* deaf.ring("deaf", "f", 1)
        yield* ring
      })
    )

    it.scopedLive("is down with the reason once notifications arrive no more, and up when they do", () =>
      Effect.gen(function* () {
        let swallows = false
        const url = yield* through(yield* ownSchema(server), () => {
          const swallow = swallowing()
          return (bytes) => (swallows ? swallow(bytes) : bytes)
        })
        const bell = yield* PgDoorbell.make({ url, ...never, pingInterval: "20 millis" })
        yield* untilUp(bell)
        swallows = true
        yield* untilDeaf(bell)
        swallows = false
        yield* untilUp(bell)
      })
    )
  })
}

const { url: server = "" } = databaseUrls()[0] ?? {}

if (pgbouncer === undefined) it("PgDoorbell behind PgBouncer: left out, there is none", () => {})
else {
  describe("PgDoorbell behind PgBouncer", () => {
    it.scopedLive("in transaction mode it is never up, and gives the reason", () =>
      Effect.gen(function* () {
        const bell = yield* PgDoorbell.make({ url: yield* pooled(server, "transaction"), ...never })
        expect(yield* untilDeaf(bell)).not.toContain("Up")
      })
    )

    it.scopedLive("in session mode it is up, and rung", () =>
      Effect.gen(function* () {
        const url = yield* pooled(server, "session")
        const [bell, other] = yield* Effect.all([
          PgDoorbell.make({ url, ...never }),
          PgDoorbell.make({ url, ...never })
        ])
        yield* Effect.all([untilUp(bell), untilUp(other)])
        const ring = yield* listening(bell, "pooled")
        yield* ring
        yield* other.ring("pooled", "f", 1)
        yield* ring
      })
    )
  })
}
