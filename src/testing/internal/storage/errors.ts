/** The laws of what a storage cannot store or answer. */
import { Cause, Effect, Exit } from "effect"
import { StorageError } from "../../../Storage.js"
import { ensure, failedWith } from "../calls.js"
import { few } from "../sameData.js"
import {
  type Fixture,
  given,
  holds,
  idsOf,
  isPoison,
  loads,
  makeFixture,
  numbered,
  records,
  refused
} from "./fixture.js"
import { type Law, law, type StorageTrial } from "./subject.js"

/** A batch of good records with bad ones at these places. */
interface Spoilt<out Record> {
  readonly what: string
  readonly places: ReadonlyArray<number>
  readonly batch: ReadonlyArray<Record>
}

/** Every kind of bad record, at the start, in the middle, at the end, and at several places. */
const spoiltBatches = <Record, Query>(trial: StorageTrial<Record, Query>): ReadonlyArray<Spoilt<Record>> =>
  Object.entries(given(trial, "poison")).flatMap(([what, bad], kind) =>
    [[0], [2], [4], [1, 3]].map((places, variant) => {
      const first = 10 + 20 * kind + 5 * variant
      const batch = records(trial, first, first + 5).map((good, at) =>
        places.includes(at) ? bad(first + at) : good
      )
      return { what, places, batch }
    })
  )

/** Saves each spoilt batch and looks at how that ends. */
const eachRefused = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  look: (
    fixture: Fixture<Record, Query>,
    spoilt: Spoilt<Record>,
    exit: Exit.Exit<unknown, unknown>
  ) => Effect.Effect<void, string>
) =>
  Effect.flatMap(makeFixture(trial), (fixture) =>
    Effect.forEach(
      spoiltBatches(trial),
      (spoilt) => Effect.flatMap(fixture.attempt(spoilt.batch), (exit) => look(fixture, spoilt, exit)),
      { discard: true }
    )
  )

const storageError = (exit: Exit.Exit<unknown, unknown>): StorageError | undefined => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof StorageError ? error : undefined
}

export const lawsOfErrors: ReadonlyArray<Law> = [
  law(
    {
      id: "S29",
      name: "bad-record-fails",
      group: "errors",
      statement: "A record that cannot be stored fails its save, at any position in the batch.",
      needs: ["poison"],
      advice: "Fail the save: a record that is left out in silence is lost"
    },
    (trial) =>
      eachRefused(trial, (_, { places, what }, exit) =>
        ensure(Exit.isFailure(exit), `a batch with ${what} at position ${places} was acknowledged`)
      )
  ),
  law(
    {
      id: "S30",
      name: "bad-record-is-poison",
      group: "errors",
      statement: "That failure is a StorageError of kind Poison.",
      needs: ["poison"],
      advice: "Classify the codes of bad data as Poison: anything else is retried in vain first"
    },
    (trial) =>
      eachRefused(trial, (_, { what }, exit) =>
        ensure(Exit.isSuccess(exit) || isPoison(exit), `${what} failed with ${failedWith(exit)}`)
      )
  ),
  law(
    {
      id: "S31",
      name: "not-stored-is-true",
      group: "errors",
      statement:
        "After a failure with the outcome NotStored, nothing of the batch is held but the prefix that it reports.",
      needs: ["poison"],
      advice:
        "Save a batch in one transaction, or report what was committed with `stored` or the outcome Unknown"
    },
    (trial) =>
      eachRefused(trial, (fixture, { batch, what }, exit) => {
        const error = storageError(exit)
        if (error?.outcome !== "NotStored") return Effect.void
        const rest = new Set(idsOf(trial, batch.slice(error.stored ?? 0)))
        return Effect.flatMap(fixture.peek, (seen) => {
          const found = seen.filter((id) => rest.has(id))
          return ensure(
            found.length === 0,
            `after ${what} failed as NotStored, another reader sees ${few(found)}`
          )
        })
      })
  ),
  law(
    {
      id: "S32",
      name: "stored-prefix-is-held",
      group: "partial commits",
      statement: "The prefix that a failure reports as stored is held in the moment of the failure.",
      needs: ["poison"],
      advice: "Count in `stored` only what is committed, from the start of the batch: it is not sent again"
    },
    (trial) =>
      eachRefused(trial, (fixture, { batch, what }, exit) => {
        const prefix = batch.slice(0, storageError(exit)?.stored ?? 0)
        return Effect.flatMap(fixture.peek, (seen) => {
          const missing = idsOf(trial, prefix).filter((id) => !seen.includes(id))
          return ensure(
            missing.length === 0,
            `${what} failed with ${prefix.length} stored, and ${few(missing)} is not`
          )
        })
      })
  ),
  law(
    {
      id: "S33",
      name: "retry-after-a-part",
      group: "partial commits",
      statement:
        "After a failed batch its good records are stored by the next save, whatever was committed before.",
      needs: ["poison", "duplicates ignored"],
      advice: "Roll back what a failed save has written, its notes of known ids too"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const spoilt = spoiltBatches(trial)
        const good = ({ batch, places }: (typeof spoilt)[number]) =>
          batch.filter((_, at) => !places.includes(at))
        for (const each of spoilt) {
          const exit = yield* fixture.attempt(each.batch)
          if (Exit.isFailure(exit)) yield* fixture.save(good(each))
        }
        const seen = new Set(yield* fixture.peek)
        const missing = idsOf(trial, spoilt.flatMap(good)).filter((id) => !seen.has(id))
        yield* ensure(
          missing.length === 0,
          `after a retry without the bad records, ${few(missing)} is missing`
        )
      })
  ),
  law(
    {
      id: "S34",
      name: "names-the-bad-ones",
      group: "errors",
      statement:
        "The positions that a failure names as bad are those of bad records, and nothing was stored then.",
      needs: ["poison"],
      advice: "Count the positions in `bad` from 0, from the start of the batch that failed"
    },
    (trial) =>
      eachRefused(trial, (_, { places, what }, exit) => {
        const error = storageError(exit)
        const wrong = (error?.bad ?? []).filter(({ index }) => !places.includes(index))
        return Effect.zipRight(
          ensure(wrong.length === 0, `${what} at position ${places} is named as position ${wrong[0]?.index}`),
          ensure(error?.bad === undefined || !error.stored, `${what} is named together with a stored prefix`)
        )
      })
  ),
  law(
    {
      id: "S35",
      name: "goes-on-after-bad-records",
      group: "errors",
      statement: "A refused batch does not disturb the saves and loads after it.",
      needs: ["poison"],
      advice: "Leave no transaction open when a statement fails"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        yield* fixture.save(numbered(trial, 0))
        for (const bad of Object.values(given(trial, "poison"))) yield* fixture.attempt([bad(5)])
        yield* fixture.save(numbered(trial, 1))
        const seen = yield* fixture.peek
        const missing = idsOf(trial, numbered(trial, 0, 1)).filter((id) => !seen.includes(id))
        yield* ensure(missing.length === 0, `after a refused record, ${few(missing)} is missing`)
        yield* fixture.load
      })
  ),
  law(
    {
      id: "S36",
      name: "refuses-again",
      group: "errors",
      statement: "A bad record that is sent again is refused again.",
      needs: ["poison"],
      advice: "Judge a record by its data alone, not by what came before"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        for (const [what, bad] of Object.entries(given(trial, "poison"))) {
          if (Exit.isSuccess(yield* fixture.attempt([bad(0)]))) continue
          for (let time = 0; time < 2; time++)
            yield* refused(fixture, [bad(0)], `${what}, which was refused before,`)
        }
      })
  ),
  law(
    {
      id: "S37",
      name: "wrong-query-fails",
      group: "errors",
      statement: "A query that cannot be answered fails, and disturbs nothing.",
      needs: ["wrongQuery"],
      advice: "Check the query and fail: an empty answer means that there is nothing"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const batch = records(trial, 0, 3)
        yield* fixture.save(batch)
        const wrong = given(trial, "wrongQuery")
        const exit = yield* fixture.ask(wrong)
        yield* ensure(Exit.isFailure(exit), "a query that cannot be answered was answered")
        yield* loads(trial, fixture, batch, "after a query that failed")
        yield* fixture.save(records(trial, 3, 4))
        yield* holds(trial, fixture, records(trial, 0, 4), "after a query that failed")
      })
  )
]
