/** The laws of what is loaded, and of the data that is kept. */
import { Effect } from "effect"
import { prefix } from "../../../ChangeLog.js"
import type { HeldValue, Save } from "../../../internal/catalog/backend.js"
import type { Json } from "../../../internal/columns/jsonData.js"
import { ensure } from "../calls.js"
import { sameData } from "../sameData.js"
import { type Draw, draw, hardTexts, hardValues, likeIds, randomJson } from "../values.js"
import {
  type DatastoreTrial,
  datastoreLaw,
  deciding,
  type Expected,
  operation,
  type StoreFixture,
  sameRevision,
  shown,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

/** Keys of up to 1,024 bytes, which every log takes, and which some index, escape or object has changed. */
const hardKeys: ReadonlyArray<string> = [
  ...hardTexts.filter((text) => text !== ""),
  ...likeIds,
  "__proto__",
  "constructor",
  "a/b/",
  "/a",
  "%2F",
  "x".repeat(1_024),
  `${"x".repeat(1_023)}y`,
  "é".repeat(512),
  "😀".repeat(256)
]

/** Data that `JSON.parse` makes, so that `__proto__` is a plain key of it. */
const hardData: ReadonlyArray<Json> = [
  // The deepest one that a column takes leaves no room for what is kept beside the data.
  ...(hardValues.json.filter((value) => !JSON.stringify(value).includes("deep")) as ReadonlyArray<Json>),
  JSON.parse(`${"[".repeat(900)}${"]".repeat(900)}`),
  null,
  JSON.parse('{"__proto__":{"a":1},"constructor":null,"toString":"x"}'),
  JSON.parse('{"b":1,"a":2,"10":3,"9":4}'),
  5e-324,
  Number.MAX_VALUE,
  Number.MAX_SAFE_INTEGER,
  -1 / 3,
  "x".repeat(100_000),
  ...hardTexts
]

const isSnapshot = (when: string, { load, log }: StoreFixture): Effect.Effect<void, string> =>
  Effect.gen(function* () {
    const { revision, values } = yield* load
    const snapshot = yield* Effect.orDie(log.snapshot(prefix("")))
    yield* ensure(
      sameRevision(snapshot.revision, revision),
      `${when}, a load is as of ${shown(revision)}, and the log is at ${shown(snapshot.revision)}`
    )
    const entries = snapshot.entries.map(({ key, value }): HeldValue => ({ key, ...value }))
    const byKey = values.slice().sort((a, b) => (a.key < b.key ? -1 : 1))
    yield* ensure(
      sameData(
        byKey,
        entries.slice().sort((a, b) => (a.key < b.key ? -1 : 1))
      ),
      `${when}, a load has ${shown(byKey)}, and the log's snapshot ${shown(entries)}`
    )
    const early = values.findIndex(({ seq }, n) => seq < (values[n - 1]?.seq ?? 0))
    yield* ensure(early === -1, `${when}, a value of seq ${values[early]?.seq} comes after a higher one`)
  })

const keysOfModel = ["a", "b", "A", "a/", "é", "__proto__"]

/** One random save, of the store and of the map that it has to equal. */
const randomSave = (
  trial: DatastoreTrial,
  by: Draw,
  model: { readonly values: Map<string, readonly [data: Json, seq: number]>; seq: number }
): Save => {
  const revisions = Array.from({ length: by.below(3) }, () =>
    Array.from({ length: 1 + by.below(3) }, () => {
      const data = by.below(3) === 0 ? undefined : (randomJson(by, 3) as Json)
      return [by.of(keysOfModel), data] as const
    })
  )
  // A key is written once in a revision.
  const once = revisions.map((changes) => [...new Map(changes.map((change) => [change[0], change])).values()])
  for (const changes of once) {
    model.seq++
    for (const [key, data] of changes) {
      if (data === undefined) model.values.delete(key)
      else model.values.set(key, [data, model.seq])
    }
  }
  return trial.step("a", writes(...once))
}

const asModel = (trial: DatastoreTrial) =>
  Effect.gen(function* () {
    const store = yield* trial.open("a")
    const by = draw(trial.seed)
    const model = { values: new Map<string, readonly [data: Json, seq: number]>(), seq: 0 }
    for (let n = 0; n < trial.samples; n++) {
      yield* trial.save(Array.from({ length: 1 + by.below(3) }, () => randomSave(trial, by, model)))
      const expected = [...model.values].map(([key, [data, seq]]): Expected => [key, data, seq])
      yield* store.holds(`after batch ${n}`, expected)
      yield* isSnapshot(`after batch ${n}`, store)
    }
  })

const loads: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D20",
      name: "as-a-map",
      group: "loading",
      statement:
        "Random saves leave what a map would hold, and a load of it is the log's snapshot, ascending by seq.",
      advice: "Write what is loaded and what the log keeps from the same changes, in one transaction"
    },
    asModel
  ),
  datastoreLaw(
    {
      id: "D21",
      name: "loads-of-one-moment",
      group: "loading",
      statement: "A load during saves has what the store held at the revision that it names.",
      advice: "Read head, values and replies from one snapshot of the database"
    },
    ({ another, open, step }) =>
      Effect.gen(function* () {
        const { load } = yield* open("a")
        const writer = yield* another
        yield* writer.open("a")
        const saving = Effect.forEach(Array.from({ length: 20 }), (_, n) =>
          writer.save([
            step(
              "a",
              deciding(
                writes([
                  ["x", n],
                  ["y", n]
                ]),
                { reply: n }
              ),
              {
                id: operation("c", n + 1)
              }
            )
          ])
        )
        let isOver = false
        const writing = yield* Effect.fork(
          Effect.ensuring(
            saving,
            Effect.sync(() => (isOver = true))
          )
        )
        for (let isLast = false; !isLast; ) {
          isLast = isOver
          const { operations, revision, values, windows } = yield* load
          const { seq } = revision
          yield* ensure(
            sameData(
              values.map(({ data }) => data),
              seq === 0 ? [] : [seq - 1, seq - 1]
            ),
            `a load as of seq ${seq} has the values ${shown(values)}`
          )
          yield* ensure(
            operations.length === seq && (windows.get("c")?.top ?? 0) === seq,
            `a load as of seq ${seq} has ${operations.length} replies, up to ${windows.get("c")?.top}`
          )
          yield* Effect.yieldNow()
        }
        yield* writing
      })
  ),
  datastoreLaw(
    {
      id: "D22",
      name: "hard-keys",
      group: "loading",
      statement:
        "Keys of up to 1,024 bytes come back as they were, and keys that are alike are different ones.",
      advice: "Store keys as text that is compared by code points, and never as properties of an object"
    },
    ({ look, open, save, step }) =>
      Effect.gen(function* () {
        const store = yield* open("a")
        yield* save([step("a", writes(hardKeys.map((key, n) => [key, n])))])
        yield* store.holds(
          "after hard keys",
          hardKeys.map((key, n): Expected => [key, n, 1])
        )
        yield* isSnapshot("after hard keys", store)
        const { values } = yield* look("a", { keys: hardKeys })
        const wrong = values.findIndex((value, n) => value?.data !== n || value.key !== hardKeys[n])
        yield* ensure(
          wrong === -1,
          `a decision sees ${shown(values[wrong])} under the key ${shown(hardKeys[wrong])}`
        )
      })
  ),
  datastoreLaw(
    {
      id: "D23",
      name: "hard-data",
      group: "loading",
      statement: "Any JSON comes back as it was, with its session and its end.",
      advice: "Store the text of JSON.stringify, and do not let the database change numbers or text"
    },
    ({ look, open, samples, save, seed, step }) =>
      Effect.gen(function* () {
        const store = yield* open("a")
        const by = draw(seed)
        const data = [...hardData, ...Array.from({ length: samples }, () => randomJson(by, 3) as Json)]
        const keys = data.map((_, n) => `k${n}`)
        const more = { session: "session é", ends: 1_700_000_000_001 }
        yield* save([step("a", writes(data.map((one, n) => [`k${n}`, one, more])))])
        yield* store.holds(
          "after hard data",
          data.map((one, n): Expected => [`k${n}`, one, 1])
        )
        yield* isSnapshot("after hard data", store)
        const { values } = yield* look("a", { keys })
        for (const [n, value] of values.entries()) {
          yield* ensure(
            sameData(value, { key: keys[n], data: data[n], seq: 1, ...more }),
            `a decision sees ${shown(value)} where ${shown(data[n])} was written`
          )
        }
      })
  ),
  datastoreLaw(
    {
      id: "D24",
      name: "shares-no-data",
      group: "loading",
      statement: "What is done to data that was given or returned changes nothing that is stored.",
      advice: "Copy data at the save, and freeze what is returned or make it anew"
    },
    ({ look, open, save, step }) =>
      Effect.gen(function* () {
        const { holds, load } = yield* open("a")
        const given = { list: [1] }
        yield* save([step("a", writes([["k", given]]))])
        given.list.push(2)
        Reflect.set(given, "more", true)
        const [loaded] = (yield* load).values
        const [seen] = (yield* look("a", { keys: ["k"] })).values
        for (const data of [loaded?.data, seen?.data]) Reflect.set(data as object, "spoiled", true)
        for (const value of [loaded, seen]) Reflect.set(value as object, "data", "spoiled")
        yield* holds("after its data was changed outside", [["k", { list: [1] }, 1]])
      })
  )
]

export const datastoreLawsOfLoading: ReadonlyArray<DatastoreLaw> = loads
