/**
 * A process that writes to a change log on Postgres, and follows it by its doorbell, in changeLog.test.ts. It says
 * `wrote` after each commit and `saw` for each revision.
 */
import { Effect, Schedule } from "effect"
import { put } from "../../src/ChangeLog.js"
import * as PgChangeLog from "../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../src/sql/PgDoorbell.js"
import { report } from "../support/processes/report.js"
import { following } from "../support/watch/following.js"

export interface LogSetting {
  readonly url: string
  readonly name: string
  readonly commits: number
  /** Milliseconds between two commits. */
  readonly pause: number
  /** It begins to write when it has seen so many revisions, and ends when it has seen so many. */
  readonly waits: number
  readonly follows: number
}

const { commits, follows, name, pause, url, waits } = JSON.parse(process.argv[2] ?? "{}") as LogSetting

const reported = (line: string) => Effect.sync(() => report(line))

/** The server may be away: the same entry again, until it is there. */
const again = Schedule.spaced("20 millis")

const main = Effect.gen(function* () {
  const doorbell = yield* PgDoorbell.make({ url })
  const log = yield* Effect.retry(
    PgChangeLog.make({ url, table: "log", doorbell, connectTimeout: "500 millis" }),
    again
  )
  const reader = yield* following(log)
  yield* reported("ready")
  if (waits > 0) yield* reader.until(waits)
  for (let n = 1; n <= commits; n++) {
    const entries = [0, 1].map((part) => ({
      id: `${name}/${n}/${part}`,
      changes: [put(`/${name}/${n}/${part}`, n)]
    }))
    yield* Effect.retry(log.commit(entries), again)
    yield* reported(`wrote ${n}`)
    yield* Effect.sleep(pause)
  }
  if (follows > 0) {
    yield* reader.until(follows)
    for (const { events, revision } of reader.seen)
      yield* reported(`saw ${revision.seq} ${revision.tag} ${events[0]?.key}`)
  }
  yield* reported("done")
})

Effect.runPromise(Effect.scoped(main)).then(
  () => process.exit(0),
  (error) => {
    report(`failed ${String(error)}`)
    process.exit(1)
  }
)
