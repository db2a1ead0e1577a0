/** The saving side of a recorder: how records are offered, and how their outcome is awaited. */
import { Context, Effect, Option, Predicate, Tracer } from "effect"
import type { Actor, Control, Placed } from "../../Actor.js"
import { droppedError, type NotStored, refusedError } from "./errors.js"
import type { Receipts } from "./receipts.js"
import * as Spans from "./spans.js"

/** What takes records: the saving side of a recorder. */
export interface Saver<in Record> {
  /**
   * Accepts a record, or refuses it (`false`), at once. For plain handlers: it is synchronous, waits for nothing and
   * never throws. The record is kept by reference and must not be changed afterwards.
   */
  readonly unsafeSave: (record: Record) => boolean
  /** Accepts a record; waits only under the overflow policy `suspend`. `false`: refused. */
  readonly save: (record: Record) => Effect.Effect<boolean>
  /**
   * Accepts all of the records in order, or none of them. They may be stored in several batches. What cannot be iterated
   * is refused, and counts as one record.
   */
  readonly saveAll: (records: Iterable<Record>) => Effect.Effect<boolean>
  /**
   * Completes after the commit that holds the record. Savers that wait together share a commit. Interrupting the
   * wait does not withdraw the record. For a save that a request depends on, add a time-out of your own
   * (`Effect.timeout`): after it the outcome is unknown, so reuse the record's id when you try again.
   *
   * Do not await it in a transaction of the pool that the storage uses: if transactions hold all of its connections, the
   * save waits for one of theirs, for ever.
   */
  readonly saveDurable: (record: Record) => Effect.Effect<void, NotStored>
  /** Counts records as refused that could not even be made; always `false`. */
  readonly unsafeRefuse: (count: number) => false
}

/**
 * A saver of other records: `f` makes the stored record. When `f` throws, the record is refused and counted as such.
 * Share it freely; it has no life of its own.
 */
export const mapInput = <A, B>(saver: Saver<B>, f: (record: A) => B): Saver<A> => {
  const attempt = Option.liftThrowable(f)
  const through = <X>(record: A, use: (made: B) => X, refused: () => X): X => {
    const made = attempt(record)
    if (Option.isSome(made)) return use(made.value)
    saver.unsafeRefuse(1)
    return refused()
  }
  return {
    unsafeRefuse: saver.unsafeRefuse,
    unsafeSave: (record) => through(record, saver.unsafeSave, () => false),
    save: (record) => Effect.suspend(() => through(record, saver.save, () => Effect.succeed(false))),
    saveDurable: (record) =>
      Effect.suspend(() => through(record, saver.saveDurable, () => Effect.fail(refusedError))),
    saveAll: (records) =>
      Effect.suspend(() => {
        if (!Predicate.isIterable(records)) return saver.saveAll(records)
        const all = Array.from(records)
        const made = Option.all(all.map(attempt))
        return Option.isSome(made)
          ? saver.saveAll(made.value)
          : Effect.sync(() => saver.unsafeRefuse(all.length))
      })
  }
}

type Answer = (placed: Placed | undefined) => void

/** The part of an actor that takes records. */
type Taker<Record> = Pick<Actor<never, Record>, "unsafeOffer" | "offer" | "unsafeOfferAll"> & {
  readonly control: Pick<Control<Record>, "refuse" | "hurry" | "nextPosition">
}

const isTaken = Effect.succeed(true)
const isRefused = Effect.succeed(false)

/** Accepts a record at once, and notes the span of its caller where there is one and the record is queued. */
const noting =
  <Record>({ control, unsafeOffer }: Taker<Record>, spans: Spans.Spans) =>
  (record: Record): Effect.Effect<boolean> =>
    Effect.withFiberRuntime(({ currentSpan }) => {
      const position = control.nextPosition()
      const taken = unsafeOffer(record)
      if (currentSpan !== undefined && control.nextPosition() > position)
        Spans.noteCaller(spans, position, currentSpan)
      return taken ? isTaken : isRefused
    })

/**
 * The saver of an actor. A record's position, its caller's span and its receipt are noted in the same synchronous
 * piece that queues it: its outcome cannot be decided before its receipt waits for it. `waits`: a call may wait for room.
 */
export const makeSaver = <Record>(
  actor: Taker<Record>,
  receipts: Receipts,
  spans: Spans.Spans | undefined,
  waits: boolean
): Saver<Record> => {
  const offer = (context: Context.Context<never>, records: ReadonlyArray<Record>, answer: Answer) =>
    actor.unsafeOfferAll(records, (placed) => {
      if (spans !== undefined && placed !== undefined && placed.queued > 0) {
        const span = Context.getOption(context, Tracer.ParentSpan)
        if (Option.isSome(span)) Spans.noteCaller(spans, placed.position, span.value)
      }
      answer(placed)
    })

  const accepted = (records: ReadonlyArray<Record>): Effect.Effect<boolean> =>
    Effect.contextWithEffect((context: Context.Context<never>) =>
      Effect.async<boolean>((resume) => {
        const cancel = offer(context, records, (placed) => resume(Effect.succeed(placed !== undefined)))
        return Effect.sync(cancel)
      })
    )

  const durable = (record: Record): Effect.Effect<void, NotStored> =>
    Effect.contextWithEffect((context: Context.Context<never>) =>
      Effect.async<void, NotStored>((resume) => {
        let position: number | undefined
        const cancel = offer(context, [record], (placed) => {
          if (placed === undefined) return resume(refusedError)
          if (placed.queued === 0) return resume(droppedError)
          position = placed.position
          receipts.waiting.set(position, (failure) => resume(failure ?? Effect.void))
          actor.control.hurry()
        })
        return Effect.sync(() => {
          if (position === undefined) cancel()
          else receipts.waiting.delete(position)
        })
      })
    )

  return {
    unsafeSave: actor.unsafeOffer,
    unsafeRefuse: actor.control.refuse,
    save: spans === undefined ? actor.offer : waits ? (record) => accepted([record]) : noting(actor, spans),
    saveAll: (records) =>
      Effect.suspend(() =>
        Predicate.isIterable(records)
          ? accepted(Array.from(records))
          : Effect.sync(() => actor.control.refuse(1))
      ),
    saveDurable: durable
  }
}
