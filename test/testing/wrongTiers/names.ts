/** Wrong in namespaces, keys and values. */
import { Effect } from "effect"
import * as Tier from "../../../src/Tier.js"
import { rightStore, spaceOf } from "../rightTier.js"
import { calling, differing, failing, type WrongTier } from "./wrong.js"

const names: ReadonlyArray<WrongTier> = [
  {
    name: "joins the namespace and the key",
    breaks: ["exact-namespaces", "clears-this-namespace"],
    open: (disk) =>
      Tier.make({
        open: (namespace) => {
          const all = rightStore(disk, "")
          const join = (key: string) => `${namespace}${key}`
          return Effect.succeed({
            get: (keys) => all.get(keys.map(join)),
            put: (entries) => all.put(entries.map((entry) => ({ ...entry, key: join(entry.key) }))),
            remove: (keys) => all.remove(keys.map(join)),
            clear: Effect.suspend(() =>
              all.remove([...spaceOf(disk, "").keys()].filter((name) => name.startsWith(namespace)))
            )
          })
        }
      })
  },
  differing("takes namespaces for the same by case", { space: (namespace) => namespace.toLowerCase() }, [
    "exact-namespaces",
    "clears-this-namespace"
  ]),
  differing("takes keys for the same by case", { name: (key) => key.toLowerCase() }, [
    "as-a-map",
    "exact-keys"
  ]),
  differing("takes keys for the same by normalisation", { name: (key) => key.normalize("NFC") }, [
    "exact-keys"
  ]),
  differing("cuts keys at 512 units", { name: (key) => key.slice(0, 512) }, ["long-keys"]),
  calling(
    "refuses keys of more than 1,024 units",
    ({ put }) => ({
      put: (entries) => (entries.some(({ key }) => key.length > 1_024) ? failing : put(entries))
    }),
    ["long-keys"]
  )
]

const values: ReadonlyArray<WrongTier> = [
  differing("trims values", { keep: (value) => value.trim() }, ["values-come-back"]),
  differing("takes an empty value for none", { keep: (value) => (value === "" ? "null" : value) }, [
    "values-come-back"
  ]),
  differing("cuts values at 64 KiB", { keep: (value) => value.slice(0, 2 ** 16) }, ["large-values"])
]

export const wrongNames: ReadonlyArray<WrongTier> = [...names, ...values]
