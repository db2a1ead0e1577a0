/** The laws of namespaces, keys and values: what they may be, and that none is taken for another. */
import { Effect } from "effect"
import { draw, hardTexts, likeIds, longText, randomJson } from "../values.js"
import { type Expected, entriesOf, entry, type StoreFixture, type TierTrial, tierLaw } from "./fixture.js"
import type { TierLaw } from "./subject.js"

/** Namespaces that begin like others, contain what separates names, or look like paths, patterns and members. */
const namespaces: ReadonlyArray<string> = [
  "client",
  "clients",
  "Client",
  "client ",
  "client:",
  "",
  " ",
  "a",
  "a/b",
  "a/b/..",
  "..",
  ".",
  "a*",
  "a?",
  "%",
  "a_",
  "a:b",
  "é",
  "e\u0301",
  "__proto__",
  "x".repeat(512),
  `${"x".repeat(511)}y`
]

/** Keys that complete the namespaces above to each other. */
const completing: ReadonlyArray<string> = ["", "s", "b", "/b", "b/..", "..", ":b", "x", "*", "client"]

/** Keys that some way of comparing or storing text takes for the same, or cannot store. */
const alike: ReadonlyArray<string> = [
  ...new Set([
    ...hardTexts,
    ...likeIds,
    "",
    ".",
    "..",
    "../a",
    "a/b",
    "a%2Fb",
    "a\\b",
    "*",
    "%",
    "_",
    "__proto__",
    "constructor",
    "CON",
    "é",
    "e\u0301",
    "ß",
    "ss",
    "\u{10000}",
    "\uffff"
  ])
]

/** Keys that are longer than a file's name, an index entry or a page, and differ at their end alone. */
const long: ReadonlyArray<string> = [
  ...[256, 400, 513, 1024, 1025, 3000, 10_000, 70_000].flatMap((length) => [
    `${"k".repeat(length - 1)}a`,
    `${"k".repeat(length - 1)}b`
  ]),
  "é".repeat(400),
  "é".repeat(5_000),
  `${"/segment".repeat(200)}/..`
]

/** Puts a value of its own for each key into each of the namespaces, and reads all of them again. */
const keepsApart = (trial: TierTrial, names: ReadonlyArray<string>, keys: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const valueOf = (n: number, m: number) => `namespace ${n}, key ${m}`
    const opened: Array<StoreFixture> = []
    for (const [n, name] of names.entries()) {
      const fixture = yield* trial.open(name)
      yield* fixture.put(keys.map((key, m) => entry(key, valueOf(n, m))))
      opened.push(fixture)
    }
    for (const [n, { holds }] of opened.entries()) {
      yield* holds(
        `in namespace ${JSON.stringify(names[n]).slice(0, 20)}`,
        keys.map((key, m): Expected => [key, valueOf(n, m)])
      )
    }
    return opened
  })

const pairs = (values: ReadonlyArray<string>): ReadonlyArray<readonly [key: string, value: string]> =>
  values.map((value, n) => [`k${n}`, value])

export const tierLawsOfNames: ReadonlyArray<TierLaw> = [
  tierLaw(
    {
      id: "T10",
      name: "exact-namespaces",
      group: "namespaces and keys",
      statement: "Namespaces share nothing, whatever their names begin with, contain or look like.",
      advice:
        "Never join a namespace and a key by a mark that a name may hold: use two columns, or a fixed width"
    },
    (trial) => keepsApart(trial, namespaces, completing)
  ),
  tierLaw(
    {
      id: "T11",
      name: "exact-keys",
      group: "namespaces and keys",
      statement: "A key of any Unicode is kept, and is never taken for another one.",
      advice:
        "Compare keys byte by byte: no collation, no normalisation, no trimming, no case folding, no path"
    },
    (trial) => keepsApart(trial, ["a"], alike)
  ),
  tierLaw(
    {
      id: "T12",
      name: "long-keys",
      group: "namespaces and keys",
      statement: "A key of any length is kept, and is never taken for another one.",
      advice:
        "Store a long key as its hash, and compare the whole key, or use a hash without known collisions"
    },
    (trial) => keepsApart(trial, ["a"], long)
  ),
  tierLaw(
    {
      id: "T13",
      name: "values-come-back",
      group: "values",
      statement: "A value comes back unchanged: empty, any Unicode, what looks like JSON, and random ones.",
      advice: "Store text as it is, or encode and decode it without loss"
    },
    ({ open, samples, seed }) =>
      Effect.gen(function* () {
        const by = draw(seed)
        const drawn = Array.from({ length: samples }, () => JSON.stringify(randomJson(by, 3)))
        const { holds, put } = yield* open("a")
        const values = pairs([...hardTexts, "{", "[null,null]", '["a",1]', "undefined", ...drawn])
        yield* put(entriesOf(values))
        yield* holds("after a put", values)
      })
  ),
  tierLaw(
    {
      id: "T14",
      name: "large-values",
      group: "values",
      statement: "A value of 1 MiB comes back unchanged, beside small ones.",
      advice: "Give the column, the message or the file room for it, or fail as TooLarge"
    },
    ({ open }) =>
      Effect.gen(function* () {
        const { holds, put } = yield* open("a")
        const values = pairs(["before", longText(1), "after"])
        yield* put(entriesOf(values))
        yield* holds("after a put", values)
      })
  )
]
