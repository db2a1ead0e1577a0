/** Trouble on demand: the database is taken away for a while, and a record comes that it cannot store. */
import { HttpRouter, HttpServerResponse } from "@effect/platform"
import { Clock, Console, Effect, Schedule } from "effect"
import { Id, type Recorder, Storage } from "effect-recorder"
import type * as HttpAudit from "effect-recorder/platform/HttpAudit"
import { Audit } from "./server.js"

type Trail = Storage.TableStorage<typeof HttpAudit.columns>

const outage = "5 seconds"

/** A database that can be taken away. */
export interface Trouble {
  /** The same storage, whose calls fail while the database is away. */
  readonly guard: (storage: Trail) => Trail
  /** Takes the database away for 5 seconds. A call while it is away changes nothing. */
  readonly takeAway: Effect.Effect<void>
}

const away = new Storage.StorageError({
  kind: "Transient",
  outcome: "NotStored",
  message: "the database was taken away by a button of the page"
})

/** Makes it; the database is there. */
export const make = Effect.sync((): Trouble => {
  let isAway = false
  const guarded = <A, E, R>(call: Effect.Effect<A, E, R>): Effect.Effect<A, E | Storage.StorageError, R> =>
    Effect.suspend((): Effect.Effect<A, E | Storage.StorageError, R> => (isAway ? Effect.fail(away) : call))
  const present = Effect.sync(() => {
    isAway = false
  })
  return {
    guard: ({ load, prepare, save, ...storage }) => ({
      ...storage,
      save: (rows) => guarded(save(rows)),
      load: (query) => guarded(load(query)),
      ...(prepare === undefined ? {} : { prepare: (rows) => guarded(prepare(rows)) })
    }),
    takeAway: Effect.suspend(() => {
      if (isAway) return Effect.void
      isAway = true
      return Effect.asVoid(Effect.forkDaemon(Effect.ensuring(Effect.sleep(outage), present)))
    })
  }
})

/** Tries again more often than the default: the page shows soon that the database is back. */
export const retry: Recorder.Options<HttpAudit.NewRow>["retry"] = Schedule.spaced("500 millis")

/** A record whose id is none: no table of the trail can store it. */
const badRecord = Effect.map(
  Clock.currentTimeMillis,
  (at): HttpAudit.NewRow => ({
    id: "no uuid",
    at: new Date(at),
    action: "BAD",
    target: "/demo/bad",
    outcome: "success",
    status: 200,
    duration_ms: 0,
    request_id: "bad"
  })
)

const sendBad = Effect.gen(function* () {
  const audit = yield* Audit
  const request_id = yield* Id.uuid7
  if (!audit.unsafeSave({ ...(yield* badRecord), request_id })) yield* Console.error("the recorder is closed")
  return HttpServerResponse.unsafeJson({ request_id }, { status: 202 })
})

/** What the buttons of the page ask for. */
export const routes = ({ takeAway }: Trouble) =>
  HttpRouter.empty.pipe(
    HttpRouter.post("/demo/outage", Effect.as(takeAway, HttpServerResponse.empty({ status: 202 }))),
    HttpRouter.post("/demo/bad", sendBad)
  )
