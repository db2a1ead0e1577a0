/** The writer of a history: a fiber of its own, which may have to wait for those who follow with `block`. */
import { Cause, Effect, Exit, Queue, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type * as Watch from "../../../src/Watch.js"
import type { Log } from "./place.js"
import type { Side, Step } from "./schedule.js"
import type { Write } from "./truth.js"
import type { Value } from "./validators.js"

export interface Writer {
  readonly write: (
    how: "publish" | "commit",
    side: Side,
    entries: ReadonlyArray<ReadonlyArray<Step>>
  ) => Effect.Effect<void>
  /** Writes one more key, again and again until it is told that it is stored, and gives its revision. */
  readonly mark: Effect.Effect<ChangeLog.Revision, ChangeLog.ChangeLogError>
  /** It has done everything. */
  readonly isIdle: () => boolean
  readonly defects: ReadonlyArray<string>
  readonly writes: ReadonlyArray<Write>
}

const mark = "~"

type Told = Effect.Effect<ReadonlyArray<ChangeLog.Revision>, ChangeLog.ChangeLogError>

/** Starts the writer. `publishing` is called when it begins to publish, and what it gives when it waits no longer. */
export const startWriter = (
  logs: readonly [Log, Log],
  watch: () => Watch.Watch<Value>,
  publishing: () => (revision: ChangeLog.Revision) => void
): Effect.Effect<Writer, never, Scope.Scope> =>
  Effect.gen(function* () {
    const jobs = yield* Queue.unbounded<Effect.Effect<unknown>>()
    const writes: Array<Write> = []
    const defects: Array<string> = []
    let open = 0
    let values = 0

    const changesOf = (steps: ReadonlyArray<Step>): ReadonlyArray<ChangeLog.Change<Value>> =>
      steps.map(({ key, to }) => (to === "put" ? ChangeLog.put(key, ++values) : ChangeLog.remove(key)))

    const noted = (entries: ReadonlyArray<ChangeLog.Entry<Value>>, call: Told): Told =>
      Effect.suspend(() => {
        // Until it is told anything.
        const write: Write = {
          entries: entries.map(({ changes, id }) => ({
            id,
            changes: changes.map((change) =>
              change._tag === "Put" ? [change.key, change.value] : [change.key]
            )
          })),
          told: "Unknown"
        }
        writes.push(write)
        return call.pipe(
          Effect.tap((revisions) => Effect.sync(() => (write.told = revisions))),
          Effect.tapError(({ outcome }) => Effect.sync(() => (write.told = outcome ?? "NotStored")))
        )
      })

    const commit = (side: Side, steps: ReadonlyArray<ReadonlyArray<Step>>): Told => {
      const entries = steps.map((one) => ({ changes: changesOf(one), id: `${++values}` }))
      return noted(
        entries,
        Effect.map(logs[side].commit(entries), ({ revisions }) => revisions).pipe(
          // No entry expects anything.
          Effect.catchTag("Conflict", Effect.die)
        )
      )
    }

    const publish = (steps: ReadonlyArray<Step>): Told => {
      const changes = changesOf(steps)
      const call = Effect.suspend(() => {
        const published = publishing()
        return Effect.map(watch().publish(changes), (revision) => {
          published(revision)
          return [revision]
        })
      })
      return noted([{ changes }], call)
    }

    const job = (call: Told) =>
      Effect.map(Effect.exit(call), (exit) => {
        open--
        if (Exit.isFailure(exit) && Cause.isDie(exit.cause)) defects.push(Cause.pretty(exit.cause))
      })
    yield* Effect.forkScoped(Effect.forever(Effect.flatten(Queue.take(jobs))))
    return {
      write: (how, side, entries) =>
        Effect.suspend(() => {
          open++
          return Queue.offer(jobs, job(how === "publish" ? publish(entries[0]!) : commit(side, entries)))
        }),
      mark: Effect.map(
        Effect.retry(
          Effect.suspend(() => commit(0, [[{ key: mark, to: "put" }]])),
          { times: 10 }
        ),
        (revisions) => revisions[0]!
      ),
      isIdle: () => open === 0,
      defects,
      writes
    }
  })
