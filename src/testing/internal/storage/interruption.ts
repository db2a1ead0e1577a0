/** The laws of calls that hang, or that their caller gives up. */
import { Effect } from "effect"
import { interruptedAfter, moments, pauseFor, unless } from "../calls.js"
import { difference } from "../sameData.js"
import type { Fixture } from "./fixture.js"
import { holds, holdsInOrder, idsOf, loads, makeFixture, records } from "./fixture.js"
import type { StorageTrial } from "./subject.js"
import { type Law, law } from "./subject.js"

const size = 6

/** The batch for each moment of interruption. */
const batches = <Record, Query>(trial: StorageTrial<Record, Query>): ReadonlyArray<ReadonlyArray<Record>> =>
  moments.map((_, at) => records(trial, at * size, (at + 1) * size))

/** Interrupts the save of each batch at another moment. */
const interruptEach = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  { storage }: Fixture<Record, Query>
) =>
  Effect.forEach(
    batches(trial),
    (batch, at) =>
      interruptedAfter(
        trial,
        moments[at] ?? 0,
        "a save",
        Effect.suspend(() => storage.save(batch.slice()))
      ),
    { discard: true }
  )

export const lawsOfInterruption: ReadonlyArray<Law> = [
  law(
    {
      id: "S38",
      name: "answers-in-time",
      group: "hangs",
      statement: "Each of many saves and loads in a row ends within the limit.",
      advice: "Look for a lock or a connection that a call keeps; `limit` is the longest that a call may take"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (let i = 0; i < 24; i++) {
          yield* fixture.attempt(records(trial, i, i + 1))
          yield* fixture.load
        }
      })
  ),
  law(
    {
      id: "S39",
      name: "interruption-ends",
      group: "hangs",
      statement: "A save that is interrupted ends within the limit.",
      advice: "Cancel the statement, or end its connection, when the save is interrupted"
    },
    (trial) => Effect.flatMap(makeFixture(trial), (fixture) => interruptEach(trial, fixture))
  ),
  law(
    {
      id: "S40",
      name: "nothing-after-interruption",
      group: "interruption",
      statement: "When an interrupted save has ended, nothing of it is committed later.",
      advice: "Await the end of the statement in the interruption: what commits later meets the retry"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const after = moments.length * size
        const pause = yield* pauseFor(fixture.save(records(trial, after, after + size)))
        yield* interruptEach(trial, fixture)
        const then = yield* fixture.peek
        const marker = records(trial, after + size, after + size + 1)
        yield* pause
        yield* fixture.save(marker)
        const differs = difference(yield* fixture.peek, [...then, ...idsOf(trial, marker)])
        yield* unless(differs && `after the end of the interrupted saves, another reader saw ${differs}`)
      })
  ),
  law(
    {
      id: "S41",
      name: "retry-after-interruption",
      group: "interruption",
      statement: "An interrupted save that is sent again ends with every record held once.",
      needs: ["duplicates ignored"],
      advice: "Note an id as known together with its record, in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* interruptEach(trial, fixture)
        for (const batch of batches(trial)) yield* fixture.save(batch)
        yield* holds(trial, fixture, batches(trial).flat(), "after interrupted saves that came again")
        yield* loads(trial, fixture, batches(trial).flat(), "after interrupted saves that came again")
      })
  ),
  law(
    {
      id: "S42",
      name: "order-after-interruption",
      group: "interruption",
      statement: "An interrupted save that is sent again before the next one leaves the order as it is.",
      needs: ["duplicates ignored", "peeks in order"],
      advice: "Commit a batch at once, or from its start on: a part of its end would be before the rest"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (const [at, batch] of batches(trial).entries()) {
          const save = Effect.suspend(() => fixture.storage.save(batch.slice()))
          yield* interruptedAfter(trial, moments[at] ?? 0, "a save", save)
          yield* fixture.save(batch)
        }
        yield* holdsInOrder(trial, fixture, batches(trial).flat(), "after interrupted saves that came again")
      })
  ),
  law(
    {
      id: "S43",
      name: "free-after-interruption",
      group: "interruption",
      statement: "After an interrupted load, saves and loads go on.",
      advice: "Give locks and connections back when a call is interrupted (Effect.acquireUseRelease)"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(records(trial, 0, 3))
        for (const turns of moments) {
          const load = Effect.suspend(() => fixture.storage.load(trial.subject.all))
          yield* interruptedAfter(trial, turns, "a load", load)
        }
        yield* fixture.save(records(trial, 3, 5))
        yield* loads(trial, fixture, records(trial, 0, 5), "after interrupted loads")
      })
  )
]
