/** Wrong in what is read and put. */
import { Effect } from "effect"
import type * as Tier from "../../../src/Tier.js"
import { spaceOf } from "../rightTier.js"
import { calling, differing, failing, isPlain, known, unguarded, type WrongTier } from "./wrong.js"

const reading: ReadonlyArray<WrongTier> = [
  calling(
    "gives an empty text where there is nothing",
    ({ get }) => ({ get: (keys) => Effect.map(get(keys), (values) => values.map((value) => value ?? "")) }),
    [
      "empty-at-first",
      "in-order-of-keys",
      "many-at-once",
      "acts-when-run",
      "as-a-map",
      "removes-these-only",
      "clears-this-namespace",
      "cleared-for-good",
      "handles-see-each-other",

      "gone-after-its-ttl",
      "last-put-decides",
      "bad-text-is-refused",
      "bad-entries-are-refused"
    ]
  ),
  differing("keeps the first value of a key", { replaces: (held) => held === undefined }, [
    "what-was-put",
    "as-a-map",
    "higher-seq-stays",
    "others-replace",
    "highest-of-many",
    "last-put-decides"
  ]),
  calling(
    "gives what it has found, in its own order",
    ({ get }) => ({
      get: (keys) =>
        Effect.map(get(keys), (values) => [
          ...values.filter((value) => value !== undefined),
          ...values.filter((value) => value === undefined)
        ])
    }),
    [
      "in-order-of-keys",
      "as-a-map",
      "removes-these-only",
      "cleared-for-good",
      "gone-after-its-ttl",
      "last-put-decides"
    ]
  ),
  calling(
    "stores the first 1,000 entries of a put",
    ({ put }) => ({ put: (entries) => put(entries.slice(0, 1_000)) }),
    ["many-at-once"]
  ),
  unguarded(
    "keeps the entries of its callers",
    ({ get, put }, _, disk, namespace) => {
      const kept = known(disk, `kept ${namespace}`, new Map<string, Tier.Entry>())
      return {
        put: (entries) =>
          Effect.tap(put(entries), () =>
            Effect.sync(() => {
              for (const entry of entries) kept.set(entry.key, entry)
            })
          ),
        get: (keys) =>
          Effect.map(get(keys), (values) =>
            values.map((value, n) => {
              const entry = kept.get(keys[n] ?? "")
              return value === undefined || entry?.order !== undefined || entry?.ttl !== undefined
                ? value
                : (entry?.value ?? value)
            })
          )
      }
    },
    ["shares-no-lists"]
  )
]

const putting: ReadonlyArray<WrongTier> = [
  unguarded(
    "fails on a put of nothing",
    ({ put }) => ({ put: (entries) => (entries.length === 0 ? failing : put(entries)) }),
    ["nothing-to-do"]
  ),
  unguarded(
    "writes when the put is made, not when it is run",
    ({ put }, _, disk, namespace) => ({
      put: (entries) => {
        for (const { key, order, ttl, value } of isPlain(entries) ? entries : []) {
          if (order !== undefined || ttl !== undefined) continue
          const held = { key, value, order: undefined, expires: Number.POSITIVE_INFINITY }
          spaceOf(disk, namespace).set(key, held)
        }
        return put(entries)
      }
    }),
    ["acts-when-run", "bad-text-is-refused", "bad-entries-are-refused"]
  ),
  unguarded(
    "keeps the first of several entries with one key",
    ({ put }) => ({
      put: (entries) =>
        put(
          isPlain(entries) && entries.every(({ order }) => order === undefined)
            ? entries.filter(({ key }, n) => entries.findIndex((other) => other.key === key) === n)
            : entries
        )
    }),
    ["last-of-a-key", "as-a-map"]
  ),
  calling(
    "forgets the first of several keys that it removes",
    ({ remove }) => ({ remove: (keys) => remove(keys.length > 2 ? keys.slice(1) : keys) }),
    ["many-at-once", "as-a-map"]
  )
]

export const wrongReading: ReadonlyArray<WrongTier> = [...reading, ...putting]
