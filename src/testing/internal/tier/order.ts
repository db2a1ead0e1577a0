/** The laws of the order of entries, and of their time. */
import { Duration, Effect } from "effect"
import type { Entry } from "../../../Tier.js"
import { draw } from "../values.js"
import { type Expected, entry, tierLaw } from "./fixture.js"
import type { TierLaw } from "./subject.js"

const at = (epoch: string, seq: number): Pick<Entry, "order"> => ({ order: { epoch, seq } })

const order: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T22",
      name: "higher-seq-stays",
      group: "order",
      statement:
        "A put replaces no entry of the same epoch with a higher seq; it does replace one of the same seq.",
      needs: ["order"],
      advice: "Compare epoch and seq in the condition of the write that takes the lock"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put([entry("k", "9", at("e", 9)), entry("other", "1", at("e", 1))])
        yield* put([entry("k", "8", at("e", 8)), entry("other", "2", at("e", 2))])
        yield* holds("after a put of a lower and a higher seq", [
          ["k", "9"],
          ["other", "2"]
        ])
        yield* put([entry("k", "same", at("e", 9))])
        yield* holds("after a put of the same seq", [["k", "same"]])
        yield* put([entry("k", "10", at("e", 10)), entry("k", "late", at("e", 9))])
        yield* holds("after a put with a key twice", [["k", "10"]])
        yield* put([entry("k", "most", at("e", Number.MAX_SAFE_INTEGER))])
        yield* put([entry("k", "less", at("e", Number.MAX_SAFE_INTEGER - 1))])
        yield* holds("at the greatest seq", [["k", "most"]])
      })
  ),
  tierLaw(
    {
      id: "T23",
      name: "others-replace",
      group: "order",
      statement:
        "An entry of another epoch, without an order, or of another key or namespace, is never in the way.",
      needs: ["order"],
      advice: "Compare seqs of one epoch alone, and forget them with their entry"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { clear, holds, put, remove } = yield* open("a")
        const steps: ReadonlyArray<readonly [value: string, order: Pick<Entry, "order">]> = [
          ["first", at("e", 9)],
          ["another epoch", at("f", 1)],
          ["the first epoch again", at("e", 2)],
          ["without an order", {}],
          ["with an order", at("e", 0)]
        ]
        for (const [value, order] of steps) {
          yield* put([entry("k", value, order)])
          yield* holds("after a put in another epoch, or without one", [["k", value]])
        }
        yield* put([entry("k", "high", at("e", 9))])
        yield* put([entry("l", "low", at("e", 1))])
        const other = yield* open("b")
        yield* other.put([entry("k", "low", at("e", 1))])
        yield* holds("of another key", [["l", "low"]])
        yield* other.holds("in another namespace", [["k", "low"]])
        for (const [what, forget] of [
          ["a remove", remove("k")],
          ["a clear", clear]
        ] as const) {
          yield* put([entry("k", "high", at("e", 9))])
          yield* forget
          yield* put([entry("k", what, at("e", 1))])
          yield* holds(`put anew after ${what}`, [["k", what]])
        }
      })
  ),
  tierLaw(
    {
      id: "T24",
      name: "highest-of-many",
      group: "order",
      statement: "Of puts of several handles at once, in any order, each key ends with the highest seq.",
      needs: ["order"],
      advice: "Compare and write in one statement, or under a lock: no read before the write"
    },
    (trial) =>
      Effect.gen(function* () {
        const stores = yield* Effect.forEach([0, 1, 2], () =>
          Effect.flatMap(trial.another, (open) => open("a"))
        )
        const by = draw(trial.seed)
        const keys = ["a", "b", "c", "d"]
        const highest = new Map<string, number>()
        const puts = Array.from({ length: trial.samples }, () =>
          keys.map((key) => {
            const seq = by.below(1_000)
            highest.set(key, Math.max(seq, highest.get(key) ?? 0))
            return entry(key, `${key} ${seq}`, at("e", seq))
          })
        )
        yield* Effect.forEach(
          stores,
          ({ put }, w) =>
            Effect.forEach(
              puts.filter((_, n) => n % stores.length === w),
              put
            ),
          { concurrency: "unbounded" }
        )
        const { holds } = yield* trial.open("a")
        yield* holds(
          "after puts at once",
          keys.map((key): Expected => [key, `${key} ${highest.get(key)}`])
        )
      })
  )
]

const hour = Duration.hours(1)
const moment = Duration.millis(50)
/** One millisecond more: a clock may count in milliseconds, or in fractions that do not add up exactly. */
const behindMoment = Duration.millis(51)

const time: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T25",
      name: "gone-after-its-ttl",
      group: "time",
      statement: "An entry is gone once its ttl has passed; those with a longer one, or none, stay.",
      needs: ["ttl"],
      advice: "Keep when an entry ends beside it, and compare that in each get"
    },
    ({ open, pass }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put([
          entry("short", "1", { ttl: moment }),
          entry("long", "2", { ttl: hour }),
          entry("month", "3", { ttl: Duration.days(30) }),
          entry("longest", "3", { ttl: Duration.days(30_000) }),
          entry("none", "4")
        ])
        yield* holds("before any time passed", [
          ["long", "2"],
          ["month", "3"],
          ["longest", "3"],
          ["none", "4"]
        ])
        yield* pass(behindMoment)
        yield* holds("after a ttl passed", [
          ["short", undefined],
          ["long", "2"],
          ["month", "3"],
          ["longest", "3"],
          ["none", "4"]
        ])
      })
  ),
  tierLaw(
    {
      id: "T26",
      name: "last-put-decides",
      group: "time",
      statement: "The last put of a key decides how long its entry is there, also over one that has expired.",
      needs: ["ttl"],
      advice: "Write the end with every put, none included, and count expired entries as none"
    },
    ({ open, pass }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        yield* put([
          entry("longer", "1", { ttl: moment }),
          entry("kept", "1", { ttl: moment }),
          entry("shorter", "1", { ttl: hour }),
          entry("expired", "1", { ttl: moment, ...at("e", 9) })
        ])
        yield* put([
          entry("longer", "2", { ttl: hour }),
          entry("kept", "2"),
          entry("shorter", "2", { ttl: moment })
        ])
        yield* pass(behindMoment)
        yield* put([entry("expired", "2", at("e", 1))])
        yield* holds("after a ttl passed", [
          ["longer", "2"],
          ["kept", "2"],
          ["shorter", undefined],
          ["expired", "2"]
        ])
      })
  )
]

export const tierLawsOfOrder: ReadonlyArray<TierLaw> = [...order, ...time]
