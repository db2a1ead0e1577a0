/** The moves that the laws are made of: each is bounded in time, and fails with what was seen. */
import { Cause, Duration, Effect, Exit, Fiber, FiberId, Schedule, Scope } from "effect"
import { compileNormalise } from "../../../internal/columns/checkRow.js"
import { type Saved, type Storage, StorageError } from "../../../Storage.js"
import { difference, differingColumn, disorder, sameData } from "../sameData.js"
import type { Place, Subject, Trial } from "./subject.js"

/** A handle on a place, with its storage. */
export interface Handle<in out Record, in Query> {
  readonly storage: Storage<Record, Query, ReadonlyArray<Record>>
  /** A save that has to succeed. What is away for a moment is tried again, as a recorder would. */
  readonly save: (batch: ReadonlyArray<Record>) => Effect.Effect<Saved | void, string>
  /** A save with any end. */
  readonly attempt: (batch: ReadonlyArray<Record>) => Effect.Effect<Exit.Exit<Saved | void, unknown>, string>
  /** A load with any end. */
  readonly ask: (query: Query) => Effect.Effect<Exit.Exit<ReadonlyArray<Record>, unknown>, string>
  /** All records. */
  readonly load: Effect.Effect<ReadonlyArray<Record>, string>
}

/** A place of one's own. */
export interface Location<in out Record, in Query> {
  readonly peek: Effect.Effect<ReadonlyArray<string>, string>
  readonly open: Effect.Effect<Handle<Record, Query>, string, Scope.Scope>
  /** What another reader sees in the very moment in which a save succeeds. */
  readonly peekAfter: (save: Effect.Effect<unknown, unknown>) => Effect.Effect<ReadonlyArray<string>, string>
}

/** A place, and the first handle on it. */
export interface Fixture<in out Record, in Query> extends Handle<Record, Query>, Location<Record, Query> {}

/** What an error says of itself. */
export const describeError = (error: unknown): string =>
  error instanceof StorageError
    ? `${error.kind}, ${error.outcome}: ${error.message}`
    : error instanceof Error
      ? error.message
      : String(error)

export const failedWith = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? "success" : describeError(Cause.squash(exit.cause))

/** Whether a call failed with a StorageError of kind Poison. */
export const isPoison = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof StorageError && error.kind === "Poison"
}

/** A part of the subject that a law needs: a law is not checked where it is left out. */
export const given = <Record, Query, K extends keyof Subject<Record, Query>>(
  { subject }: Trial<Record, Query>,
  key: K
): NonNullable<Subject<Record, Query>[K]> => {
  const part = subject[key]
  if (part === undefined || part === null) throw new Error(`the subject gives no ${key}`)
  return part
}

/** A law under way, as far as the time goes that its calls may take. */
export interface Limited {
  readonly limit: Duration.Duration
}

/** How a call ends, within the limit: one that hangs is left behind, even when it ignores its interruption. */
export const exitOf = <A>(
  { limit }: Limited,
  what: string,
  call: Effect.Effect<A, unknown>
): Effect.Effect<Exit.Exit<A, unknown>, string> =>
  Effect.disconnect(Effect.exit(call)).pipe(
    Effect.timeoutFail({
      duration: limit,
      onTimeout: () => `${what} did not end within ${Duration.format(limit)}`
    })
  )

/** A call that has to succeed. */
export const succeeds = <A>(
  trial: Limited,
  what: string,
  call: Effect.Effect<A, unknown>
): Effect.Effect<A, string> =>
  Effect.flatMap(exitOf(trial, what, call), (exit) =>
    Exit.isSuccess(exit) ? Effect.succeed(exit.value) : Effect.fail(`${what} ended with ${failedWith(exit)}`)
  )

const isAway = (error: unknown): boolean => error instanceof StorageError && error.kind === "Transient"

const handleOf = <Record, Query>(
  trial: Trial<Record, Query>,
  storage: Storage<Record, Query, ReadonlyArray<Record>>
): Handle<Record, Query> => ({
  storage,
  save: (batch) =>
    succeeds(
      trial,
      `saving ${batch.length} records`,
      Effect.suspend(() => storage.save(batch.slice())).pipe(
        Effect.retry({ while: isAway, schedule: Schedule.spaced("5 millis") })
      )
    ),
  attempt: (batch) =>
    exitOf(
      trial,
      `saving ${batch.length} records`,
      Effect.suspend(() => storage.save(batch.slice()))
    ),
  ask: (query) =>
    exitOf(
      trial,
      "a load",
      Effect.suspend(() => storage.load(query))
    ),
  load: succeeds(
    trial,
    "loading all records",
    Effect.suspend(() => storage.load(trial.subject.all))
  )
})

/** Opens a handle on a place. */
const openOn = <Record, Query>(
  trial: Trial<Record, Query>,
  { open }: Place<Record, Query>
): Effect.Effect<Handle<Record, Query>, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(succeeds(trial, "opening the storage", Scope.extend(open, scope)), (storage) =>
      handleOf(trial, storage)
    )
  )

/** A place of one's own, without a handle on it. */
export const newLocation = <Record, Query>(
  trial: Trial<Record, Query>
): Effect.Effect<Location<Record, Query>, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(succeeds(trial, "making a place", Scope.extend(trial.subject.place, scope)), (place) => {
      // A subject in memory may give an array that grows.
      const peek = Effect.map(place.peek, (ids) => ids.slice())
      return {
        open: openOn(trial, place),
        peek: succeeds(trial, "peeking at the ids", peek),
        peekAfter: (save) => succeeds(trial, "saving and peeking", Effect.zipRight(save, peek))
      }
    })
  )

/** A place of one's own, with one handle on it. */
export const makeFixture = <Record, Query>(
  trial: Trial<Record, Query>
): Effect.Effect<Fixture<Record, Query>, string, Scope.Scope> =>
  Effect.flatMap(newLocation(trial), (location) =>
    Effect.map(location.open, (handle) => ({ ...handle, ...location }))
  )

/** The records from one number up to, and without, another. */
export const records = <Record, Query>(
  { subject }: Trial<Record, Query>,
  from: number,
  to: number
): ReadonlyArray<Record> => Array.from({ length: to - from }, (_, i) => subject.record(from + i))

/** The records of these numbers. */
export const numbered = <Record, Query>(
  { subject }: Trial<Record, Query>,
  ...numbers: ReadonlyArray<number>
): ReadonlyArray<Record> => numbers.map((i) => subject.record(i))

export const idsOf = <Record, Query>(
  { subject }: Trial<Record, Query>,
  batch: ReadonlyArray<Record>
): ReadonlyArray<string> => batch.map((record) => subject.idOf(record))

/** Fails with what was seen, unless it is nothing. */
export const unless = (seen: string | undefined): Effect.Effect<void, string> =>
  seen === undefined ? Effect.void : Effect.fail(seen)

/** Fails with what was seen, unless the condition holds. */
export const ensure = (holds: boolean, seen: string): Effect.Effect<void, string> =>
  holds ? Effect.void : Effect.fail(seen)

/** Another reader sees exactly these records, once each. */
export const holds = <Record, Query>(
  trial: Trial<Record, Query>,
  { peek }: Pick<Location<Record, Query>, "peek">,
  expected: ReadonlyArray<Record>,
  when: string
): Effect.Effect<void, string> =>
  Effect.flatMap(peek, (seen) => {
    const differs = difference(seen, idsOf(trial, expected))
    return unless(differs && `${when}, another reader sees ${differs}`)
  })

/** Another reader sees exactly these records, in this order. */
export const holdsInOrder = <Record, Query>(
  trial: Trial<Record, Query>,
  fixture: Pick<Location<Record, Query>, "peek">,
  expected: ReadonlyArray<Record>,
  when: string
): Effect.Effect<void, string> =>
  Effect.zipRight(
    holds(trial, fixture, expected, when),
    Effect.flatMap(fixture.peek, (seen) => {
      const differs = disorder(seen, idsOf(trial, expected))
      return unless(differs && `${when}, ${differs}`)
    })
  )

/** What a storage must read back for a record. */
export const readBack = <Record, Query>({ subject: { table } }: Trial<Record, Query>) => {
  if (table === undefined) return (record: Record): unknown => record
  const normalise = compileNormalise(table.columns)
  // With a table the records are its rows, by the subject's own word.
  return (record: Record): unknown => normalise(record as object)
}

/** The records read back with the data that they were saved with. */
export const sameRecords = <Record, Query>(
  trial: Trial<Record, Query>,
  loaded: ReadonlyArray<Record>,
  saved: ReadonlyArray<Record>
): Effect.Effect<void, string> => {
  const { idOf } = trial.subject
  const found = new Map(loaded.map((record) => [idOf(record), record]))
  const expected = readBack(trial)
  for (const record of saved) {
    const back = found.get(idOf(record))
    const wanted = expected(record)
    if (sameData(back, wanted)) continue
    const at = typeof back === "object" && typeof wanted === "object" && back && wanted
    const where = at ? ` in ${differingColumn(back, wanted as object)}` : ""
    return Effect.fail(`the record ${idOf(record)} reads back different${where}`)
  }
  return Effect.void
}

/** Exactly these records are loaded, once each, with their data. */
export const loads = <Record, Query>(
  trial: Trial<Record, Query>,
  { load }: Handle<Record, Query>,
  expected: ReadonlyArray<Record>,
  when: string
): Effect.Effect<void, string> =>
  Effect.flatMap(load, (loaded) => {
    const differs = difference(idsOf(trial, loaded), idsOf(trial, expected))
    return differs === undefined
      ? sameRecords(trial, loaded, expected)
      : Effect.fail(`${when}, a load shows ${differs}`)
  })

/** The failure of a save that must not succeed. */
export const refused = <Record, Query>(
  { attempt }: Handle<Record, Query>,
  batch: ReadonlyArray<Record>,
  what: string
): Effect.Effect<unknown, string> =>
  Effect.flatMap(attempt(batch), (exit) =>
    Exit.isSuccess(exit) ? Effect.fail(`saving ${what} succeeded`) : Effect.succeed(Cause.squash(exit.cause))
  )

/** The moments at which a call is interrupted: after so many turns of the scheduler. */
export const moments: ReadonlyArray<number> = [0, 1, 2, 3, 4, 5, 8, 13, 21, 34]

/** Starts a call, interrupts it after so many turns, and waits for its end. */
export const interruptedAfter = (
  trial: Limited,
  turns: number,
  what: string,
  call: Effect.Effect<unknown, unknown>
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkDaemon(Effect.interruptible(call))
    for (let turn = 0; turn < turns; turn++) yield* Effect.yieldNow()
    yield* Fiber.interruptAsFork(fiber, FiberId.none)
    yield* exitOf(trial, `interrupting ${what}`, Fiber.await(fiber))
  })
