/** The laws of saves that fail, break, or are interrupted. */
import { Effect } from "effect"
import type { LoggedRevision, Revision } from "../../../ChangeLog.js"
import type { Broken, SaveOutcome, StoredValue } from "../../../internal/catalog/backend.js"
import { ensure, interruptedAfter, moments, refuses } from "../calls.js"
import { sameData } from "../sameData.js"
import {
  type DatastoreTrial,
  datastoreLaw,
  deciding,
  operation,
  type StoreFixture,
  sameRevision,
  shown,
  writes
} from "./fixture.js"
import { savedOf } from "./saving.js"
import type { DatastoreLaw } from "./subject.js"

const isBroken = (outcome: SaveOutcome | undefined): boolean => outcome?._tag === "Broken"

/** A batch whose last save cannot be stored, because its key is too long for any log. */
const refusedBatch = ({ backend, step }: DatastoreTrial) =>
  backend.save(
    [
      step("a", deciding(writes([["k", "wrong"]]), { reply: 1 }), { id: operation("c", 1) }),
      step("b", writes([["k", "wrong"]], [["l", "wrong"]])),
      step("b", writes([["x".repeat(2_000), 1]]))
    ],
    undefined
  )

const broken: Broken = { _tag: "Broken", message: "it was decided otherwise" }

/** A store whose log is read all the time while a call runs. */
const readWhile = ({ logged }: StoreFixture, call: Effect.Effect<unknown, string>) =>
  Effect.gen(function* () {
    const all: Array<ReadonlyArray<LoggedRevision<StoredValue>>> = []
    const reading = Effect.forever(
      Effect.andThen(
        Effect.tap(logged, (seen) => Effect.sync(() => all.push(seen))),
        Effect.yieldNow()
      )
    )
    yield* Effect.raceFirst(reading, call)
    all.push(yield* logged)
    return all
  })

const nothingEarly = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const { open, save, step } = trial
    const store = yield* open("a")
    yield* open("b")
    const allowed: Array<Revision> = []
    const calls = Effect.forEach(Array.from({ length: 6 }), (_, n) =>
      Effect.gen(function* () {
        yield* refuses(trial, "saving a key that is too long", "StorageError", () => refusedBatch(trial))
        const outcomes = yield* save([step("a", writes([["k", n]])), step("a", () => broken)])
        allowed.push(...(yield* savedOf(outcomes[0])).revisions)
      })
    )
    const views = yield* readWhile(store, calls)
    for (const view of views) {
      const strange = view.find(({ revision }) => !allowed.some((one) => sameRevision(one, revision)))
      yield* ensure(
        strange === undefined,
        `a reader of the log got ${shown(strange?.revision)}, which no outcome names`
      )
    }
  })

const interrupted = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const { backend, open, save, step } = trial
    const a = yield* open("a")
    const b = yield* open("b")
    for (const [n, turns] of moments.entries()) {
      const batch = [step("a", writes([["k", n]])), step("b", writes([["k", n]], [["l", n]]))]
      yield* interruptedAfter(trial, turns, "a save", backend.save(batch, undefined))
      // What is saved next waits for what the interrupted save has left.
      yield* save([step("a", () => ({ revisions: [] })), step("b", () => ({ revisions: [] }))])
      const of = (store: StoreFixture) =>
        Effect.map(store.load, ({ values }) => values.filter(({ data }) => data === n).length)
      const left = [yield* of(a), yield* of(b)]
      yield* ensure(
        sameData(left, [0, 0]) || sameData(left, [1, 2]),
        `a save that was interrupted after ${turns} turns left ${left[0]} of 1 and ${left[1]} of 2 values`
      )
    }
    yield* save([step("a", writes([["end", 1]])), step("b", writes([["end", 1]]))])
    for (const { logged } of [a, b]) {
      const seqs = (yield* logged).map(({ revision }) => revision.seq)
      yield* ensure(
        seqs.every((seq, n) => seq === n + 1),
        `after interrupted saves the log has the seqs ${shown(seqs)}`
      )
    }
  })

export const datastoreLawsOfAtomicity: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D16",
      name: "all-or-nothing",
      group: "saving",
      statement:
        "A batch with a save that cannot be stored fails as NotStored, and nothing of it is in any store.",
      advice: "Write values, heads, replies and logs of all stores in one transaction"
    },
    (trial) =>
      Effect.gen(function* () {
        const a = yield* trial.open("a")
        const b = yield* trial.open("b")
        yield* trial.save([trial.step("a", writes([["k", 1]])), trial.step("b", writes([["k", 1]]))])
        const error = yield* refuses(trial, "saving a key that is too long", "StorageError", () =>
          refusedBatch(trial)
        )
        yield* ensure(error.outcome === "NotStored", `its outcome is ${shown(error.outcome)}`)
        for (const store of [a, b]) {
          yield* store.holds("after a batch that failed", [["k", 1, 1]])
          const { length } = yield* store.logged
          yield* ensure(length === 1, `after a batch that failed, a log has ${length} revisions`)
        }
        const { remembered, totals, window } = yield* trial.look("a", { id: operation("c", 1) })
        yield* ensure(
          remembered === undefined && window.top === 0 && totals.records === 1,
          "a batch that failed changed replies, windows or totals"
        )
        yield* trial.save([trial.step("a", writes([["k", 2]])), trial.step("b", writes([["k", 2]]))])
        for (const { holds } of [a, b]) yield* holds("after the next batch", [["k", 2, 2]])
      })
  ),
  datastoreLaw(
    {
      id: "D17",
      name: "shown-after-the-commit",
      group: "saving",
      statement:
        "A reader of the log gets revisions that are committed, and never one of a save that failed.",
      advice: "Append to the log in the transaction, and ring after COMMIT"
    },
    nothingEarly
  ),
  datastoreLaw(
    {
      id: "D18",
      name: "broken-stops-its-store",
      group: "saving",
      statement:
        "A broken save leaves out itself and the later saves of its store in the batch; what was before it and other stores are saved.",
      advice: "Skip what follows a Broken in its store, and ask the decisions of the next batch again"
    },
    ({ look, open, save, step }) =>
      Effect.gen(function* () {
        const a = yield* open("a")
        const b = yield* open("b")
        const outcomes = yield* save([
          step("a", writes([["before", 1]])),
          step("a", () => broken, { id: operation("c", 1) }),
          step("b", writes([["k", 1]])),
          step("a", deciding(writes([["after", 1]]), { reply: 1 }), { id: operation("c", 2) }),
          step("b", writes([["l", 2]]))
        ])
        yield* ensure(
          sameData(outcomes.map(isBroken), [false, true, false, true, false]),
          `the outcomes are ${shown(outcomes.map(({ _tag }) => _tag))}`
        )
        yield* a.holds("after a broken save", [["before", 1, 1]])
        yield* b.holds("after a broken save of another store", [
          ["k", 1, 1],
          ["l", 2, 2]
        ])
        const { window } = yield* look("a", { id: operation("c", 2) })
        yield* ensure(window.top === 0, "a save after a broken one is remembered")
        yield* save([step("a", writes([["next", 2]]))])
        yield* a.holds("after the next batch", [
          ["before", 1, 1],
          ["next", 2, 2]
        ])
      })
  ),
  datastoreLaw(
    {
      id: "D19",
      name: "interrupted-saves",
      group: "saving",
      statement: "A save that is interrupted, at whatever moment, has saved all of its stores or none.",
      advice: "Commit once, roll back on interruption, and give connections and locks back"
    },
    interrupted
  )
]
