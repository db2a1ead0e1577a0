/** The moves that the laws of storages are made of: each is bounded in time, and fails with what was seen. */
import { Cause, Effect, Exit, Schedule, Scope } from "effect"
import { compileNormalise } from "../../../internal/columns/checkRow.js"
import { type Saved, type Storage, StorageError } from "../../../Storage.js"
import { exitOf, succeeds, unless } from "../calls.js"
import { difference, differingColumn, disorder, sameData } from "../sameData.js"
import type { Place, StorageTrial, Subject } from "./subject.js"

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

/** Whether a call failed with a StorageError of kind Poison. */
export const isPoison = (exit: Exit.Exit<unknown, unknown>): boolean => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof StorageError && error.kind === "Poison"
}

/** A part of the subject that a law needs: a law is not checked where it is left out. */
export const given = <Record, Query, K extends keyof Subject<Record, Query>>(
  { subject }: StorageTrial<Record, Query>,
  key: K
): NonNullable<Subject<Record, Query>[K]> => {
  const part = subject[key]
  if (part === undefined || part === null) throw new Error(`the subject gives no ${key}`)
  return part
}

const isAway = (error: unknown): boolean => error instanceof StorageError && error.kind === "Transient"

const handleOf = <Record, Query>(
  trial: StorageTrial<Record, Query>,
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
  trial: StorageTrial<Record, Query>,
  { open }: Place<Record, Query>
): Effect.Effect<Handle<Record, Query>, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.map(succeeds(trial, "opening the storage", Scope.extend(open, scope)), (storage) =>
      handleOf(trial, storage)
    )
  )

/** A place of one's own, without a handle on it. */
export const newLocation = <Record, Query>(
  trial: StorageTrial<Record, Query>
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
  trial: StorageTrial<Record, Query>
): Effect.Effect<Fixture<Record, Query>, string, Scope.Scope> =>
  Effect.flatMap(newLocation(trial), (location) =>
    Effect.map(location.open, (handle) => ({ ...handle, ...location }))
  )

/** The records from one number up to, and without, another. */
export const records = <Record, Query>(
  { subject }: StorageTrial<Record, Query>,
  from: number,
  to: number
): ReadonlyArray<Record> => Array.from({ length: to - from }, (_, i) => subject.record(from + i))

/** The records of these numbers. */
export const numbered = <Record, Query>(
  { subject }: StorageTrial<Record, Query>,
  ...numbers: ReadonlyArray<number>
): ReadonlyArray<Record> => numbers.map((i) => subject.record(i))

export const idsOf = <Record, Query>(
  { subject }: StorageTrial<Record, Query>,
  batch: ReadonlyArray<Record>
): ReadonlyArray<string> => batch.map((record) => subject.idOf(record))

/** Another reader sees exactly these records, once each. */
export const holds = <Record, Query>(
  trial: StorageTrial<Record, Query>,
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
  trial: StorageTrial<Record, Query>,
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
export const readBack = <Record, Query>({ subject: { table } }: StorageTrial<Record, Query>) => {
  if (table === undefined) return (record: Record): unknown => record
  const normalise = compileNormalise(table.columns)
  // With a table the records are its rows, by the subject's own word.
  return (record: Record): unknown => normalise(record as object)
}

/** The records read back with the data that they were saved with. */
export const sameRecords = <Record, Query>(
  trial: StorageTrial<Record, Query>,
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
  trial: StorageTrial<Record, Query>,
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
