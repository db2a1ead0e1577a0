/** The follows that callers make: of one row, or of the rows of a query. */
import { Deferred, Effect, Stream } from "effect"
import * as Cells from "../cache/cells.js"
import type { InvalidQuery } from "../columns/query.js"
import type { AnyDefinition } from "../columns/writes.js"
import { monotonicMillis } from "../time.js"
import type { Answer } from "./answers.js"
import type { Key, QueryAnswer, RowAnswer } from "./coherence.js"
import type { Asked } from "./core.js"
import type { ReadFailed } from "./errors.js"
import * as Follows from "./following.js"
import { whenUp } from "./readCalls.js"
import { readMaster, type Slot } from "./reading.js"
import { type FollowOptions, type FollowSettings, resolveFollow } from "./readOptions.js"
import type { Runtime } from "./runtime.js"
import {
  type Cached,
  querySlot,
  type Reads,
  readSlot,
  rowSlot,
  textOfQueryAnswer,
  textOfRowAnswer,
  type View,
  valid
} from "./slots.js"
import * as Staging from "./staging.js"

/** How a slot is followed. */
const sourceOf = <D extends AnyDefinition, A extends Answer<unknown>>(
  { clock }: Runtime<D>,
  reads: Reads<D>,
  slot: Slot<A, Cached>,
  how: {
    readonly textOf: (answer: A) => string
    /** Shows staged writes, which are not in the cell. */
    readonly view: View<A> | undefined
  }
): Follows.Source<A> => {
  const { cells } = reads.core.c
  const polled = readMaster(reads.reading, slot)
  return {
    key: slot.key,
    peek: () => {
      const cell = how.view === undefined ? slot.cell() : undefined
      if (cell?.value === undefined || Cells.stateOf(cells, cell) !== "Current") return undefined
      return monotonicMillis(clock) < cell.freshUntil ? slot.answer(cell.value) : undefined
    },
    read: readSlot(reads, slot, undefined, how.view),
    poll: how.view === undefined ? polled : how.view(polled, "master"),
    textOf: how.textOf,
    pin: () => {
      const cell = Cells.pin(cells, slot.key)
      return () => Cells.unpin(cells, cell)
    }
  }
}

const followSource = <D extends AnyDefinition, A extends Answer<unknown>>(
  runtime: Runtime<D>,
  source: Follows.Source<A>
): Stream.Stream<A, ReadFailed> => Follows.follow(runtime.follows, source, Deferred.await(runtime.ended))

const followRow = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  reads: Reads<D>,
  key: Key,
  { pending, tags }: FollowSettings
): Stream.Stream<RowAnswer, ReadFailed> =>
  followSource(
    runtime,
    sourceOf(runtime, reads, rowSlot(reads, key, tags), {
      textOf: textOfRowAnswer(reads.core),
      view: pending === "include" ? Staging.withRow(reads.core, key) : undefined
    })
  )

const followQuery = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  reads: Reads<D>,
  asked: Asked,
  { pending, tags }: FollowSettings
): Stream.Stream<QueryAnswer, ReadFailed> =>
  followSource(
    runtime,
    sourceOf(runtime, reads, querySlot(reads, asked, tags), {
      textOf: textOfQueryAnswer(reads.core),
      view: pending === "include" ? Staging.withQuery(reads.core, asked) : undefined
    })
  )

/** Follows a row, where `what` is an id, or the rows of a query. */
export const follow = <D extends AnyDefinition>(
  runtime: Runtime<D>,
  what: unknown,
  options: FollowOptions = {}
): Stream.Stream<RowAnswer | QueryAnswer, ReadFailed | InvalidQuery> =>
  Stream.unwrap(
    Effect.flatMap(resolveFollow(options), (settings) =>
      whenUp(
        runtime,
        (reads): Effect.Effect<Stream.Stream<RowAnswer | QueryAnswer, ReadFailed>, InvalidQuery> =>
          typeof what === "object" && what !== null
            ? Effect.map(valid(reads.core.listOf(what)), (asked) =>
                followQuery(runtime, reads, asked, settings)
              )
            : Effect.map(valid(reads.core.keyOf(what)), (key) => followRow(runtime, reads, key, settings))
      )
    )
  )
