/** The laws of a storage under a recorder: the account, and faults that are put between the two. */
import { Duration, Effect, Logger, LogLevel, Option, Schedule, type Scope } from "effect"
import { isError } from "../../../internal/realms.js"
import { type CloseReport, make, type Options, type Recorder, type Stats } from "../../../Recorder.js"
import { ensure, succeeds, unless } from "../calls.js"
import { Fault, type Script } from "../fault/script.js"
import { make as makeFaulty } from "../fault/storage.js"
import { difference, few } from "../sameData.js"
import {
  type Fixture,
  given,
  holds,
  holdsInOrder,
  idsOf,
  loads,
  makeFixture,
  numbered,
  records
} from "./fixture.js"
import { type Law, law, type StorageTrial } from "./subject.js"

type Recording<Record, Query> = Recorder<Record, Query, ReadonlyArray<Record>>
type Report<Record, Query> = CloseReport<Record, Query, ReadonlyArray<Record>>

/** Long enough for every retry of a law's script. */
const closing = (limit: Duration.Duration): Duration.Duration => Duration.times(limit, 3)

const start = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  fixture: Fixture<Record, Query>,
  options: Options<Record>,
  script: Script<Record> = []
): Effect.Effect<Recording<Record, Query>, string, Scope.Scope> =>
  makeFaulty(fixture.storage, script).pipe(
    Effect.flatMap(({ storage }) =>
      make(storage, {
        name: "storage-laws",
        saveTimeout: trial.limit,
        retry: Schedule.spaced("5 millis"),
        ...options
      })
    ),
    // What a law does on purpose does not belong in a log.
    Logger.withMinimumLogLevel(LogLevel.None),
    Effect.mapError(({ message, option }) => `a recorder refuses its option ${option}: ${message}`)
  )

/** Closes the recorder, and holds its account against what another reader sees. */
const account = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  fixture: Fixture<Record, Query>,
  recorder: Recording<Record, Query>,
  accepted: ReadonlyArray<Record>
): Effect.Effect<Report<Record, Query>, string> =>
  Effect.gen(function* () {
    const report = yield* recorder.closeWithin(closing(trial.limit))
    const { setAside, stats, unsaved } = report
    yield* ensure(
      unsaved.length === 0,
      `a recorder could not store ${unsaved.length} records${causeOf(report)}`
    )
    const aside = new Set(
      idsOf(
        trial,
        setAside.map(({ record }) => record)
      )
    )
    const stored = accepted.filter((record) => !aside.has(trial.subject.idOf(record)))
    yield* ensure(
      balances(stats, accepted.length, stored.length),
      `a recorder's account is wrong: ${accountText(stats)}`
    )
    const seen = yield* fixture.peek
    const differs = difference(seen, idsOf(trial, stored))
    yield* unless(
      differs && `a recorder counts ${stored.length} records as stored, and another reader sees ${differs}`
    )
    return report
  })

const causeOf = ({ unsaved }: { readonly unsaved: ReadonlyArray<{ readonly cause?: unknown }> }): string => {
  const cause = unsaved.find((each) => each.cause !== undefined)?.cause
  return isError(cause) ? `: ${cause.message}` : ""
}

const balances = (stats: Stats, accepted: number, stored: number): boolean =>
  stats.accepted === accepted &&
  stats.stored === stored &&
  stats.pending === 0 &&
  stats.accepted === stats.stored + stats.setAside + stats.dropped + stats.handedBack

const accountText = ({ accepted, handedBack, pending, setAside, stored }: Stats): string =>
  `accepted ${accepted}, stored ${stored}, set aside ${setAside}, handed back ${handedBack}, pending ${pending}`

/** Saves by way of a recorder that meets a script of faults, and checks what is held in the end. */
const through = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  script: Script<Record>,
  options: Options<Record> = {}
): Effect.Effect<void, string, Scope.Scope> =>
  Effect.gen(function* () {
    const fixture = yield* makeFixture(trial)
    const recorder = yield* start(trial, fixture, { maxBatchSize: 5, ...options }, script)
    const all = numbered(trial, 3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97, 93, 23, 84, 62)
    for (const record of all) recorder.unsafeSave(record)
    yield* account(trial, fixture, recorder, all)
    if (trial.subject.capabilities.peeks === "in order") {
      yield* holdsInOrder(trial, fixture, all, "after a recorder's retries")
    }
  })

/** A recorder sets exactly this record aside, and stores the others. */
const setsAside = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  what: string,
  bad: Record,
  before: ReadonlyArray<Record> = []
): Effect.Effect<void, string, Scope.Scope> =>
  Effect.gen(function* () {
    const fixture = yield* makeFixture(trial)
    if (before.length > 0) yield* fixture.save(before)
    const recorder = yield* start(trial, fixture, {})
    const good = records(trial, 10, 20)
    const sent = [...good.slice(0, 6), bad, ...good.slice(6)]
    for (const record of sent) recorder.unsafeSave(record)
    const { setAside, unsaved } = yield* recorder.closeWithin(closing(trial.limit))
    const aside = idsOf(
      trial,
      setAside.map(({ record }) => record)
    )
    yield* ensure(
      unsaved.length === 0 && aside.length === 1 && setAside[0]?.record === bad,
      `a recorder set ${few(aside)} aside and handed ${unsaved.length} records back, with ${what} among its records`
    )
    yield* holds(trial, fixture, [...before, ...good], `after a recorder has set ${what} aside`)
  })

const lostAnswers: ReadonlyArray<Law> = [
  law(
    {
      id: "S58",
      name: "lost-answer-is-once",
      group: "lost answers",
      statement:
        "A recorder whose answers are lost after the commit ends with every record held once, in order.",
      needs: ["duplicates ignored"],
      advice: "Ignore the ids that are held, wherever they are in the batch that is sent again"
    },
    (trial) =>
      through(trial, [
        { call: [1, 2], fault: Fault.failAfterCommit() },
        { call: 4, fault: Fault.die(undefined, "all") }
      ])
  ),
  law(
    {
      id: "S59",
      name: "lost-part-is-completed",
      group: "lost answers",
      statement:
        "A recorder whose save broke off in its midst, unknown where, ends with every record held once, in order.",
      needs: ["duplicates ignored"],
      advice: "Store what is new of a batch of which a part is held"
    },
    (trial) =>
      through(trial, [
        { call: 1, fault: Fault.failAfterCommit("Transient", "half") },
        { call: 2, fault: Fault.failAfterCommit("Transient", 1) },
        { call: [4, 6], fault: Fault.raise(new Error("the connection is gone"), "half") }
      ])
  ),
  law(
    {
      id: "S60",
      name: "stored-part-is-not-repeated",
      group: "lost answers",
      statement:
        "A recorder that knows which prefix was stored sends the rest, and every record is held once, in order.",
      advice:
        "Store exactly what is sent: the records behind a stored prefix are sent in a batch of their own"
    },
    (trial) => through(trial, [{ call: [1, 3], fault: Fault.fail("Transient", "half") }])
  ),
  law(
    {
      id: "S61",
      name: "outage-loses-nothing",
      group: "lost answers",
      statement: "After an outage a recorder has every record stored once, in order.",
      advice: "Store what is sent after a pause as what was sent before it"
    },
    (trial) => through(trial, [{ call: [2, 6], fault: Fault.fail() }])
  ),
  law(
    {
      id: "S62",
      name: "time-out-is-once",
      group: "lost answers",
      statement: "A recorder whose save hangs after its commit ends with every record held once, in order.",
      needs: ["duplicates ignored"],
      advice: "Ignore the ids that are held: a save that timed out is sent again"
    },
    (trial) => through(trial, [{ call: 2, fault: Fault.hang("all") }], { saveTimeout: "250 millis" })
  )
]

const recorder: ReadonlyArray<Law> = [
  law(
    {
      id: "S63",
      name: "account-balances",
      group: "recorder",
      statement: "What a recorder counts as stored is what another reader sees.",
      advice:
        "Find the law of the saves that is broken too; a recorder adds batches of every size and loads in between"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const recorder = yield* start(trial, fixture, { maxBatchSize: 16 })
        const all = records(trial, 0, 120)
        for (const [i, record] of all.entries()) {
          recorder.unsafeSave(record)
          if (i % 30 === 7)
            yield* succeeds(trial, "a query by way of a recorder", recorder.load(trial.subject.all))
        }
        yield* account(trial, fixture, recorder, all)
      })
  ),
  law(
    {
      id: "S64",
      name: "receipt-is-committed",
      group: "recorder",
      statement: "In the moment in which a durable save completes, another reader sees its record.",
      advice: "Succeed only after the commit"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const recorder = yield* start(trial, fixture, {})
        yield* Effect.forEach(
          records(trial, 0, 16),
          (record) =>
            Effect.flatMap(fixture.peekAfter(recorder.saveDurable(record)), (seen) =>
              ensure(
                seen.includes(trial.subject.idOf(record)),
                `${trial.subject.idOf(record)} was saved durably, and another reader does not see it`
              )
            ),
          { concurrency: 4, discard: true }
        )
      })
  ),
  law(
    {
      id: "S65",
      name: "query-sees-the-saves-before",
      group: "recorder",
      statement: "A query by way of a recorder sees every save made before it, and none made after it.",
      advice: "Answer a load from what is committed in its moment"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const recorder = yield* start(trial, fixture, {})
        for (let round = 0; round < 4; round++) {
          for (const record of records(trial, round * 5, round * 5 + 5)) recorder.unsafeSave(record)
          const seen = yield* succeeds(
            trial,
            "a query by way of a recorder",
            recorder.load(trial.subject.all)
          )
          const differs = difference(idsOf(trial, seen), idsOf(trial, records(trial, 0, round * 5 + 5)))
          yield* unless(
            differs && `after ${round * 5 + 5} saves, a query by way of a recorder sees ${differs}`
          )
        }
      })
  ),
  law(
    {
      id: "S66",
      name: "handed-back-and-usable",
      group: "recorder",
      statement: "The storage that a recorder hands back at its close still saves and loads.",
      advice: "Let the storage live until its own scope ends"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* makeFixture(trial)
        const recorder = yield* start(trial, fixture, {})
        recorder.unsafeSave(trial.subject.record(0))
        const { storage } = yield* recorder.closeWithin(closing(trial.limit))
        yield* ensure(Option.isSome(storage), "a recorder could not hand the storage back")
        yield* fixture.save(records(trial, 1, 3))
        yield* loads(trial, fixture, records(trial, 0, 3), "after a recorder was closed")
      })
  ),
  law(
    {
      id: "S67",
      name: "bad-record-is-set-aside",
      group: "recorder",
      statement: "A recorder sets a bad record aside, and stores all the others of its batch.",
      needs: ["poison"],
      advice: "Fail as Poison on a bad record, and store none of its batch or report which part"
    },
    (trial) =>
      Effect.forEach(
        Object.entries(given(trial, "poison")),
        ([what, bad]) => Effect.scoped(setsAside(trial, what, bad(0))),
        { discard: true }
      )
  ),
  law(
    {
      id: "S68",
      name: "clash-is-set-aside",
      group: "unique constraints",
      statement:
        "A recorder sets a record aside that breaks another unique constraint, and stores the others.",
      needs: ["clash"],
      advice: "Fail as Poison on a constraint violation, and store none of its batch or report which part"
    },
    (trial) =>
      setsAside(trial, "a record that breaks a constraint", given(trial, "clash")(1, 0), records(trial, 0, 1))
  )
]

export const lawsOfRecorder: ReadonlyArray<Law> = [...lostAnswers, ...recorder]
