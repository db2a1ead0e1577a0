/** The laws of several backends on one place, and of errors. */
import { Effect } from "effect"
import type { Save } from "../../../internal/catalog/backend.js"
import { ensure, refuses } from "../calls.js"
import { difference, sameData } from "../sameData.js"
import { type DatastoreTrial, datastoreLaw, type Expected, revisionsAfter, shown, writes } from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

/** Adds one to a number. */
const increment =
  (key: string): Save["decide"] =>
  (locked) => {
    const held = locked.get(key)?.data ?? 0
    return { revisions: revisionsAfter(locked.head, [[key, Number(held) + 1]]) }
  }

const rounds = 5

const sums = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const backends = [trial, yield* trial.another, yield* trial.another]
    const stores = yield* Effect.forEach(backends, ({ open }) => Effect.all([open("a"), open("b")] as const))
    const each = (n: number) => {
      const saves = ["a", "b"].map((id) => trial.step(id, increment("count"), { keys: ["count"] }))
      return n % 2 === 0 ? saves : saves.reverse()
    }
    yield* Effect.forEach(
      backends,
      ({ save }, n) => Effect.forEach(Array.from({ length: rounds }), () => save(each(n))),
      { concurrency: "unbounded" }
    )
    const sum = backends.length * rounds
    for (const [store] of stores) yield* store.holds("after increments at once", [["count", sum, sum]])
    for (const { logged } of stores[0]!) {
      const seqs = (yield* logged).map(({ revision }) => String(revision.seq))
      const seen = difference(
        seqs,
        Array.from({ length: sum }, (_, n) => String(n + 1))
      )
      yield* ensure(seen === undefined, `of the revisions of increments at once are ${seen}`)
    }
  })

const handles: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D36",
      name: "backends-see-each-other",
      group: "handles",
      statement: "What one backend has saved, another one loads, reads in the log and decides on, at once.",
      advice: "Answer from what is committed, and keep no values in the backend"
    },
    (trial) =>
      Effect.gen(function* () {
        const other = yield* trial.another
        const own = yield* trial.open("a")
        const theirs = yield* other.open("a")
        const expected: Array<Expected> = []
        for (const [n, { save }] of [trial, other, trial, other].entries()) {
          yield* save([trial.step("a", writes([[`k${n}`, n]]))])
          expected.push([`k${n}`, n, n + 1])
          for (const [backend, store] of [
            [trial, own],
            [other, theirs]
          ] as const) {
            yield* store.holds(`after save ${n}`, expected)
            const { length } = yield* store.logged
            yield* ensure(length === n + 1, `after save ${n} a log has ${length} revisions`)
            const { values } = yield* backend.look("a", { keys: [`k${n}`] })
            yield* ensure(values[0]?.data === n, `after save ${n} a decision sees ${shown(values[0])}`)
          }
        }
      })
  ),
  datastoreLaw(
    {
      id: "D37",
      name: "one-after-the-other",
      group: "handles",
      statement:
        "Of saves of several backends at once, each decides on what the one before has committed; whatever the order of their stores, all succeed.",
      advice: "Lock the heads of a batch in one order of ids, before anything is read"
    },
    sums
  )
]

const errors: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D38",
      name: "no-such-store",
      group: "errors",
      statement:
        "A save to a store that was never opened is Broken, and the other stores of its batch go on.",
      advice: "Look for the rows of all stores of a batch first, and answer for those that are not there"
    },
    ({ open, save, step }) =>
      Effect.gen(function* () {
        const { holds } = yield* open("a")
        const outcomes = yield* save([
          step("none", writes([["k", 1]])),
          step("a", writes([["k", 1]])),
          step("none", writes([["k", 2]]))
        ])
        const tags = outcomes.map(({ _tag }) => _tag)
        yield* ensure(sameData(tags, ["Broken", "Saved", "Broken"]), `the outcomes are ${shown(tags)}`)
        yield* holds("after a save to no store", [["k", 1, 1]])
        const none = yield* open("none")
        yield* none.holds("opened after a save to it", [])
      })
  ),
  datastoreLaw(
    {
      id: "D39",
      name: "fails-typed",
      group: "errors",
      statement:
        "While the place fails, every call fails with a StorageError: none dies, hangs or returns nothing.",
      advice: "Turn every failure and defect of the driver into a StorageError",
      needs: ["faults"]
    },
    (trial) =>
      Effect.gen(function* () {
        const { backend, fail, open, step } = trial
        const { opened } = yield* open("a")
        const { sessions } = backend
        yield* fail
        const calls: ReadonlyArray<readonly [what: string, call: () => Effect.Effect<unknown, unknown>]> = [
          ["a save", () => backend.save([step("a", writes([["k", 1]]))], undefined)],
          ["a load", () => opened.load],
          ["opening another store", () => Effect.scoped(backend.open({ ...opened.stored, id: "b" }))],
          ["setting a version", () => backend.setVersion("a", 2)],
          ["extending a lease", () => sessions.extend([{ id: "s", ttl: 1 }])],
          ["reading ended sessions", () => sessions.ended(1)],
          ["forgetting sessions", () => sessions.forget(["s"])],
          ["reading the keys of a session", () => sessions.keysOf("a", "s")]
        ]
        for (const [what, call] of calls)
          yield* refuses(trial, `${what} while the place fails`, "StorageError", call)
      })
  )
]

export const datastoreLawsOfHandles: ReadonlyArray<DatastoreLaw> = [...handles, ...errors]
