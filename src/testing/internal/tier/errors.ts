/** The laws of what a tier refuses, and of a backend that fails. */
import { Cause, Effect, Exit } from "effect"
import { type Entry, type Store, TierError } from "../../../Tier.js"
import { exitOf, failedWith, refuses } from "../calls.js"
import { badTexts } from "../values.js"
import { entriesOf, entry, quoted, type TierTrial, tierLaw } from "./fixture.js"
import type { TierLaw } from "./subject.js"

const invalid = "TierError Invalid"

const good: ReadonlyArray<readonly [key: string, value: string]> = [
  ["a", "1"],
  ["z", "2"]
]

/** What a program without types may give. */
const asEntry = (given: unknown): Entry => given as Entry

const malformed: ReadonlyArray<readonly [what: string, entry: Entry]> = [
  ["null", asEntry(null)],
  ["a text", asEntry("k")],
  ["an entry without a key", asEntry({ value: "v" })],
  ["a number as the value", asEntry({ key: "k", value: 5 })],
  ["an entry without a value", asEntry({ key: "k" })],
  ["a ttl of 0", entry("k", "v", { ttl: 0 })],
  ["a ttl below 0", entry("k", "v", { ttl: -1 })],
  ["a ttl that is NaN", entry("k", "v", { ttl: Number.NaN })],
  ["a text as the ttl", asEntry({ key: "k", value: "v", ttl: "soon" })],
  ["a seq below 0", entry("k", "v", { order: { epoch: "e", seq: -1 } })],
  ["a broken seq", entry("k", "v", { order: { epoch: "e", seq: 1.5 } })],
  ["a seq beyond whole numbers", entry("k", "v", { order: { epoch: "e", seq: 2 ** 53 } })],
  ["an order without an epoch", asEntry({ key: "k", value: "v", order: { seq: 1 } })],
  ["an epoch with U+0000", entry("k", "v", { order: { epoch: "\0", seq: 1 } })],
  ["null as the order", asEntry({ key: "k", value: "v", order: null })]
]

/** Fails unless calls are refused, and leave what there was. */
const refusesAll = (
  trial: TierTrial,
  calls: ReadonlyArray<readonly [what: string, call: (store: Store) => Effect.Effect<unknown, unknown>]>
) =>
  Effect.gen(function* () {
    const { holds, put, store } = yield* trial.open("a")
    yield* put(entriesOf(good))
    for (const [what, call] of calls) {
      yield* refuses(trial, what, invalid, () => call(store))
      yield* holds(`after ${what}`, [...good, ["k", undefined], ["l", undefined]])
    }
  })

/** Fails unless a call of a backend that fails ends with a `TierError`. */
const surfaces = (trial: TierTrial, what: string, call: Effect.Effect<unknown, unknown>) =>
  Effect.flatMap(exitOf(trial, what, call), (exit) => {
    const failure = Exit.isFailure(exit) ? Cause.failureOption(exit.cause) : undefined
    return failure?._tag === "Some" && failure.value instanceof TierError
      ? Effect.void
      : Effect.fail(`while its backend fails, ${what} ends with ${failedWith(exit)} instead of a TierError`)
  })

export const tierLawsOfErrors: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T27",
      name: "bad-text-is-refused",
      group: "errors",
      statement:
        "U+0000 and lone surrogates in a namespace, a key or a value are refused as Invalid, and nothing is changed.",
      advice: "Make the tier by Tier.make, which checks every text before a source gets it"
    },
    (trial) =>
      Effect.andThen(
        refusesAll(
          trial,
          badTexts.flatMap((text) => [
            [`a get of ${quoted(text)}`, ({ get }: Store) => get(["a", text])],
            [`a put with the key ${quoted(text)}`, ({ put }) => put([entry("k", "v"), entry(text, "v")])],
            [`a put of ${quoted(text)}`, ({ put }) => put([entry("k", "v"), entry("l", text)])],
            [`a remove of ${quoted(text)}`, ({ remove }) => remove(["a", text])]
          ])
        ),
        Effect.forEach([...badTexts, "x".repeat(513)], (name) =>
          refuses(trial, `opening ${quoted(name)}`, invalid, () => Effect.scoped(trial.tier.open(name)))
        )
      )
  ),
  tierLaw(
    {
      id: "T28",
      name: "bad-entries-are-refused",
      group: "errors",
      statement: "An entry that cannot be is refused as Invalid, and nothing of its put is stored.",
      advice: "Make the tier by Tier.make, which checks all entries before a source gets any"
    },
    (trial) =>
      refusesAll(
        trial,
        malformed.map(([what, bad]) => [
          `a put of ${what}`,
          ({ put }: Store) => put([entry("a", "new"), bad, entry("l", "v")])
        ])
      )
  ),
  tierLaw(
    {
      id: "T29",
      name: "faults-surface",
      group: "errors",
      statement:
        "While its backend fails, each call ends in time with a TierError: no defect, and no empty answer.",
      needs: ["faults"],
      advice:
        "Let Tier.make turn failures and defects into a TierError, and take no failure for a missing entry"
    },
    (trial) =>
      Effect.gen(function* () {
        const { put, store } = yield* trial.open("a")
        yield* put(entriesOf(good))
        yield* trial.fail
        yield* surfaces(trial, "a get", store.get(["a"]))
        yield* surfaces(trial, "a get of several keys", store.get(["a", "none"]))
        yield* surfaces(trial, "a put", store.put([entry("k", "v")]))
        yield* surfaces(trial, "a remove", store.remove(["a"]))
        yield* surfaces(trial, "a clear", store.clear)
      })
  )
]
