/** The laws of reading and putting. */
import { Effect } from "effect"
import { ensure, succeeds } from "../calls.js"
import { type Draw, draw } from "../values.js"
import { type Expected, entriesOf, entry, type StoreFixture, tierLaw } from "./fixture.js"
import type { TierLaw } from "./subject.js"

const numbered = (count: number, prefix = ""): ReadonlyArray<readonly [key: string, value: string]> =>
  Array.from({ length: count }, (_, n) => [`${prefix}k${n}`, `${prefix}v${n}`])

const reading: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T1",
      name: "empty-at-first",
      group: "reading",
      statement: "A new namespace holds nothing.",
      advice: "Give `undefined` for a key without an entry"
    },
    ({ open }) =>
      Effect.flatMap(open("a"), ({ holds }) =>
        holds(
          "in a new namespace",
          ["", "k", "constructor", "__proto__"].map((key): Expected => [key, undefined])
        )
      )
  ),
  tierLaw(
    {
      id: "T2",
      name: "what-was-put",
      group: "reading",
      statement: "The value of a key is that of its last put, however often it is read.",
      advice: "Store every entry before a put succeeds, and replace the one before"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put([entry("k", "1")])
        yield* holds("after a put", [["k", "1"]])
        yield* put([entry("k", "2"), entry("other", "3")])
        for (const when of ["after a second put", "read again"]) {
          yield* holds(when, [
            ["k", "2"],
            ["other", "3"]
          ])
        }
      })
  ),
  tierLaw(
    {
      id: "T3",
      name: "in-order-of-keys",
      group: "reading",
      statement:
        "The answer has one value for each key that was asked, in their order, also for one asked twice.",
      advice: "Look the values up by key: a backend gives what it has found, in its own order"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put(entriesOf(numbered(5)))
        yield* holds("asked in another order", [
          ["k3", "v3"],
          ["none", undefined],
          ["k0", "v0"],
          ["k4", "v4"],
          ["k3", "v3"],
          ["none", undefined],
          ["k1", "v1"]
        ])
      })
  ),
  tierLaw(
    {
      id: "T4",
      name: "many-at-once",
      group: "reading",
      statement: "A put, a get and a remove of 1,200 keys each do all of them.",
      advice: "Send keys as one parameter or in parts: databases bound parameters, systems bound open files"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put, remove } = yield* open("a")
        const many = numbered(1_200)
        yield* put(entriesOf(many))
        yield* holds("after a put of 1,200", many)
        yield* remove(...many.slice(1).map(([key]) => key))
        yield* holds(
          "after a remove of 1,199",
          many.map(([key, value], n) => [key, n === 0 ? value : undefined])
        )
      })
  ),
  tierLaw(
    {
      id: "T5",
      name: "shares-no-lists",
      group: "reading",
      statement: "What a caller does to the lists and entries of a call that has ended changes nothing.",
      advice: "Copy what is kept, and give each get an answer of its own"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { get, holds, put } = yield* open("a")
        const given = [{ key: "k", value: "1" }]
        yield* put(given)
        Reflect.set(given[0] as object, "value", "spoiled")
        given.length = 0
        const answer = yield* get(["k"])
        Reflect.set(answer, 0, "spoiled")
        yield* holds("after its lists were changed", [["k", "1"]])
      })
  )
]

const keysOfMap = ["", "a", "b", "A", "/a", "%2Fa"]

/** One random step, of the store and of the map that it has to equal. */
const step = (
  by: Draw,
  { clear, put, remove }: StoreFixture,
  map: Map<string, string>,
  n: number
): Effect.Effect<void, string> => {
  const keys = Array.from({ length: 1 + by.below(3) }, () => by.of(keysOfMap))
  switch (by.below(8)) {
    case 0:
      map.clear()
      return clear
    case 1:
    case 2:
      for (const key of keys) map.delete(key)
      return remove(...keys)
    default:
      for (const [m, key] of keys.entries()) map.set(key, `${n}.${m}`)
      return put(keys.map((key, m) => entry(key, `${n}.${m}`)))
  }
}

const putting: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T6",
      name: "nothing-to-do",
      group: "putting",
      statement: "A get, a put and a remove of nothing succeed and change nothing.",
      advice: "Return at once from an empty list: many drivers fail on a statement without rows"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { get, holds, put, remove } = yield* open("a")
        yield* put([entry("k", "1")])
        yield* put([])
        yield* remove()
        yield* ensure((yield* get([])).length === 0, "a get of no keys gives values")
        yield* holds("after calls of nothing", [["k", "1"]])
      })
  ),
  tierLaw(
    {
      id: "T7",
      name: "acts-when-run",
      group: "putting",
      statement: "Making a call does nothing until its effect is run, and each run does it again.",
      advice: "Start the work inside of the effect, with Effect.suspend or Effect.tryPromise"
    },
    (trial) =>
      Effect.gen(function* () {
        const { holds, put, store } = yield* trial.open("a")
        yield* put([entry("k", "1")])
        const again = store.put([entry("k", "2")])
        const removing = store.remove(["k"])
        const clearing = store.clear
        yield* holds("before any effect was run", [["k", "1"]])
        const run = (effect: Effect.Effect<void, unknown>) =>
          succeeds(trial, "running an effect that was made before", effect)
        yield* run(removing)
        yield* holds("after a remove", [["k", undefined]])
        yield* run(again)
        yield* holds("after a put", [["k", "2"]])
        yield* run(clearing)
        yield* run(again)
        yield* holds("after the same put ran again", [["k", "2"]])
        yield* run(clearing)
        yield* holds("after the same clear ran again", [["k", undefined]])
      })
  ),
  tierLaw(
    {
      id: "T8",
      name: "last-of-a-key",
      group: "putting",
      statement: "Of several entries with one key in a put, without an order, the last one counts.",
      advice: "Leave one entry of each key before the statement: some databases refuse to write a row twice"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put([entry("k", "1"), entry("other", "2"), entry("k", "3")])
        yield* holds("after a put with a key twice", [
          ["k", "3"],
          ["other", "2"]
        ])
      })
  ),
  tierLaw(
    {
      id: "T9",
      name: "as-a-map",
      group: "putting",
      statement: "Random puts, removes and clears leave what a map would hold.",
      advice: "Look for a call that does less, or more, than its keys ask for"
    },
    (trial) =>
      Effect.gen(function* () {
        const fixture = yield* trial.open("a")
        const by = draw(trial.seed)
        const map = new Map<string, string>()
        for (let n = 0; n < trial.samples; n++) {
          yield* step(by, fixture, map, n)
          yield* fixture.holds(
            `after step ${n}`,
            keysOfMap.map((key): Expected => [key, map.get(key)])
          )
        }
      })
  )
]

export const tierLawsOfReading: ReadonlyArray<TierLaw> = [...reading, ...putting]
