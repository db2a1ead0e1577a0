/** Storages written as data: what each call of them does is said by the test, and all that happened is kept. */
import { Clock, Deferred, Effect, Queue } from "effect"
import { type Saved, type Storage, StorageError } from "../../../src/Storage.js"

/** One call of `save`. */
export interface SaveCall<Record> {
  /** Counted from 1. */
  readonly nth: number
  /** A copy: what the storage does to its array does not show here. */
  readonly batch: ReadonlyArray<Record>
  /** Milliseconds of the test's clock. */
  readonly at: number
  /** Holds the batch, without what is held already. */
  readonly commit: Effect.Effect<Saved>
  /** Holds this many of the batch's records. */
  readonly commitFirst: (count: number) => Effect.Effect<Saved>
}

export type Matching<Record> = ((record: Record) => boolean) | undefined

export interface Backend<Record> {
  readonly storage: Storage<Record, Matching<Record>, ReadonlyArray<Record>>
  readonly saves: ReadonlyArray<SaveCall<Record>>
  /** How many calls of `load` have begun. */
  readonly loads: () => number
  /** What it holds, in order. */
  readonly held: ReadonlyArray<Record>
  /** Calls that began while another one was running. */
  readonly overlaps: () => number
  /** The batches of `saves`. */
  readonly batches: () => ReadonlyArray<ReadonlyArray<Record>>
}

export interface Behavior<Record> {
  /** Default: commits. */
  readonly save?: (call: SaveCall<Record>) => Effect.Effect<Saved | void, unknown>
  /** Default: answers with what is held. */
  readonly load?: (found: ReadonlyArray<Record>) => Effect.Effect<ReadonlyArray<Record>, unknown>
  readonly maxBatch?: number
}

export const backend = <Record>(behavior: Behavior<Record> = {}): Backend<Record> => {
  const saves: Array<SaveCall<Record>> = []
  const held: Array<Record> = []
  const known = new Set<Record>()
  let loads = 0
  let running = 0
  let overlaps = 0
  const alone = <A, E>(call: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      if (running++ > 0) overlaps++
      return call
    }).pipe(Effect.ensuring(Effect.sync(() => running--)))
  const hold = (batch: ReadonlyArray<Record>): Saved => {
    let duplicates = 0
    for (const record of batch) {
      if (known.has(record)) duplicates++
      else {
        known.add(record)
        held.push(record)
      }
    }
    return { duplicates }
  }
  return {
    saves,
    held,
    loads: () => loads,
    overlaps: () => overlaps,
    batches: () => saves.map(({ batch }) => batch),
    storage: {
      ...(behavior.maxBatch === undefined ? {} : { maxBatch: behavior.maxBatch }),
      save: (batch) =>
        alone(
          Effect.flatMap(Clock.currentTimeMillis, (at) => {
            const copy = batch.slice()
            const call: SaveCall<Record> = {
              nth: saves.length + 1,
              batch: copy,
              at,
              commit: Effect.sync(() => hold(copy)),
              commitFirst: (count) => Effect.sync(() => hold(copy.slice(0, count)))
            }
            saves.push(call)
            return behavior.save === undefined ? call.commit : behavior.save(call)
          })
        ),
      load: (query) =>
        alone(
          Effect.suspend(() => {
            loads++
            const found = query === undefined ? held.slice() : held.filter(query)
            return behavior.load === undefined ? Effect.succeed(found) : behavior.load(found)
          })
        )
    }
  }
}

/** A call of `save` that waits for the test to say how it goes. */
export interface OpenCall<Record> extends SaveCall<Record> {
  /** Commits, and says so. */
  readonly succeed: Effect.Effect<void>
  readonly fail: (error: unknown) => Effect.Effect<void>
  /** Goes on with this effect. */
  readonly answer: (effect: Effect.Effect<Saved | void, unknown>) => Effect.Effect<void>
}

export interface SteppedBackend<Record> extends Backend<Record> {
  /** The next call of `save`, as soon as it has begun. */
  readonly next: Effect.Effect<OpenCall<Record>>
}

/** A backend whose saves each wait for the test. */
export const stepped = <Record>(
  behavior: Omit<Behavior<Record>, "save"> = {}
): Effect.Effect<SteppedBackend<Record>> =>
  Effect.map(Queue.unbounded<OpenCall<Record>>(), (calls) => ({
    ...backend<Record>({
      ...behavior,
      save: (call) =>
        Effect.gen(function* () {
          const reply = yield* Deferred.make<Effect.Effect<Saved | void, unknown>>()
          const answer = (effect: Effect.Effect<Saved | void, unknown>) =>
            Effect.asVoid(Deferred.succeed(reply, effect))
          const open: OpenCall<Record> = {
            ...call,
            answer,
            succeed: answer(call.commit),
            fail: (error) => answer(Effect.fail(error))
          }
          yield* Queue.offer(calls, open)
          return yield* Effect.flatten(Deferred.await(reply))
        })
    }),
    next: Queue.take(calls)
  }))

type Told = Partial<Pick<StorageError, "outcome" | "message" | "stored" | "bad" | "cause">>

const error =
  (kind: StorageError["kind"], message: string) =>
  (told: Told = {}): StorageError =>
    new StorageError({ kind, outcome: "NotStored", message, ...told })

export const transient = error("Transient", "the backend is away")
export const poison = error("Poison", "the backend refuses a record")
export const fatal = error("Fatal", "the backend has no such table")

/** Refuses a batch that holds a bad record, and stores none of it. */
export const refusing =
  <Record>(isBad: (record: Record) => boolean, failure: unknown = poison()) =>
  (call: SaveCall<Record>): Effect.Effect<Saved, unknown> =>
    call.batch.some(isBad) ? Effect.fail(failure) : call.commit

/** Fails the first calls with these errors, then commits. */
export const failingFirst =
  <Record>(...failures: ReadonlyArray<unknown>) =>
  (call: SaveCall<Record>): Effect.Effect<Saved, unknown> =>
    call.nth <= failures.length ? Effect.fail(failures[call.nth - 1]) : call.commit
