/** The laws of several handles on one place: at the same time, and one after the other. */
import { Effect, type Scope } from "effect"
import { interruptedAfter, moments } from "../calls.js"
import {
  type Handle,
  holds,
  holdsInOrder,
  type Location,
  loads,
  makeFixture,
  newLocation,
  numbered,
  records
} from "./fixture.js"
import { type Law, law, type StorageTrial } from "./subject.js"

const several = 4

/** Opening may take long: few moments of an interruption, each before another handle is opened. */
const interruptions = moments.filter((turns) => [0, 2, 5, 13].includes(turns))

/** Uses a handle that is closed afterwards. */
const inTurn = <Record, Query, A>(
  { open }: Location<Record, Query>,
  use: (handle: Handle<Record, Query>) => Effect.Effect<A, string, Scope.Scope>
): Effect.Effect<A, string> => Effect.scoped(Effect.flatMap(open, use))

const atOnce = <A>(each: (n: number) => Effect.Effect<A, string, Scope.Scope>) =>
  Effect.forEach(
    Array.from({ length: several }, (_, n) => n),
    each,
    { concurrency: "unbounded" }
  )

/** The records of one of several savers, in batches. */
const shareOf = <Record, Query>(trial: StorageTrial<Record, Query>, n: number) =>
  [0, 1, 2, 3].map((batch) => records(trial, n * 40 + batch * 10, n * 40 + batch * 10 + 10))

const concurrency: ReadonlyArray<Law> = [
  law(
    {
      id: "S44",
      name: "opening-at-once",
      group: "concurrency",
      statement: "Several handles open an empty place at the same time, and all work.",
      needs: ["handles together"],
      advice: "Create files, tables and indexes so that two starters do not meet (locks, IF NOT EXISTS)"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        const handles = yield* atOnce(() => location.open)
        for (const [n, handle] of handles.entries()) yield* handle.save(records(trial, n, n + 1))
        yield* holds(trial, location, records(trial, 0, several), "after one save by each of several handles")
      })
  ),
  law(
    {
      id: "S45",
      name: "opening-again",
      group: "concurrency",
      statement: "Opening another handle takes nothing away from the first one.",
      needs: ["handles together"],
      advice: "Open what is there: create only what is missing"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 3))
        yield* fixture.open
        yield* fixture.save(records(trial, 3, 5))
        yield* holds(trial, fixture, records(trial, 0, 5), "after another handle was opened")
      })
  ),
  law(
    {
      id: "S46",
      name: "handles-see-each-other",
      group: "concurrency",
      statement: "What one handle has acknowledged is loaded by another one.",
      needs: ["handles together"],
      advice: "Load from the place, not from what this handle remembers"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const other = yield* fixture.open
        yield* fixture.save(records(trial, 0, 3))
        yield* loads(trial, other, records(trial, 0, 3), "after a save by the other handle")
        yield* other.save(records(trial, 3, 4))
        yield* loads(trial, fixture, records(trial, 0, 4), "after a save by the other handle")
      })
  ),
  law(
    {
      id: "S47",
      name: "saving-at-once",
      group: "concurrency",
      statement: "Handles that save at the same time lose nothing of each other.",
      needs: ["handles together"],
      advice: "Do not read, change and write the whole place: append, or lock it meanwhile"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        const handles = yield* atOnce(() => location.open)
        yield* atOnce((n) =>
          Effect.forEach(shareOf(trial, n), (batch) => handles[n]?.save(batch) ?? Effect.void, {
            discard: true
          })
        )
        yield* holds(
          trial,
          location,
          records(trial, 0, several * 40),
          "after several savers at the same time"
        )
      })
  ),
  law(
    {
      id: "S48",
      name: "same-records-at-once",
      group: "concurrency",
      statement: "Handles that save the same records at the same time store each of them once.",
      needs: ["handles together", "duplicates ignored"],
      advice:
        "Let the backend's unique constraint find duplicates: looking first leaves a gap before the write"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        const handles = yield* atOnce(() => location.open)
        const batches = shareOf(trial, 0)
        for (const batch of batches) yield* atOnce((n) => handles[n]?.save(batch) ?? Effect.void)
        yield* holds(trial, location, batches.flat(), "after the same records by several savers")
      })
  ),
  law(
    {
      id: "S49",
      name: "known-to-all-handles",
      group: "concurrency",
      statement: "A record that one handle has stored is a duplicate for another one.",
      needs: ["handles together", "duplicates ignored"],
      advice: "Look for duplicates in the place, not in what this handle remembers"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const other = yield* fixture.open
        yield* fixture.save(records(trial, 0, 3))
        yield* other.save(records(trial, 1, 5))
        yield* holds(trial, fixture, records(trial, 0, 5), "after the same records by another handle")
      })
  )
]

const reopening: ReadonlyArray<Law> = [
  law(
    {
      id: "S50",
      name: "kept-after-reopening",
      group: "reopening",
      statement: "What was acknowledged is held and loaded, with its data, by a handle that is opened later.",
      needs: ["handles in turn"],
      advice: "Write to the place itself before a save succeeds, and open it without emptying it"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        yield* inTurn(location, (first) => first.save(records(trial, 0, 20)))
        yield* holds(trial, location, records(trial, 0, 20), "after the handle was closed")
        yield* inTurn(location, (second) => loads(trial, second, records(trial, 0, 20), "after reopening"))
      })
  ),
  law(
    {
      id: "S51",
      name: "adds-up-over-handles",
      group: "reopening",
      statement: "Each handle adds to what the earlier ones have stored, in order.",
      needs: ["handles in turn"],
      advice: "Go on behind what is there when a place is opened again"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        const rounds = [numbered(trial, 6, 7), numbered(trial, 2, 4), numbered(trial, 3, 0)]
        for (const batch of rounds) yield* inTurn(location, (handle) => handle.save(batch))
        yield* trial.subject.capabilities.peeks === "in order"
          ? holdsInOrder(trial, location, rounds.flat(), "after three handles in turn")
          : holds(trial, location, rounds.flat(), "after three handles in turn")
      })
  ),
  law(
    {
      id: "S52",
      name: "known-after-reopening",
      group: "reopening",
      statement: "A record that was stored before reopening is a duplicate after it.",
      needs: ["handles in turn", "duplicates ignored"],
      advice: "Keep the known ids with the records: a process that starts again gets its retries too"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        yield* inTurn(location, (first) => first.save(records(trial, 0, 5)))
        yield* inTurn(location, (second) => second.save(records(trial, 3, 8)))
        yield* holds(trial, location, records(trial, 0, 8), "after the same records by a later handle")
      })
  ),
  law(
    {
      id: "S53",
      name: "reopens-after-interruption",
      group: "reopening",
      statement: "After interrupted saves a new handle opens, loads and saves.",
      needs: ["handles in turn"],
      advice: "Skip or cut off a torn record at the end when a place is opened"
    },
    (trial) =>
      Effect.gen(function* () {
        const location = yield* newLocation(trial)
        yield* Effect.forEach(interruptions, (turns, at) =>
          inTurn(location, ({ storage }) =>
            interruptedAfter(
              trial,
              turns,
              "a save",
              Effect.suspend(() => storage.save(records(trial, at * 3, at * 3 + 3).slice()))
            )
          )
        )
        const last = records(trial, interruptions.length * 3, interruptions.length * 3 + 2)
        const before = yield* location.peek
        yield* inTurn(location, (handle) => Effect.zipRight(handle.load, handle.save(last)))
        const kept = records(trial, 0, interruptions.length * 3).filter((record) =>
          before.includes(trial.subject.idOf(record))
        )
        yield* holds(trial, location, [...kept, ...last], "after interrupted saves and a new handle")
      })
  )
]

export const lawsOfHandles: ReadonlyArray<Law> = [...concurrency, ...reopening]
