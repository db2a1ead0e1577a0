/**
 * Faults of the backends of `@effect/experimental`, each shown as it is, and what a tier over them does. That it keeps
 * the laws of tiers is in test/testing.
 */
import * as fs from "node:fs/promises"
import * as path from "node:path"
import * as Persistence from "@effect/experimental/Persistence"
import { describe, expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option } from "effect"
import * as PersistenceTier from "../../src/platform/PersistenceTier.js"
import { filesIn } from "../support/laws/tiers.js"
import { tempDir } from "../support/tempDir.js"

const none = Option.none<Duration.Duration>()
const hour = Option.some(Duration.hours(1))

/** A backend over the files of a folder of its own, and a tier over it. */
const files = Effect.gen(function* () {
  const folder = yield* tempDir
  const context = yield* Layer.build(filesIn(folder))
  const backing = yield* Effect.provide(Persistence.BackingPersistence, context)
  const tier = yield* Effect.provide(PersistenceTier.make, context)
  return { folder, backing, tier }
})

/** Rewrites each file of a folder whose text has a mark. */
const rewrite = (folder: string, mark: string, change: (text: string) => string) =>
  Effect.promise(async () => {
    let changed = 0
    for (const name of await fs.readdir(folder)) {
      const file = path.join(folder, name)
      const text = await fs.readFile(file, "utf8")
      if (!text.includes(mark)) continue
      await fs.writeFile(file, change(text))
      changed++
    }
    return changed
  })

describe("stores client and clients of a backend", () => {
  it.scoped("share keys, and namespaces of a tier share none", () =>
    Effect.gen(function* () {
      const { backing, tier } = yield* files
      const client = yield* backing.make("client")
      const clients = yield* backing.make("clients")
      yield* client.set("s1", "of client", none)
      expect(yield* clients.get("1")).toEqual(Option.some("of client"))

      const one = yield* tier.open("client")
      const other = yield* tier.open("clients")
      yield* one.put([{ key: "s1", value: "of client" }])
      expect(yield* other.get(["1", "s1"])).toEqual([undefined, undefined])
      expect(yield* one.get(["s1"])).toEqual(["of client"])
    })
  )

  it.scoped("lose everything when one is cleared; a tier's clear takes its namespace alone", () =>
    Effect.gen(function* () {
      const { backing, tier } = yield* files
      const client = yield* backing.make("client")
      const others = yield* backing.make("others")
      yield* others.set("k", "of others", none)
      yield* client.clear
      expect(yield* others.get("k")).toEqual(Option.none())

      yield* others.set("k", "of others", none)
      const one = yield* tier.open("client")
      const other = yield* tier.open("clients")
      yield* one.put([{ key: "k", value: "1" }])
      yield* other.put([{ key: "k", value: "2" }])
      yield* one.clear
      expect(yield* one.get(["k"])).toEqual([undefined])
      expect(yield* other.get(["k"])).toEqual(["2"])
      expect(yield* others.get("k")).toEqual(Option.some("of others"))
    })
  )
})

describe("a backend over files", () => {
  it.scoped("stores nothing by setMany without a TTL; a tier stores entries with and without one", () =>
    Effect.gen(function* () {
      const { backing, tier } = yield* files
      const store = yield* backing.make("a")
      yield* store.setMany([
        ["k", "1", none],
        ["l", "2", hour]
      ])
      expect(yield* store.getMany(["k", "l"])).toEqual([Option.none(), Option.some("2")])

      const own = yield* tier.open("a")
      yield* own.put([
        { key: "k", value: "1" },
        { key: "l", value: "2", ttl: "1 hour" }
      ])
      expect(yield* own.get(["k", "l"])).toEqual(["1", "2"])
    })
  )

  it.scoped("fails on a key of 400 bytes; a tier takes one of any length", () =>
    Effect.gen(function* () {
      const { backing, tier } = yield* files
      const store = yield* backing.make("a")
      const long = "k".repeat(400)
      expect(yield* Effect.flip(store.set(long, "1", none))).toMatchObject({ _tag: "PersistenceError" })

      const own = yield* tier.open("n".repeat(512))
      const keys = [long, `${long}k`, "k".repeat(100_000)]
      yield* own.put(keys.map((key, n) => ({ key, value: `${n}` })))
      expect(yield* own.get(keys)).toEqual(["0", "1", "2"])
    })
  )

  it.scoped("fails to remove what is not there; a tier takes it for removed", () =>
    Effect.gen(function* () {
      const { backing, tier } = yield* files
      const store = yield* backing.make("a")
      expect(yield* Effect.flip(store.remove("none"))).toMatchObject({ _tag: "PersistenceError" })

      const own = yield* tier.open("a")
      yield* own.put([{ key: "k", value: "1" }])
      yield* own.remove(["none", "k"])
      expect(yield* own.get(["k"])).toEqual([undefined])
    })
  )

  it.scoped("fails a getMany when one file is garbled; a tier misses that entry alone", () =>
    Effect.gen(function* () {
      const { backing, folder, tier } = yield* files
      const store = yield* backing.make("a")
      yield* store.set("mark 1", "1", none)
      yield* store.set("mark 2", "2", none)
      expect(yield* rewrite(folder, '"1"', (text) => text.slice(0, -3))).toBe(1)
      expect(yield* Effect.flip(store.getMany(["mark 1", "mark 2"]))).toMatchObject({
        _tag: "PersistenceError"
      })

      const own = yield* tier.open("a")
      yield* own.put([
        { key: "k", value: "garbled" },
        { key: "l", value: "whole" }
      ])
      expect(yield* rewrite(folder, "garbled", (text) => text.slice(0, -3))).toBe(1)
      expect(yield* own.get(["k", "l"])).toEqual([undefined, "whole"])
      yield* own.put([{ key: "k", value: "anew" }])
      expect(yield* own.get(["k", "l"])).toEqual(["anew", "whole"])
    })
  )
})

describe("an entry of a tier over files", () => {
  it.scoped("is a miss when its value is made of two, or is of another key", () =>
    Effect.gen(function* () {
      const { folder, tier } = yield* files
      const store = yield* tier.open("a")
      const put = store.put([
        { key: "first key", value: "aaaa" },
        { key: "second key", value: "bbbb" }
      ])
      yield* put
      expect(yield* rewrite(folder, "aaaa", (text) => text.replace("aaaa", "aabb"))).toBe(1)
      expect(yield* store.get(["first key", "second key"])).toEqual([undefined, "bbbb"])
      yield* put
      expect(yield* rewrite(folder, "first key", (text) => text.replace("first key", "other key"))).toBe(1)
      expect(yield* store.get(["first key", "second key"])).toEqual([undefined, "bbbb"])
    })
  )

  it.scoped("is lost with the generation of its namespace, and never comes back", () =>
    Effect.gen(function* () {
      const { folder, tier } = yield* files
      const store = yield* tier.open("a")
      yield* store.put([{ key: "k", value: "1" }])
      const generation = (yield* Effect.promise(() => fs.readdir(folder))).find((name) =>
        name.endsWith("generation")
      )
      yield* Effect.promise(() => fs.rm(path.join(folder, generation ?? "")))
      expect(yield* store.get(["k"])).toEqual([undefined])
      yield* store.put([{ key: "l", value: "2" }])
      expect(yield* store.get(["k", "l"])).toEqual([undefined, "2"])
    })
  )

  it.scoped("is read by a tier that is opened later on the same folder", () =>
    Effect.gen(function* () {
      const folder = yield* tempDir
      const within = <A, E>(
        use: (tier: Effect.Effect.Success<typeof PersistenceTier.make>) => Effect.Effect<A, E>
      ) => Effect.scoped(Effect.flatMap(PersistenceTier.make, use)).pipe(Effect.provide(filesIn(folder)))
      yield* within((tier) =>
        Effect.scoped(Effect.flatMap(tier.open("a"), ({ put }) => put([{ key: "k", value: "1" }])))
      )
      const seen = yield* within((tier) =>
        Effect.scoped(Effect.flatMap(tier.open("a"), ({ get }) => get(["k"])))
      )
      expect(seen).toEqual(["1"])
    })
  )
})
