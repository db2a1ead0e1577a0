/** The laws of removing and clearing, and of several handles. */
import { Effect } from "effect"
import { ensure, interruptedAfter, moments } from "../calls.js"
import { type Expected, entriesOf, entry, quoted, tierLaw } from "./fixture.js"
import type { TierLaw } from "./subject.js"

const abc: ReadonlyArray<readonly [key: string, value: string]> = [
  ["a", "1"],
  ["b", "2"],
  ["c", "3"]
]

const gone: ReadonlyArray<Expected> = abc.map(([key]) => [key, undefined])

const removing: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T15",
      name: "removes-these-only",
      group: "removing",
      statement:
        "A remove takes the entries of its keys, in its namespace alone; keys without an entry do not hinder it.",
      advice: "Take a missing entry for removed: some backends fail on it"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const one = yield* open("one")
        const other = yield* open("other")
        yield* one.put(entriesOf(abc))
        yield* other.put(entriesOf(abc))
        yield* one.remove("none", "a", "a", "c")
        yield* one.holds("after a remove", [
          ["a", undefined],
          ["b", "2"],
          ["c", undefined]
        ])
        yield* other.holds("after a remove in another namespace", abc)
        yield* one.remove("a")
        yield* one.put([entry("a", "4")])
        yield* one.holds("put anew after a remove", [["a", "4"]])
      })
  ),
  tierLaw(
    {
      id: "T16",
      name: "clears-this-namespace",
      group: "removing",
      statement: "A clear takes all entries of its namespace, and no entry of another one.",
      advice: "Delete by the whole name of the namespace, never by a prefix or a pattern, nor the whole place"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const names = ["client", "clients", "client*", "clien", "", "client/x", "client:x", "Client"]
        const opened = yield* Effect.forEach(names, (name) =>
          Effect.map(open(name), (fixture) => [name, fixture] as const)
        )
        for (const cleared of ["client", "client*", ""]) {
          for (const [, { put }] of opened) yield* put(entriesOf(abc))
          yield* Effect.flatMap(open(cleared), ({ clear }) => clear)
          for (const [name, { holds }] of opened) {
            yield* holds(
              `in ${quoted(name)}, after a clear of ${quoted(cleared)}`,
              name === cleared ? gone : abc
            )
          }
        }
      })
  ),
  tierLaw(
    {
      id: "T17",
      name: "cleared-for-good",
      group: "removing",
      statement:
        "What was cleared never comes back: not by new puts, another clear, or a tier that is opened later.",
      advice:
        "Mark a cleared namespace by a name that is never used again, and let its loss lose the entries too"
    },
    ({ another, open }) =>
      Effect.gen(function* () {
        const { clear, holds, put } = yield* open("a")
        yield* clear
        for (const round of [1, 2, 3]) {
          yield* put(entriesOf(abc))
          yield* clear
          yield* holds(`after clear ${round}`, gone)
          yield* put([entry("b", "new")])
          const others = yield* Effect.flatMap(another, (open) => open("a"))
          for (const { holds: has } of [{ holds }, others]) {
            yield* has(`with a new entry after clear ${round}`, [
              ["a", undefined],
              ["b", "new"],
              ["c", undefined]
            ])
          }
        }
      })
  )
]

const handles: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T18",
      name: "reopening-keeps",
      group: "handles",
      statement: "What was put is there when the tier and the namespace are opened again.",
      advice: "Write in the put, and derive what the place needs from the names alone"
    },
    ({ another }) =>
      Effect.gen(function* () {
        for (const round of [1, 2]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const { holds, put } = yield* Effect.flatMap(another, (open) => open("a"))
              if (round === 2) yield* holds("opened again", abc)
              yield* put(entriesOf(abc))
            })
          )
        }
        const { holds } = yield* Effect.flatMap(another, (open) => open("a"))
        yield* holds("opened a third time", abc)
      })
  ),
  tierLaw(
    {
      id: "T19",
      name: "handles-see-each-other",
      group: "handles",
      statement: "A handle sees what another one has put, removed and cleared, at once.",
      advice: "Keep nothing of the place in a handle, or ask the place whether it still holds"
    },
    ({ another, open }) =>
      Effect.gen(function* () {
        const one = yield* open("a")
        const other = yield* Effect.flatMap(another, (open) => open("a"))
        yield* one.holds("at first", gone)
        yield* other.put(entriesOf(abc))
        yield* one.holds("after another handle's put", abc)
        yield* one.remove("a")
        yield* other.holds("after another handle's remove", [["a", undefined]])
        yield* other.clear
        yield* one.holds("after another handle's clear", gone)
        yield* one.put([entry("b", "new")])
        yield* other.holds("after a put behind its own clear", [["b", "new"]])
      })
  ),
  tierLaw(
    {
      id: "T20",
      name: "calls-at-once",
      group: "handles",
      statement: "Puts, removes and clears of several handles at once all succeed, and leave whole values.",
      advice:
        "Lock rows in one order, try again while the backend is busy, and notice a value that is half written"
    },
    (trial) =>
      Effect.gen(function* () {
        const stores = yield* Effect.forEach([0, 1, 2, 3], () =>
          Effect.flatMap(trial.another, (open) => open("a"))
        )
        const keys = Array.from({ length: 20 }, (_, n) => `k${n}`)
        const valueOf = (w: number, round: number, key: string) =>
          `${w}.${round}.${key};`.repeat(50 * (w + 1))
        const rounds = [0, 1, 2]
        const put = (w: number, round: number): Effect.Effect<void, string> => {
          const own = w % 2 === 0 ? keys : [...keys].reverse()
          return stores[w]?.put(own.map((key) => entry(key, valueOf(w, round, key)))) ?? Effect.void
        }
        yield* Effect.forEach(
          stores,
          ({ clear, remove }, w) =>
            Effect.forEach(rounds, (round) =>
              Effect.andThen(put(w, round), w === 0 ? clear : w === 1 ? remove(...keys) : Effect.void)
            ),
          { concurrency: "unbounded" }
        )
        yield* Effect.forEach(stores, (_, w) => put(w, rounds.length), { concurrency: "unbounded" })
        const values = yield* (yield* trial.open("a")).get(keys)
        for (const [n, key] of keys.entries()) {
          const value = values[n]
          const known = stores.map((_, w) => valueOf(w, rounds.length, key))
          yield* ensure(
            value === undefined || known.includes(value),
            `after puts at once the key ${key} has ${quoted(value)}, which no handle has put`
          )
        }
      })
  ),
  tierLaw(
    {
      id: "T21",
      name: "interrupted-puts",
      group: "handles",
      statement:
        "A put that is interrupted, at whatever moment, leaves a key its old value, the new one or none.",
      advice: "Give connections and locks back on interruption, and notice a value that is half written"
    },
    (trial) =>
      Effect.gen(function* () {
        const { get, holds, put, store } = yield* trial.open("a")
        const wide = "x".repeat(10_000)
        for (const turns of moments) {
          yield* put(entriesOf(abc))
          yield* interruptedAfter(trial, turns, "a put", store.put(abc.map(([key]) => entry(key, wide))))
          const values = yield* get(abc.map(([key]) => key))
          for (const [n, [key, value]] of abc.entries()) {
            const seen = values[n]
            yield* ensure(
              seen === undefined || seen === value || seen === wide,
              `after an interrupted put the key ${key} has ${quoted(seen)}`
            )
          }
        }
        yield* put(entriesOf(abc))
        yield* holds("after interrupted puts", abc)
      })
  )
]

export const tierLawsOfKeeping: ReadonlyArray<TierLaw> = [...removing, ...handles]
