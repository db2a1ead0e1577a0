/** The laws of snapshots and previous values. */
import { Effect, Fiber, Option } from "effect"
import {
  anyOf,
  type Change,
  compareKeys,
  from,
  key,
  matches,
  prefix,
  put,
  type Revision,
  range,
  remove,
  type Selector,
  type Snapshot
} from "../../../ChangeLog.js"
import { ensure, refuses, succeeds } from "../calls.js"
import { sameData } from "../sameData.js"
import { type Draw, draw, randomJson } from "../values.js"
import { type LogFixture, logLaw, sameRevision } from "./fixture.js"
import type { LogLaw } from "./subject.js"

/** The last values, folded from a history. */
type Fold = Map<string, { readonly value: unknown; readonly revision: Revision }>

const fold = (logged: Effect.Effect.Success<LogFixture["all"]>, upTo = Number.POSITIVE_INFINITY): Fold => {
  const state: Fold = new Map()
  for (const { events, revision } of logged) {
    if (revision.seq > upTo) break
    for (const event of events) {
      if (event._tag === "Put") state.set(event.key, { value: event.value, revision })
      else state.delete(event.key)
    }
  }
  return state
}

/** Keys that sort differently by code unit, by code point and by any language. */
const keys = [
  "/a",
  "/a/",
  "/a/b",
  "/a/b/c",
  "/a0",
  "/A/b",
  "/ab/c",
  "/b/c",
  "/é/a",
  "/\uffff/a",
  "/\u{10000}/a",
  "z"
]

const selectors: ReadonlyArray<readonly [what: string, selector: Selector]> = [
  ["everything", prefix("")],
  ["a key", key("/a/b")],
  ["a key that was never set", key("/never")],
  ["a prefix", prefix("/a/")],
  ["a prefix behind the basic plane", prefix("/\u{10000}/")],
  ["a prefix that nothing is below", prefix("/c/")],
  ["a range", range("/a/b", "/b")],
  ["a range around surrogates", range("/\ud7ff", "/\u{10001}")],
  ["a key and all after it", from("/a/b")],
  ["all after a key that was never set, around surrogates", from("/\ud7ff")],
  ["all after the last key", from("zz")],
  ["a key and all after another one", anyOf(key("/A/b"), from("/\uffff/a"))],
  ["several at once, which overlap", anyOf(prefix("/a/"), key("/a/b"), range("/a", "/a/c"), key("z"))]
]

const randomChange = (by: Draw): Change<unknown> => {
  const name = by.of(keys)
  return by.below(4) === 0 ? remove(name) : put(name, by.below(8) === 0 ? null : randomJson(by, 2))
}

/** Appends random revisions of up to four changes. */
const randomHistory = ({ commit }: LogFixture, by: Draw, count: number): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    for (let left = count; left > 0; ) {
      const size = Math.min(left, 1 + by.below(5))
      yield* commit(
        ...Array.from({ length: size }, () => ({
          changes: Array.from({ length: 1 + by.below(4) }, () => randomChange(by))
        }))
      )
      left -= size
    }
  })

/** Fails unless the snapshot is the folded state. */
const matchesFold = (what: string, selector: Selector, { entries }: Snapshot<unknown>, state: Fold) =>
  Effect.gen(function* () {
    const wanted = [...state.keys()].filter((name) => matches(selector, name)).sort(compareKeys)
    const seen = entries.map((entry) => entry.key)
    yield* ensure(
      seen.length === wanted.length && wanted.every((name) => seen.includes(name)),
      `a snapshot of ${what} has the keys ${seen.join(" ") || "none"} instead of ${wanted.join(" ") || "none"}`
    )
    yield* ensure(
      seen.every((name, n) => name === wanted[n]),
      `a snapshot of ${what} has the order ${seen.join(" ")} instead of ${wanted.join(" ")}`
    )
    const wrong = entries.find((entry) => !sameData(entry.value, state.get(entry.key)?.value))
    yield* ensure(wrong === undefined, `a snapshot of ${what} has another value of ${wrong?.key}`)
    const late = entries.find(
      (entry) => !sameRevision(entry.revision, state.get(entry.key)?.revision as Revision)
    )
    yield* ensure(late === undefined, `a snapshot of ${what} has another revision of ${late?.key}`)
  })

const withState: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C33",
      name: "snapshot-is-the-fold",
      group: "state",
      statement:
        "A snapshot is what the history adds up to, for every kind of selector, ordered by key, without the deleted.",
      needs: ["state"],
      advice: "Keep the last values in the transaction that appends, and compare keys by code point"
    },
    (trial) =>
      Effect.gen(function* () {
        const by = draw(trial.seed)
        for (let round = 0; round < 2; round++) {
          yield* randomHistory(trial, by, Math.ceil(trial.samples / 4))
          const state = fold(yield* trial.all)
          const { head } = yield* trial.head
          for (const [what, selector] of selectors) {
            const taken = yield* trial.snapshot(selector)
            yield* ensure(
              sameRevision(taken.revision, head),
              `a snapshot is of revision ${taken.revision.seq}, not ${head.seq}`
            )
            yield* matchesFold(what, selector, taken, state)
          }
        }
      })
  ),
  logLaw(
    {
      id: "C34",
      name: "previous-values",
      group: "state",
      statement: "Each event has the value before it, also inside of one revision and of one commit.",
      needs: ["state"],
      advice:
        "Take the value before a change from the state and from the changes of the same commit before it"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* randomHistory(trial, draw(trial.seed), trial.samples)
        const state = new Map<string, unknown>()
        for (const { events, previous, revision } of yield* trial.all) {
          yield* ensure(
            previous?.length === events.length,
            `revision ${revision.seq} has no previous value for each event`
          )
          for (const [n, event] of events.entries()) {
            const seen = previous?.[n] ?? Option.none()
            const wanted = state.has(event.key) ? Option.some(state.get(event.key)) : Option.none()
            const same =
              seen._tag === wanted._tag &&
              sameData(Option.getOrUndefined(seen), Option.getOrUndefined(wanted))
            yield* ensure(same, `the value of ${event.key} before revision ${revision.seq} is wrong`)
            if (event._tag === "Put") state.set(event.key, event.value)
            else state.delete(event.key)
          }
        }
      })
  ),
  logLaw(
    {
      id: "C35",
      name: "replay-keeps-the-state",
      group: "state",
      statement: "An entry that is a duplicate changes no last value.",
      needs: ["state"],
      advice: "Apply to the state what was appended, and nothing else"
    },
    (trial) =>
      Effect.gen(function* () {
        const first = { changes: [put("/a", 1), put("/b", 1)], id: "one" }
        yield* trial.commit(first)
        yield* trial.commit({ changes: [put("/a", 2), remove("/b")] })
        yield* trial.commit(first, { changes: [put("/c", 3)] }, { ...first, changes: [remove("/c")] })
        const { entries } = yield* trial.snapshot(prefix(""))
        const seen = entries.map((entry) => `${entry.key}=${String(entry.value)}`).join(" ")
        yield* ensure(seen === "/a=2 /c=3", `after a replay the state is ${seen}, and must be /a=2 /c=3`)
      })
  ),
  logLaw(
    {
      id: "C36",
      name: "state-outlives-history",
      group: "state",
      statement: "Compaction and renewal leave the last values, at revisions that a reader can read after.",
      needs: ["state"],
      advice:
        "Keep the state apart from the revisions; after a renewal it is as old as the start, or as its events"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* randomHistory(trial, draw(trial.seed), 20)
        const state = fold(yield* trial.all)
        yield* trial.compact(20)
        yield* matchesFold("a compacted log", prefix(""), yield* trial.snapshot(prefix("")), state)
        const epoch = yield* trial.renew
        const renewed = yield* trial.snapshot(prefix(""))
        const start: Revision = { epoch, seq: 0, tag: 0 }
        const keepsEvents = trial.subject.capabilities.keys === "indexed"
        const moved: Fold = new Map(
          [...state].map(([name, { revision, value }]) => [
            name,
            { value, revision: keepsEvents ? { ...revision, epoch } : start }
          ])
        )
        yield* matchesFold("a renewed log", prefix(""), renewed, moved)
        yield* ensure(
          (yield* trial.read(renewed.revision)).length === 0,
          "a snapshot of a renewed log is not of its start"
        )
      })
  ),
  logLaw(
    {
      id: "C37",
      name: "snapshot-of-one-moment",
      group: "state",
      statement:
        "A snapshot that is taken while others write is what the history adds up to at its revision.",
      needs: ["state"],
      advice: "Read the head and the last values in one statement, or in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const by = draw(trial.seed)
        const writer = yield* Effect.fork(randomHistory(trial, by, trial.samples))
        const taken: Array<Snapshot<unknown>> = []
        while (writer.unsafePoll() === null) {
          taken.push(yield* trial.snapshot(prefix("")))
          yield* Effect.yieldNow()
        }
        yield* succeeds(trial, "writing while snapshots are taken", Fiber.join(writer))
        const history = yield* trial.all
        for (const one of taken) {
          yield* matchesFold(`revision ${one.revision.seq}`, prefix(""), one, fold(history, one.revision.seq))
        }
      })
  )
]

const withoutState: ReadonlyArray<LogLaw> = [
  logLaw(
    {
      id: "C38",
      name: "no-state-no-snapshot",
      group: "state",
      statement: "A log that keeps no state refuses snapshots as NoState, and gives no previous values.",
      needs: ["no state"],
      advice: "Refuse by the option, and not by what is found"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.append(put("/a", 1))
        yield* refuses(trial, "a snapshot without state", "ChangeLogError NoState", () =>
          trial.log.snapshot(prefix(""))
        )
        const hasPrevious = (yield* trial.all).some(({ previous }) => previous !== undefined)
        yield* ensure(!hasPrevious, "a log without state gives previous values")
      })
  )
]

export const logLawsOfState: ReadonlyArray<LogLaw> = [...withState, ...withoutState]
