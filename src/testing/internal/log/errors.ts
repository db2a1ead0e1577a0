/** The laws of what is refused, of commits that are all or none, and of data. */
import { Effect, Either } from "effect"
import { type Change, type Entry, type Part, put, remove } from "../../../ChangeLog.js"
import { ensure, interruptedAfter, moments, refuses } from "../calls.js"
import { sameData } from "../sameData.js"
import { badTexts, badValues, draw, hardTexts, hardValues, longText, randomJson } from "../values.js"
import { type LogTrial, logLaw, sameRevision } from "./fixture.js"
import { holdsKeys, one } from "./reading.js"
import type { LogLaw } from "./subject.js"

/** Runs what must change nothing, and looks. */
const changesNothing = (
  trial: LogTrial,
  effect: Effect.Effect<unknown, string>
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    yield* trial.commit(one(1))
    const { head: before } = yield* trial.head
    yield* effect
    const { head: after } = yield* trial.head
    yield* ensure(
      sameRevision(before, after),
      `what is refused moves the head from ${before.seq} to ${after.seq}`
    )
    yield* holdsKeys(trial, ["/n/1"], "after what was refused")
  })

/** What no log takes: it goes against the types on purpose, as foreign input does. */
const malformed: ReadonlyArray<readonly [what: string, entry: unknown]> = [
  ["an entry that is nothing", null],
  ["an entry without changes", { changes: [] }],
  ["changes that are no array", { changes: put("/a", 1) }],
  ["a change that is nothing", { changes: [null] }],
  ["a change of another kind", { changes: [{ _tag: "Move", key: "/a" }] }],
  ["a key that is no string", { changes: [put(5 as unknown as string, 1)] }],
  ["an empty key", { changes: [remove("")] }],
  ["a key that is too long", { changes: [put("x".repeat(1025), 1)] }],
  ...badTexts.map((text) => ["a key that is no Unicode", { changes: [put(text, 1)] }] as const),
  ["a bad change behind a good one", { changes: [put("/a", 1), put("", 1)] }],
  ["an empty id", { changes: [put("/a", 1)], id: "" }],
  ["an id that is no string", { changes: [put("/a", 1)], id: 7 }],
  ["an id that is too long", { changes: [put("/a", 1)], id: "x".repeat(1025) }]
]

const errors: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C15",
      name: "malformed-is-refused",
      group: "errors",
      statement: "An entry that cannot be is refused as Invalid, by its position, and nothing is appended.",
      advice: "Check every entry of a commit before its first statement"
    },
    (trial) =>
      changesNothing(
        trial,
        Effect.forEach(malformed, ([what, entry]) =>
          Effect.gen(function* () {
            const bad = entry as Entry<unknown>
            const error = yield* refuses(trial, `appending ${what}`, "ChangeLogError Invalid", () =>
              trial.log.commit([one(2), bad, one(3)])
            )
            yield* ensure(
              error.index === 1,
              `${what} at position 1 is named as position ${String(error.index)}`
            )
            yield* ensure(error.outcome === "NotStored", `${what} has the outcome ${String(error.outcome)}`)
          })
        )
      )
  ),
  logLaw(
    {
      id: "C16",
      name: "wrong-limits",
      group: "errors",
      statement: "A limit that is no whole number above 0 is refused as Invalid.",
      advice: "Check the limit: a database takes some of these for no limit at all"
    },
    (trial) =>
      changesNothing(
        trial,
        Effect.flatMap(trial.head, ({ floor: after }) =>
          Effect.forEach(
            [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "1" as unknown as number],
            (limit) =>
              refuses(trial, `reading with limit ${limit}`, "ChangeLogError Invalid", () =>
                trial.log.read({ after, limit })
              )
          )
        )
      )
  ),
  logLaw(
    {
      id: "C17",
      name: "wrong-selectors",
      group: "errors",
      statement: "A selector that cannot be is refused as InvalidSelector.",
      advice: "Check selectors by ChangeLog's own check before anything else"
    },
    (trial) => {
      const wrong: ReadonlyArray<unknown> = [
        null,
        { _tag: "All" },
        { _tag: "Key", key: "" },
        { _tag: "Prefix", prefix: "/a" },
        { _tag: "Range", from: "b", to: "a" },
        { _tag: "Range", from: "a", to: "a" },
        { _tag: "AnyOf", parts: [] },
        {
          _tag: "AnyOf",
          parts: [
            { _tag: "Key", key: "/a" },
            { _tag: "Prefix", prefix: "/b" }
          ]
        },
        { _tag: "Key", key: "a\0" }
      ]
      return changesNothing(
        trial,
        Effect.forEach(wrong, (selector) =>
          refuses(trial, `a snapshot of ${JSON.stringify(selector)}`, "InvalidSelector", () =>
            trial.log.snapshot(selector as Part)
          )
        )
      )
    }
  ),
  logLaw(
    {
      id: "C18",
      name: "no-json-is-refused",
      group: "errors",
      statement: "A value that is no JSON data is refused as Invalid, and nothing is appended.",
      needs: ["json values"],
      advice: "Check values as a json column does, before they are made into text"
    },
    (trial) => {
      const json: ReadonlyArray<unknown> = Object.values(badValues).flatMap((of) =>
        "json" in of ? [...of.json] : []
      )
      const unreadable = Object.defineProperty({}, "a", {
        enumerable: true,
        get: () => {
          throw new Error("not to be read")
        }
      })
      return changesNothing(
        trial,
        Effect.forEach([...json, undefined, unreadable], (value) =>
          refuses(trial, "appending what is no JSON", "ChangeLogError Invalid", () =>
            trial.log.commit([{ changes: [put("/a", 1), put("/b", value)] }])
          )
        )
      )
    }
  ),
  logLaw(
    {
      id: "C19",
      name: "check-agrees-with-commit",
      group: "errors",
      statement:
        "Where a log has a `check`, it refuses an entry with the reason that a commit of the entry fails with.",
      advice: "Let `check` and `commit` ask the same function"
    },
    (trial) =>
      Effect.gen(function* () {
        const { check } = trial.log
        if (check === undefined) return
        const { tooLarge } = trial.subject
        const samples: ReadonlyArray<readonly [what: string, entry: unknown]> = [
          ["an entry that is fine", one(1)],
          ["an entry that is fine, and its id", { changes: [put("/a", [1]), remove("/b")], id: "1" }],
          ...malformed,
          ...(tooLarge === undefined ? [] : [["what is too large", { changes: tooLarge }] as const])
        ]
        for (const [what, sample] of samples) {
          const entry = sample as Entry<unknown>
          const { head: before } = yield* trial.head
          const refusal = check(entry)?.reason
          const { head: after } = yield* trial.head
          yield* ensure(sameRevision(before, after), `check appends ${what}`)
          const meets = yield* Effect.either(trial.log.commit([entry]))
          const met = Either.isLeft(meets) ? meets.left.reason : undefined
          yield* ensure(refusal === met, `for ${what} check gives ${refusal}, and its commit ${met}`)
        }
      })
  ),
  logLaw(
    {
      id: "C20",
      name: "too-large-is-refused",
      group: "errors",
      statement: "A revision that the log could never hold is refused as TooLarge, and nothing is appended.",
      needs: ["tooLarge"],
      advice: "Compare a revision with the bound of the log before it is appended"
    },
    (trial) =>
      changesNothing(
        trial,
        Effect.gen(function* () {
          const changes: ReadonlyArray<Change<unknown>> = trial.subject.tooLarge ?? []
          const error = yield* refuses(trial, "appending what is too large", "ChangeLogError TooLarge", () =>
            trial.log.commit([one(2), { changes }])
          )
          yield* ensure(error.index === 1, `position 1 is named as position ${String(error.index)}`)
        })
      )
  )
]

const allOrNone: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C21",
      name: "goes-on-after-a-refusal",
      group: "all or none",
      statement: "After a commit that was refused the next one is the next revision.",
      advice: "Take numbers in the transaction that appends, so that a rollback gives them back"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(one(1))
        const bad = { changes: [] } as Entry<unknown>
        for (let n = 0; n < 3; n++) {
          yield* refuses(trial, "appending nothing", "ChangeLogError Invalid", () =>
            trial.log.commit([one(2), bad])
          )
        }
        const { revisions } = yield* trial.commit(one(3), one(4))
        yield* ensure(
          revisions[0]?.seq === 2 && revisions[1]?.seq === 3,
          `behind revision 1 and what was refused come ${revisions.map(({ seq }) => seq).join(" and ")}`
        )
      })
  ),
  logLaw(
    {
      id: "C22",
      name: "interrupted-is-all-or-none",
      group: "all or none",
      statement:
        "A commit that is interrupted, at whatever moment, is there as a whole or not at all, for good.",
      advice: "Commit in one transaction, and roll it back or finish it before the interruption completes"
    },
    (trial) =>
      Effect.gen(function* () {
        let whole = 0
        for (const turns of moments) {
          const entries = [0, 1, 2].map(
            (part): Entry<unknown> => ({ changes: [put(`/${turns}/${part}`, part)] })
          )
          yield* interruptedAfter(trial, turns, "a commit", trial.log.commit(entries))
          const logged = yield* trial.all
          const own = logged.flatMap(({ events }) => events.filter(({ key }) => key.startsWith(`/${turns}/`)))
          yield* ensure(
            own.length % 3 === 0,
            `of a commit of 3 that was interrupted ${own.length} revisions are there`
          )
          whole += own.length / 3
        }
        yield* trial.commit(one(1))
        const logged = yield* trial.all
        yield* ensure(
          logged.length === 3 * whole + 1 && logged.at(-1)?.revision.seq === logged.length,
          `a log of ${3 * whole + 1} revisions holds ${logged.length}, the last one is ${logged.at(-1)?.revision.seq}`
        )
      })
  )
]

const data: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C23",
      name: "values-come-back",
      group: "data",
      statement: "JSON data comes back equal: hard values, and random ones.",
      advice: "Write values as JSON text, and parse them by yourself"
    },
    (trial) =>
      Effect.gen(function* () {
        const by = draw(trial.seed)
        const drawn = Array.from({ length: trial.samples }, () => randomJson(by, 3))
        const values: ReadonlyArray<unknown> = [
          null,
          ...hardValues.json,
          ...hardTexts,
          ...drawn,
          { text: longText(1) }
        ]
        yield* trial.commit(...values.map((value, n): Entry<unknown> => ({ changes: [put(`/${n}`, value)] })))
        const logged = yield* trial.all
        yield* ensure(
          logged.length === values.length,
          `of ${values.length} values ${logged.length} are there`
        )
        for (const [n, { events }] of logged.entries()) {
          const [event] = events
          const same = event?._tag === "Put" && sameData(event.value, values[n])
          yield* ensure(
            same,
            `value ${n}, ${JSON.stringify(values[n] ?? null).slice(0, 80)}, comes back different`
          )
        }
      })
  ),
  logLaw(
    {
      id: "C24",
      name: "keys-and-ids-come-back",
      group: "data",
      statement:
        "Keys and ids of any Unicode, of up to 1,024 bytes, are kept as they are, and none for another.",
      advice: "Compare keys byte by byte: no collation, no normalisation, no trimming, no case folding"
    },
    (trial) =>
      Effect.gen(function* () {
        const alike = ["A", "a", "a ", " a", "é", "e\u0301", "ß", "ss", "\u{10000}", "\uffff"]
        const long = ["x".repeat(1024), `${"x".repeat(1023)}y`, "é".repeat(512)]
        const keys = [...new Set([...hardTexts.filter((text) => text !== ""), ...alike, ...long])]
        const entries = keys.map((key): Entry<unknown> => ({ changes: [put(key, 1)], id: key }))
        const { duplicates } = yield* trial.commit(...entries)
        yield* ensure(duplicates === 0, `${duplicates} of ${keys.length} different ids are taken for others`)
        const seen = (yield* trial.all).map(({ events }) => events[0]?.key)
        const wrong = keys.findIndex((key, n) => seen[n] !== key)
        yield* ensure(
          wrong === -1,
          `the key ${JSON.stringify(keys[wrong] ?? null).slice(0, 60)} comes back different`
        )
        const again = yield* trial.commit(...entries)
        yield* ensure(
          again.duplicates === keys.length,
          `of ${keys.length} ids ${again.duplicates} are known again`
        )
      })
  )
]

export const logLawsOfErrors: ReadonlyArray<LogLaw> = [...errors, ...allOrNone, ...data]
