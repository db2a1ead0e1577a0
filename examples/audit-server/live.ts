/** What happens to the audit trail, as it happens: a change log beside the storage, and a page that follows it. */
import { fileURLToPath } from "node:url"
import { FileSystem, HttpRouter, HttpServerResponse } from "@effect/platform"
import { Clock, Context, Duration, Effect, Schedule } from "effect"
import { ChangeLog, type Storage } from "effect-recorder"
import type * as HttpAudit from "effect-recorder/platform/HttpAudit"
import type * as WatchSse from "effect-recorder/platform/WatchSse"

/** What the page is told of. The key says which of them: `records/…`, `batches/…` or `queue/…`. */
export type Moment =
  | HttpAudit.NewRow
  /** One bulk save. */
  | { readonly size: number; readonly millis: number }
  /** The recorder, at a time in milliseconds since the epoch. */
  | { readonly at: number; readonly pending: number; readonly stored: number; readonly status: string }

/** The follows that the page makes. */
export class Live extends Context.Tag("Live")<Live, WatchSse.WatchSse<Moment>>() {}

type Trail = Storage.TableStorage<typeof HttpAudit.columns>

// Keys are used again in turn, so that the log's state is what a page that opens late begins with: the last of each.
const inTurn = (name: string, kept: number) => {
  let next = 0
  return (moment: Moment) => ChangeLog.put(`${name}/${next++ % kept}`, moment)
}

/** A log of the last moments, which are bounded: by the keys its state, by the default limits its history. */
export const makeLog = ChangeLog.make<Moment>({ state: "latest" })

/** The storage, whose records are told of after they are saved. */
export const telling = (log: ChangeLog.ChangeLog<Moment>, storage: Trail): Trail => {
  const batch = inTurn("batches", 120)
  const record = inTurn("records", 50)
  const { prepare } = storage
  const told = <A, E>(
    rows: ReadonlyArray<HttpAudit.NewRow>,
    save: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.flatMap(Effect.timed(save), ([took, saved]) =>
      log.append([batch({ size: rows.length, millis: Duration.toMillis(took) }), ...rows.map(record)]).pipe(
        // They are stored all the same.
        Effect.catchAll((error) => Effect.logWarning(`the page is not told of a save: ${error.message}`)),
        Effect.as(saved)
      )
    )
  return {
    ...storage,
    save: (rows) => told(rows, storage.save(rows)),
    ...(prepare === undefined ? {} : { prepare: (rows) => told(rows, prepare(rows)) })
  }
}

/** Looks at the recorder ten times a second, and tells what has changed. */
export const sampling = (log: ChangeLog.ChangeLog<Moment>, audit: HttpAudit.AuditRecorder) =>
  Effect.gen(function* () {
    const queue = inTurn("queue", 600)
    let before = ""
    const sample = Effect.gen(function* () {
      const { pending, stored } = audit.unsafeStats()
      const { _tag: status } = yield* audit.status
      const now = `${pending} ${stored} ${status}`
      if (now === before) return
      before = now
      yield* log.append([queue({ at: yield* Clock.currentTimeMillis, pending, stored, status })])
    })
    yield* Effect.forkScoped(Effect.repeat(sample, Schedule.spaced("100 millis")))
  })

// Its script and its style are its own, and it asks nobody but this server.
const policy = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"

/** The page, and the events that it draws. */
export const routes = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const html = yield* files.readFileString(fileURLToPath(new URL("live.html", import.meta.url)))
  const page = HttpServerResponse.setHeader(HttpServerResponse.html(html), "content-security-policy", policy)
  const events = Effect.flatMap(Live, (live) => live.serve(ChangeLog.prefix(""), { snapshot: "first" }))
  return HttpRouter.empty.pipe(HttpRouter.get("/live", page), HttpRouter.get("/live/events", events))
})
