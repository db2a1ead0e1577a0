/** The laws of cursors: compaction, epochs, and the errors of a reader that cannot go on. */
import { Effect, Fiber } from "effect"
import { type LoggedRevision, put, type Revision, start } from "../../../ChangeLog.js"
import { ensure, kindOf, refuses, succeeds } from "../calls.js"
import { gapFree, type LogTrial, logLaw, sameRevision } from "./fixture.js"
import { many, one } from "./reading.js"
import type { LogLaw } from "./subject.js"

/** Commits so many revisions, and gives all cursors there are: from the start to the last revision. */
const cursorsOf = (
  { all, commit, head }: LogTrial,
  count: number
): Effect.Effect<ReadonlyArray<Revision>, string> =>
  Effect.gen(function* () {
    const { head: first } = yield* head
    yield* commit(...many(count))
    return [first, ...(yield* all).map(({ revision }) => revision)]
  })

const readAfter =
  ({ log }: LogTrial, after: Revision) =>
  () =>
    log.read({ after, limit: 5 })

const compaction: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C25",
      name: "compacted-below-the-floor",
      group: "compaction",
      statement:
        "Reading after a revision below the floor fails with Compacted, and from the floor on it goes on.",
      advice: "Compare the cursor with the floor before anything is given"
    },
    (trial) =>
      Effect.gen(function* () {
        const cursors = yield* cursorsOf(trial, 10)
        yield* trial.compact(6)
        const { floor } = yield* trial.head
        yield* ensure(
          sameRevision(floor, cursors[6] as Revision),
          `after a compaction up to 6 the floor is ${floor.seq}, tag ${floor.tag}`
        )
        for (const cursor of cursors.slice(0, 6)) {
          const error = yield* refuses(
            trial,
            `reading after ${cursor.seq} of a floor of 6`,
            "Compacted",
            readAfter(trial, cursor)
          )
          yield* ensure(error.floor === 6, `Compacted names the floor ${String(error.floor)}, not 6`)
        }
        for (const cursor of cursors.slice(6)) {
          const seen = yield* trial.read(cursor)
          yield* ensure(
            seen.length === 10 - cursor.seq,
            `after ${cursor.seq} the log gives ${seen.length} revisions`
          )
          yield* gapFree(seen, cursor.seq + 1, "above the floor")
        }
      })
  ),
  logLaw(
    {
      id: "C26",
      name: "compaction-moves-no-head",
      group: "compaction",
      statement: "A compaction up to the head or beyond leaves an empty log that goes on counting.",
      advice: "Keep the head apart from the rows"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* cursorsOf(trial, 4)
        const { head: before } = yield* trial.head
        yield* trial.compact(4)
        yield* trial.compact(1000)
        const { floor, head } = yield* trial.head
        yield* ensure(
          sameRevision(head, before),
          `a compaction moves the head from ${before.seq} to ${head.seq}`
        )
        yield* ensure(
          sameRevision(floor, before),
          `a compaction beyond the head gives a floor of ${floor.seq}`
        )
        yield* ensure((yield* trial.read(head)).length === 0, "an empty log gives revisions")
        const next = yield* trial.append(put("/a", 1))
        yield* ensure(next.seq === 5, `behind a head of 4 comes ${next.seq}`)
        yield* gapFree(yield* trial.all, 5, "after a compaction of everything")
      })
  ),
  logLaw(
    {
      id: "C27",
      name: "compaction-goes-forward",
      group: "compaction",
      statement: "A compaction up to a revision that is gone already changes nothing.",
      advice: "Never move the floor back"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* cursorsOf(trial, 6)
        yield* trial.compact(4)
        const { floor: before } = yield* trial.head
        for (const upTo of [4, 2, 0, -1]) yield* trial.compact(upTo)
        const { floor } = yield* trial.head
        yield* ensure(sameRevision(before, floor), `the floor goes from ${before.seq} to ${floor.seq}`)
        yield* gapFree(yield* trial.all, 5, "after compactions backwards")
      })
  ),
  logLaw(
    {
      id: "C28",
      name: "no-hole-while-compacting",
      group: "compaction",
      statement: "A reader that a compaction overtakes fails, and never gets a part with a hole.",
      advice: "Look at the floor and at the rows in one statement, or in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const { head: first } = yield* trial.head
        let over = false
        const writer = Effect.gen(function* () {
          for (let n = 1; n <= 30; n++) {
            yield* trial.commit(one(n), one(n), one(n))
            yield* trial.compact(n * 3 - (n % 4) * 3)
          }
        }).pipe(Effect.ensuring(Effect.sync(() => (over = true))))
        // A reader that pauses is overtaken.
        const reader = (limit: number, pause: number) =>
          Effect.gen(function* () {
            let cursor = first
            while (!over) {
              const read = yield* Effect.either(trial.log.read({ after: cursor, limit }))
              if (read._tag === "Left") {
                yield* ensure(kindOf(read.left) === "Compacted", `a reader fails with ${kindOf(read.left)}`)
                cursor = (yield* trial.head).floor
              } else {
                yield* gapFree(read.right, cursor.seq + 1, `after ${cursor.seq}, while it is compacted`)
                cursor = read.right.at(-1)?.revision ?? cursor
              }
              for (let turn = 0; turn <= pause; turn++) yield* Effect.yieldNow()
            }
          })
        const all = Effect.all([reader(1, 30), reader(2, 9), reader(4, 4), reader(50, 0)], { concurrency: 4 })
        const readers = yield* Effect.fork(all)
        yield* writer
        yield* succeeds(trial, "reading while the log is compacted", Fiber.join(readers)).pipe(Effect.asVoid)
      })
  )
]

const epochs: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C29",
      name: "other-epoch",
      group: "epochs",
      statement: "A cursor of another epoch fails with EpochChanged, which names the log's own.",
      advice: "Compare the epoch before anything else"
    },
    (trial) =>
      Effect.gen(function* () {
        const cursors = yield* cursorsOf(trial, 5)
        yield* trial.compact(2)
        for (const cursor of [...cursors, start("")]) {
          const other = { ...cursor, epoch: `${cursor.epoch}0` }
          const error = yield* refuses(
            trial,
            "reading in another epoch",
            "EpochChanged",
            readAfter(trial, other)
          )
          yield* ensure(error.epoch === cursors[0]?.epoch, "EpochChanged does not name the epoch of the log")
        }
      })
  ),
  logLaw(
    {
      id: "C30",
      name: "wrong-tag",
      group: "epochs",
      statement:
        "A cursor whose number is held with another tag fails with EpochChanged: a backup was restored.",
      advice: "Compare the tag of the cursor with that of the row, and of the floor"
    },
    (trial) =>
      Effect.gen(function* () {
        const cursors = yield* cursorsOf(trial, 6)
        yield* trial.compact(2)
        // The floor, one in the middle, the last, and the start of a log that has another beginning.
        for (const seq of [2, 4, 6]) {
          const cursor = cursors[seq] as Revision
          const other = { ...cursor, tag: cursor.tag === 0 ? 1 : cursor.tag - 1 }
          yield* refuses(
            trial,
            `reading after ${seq} with another tag`,
            "EpochChanged",
            readAfter(trial, other)
          )
        }
      })
  ),
  logLaw(
    {
      id: "C31",
      name: "beyond-the-head",
      group: "epochs",
      statement:
        "A cursor beyond the head, and one that is no place in any history, fails with EpochChanged.",
      advice:
        "Compare the cursor with the head: a log that lost its end gave those numbers to other revisions"
    },
    (trial) =>
      Effect.gen(function* () {
        const cursors = yield* cursorsOf(trial, 3)
        const head = cursors[3] as Revision
        for (const seq of [
          4,
          5,
          1000,
          Number.MAX_SAFE_INTEGER,
          -1,
          1.5,
          Number.NaN,
          Number.POSITIVE_INFINITY
        ]) {
          yield* refuses(
            trial,
            `reading after ${seq} of a head of 3`,
            "EpochChanged",
            readAfter(trial, { ...head, seq })
          )
        }
      })
  ),
  logLaw(
    {
      id: "C32",
      name: "renewal",
      group: "epochs",
      needs: ["no index"],
      statement: "A renewed log has another epoch, is empty, counts from 1, and knows no cursor of before.",
      advice: "Give up all revisions, and the ids with them, in one transaction with the new epoch"
    },
    (trial) =>
      Effect.gen(function* () {
        const cursors = yield* cursorsOf(trial, 4)
        yield* trial.commit(one(9, "a"))
        yield* trial.compact(2)
        const epoch = yield* trial.renew
        const { floor, head } = yield* trial.head
        yield* ensure(
          epoch !== cursors[0]?.epoch && head.epoch === epoch,
          "the epoch is not the one that renewing gave"
        )
        yield* ensure(
          head.seq === 0 && floor.seq === 0,
          `a renewed log begins at ${head.seq}, with a floor of ${floor.seq}`
        )
        for (const cursor of cursors) {
          yield* refuses(trial, "reading after a cursor of before", "EpochChanged", readAfter(trial, cursor))
        }
        const { revisions } = yield* trial.commit(one(9, "a"))
        yield* ensure(revisions[0]?.seq === 1, "the first revision of a renewed log is not number 1")
        const logged: ReadonlyArray<LoggedRevision<unknown>> = yield* trial.read(start(epoch))
        yield* gapFree(logged, 1, "after a renewal")
        yield* ensure(logged.length === 1, `a renewed log with one revision gives ${logged.length}`)
      })
  )
]

export const logLawsOfHistory: ReadonlyArray<LogLaw> = [...compaction, ...epochs]
