/** The end of the reads of a live table: loads under way are interrupted, and waited for like the writes are. */
import { Effect, Fiber } from "effect"
import * as Flights from "../cache/flights.js"
import type { AnyDefinition } from "../columns/writes.js"
import type { Core } from "./core.js"
import { type OtherReads, whenStopped } from "./otherReads.js"
import { closedError, endReads, type Life, type LiveActor, type Runtime } from "./runtime.js"

/** The least that an interrupted load has to stop, in milliseconds: as long as a step of the actor. */
const graceMillis = 50

/** Whether a read of the master has not stopped. */
export const isReading = <D extends AnyDefinition>(
  { queries, rows }: Core<D>,
  { running }: OtherReads
): boolean => rows.fibers.size + queries.fibers.size + running > 0

/**
 * Ends reads and follows, and interrupts the reads of the master under way. The actor waits for these after its last
 * write, at most for `closeDeadline`: its report has whether the master is busy.
 */
export const endAll = <D extends AnyDefinition>(
  life: Life<D>,
  waiting: Pick<Runtime<D>, "ended" | "otherReads" | "up">,
  actor: LiveActor<D>,
  closeDeadline: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const core = life.reads?.core
    endReads(life, waiting, closedError)
    const { otherReads } = waiting
    if (core === undefined || !isReading(core, otherReads)) return Effect.void
    const ends = Effect.all([Flights.end(core.rows), Flights.end(core.queries), whenStopped(otherReads)], {
      concurrency: "unbounded",
      discard: true
    })
    return Effect.flatMap(Effect.forkDaemon(ends), (ending) => {
      const stopped = Effect.timeoutOption(Fiber.await(ending), Math.max(closeDeadline, graceMillis))
      // An actor that has ended has its report already.
      const wait = Effect.ignore(actor.ask(() => stopped, { kind: "barrier" }))
      // The actor gets it before it is closed: by then the fiber has begun.
      return Effect.andThen(Effect.forkDaemon(wait), Effect.yieldNow())
    })
  })
