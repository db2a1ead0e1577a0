/** Shows the audit trail live: a change log beside the storage, and a page that watches it. */
import { fileURLToPath } from "node:url"
import { FileSystem, HttpRouter, HttpServerResponse } from "@effect/platform"
import { Clock, Context, Duration, Effect, Option, Schedule } from "effect"
import { ChangeLog, type Recorder, type Storage } from "effect-recorder"
import type * as HttpAudit from "effect-recorder/platform/HttpAudit"
import type * as WatchSse from "effect-recorder/platform/WatchSse"
import type { Activity, Count } from "./activity.js"

/** The parts of the account that the page shows: every accepted record is in one of them. */
type Account = Pick<
  Recorder.Stats,
  "accepted" | "stored" | "setAside" | "dropped" | "handedBack" | "pending" | "duplicates" | "retries"
>

/** A value that the page shows. Its key names its kind: `records/…`, `batches/…`, `queue/…`, `aside/…`, `activity/…`. */
export type Moment =
  | HttpAudit.NewRow
  | Activity
  /** One bulk save. */
  | { readonly size: number; readonly millis: number }
  /** The recorder at a time in milliseconds since the epoch, and why it is not running. */
  | (Account & { readonly at: number; readonly status: string; readonly why: string })
  /** A record that cannot be stored, and why. */
  | { readonly record: HttpAudit.NewRow; readonly why: string; readonly at: number }

/** The watch of the page, over server-sent events. */
export class Live extends Context.Tag("Live")<Live, WatchSse.WatchSse<Moment>>() {}

type Trail = Storage.TableStorage<typeof HttpAudit.columns>

// Keys are reused in turn, so that the state of the log holds the last moments of each kind. A new page begins there.
const inTurn = (name: string, kept: number) => {
  let next = 0
  return (moment: Moment) => ChangeLog.put(`${name}/${next++ % kept}`, moment)
}

/** A log of the last moments. Its keys bound its state, and the default limits bound its history. */
export const makeLog = ChangeLog.make<Moment>({ state: "latest" })

/** The same storage, which publishes its records to the log after they are saved, and what their actors have done. */
export const publishing = (log: ChangeLog.ChangeLog<Moment>, count: Count, storage: Trail): Trail => {
  const batch = inTurn("batches", 120)
  const record = inTurn("records", 50)
  const { prepare } = storage
  const published = <A, E>(
    rows: ReadonlyArray<HttpAudit.NewRow>,
    save: Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.flatMap(Effect.timed(save), ([took, saved]) =>
      count(rows).pipe(
        Effect.andThen((activities) =>
          log.append([
            batch({ size: rows.length, millis: Duration.toMillis(took) }),
            ...rows.map(record),
            ...activities.map((activity) => ChangeLog.put(`activity/${activity.actor}`, activity))
          ])
        ),
        // The records are stored all the same.
        Effect.catchAll((error) => Effect.logWarning(`the page misses a save: ${error.message}`)),
        Effect.as(saved)
      )
    )
  return {
    ...storage,
    save: (rows) => published(rows, storage.save(rows)),
    ...(prepare === undefined ? {} : { prepare: (rows) => published(rows, prepare(rows)) })
  }
}

/** Takes the records that cannot be stored: it shows them, with the reason. */
export const showing = (log: ChangeLog.ChangeLog<Moment>) => {
  const aside = inTurn("aside", 20)
  return ({ at, cause, record }: Recorder.SetAside<HttpAudit.NewRow>) =>
    log.append([aside({ at, record, why: cause.message })])
}

const accountOf = (stats: Recorder.Stats): Account => {
  const { accepted, dropped, duplicates, handedBack, pending, retries, setAside, stored } = stats
  return { accepted, stored, setAside, dropped, handedBack, pending, duplicates, retries }
}

/** Samples the recorder ten times a second, and publishes what has changed. */
export const sampling = (log: ChangeLog.ChangeLog<Moment>, audit: HttpAudit.AuditRecorder) =>
  Effect.gen(function* () {
    const queue = inTurn("queue", 600)
    let before = ""
    const sample = Effect.gen(function* () {
      const account = accountOf(audit.unsafeStats())
      const status = yield* audit.status
      const why = Option.match(status.cause, {
        onNone: () => "",
        onSome: (cause) => (cause instanceof Error ? cause.message : String(cause))
      })
      const now = { ...account, status: status._tag, why }
      if (JSON.stringify(now) === before) return
      before = JSON.stringify(now)
      yield* log.append([queue({ at: yield* Clock.currentTimeMillis, ...now })])
    })
    yield* Effect.forkScoped(Effect.repeat(sample, Schedule.spaced("100 millis")))
  })

// The page holds its script and its style, and connects to this server alone.
const policy =
  "default-src 'none'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'"

/** The page, and the events that it shows. */
export const routes = Effect.gen(function* () {
  const files = yield* FileSystem.FileSystem
  const html = yield* files.readFileString(fileURLToPath(new URL("live.html", import.meta.url)))
  const page = HttpServerResponse.setHeader(HttpServerResponse.html(html), "content-security-policy", policy)
  const events = Effect.flatMap(Live, (live) => live.serve(ChangeLog.prefix(""), { snapshot: "first" }))
  return HttpRouter.empty.pipe(
    HttpRouter.get("/", HttpServerResponse.redirect("/live")),
    HttpRouter.get("/live", page),
    HttpRouter.get("/live/events", events)
  )
})
