/** The laws of what entries expect of their log. */
import { Effect } from "effect"
import {
  anyOf,
  type Change,
  type Condition,
  type Entry,
  forgotten,
  key,
  prefix,
  type Revision
} from "../../../ChangeLog.js"
import { ensure, exitOf, refuses } from "../calls.js"
import { handles } from "./concurrency.js"
import { briefly, type LogFixture, type LogTrial, logLaw, sameRevision } from "./fixture.js"
import { event } from "./keyEvents.js"
import type { LogLaw } from "./subject.js"

export const expecting = (change: Change<unknown>, ...expect: ReadonlyArray<Condition>): Entry<unknown> => ({
  changes: [change],
  expect
})

const paid = (key: string): Change<unknown> => event(key, "paid")

/** Commits what has to be refused, and ensures that nothing of it was appended. */
export const conflicts = (
  trial: LogTrial,
  what: string,
  kind: string,
  ...entries: ReadonlyArray<Entry<unknown>>
): Effect.Effect<{ readonly [property: string]: unknown }, string> =>
  Effect.gen(function* () {
    const before = briefly(yield* trial.all)
    const { head } = yield* trial.head
    const error = yield* refuses(trial, what, kind, () => trial.log.commit(entries))
    yield* ensure(
      briefly(yield* trial.all) === before && sameRevision((yield* trial.head).head, head),
      `${what} failed with ${kind}, and appended something`
    )
    return error
  })

export const changed = "Conflict Changed"

/** Commits an entry by each handle at once, and ensures that one wins, and that the others conflict. */
export const oneWins = (
  trial: LogTrial,
  fixtures: ReadonlyArray<LogFixture>,
  entry: Entry<unknown>,
  where: string
): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const exits = yield* Effect.forEach(
      fixtures,
      ({ log }) => exitOf(trial, "a conditional commit", Effect.either(log.commit([entry]))),
      { concurrency: "unbounded" }
    )
    let won = 0
    for (const exit of exits) {
      const outcome = exit._tag === "Success" ? exit.value : undefined
      if (outcome?._tag === "Right") won++
      else {
        const error = outcome?.left
        yield* ensure(
          error?._tag === "Conflict" && error.reason === "Changed",
          `a writer that is late fails with ${String(error?._tag)}`
        )
      }
    }
    yield* ensure(won === 1, `of ${fixtures.length} writers at ${where} ${won} win`)
  })

const judged: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C60",
      name: "expects-a-generation",
      group: "conditions",
      needs: ["index"],
      statement:
        "An entry that expects a generation is appended if its key has had so many events, 0 if new.",
      advice: "Compare the count of the key, removals and removed events too, and name it in the conflict"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(expecting(paid("/a"), { key: "/a", generation: 0 }))
        yield* trial.commit(expecting({ _tag: "Delete", key: "/a" }, { key: "/a", generation: 1 }))
        yield* trial.commit(expecting(paid("/b"), { key: "/a", generation: 2 }, { key: "/b", generation: 0 }))
        yield* trial.compact(2)
        for (const generation of [0, 1, 3]) {
          const condition = { key: "/a", generation }
          const error = yield* conflicts(
            trial,
            `expecting generation ${generation} of 2`,
            changed,
            expecting(paid("/a"), condition)
          )
          yield* ensure(
            error.generation === 2,
            `the conflict names generation ${String(error.generation)} of 2`
          )
          yield* ensure(error.index === 0, `the conflict names entry ${String(error.index)} of one`)
        }
        yield* trial.commit(expecting(paid("/a"), { key: "/a", generation: 2 }))
      })
  ),
  logLaw(
    {
      id: "C61",
      name: "expects-nothing-after",
      group: "conditions",
      needs: ["index"],
      statement: "An entry that expects nothing of keys and kinds is appended if nothing of them came after.",
      advice: "Look for the first event after the revision that both selector and kinds match"
    },
    (trial) =>
      Effect.gen(function* () {
        const after = yield* trial.append(paid("/a"))
        yield* trial.commit(
          { changes: [event("/a/1", "noted")] },
          { changes: [paid("/b")] },
          { changes: [paid("/b")] }
        )
        const at = (yield* trial.all).map(({ revision }) => revision)
        const good: ReadonlyArray<Condition> = [
          { nothing: key("/a"), after },
          { nothing: prefix("/a/"), kinds: ["paid"], after },
          { nothing: prefix(""), kinds: ["other"], after },
          { nothing: prefix("/a/"), after: at[1] as Revision },
          { nothing: prefix(""), after: at[3] as Revision }
        ]
        for (const condition of good) {
          // It appends what none of the others is about.
          const { after, ...rest } = condition as Extract<Condition, { readonly nothing: unknown }>
          const isAboutAll = rest.nothing._tag === "Prefix" && rest.nothing.prefix === ""
          if (!isAboutAll || rest.kinds !== undefined)
            yield* trial.commit(expecting(event("/z", "else"), condition))
        }
        const bad: ReadonlyArray<readonly [condition: Condition, first: number]> = [
          [{ nothing: prefix(""), after }, 2],
          [{ nothing: key("/b"), after }, 3],
          [{ nothing: anyOf(key("/b"), prefix("/a/")), kinds: ["paid"], after }, 3],
          [{ nothing: prefix(""), kinds: ["paid"], after }, 3]
        ]
        for (const [condition, first] of bad) {
          const error = yield* conflicts(
            trial,
            "expecting nothing",
            changed,
            expecting(paid("/a"), condition)
          )
          const { revision } = error as { readonly revision?: Revision }
          yield* ensure(
            revision !== undefined && sameRevision(revision, at[first - 1] as Revision),
            `the conflict names revision ${revision?.seq}, and not ${first}`
          )
        }
        yield* trial.append(forgotten("/c"))
        const condition = { nothing: key("/c"), kinds: ["other"], after }
        yield* conflicts(
          trial,
          "expecting that nothing was forgotten",
          changed,
          expecting(paid("/a"), condition)
        )
      })
  ),
  logLaw(
    {
      id: "C62",
      name: "conflict-appends-nothing",
      group: "conditions",
      needs: ["index"],
      statement: "A commit with one conflict appends none of its entries, and the conflict names the entry.",
      advice: "Judge all entries before the first one is written"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.append(paid("/a"))
        const bad = expecting(paid("/a"), { key: "/a", generation: 1 }, { key: "/b", generation: 7 })
        const good = { changes: [paid("/c")] }
        for (const index of [0, 1, 2]) {
          const entries = [0, 1, 2].map((n) => (n === index ? bad : good))
          const error = yield* conflicts(trial, `a conflict of entry ${index}`, changed, ...entries)
          yield* ensure(
            error.index === index,
            `the conflict names entry ${String(error.index)}, not ${index}`
          )
          const { condition } = error as { readonly condition?: { readonly key?: unknown } }
          yield* ensure(condition?.key === "/b", "the conflict names another condition")
        }
        yield* trial.commit(good, expecting(paid("/a"), { key: "/a", generation: 1 }), good)
      })
  ),
  logLaw(
    {
      id: "C63",
      name: "judged-in-order",
      group: "conditions",
      needs: ["index"],
      statement: "An entry is judged by the log and the entries of its commit before it.",
      advice: "Count the events of earlier entries of the commit, and look for those that match"
    },
    (trial) =>
      Effect.gen(function* () {
        const at = (generation: number) => expecting(paid("/a"), { key: "/a", generation })
        yield* trial.commit(at(0), at(1), at(2))
        const error = yield* conflicts(trial, "one generation twice", changed, at(3), at(3))
        yield* ensure(error.index === 1, `the conflict names entry ${String(error.index)}, not 1`)
        const { head: after } = yield* trial.head
        const nothing = expecting(paid("/b"), { nothing: key("/b"), kinds: ["paid"], after })
        yield* conflicts(trial, "nothing twice", changed, nothing, nothing)
        yield* trial.commit({ changes: [event("/b", "noted")] }, nothing)
      })
  ),
  logLaw(
    {
      id: "C64",
      name: "id-before-condition",
      group: "conditions",
      needs: ["index"],
      statement: "An entry whose id is known is a duplicate, whatever it expects.",
      advice: "Look for ids before conditions: an answer may have been lost"
    },
    (trial) =>
      Effect.gen(function* () {
        const entry = (n: number) => ({ ...expecting(paid("/a"), { key: "/a", generation: n }), id: `${n}` })
        yield* trial.commit(entry(0), entry(0), entry(1))
        const { duplicates, revisions } = yield* trial.commit(entry(0), entry(1), entry(2))
        yield* ensure(
          duplicates === 2 && revisions.length === 1,
          `of three entries, two of them known, ${duplicates} are duplicates`
        )
        const { events } = yield* trial.history("/a")
        yield* ensure(events.length === 3, `of three ids the key has ${events.length} events`)
      })
  ),
  logLaw(
    {
      id: "C65",
      name: "conflict-beyond-judgement",
      group: "conditions",
      needs: ["index"],
      statement:
        "A revision below the floor, or of another history, after which nothing may be, is a conflict.",
      advice: "Validate the revision of a condition as a cursor"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.commit(...Array.from({ length: 4 }, () => ({ changes: [paid("/a")] })))
        const [first, , third, last] = (yield* trial.all).map(({ revision }) => revision) as [
          Revision,
          Revision,
          Revision,
          Revision
        ]
        yield* trial.compact(2)
        const after = (after: Revision) => expecting(paid("/a"), { nothing: key("/other"), after })
        yield* conflicts(trial, "after a removed revision", "Conflict Compacted", after(first))
        for (const other of [
          { ...third, epoch: "other" },
          { ...third, tag: third.tag ^ 1 },
          { ...last, seq: 5 }
        ]) {
          yield* conflicts(trial, "after no revision of the log", "Conflict EpochChanged", after(other))
        }
        yield* trial.commit(after(third))
        yield* trial.renew
        yield* conflicts(trial, "after a revision of before", "Conflict EpochChanged", after(last))
      })
  )
]

const writers: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C66",
      name: "one-winner",
      group: "conditions",
      needs: ["index"],
      statement:
        "Of writers that expect the same generation at once one is appended, and the others conflict.",
      advice: "Judge conditions after the head is locked, by what is there then"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixtures = yield* handles(trial, 4)
        for (let generation = 0; generation < 5; generation++) {
          const entry = expecting(paid("/a"), { key: "/a", generation })
          yield* oneWins(trial, fixtures, entry, `generation ${generation}`)
        }
        const { last } = yield* trial.history("/a")
        yield* ensure(last?.generation === 5, `after 5 rounds the key has had ${last?.generation} events`)
      })
  )
]

const malformed: ReadonlyArray<unknown> = [
  "nothing",
  [undefined],
  [{}],
  [{ key: "", generation: 0 }],
  [{ key: "/a", generation: -1 }],
  [{ key: "/a", generation: 0.5 }],
  [{ key: "/a" }],
  [{ nothing: prefix("/a"), after: { epoch: "", seq: 0, tag: 0 } }],
  [{ nothing: key("/a") }],
  [{ nothing: key("/a"), kinds: "paid", after: { epoch: "", seq: 0, tag: 0 } }],
  [{ nothing: key("/a"), kinds: [""], after: { epoch: "", seq: 0, tag: 0 } }]
]

const refused: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C67",
      name: "malformed-condition-is-refused",
      group: "conditions",
      needs: ["index"],
      statement: "An entry with a condition that is not valid is refused, and named by its position.",
      advice: "Check what entries expect before anything is appended"
    },
    (trial) =>
      Effect.gen(function* () {
        const good = { changes: [paid("/a")] }
        for (const expect of malformed) {
          // What a caller without types passes.
          const bad = { ...good, expect } as Entry<unknown>
          const what = `an entry that expects ${JSON.stringify(expect)}`
          const error = yield* conflicts(trial, what, "ChangeLogError Invalid", good, bad)
          yield* ensure(error.index === 1, `${what} is named by ${String(error.index)}, not 1`)
        }
        yield* trial.commit(good)
      })
  ),
  logLaw(
    {
      id: "C68",
      name: "conditions-need-an-index",
      group: "conditions",
      needs: ["no index"],
      statement: "A log without an index refuses an entry that expects a generation.",
      advice: "Refuse what the log cannot judge, and append nothing"
    },
    (trial) =>
      Effect.gen(function* () {
        const bad = expecting(paid("/a"), { key: "/a", generation: 0 })
        const error = yield* conflicts(
          trial,
          "an entry that expects something",
          "ChangeLogError Invalid",
          {
            changes: [paid("/a")]
          },
          bad
        )
        yield* ensure(error.index === 1, `it is named by ${String(error.index)}, not 1`)
      })
  )
]

export const logLawsOfConditions: ReadonlyArray<LogLaw> = [...judged, ...writers, ...refused]
