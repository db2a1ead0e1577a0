/** The laws of several writers and readers, of doorbells, and of a log under a recorder. */
import { Effect, Exit, Fiber, Logger, LogLevel, Queue, Scope } from "effect"
import { asStorage, type Entry, type LoggedRevision, put, type Revision } from "../../../ChangeLog.js"
import { make } from "../../../Recorder.js"
import { ensure, succeeds, unless } from "../calls.js"
import { difference } from "../sameData.js"
import { briefly, gapFree, type LogFixture, type LogTrial, logLaw, sameRevision } from "./fixture.js"
import { holdsKeys, one } from "./reading.js"
import type { LogLaw } from "./subject.js"

/** Handles for several writers: as many as the place may have. */
export const handles = (
  trial: LogTrial,
  count: number
): Effect.Effect<ReadonlyArray<LogFixture>, string, Scope.Scope> =>
  trial.subject.capabilities.handles === "one"
    ? Effect.succeed(new Array<LogFixture>(count).fill(trial))
    : Effect.map(
        Effect.forEach(Array.from({ length: count - 1 }), () => trial.open),
        (others) => [trial, ...others]
      )

const keysOf = (logged: ReadonlyArray<LoggedRevision<unknown>>): ReadonlyArray<string> =>
  logged.flatMap(({ events }) => events.map(({ key }) => key))

/** Reads from a cursor on until no writer is left and everything is read. */
const tail = ({ read }: LogFixture, from: Revision, limit: number, over: () => boolean) =>
  Effect.gen(function* () {
    const seen: Array<LoggedRevision<unknown>> = []
    let cursor = from
    for (;;) {
      const last = over()
      const more = yield* read(cursor, limit)
      yield* gapFree(more, cursor.seq + 1, `after ${cursor.seq}, while others write`)
      seen.push(...more)
      cursor = more.at(-1)?.revision ?? cursor
      if (last && more.length === 0) return seen
      yield* Effect.yieldNow()
    }
  })

const writers = 4
const commits = 5

const concurrency: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C42",
      name: "one-order-for-all",
      group: "concurrency",
      statement: "While several writers commit at once, all readers see the same order, without a gap.",
      advice:
        "Let each commit wait for the one before it until that one can be seen, and then take its numbers"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixtures = yield* handles(trial, writers)
        const { head: from } = yield* trial.head
        const write = ({ commit }: LogFixture, w: number) =>
          Effect.forEach(Array.from({ length: commits }), (_, n) =>
            commit(
              { changes: [put(`/${w}/${n}/a`, n), put(`/${w}/${n}/b`, n)] },
              { changes: [put(`/${w}/${n}/c`, n)] }
            )
          )
        let over = false
        const readers = yield* Effect.fork(
          Effect.forEach(
            fixtures,
            (fixture, n) => tail(fixture, from, [1, 3, 50, 1000][n] ?? 1, () => over),
            {
              concurrency: "unbounded"
            }
          )
        )
        yield* Effect.forEach(fixtures, write, { concurrency: "unbounded" }).pipe(
          Effect.ensuring(Effect.sync(() => (over = true)))
        )
        const views = yield* succeeds(trial, "reading what others write", Fiber.join(readers))
        const first = views[0] ?? []
        for (const view of views) {
          const same = view.every(({ revision }, n) => sameRevision(revision, first[n]?.revision as Revision))
          yield* ensure(
            same && keysOf(view).join() === keysOf(first).join(),
            "two readers see different histories"
          )
        }
        const wanted = fixtures.flatMap((_, w) =>
          Array.from({ length: commits }, (_, n) =>
            ["a", "b", "c"].map((part) => `/${w}/${n}/${part}`)
          ).flat()
        )
        const differs = difference(keysOf(first), wanted)
        yield* unless(differs && `after ${writers} writers have written at once, the log has ${differs}`)
        for (const [w] of fixtures.entries()) {
          const own = keysOf(first).filter((key) => key.startsWith(`/${w}/`))
          const order = wanted.filter((key) => key.startsWith(`/${w}/`))
          yield* ensure(
            own.join() === order.join(),
            `the commits of one writer are in the order ${own.join(" ")}`
          )
        }
      })
  ),
  logLaw(
    {
      id: "C43",
      name: "id-once-for-all",
      group: "concurrency",
      statement: "Of commits with the same ids that are made at once each id is appended once.",
      advice: "Look for ids when the head is locked, or let a unique index refuse and try again"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixtures = yield* handles(trial, writers)
        let appended = 0
        for (let round = 0; round < 4; round++) {
          const entries = Array.from({ length: 5 }, (_, n) => one(n, `${round}/${n}`))
          const done = yield* Effect.forEach(fixtures, ({ commit }, w) => commit(...entries.slice(w % 3)), {
            concurrency: "unbounded"
          })
          for (const { revisions } of done) appended += revisions.length
        }
        yield* ensure(appended === 20, `of 20 ids that several committed at once ${appended} counted as new`)
        const logged = yield* trial.all
        yield* ensure(
          logged.length === 20,
          `of 20 ids that several committed at once ${logged.length} are there`
        )
        yield* gapFree(logged, 1, "after commits of the same ids at once")
      })
  ),
  logLaw(
    {
      id: "C44",
      name: "handles-see-each-other",
      group: "concurrency",
      statement: "What one handle has committed the other one reads, and knows by its id.",
      needs: ["handles together"],
      advice: "Keep nothing in a handle that another one can change"
    },
    (trial) =>
      Effect.gen(function* () {
        const other = yield* trial.open
        yield* trial.commit(one(1, "a"))
        yield* holdsKeys(other, ["/n/1"], "by another handle")
        const { duplicates } = yield* other.commit(one(1, "a"), one(2, "b"))
        yield* ensure(duplicates === 1, "an id of another handle is taken for new")
        yield* holdsKeys(trial, ["/n/1", "/n/2"], "after a commit of another handle")
        yield* other.compact(1)
        const epoch = yield* trial.renew
        const { head } = yield* other.head
        yield* ensure(head.epoch === epoch, "a renewal is not seen by another handle")
      })
  )
]

/** Listens to the doorbell until the scope ends. */
const listen = (trial: LogTrial, fixture: LogFixture) =>
  Effect.gen(function* () {
    const pending = yield* Queue.sliding<void>(1)
    let rings = 0
    yield* fixture.log.doorbell(() => {
      rings++
      pending.unsafeOffer(undefined)
    })
    const reads = Effect.zipRight(Queue.take(pending), fixture.head)
    return {
      rings: () => rings,
      /** Commits one revision, and completes when a reader that reads at every ring has seen it. */
      shows: (seq: number, commit: Effect.Effect<unknown, string>) =>
        Effect.gen(function* () {
          const reader = yield* Effect.fork(Effect.repeat(reads, { until: ({ head }) => head.seq >= seq }))
          yield* commit
          yield* succeeds(trial, `following revision ${seq} by the doorbell`, Fiber.join(reader))
        })
    }
  })

const doorbell: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C45",
      name: "rings-after-commit",
      group: "doorbell",
      statement: "A reader that reads at every ring of the doorbell, on any handle, sees every commit.",
      advice: "Ring after the commit, and not before it"
    },
    (trial) =>
      Effect.gen(function* () {
        const bells = yield* Effect.forEach(yield* handles(trial, 2), (fixture) => listen(trial, fixture))
        for (let n = 1; n <= 3; n++) {
          yield* bells.reduce((effect, bell) => bell.shows(n, effect), Effect.asVoid(trial.commit(one(n))))
        }
      })
  ),
  logLaw(
    {
      id: "C46",
      name: "silent-after-release",
      group: "doorbell",
      statement: "A doorbell whose scope has ended rings no more, and the others go on.",
      advice: "Take the callback out when the scope ends, and that one only"
    },
    (trial) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const gone = yield* Scope.extend(listen(trial, trial), scope)
        const stays = yield* listen(trial, trial)
        yield* gone.shows(1, trial.commit(one(1)))
        yield* Scope.close(scope, Exit.void)
        const before = gone.rings()
        for (let n = 2; n <= 4; n++) yield* stays.shows(n, trial.commit(one(n)))
        yield* ensure(
          gone.rings() === before,
          `a doorbell rings ${gone.rings() - before} times after its release`
        )
      })
  )
]

const recorder: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C47",
      name: "writes-under-a-recorder",
      group: "recorder",
      statement:
        "Under a recorder each record is a revision of its own, in order, once, and bad ones are set aside.",
      advice: "Append a batch as one commit, and name the entry at fault by its index"
    },
    (trial) =>
      Effect.gen(function* () {
        const { head: from } = yield* trial.head
        const storage = asStorage(
          trial.log,
          (n: number): Entry<unknown> => (n % 7 === 3 ? { changes: [] } : one(n, `id ${n}`))
        )
        const numbers = Array.from({ length: 30 }, (_, n) => n)
        const good = numbers.filter((n) => n % 7 !== 3)
        for (const round of ["first", "second"]) {
          const recording = yield* Effect.mapError(
            make(storage, { name: "log-laws" }),
            ({ message }) => message
          )
          for (const n of numbers) recording.unsafeSave(n)
          const loaded = yield* succeeds(
            trial,
            "loading by a recorder",
            recording.load({ after: from, limit: 1000 })
          )
          const seen = keysOf(loaded).join()
          yield* ensure(seen === good.map((n) => `/n/${n}`).join(), `a recorder loads ${briefly(loaded)}`)
          const { setAside, stats } = yield* succeeds(trial, "closing a recorder", recording.close)
          yield* ensure(
            stats.stored === good.length && setAside.length === numbers.length - good.length,
            `in the ${round} round a recorder stores ${stats.stored} of ${good.length} and sets ${setAside.length} aside`
          )
          const duplicates = round === "first" ? 0 : good.length
          yield* ensure(
            stats.duplicates === duplicates,
            `in the ${round} round it counts ${stats.duplicates} duplicates`
          )
        }
        yield* gapFree(yield* trial.all, 1, "under a recorder")
        // What a law does on purpose does not belong in a log.
      }).pipe(Logger.withMinimumLogLevel(LogLevel.None))
  )
]

export const logLawsOfOthers: ReadonlyArray<LogLaw> = [...concurrency, ...doorbell, ...recorder]
