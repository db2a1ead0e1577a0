/** The laws of opening stores. */
import { Effect } from "effect"
import type { Stored } from "../../../internal/catalog/backend.js"
import { ensure } from "../calls.js"
import { difference, sameData } from "../sameData.js"
import { type DatastoreTrial, datastoreLaw, described, type StoreFixture, shown, writes } from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

const first: Partial<Stored> = { primary: "key", version: 3 }
const other: Partial<Stored> = { part: "pool", primary: "", version: 9, fingerprint: "f", owner: "o" }

const isStored = (what: string, { opened }: StoreFixture, expected: Stored): Effect.Effect<void, string> =>
  ensure(
    sameData(opened.stored, expected),
    `${what} returns ${shown(opened.stored)} instead of ${shown(expected)}`
  )

/** Ids of stores that some way of comparing or escaping names takes for the same. */
const likeIds: ReadonlyArray<string> = [
  "a",
  "A",
  "a ",
  "a/b",
  "a%2Fb",
  "a_b",
  "a'b",
  "__proto__",
  "constructor",
  "é",
  "e\u0301",
  "😀"
]

const reopened = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    for (const round of [0, 1, 2]) {
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { open, save } = yield* trial.another
          const { holds, id } = yield* open("a")
          yield* holds(
            `opened for the ${round + 1}. time`,
            Array.from({ length: round }, (_, n) => [`k${n}`, n, n + 1] as const)
          )
          yield* save([trial.step(id, writes([[`k${round}`, round]]))])
        })
      )
    }
    const { logged } = yield* Effect.flatMap(trial.another, ({ open }) => open("a"))
    const seqs = (yield* logged).map(({ revision }) => String(revision.seq))
    const seen = difference(seqs, ["1", "2", "3"])
    yield* ensure(seen === undefined, `of the revisions of a store that was opened again are ${seen}`)
  })

export const datastoreLawsOfOpening: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D1",
      name: "opened-as-stored",
      group: "opening",
      statement:
        "The first opener makes a store as it describes it, and all later ones get it as it is stored.",
      advice: "Insert if there is none, and return the row that is there: the opener compares"
    },
    ({ another, open }) =>
      Effect.gen(function* () {
        yield* isStored("the first opener", yield* open("a", first), described("a", first))
        yield* isStored("a second opener", yield* open("a", other), described("a", first))
        yield* isStored("the first opener of another id", yield* open("b", other), described("b", other))
        const { open: again } = yield* another
        yield* isStored("another backend", yield* again("a", other), described("a", first))
        yield* isStored("another backend", yield* again("b", first), described("b", other))
      })
  ),
  datastoreLaw(
    {
      id: "D2",
      name: "empty-at-first",
      group: "opening",
      statement: "A new store holds no values, replies or windows, and its head has the seq 0.",
      advice: "Give a new store a log of its own"
    },
    ({ look, open }) =>
      Effect.gen(function* () {
        const { holds, load } = yield* open("a")
        yield* holds("in a new store", [])
        const { operations, revision, windows } = yield* load
        yield* ensure(revision.seq === 0, `the head of a new store has the seq ${revision.seq}`)
        yield* ensure(operations.length + windows.size === 0, "a new store remembers operations")
        const { head, totals, values } = yield* look("a", { keys: ["constructor", "k"] })
        yield* ensure(
          head.seq === 0 && totals.records === 0 && totals.bytes === 0,
          `the first decision of a store sees the seq ${head.seq} and the totals ${shown(totals)}`
        )
        yield* ensure(
          values.every((value) => value === undefined),
          "the first decision of a store sees values"
        )
      })
  ),
  datastoreLaw(
    {
      id: "D3",
      name: "openers-at-once",
      group: "opening",
      statement: "Of several openers of a new store at once, one makes it, and all use that one.",
      advice: "Let the database decide by a unique key, and read the row again after a conflict"
    },
    (trial) =>
      Effect.gen(function* () {
        const backends = [trial, yield* trial.another, yield* trial.another]
        const stores = yield* Effect.forEach(
          backends,
          ({ open }, n) => open("a", { version: n, primary: `field ${n}` }),
          { concurrency: "unbounded" }
        )
        const [store] = stores
        for (const one of stores) yield* isStored("an opener", one, store!.opened.stored)
        yield* Effect.forEach(backends, ({ save }, n) => save([trial.step("a", writes([[`k${n}`, n]]))]))
        for (const { holds } of stores) {
          yield* holds("after each opener saved", [
            ["k0", 0, 1],
            ["k1", 1, 2],
            ["k2", 2, 3]
          ])
        }
      })
  ),
  datastoreLaw(
    {
      id: "D4",
      name: "stores-apart",
      group: "opening",
      statement: "What is saved to a store is in no other one, however much their ids are alike.",
      advice: "Compare ids by their code points, and put the id into every key"
    },
    ({ open, save, step }) =>
      Effect.gen(function* () {
        const stores = yield* Effect.forEach(likeIds, (id) => open(id))
        yield* save(likeIds.map((id) => step(id, writes([["k", id]]))))
        for (const { holds, id } of stores) yield* holds(`in the store ${shown(id)}`, [["k", id, 1]])
      })
  ),
  datastoreLaw(
    {
      id: "D5",
      name: "kept-after-closing",
      group: "opening",
      statement:
        "What is saved is there when the backend and the store are opened again, and the seq goes on.",
      advice: "Tie to the scope of an opening what reads the store, and never what is stored"
    },
    reopened
  ),
  datastoreLaw(
    {
      id: "D6",
      name: "sets-the-version",
      group: "opening",
      statement: "A new version is the one that all later openers get, of this store alone.",
      advice: "Update the row of the id, and read it in each opening"
    },
    ({ another, call, open, save, step }) =>
      Effect.gen(function* () {
        yield* open("a", first)
        yield* open("b", first)
        yield* save([step("a", writes([["k", 1]]))])
        yield* call("setting a version", ({ setVersion }) => setVersion("a", 4))
        for (const { open: again } of [{ open }, yield* another]) {
          const { holds, ...store } = yield* again("a")
          yield* isStored(
            "an opener after a new version",
            { holds, ...store },
            described("a", { ...first, version: 4 })
          )
          yield* holds("after a new version", [["k", 1, 1]])
          yield* isStored("an opener of another store", yield* again("b"), described("b", first))
        }
      })
  )
]
