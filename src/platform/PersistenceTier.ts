/**
 * Tiers over any `BackingPersistence` of `@effect/experimental`: over a `KeyValueStore` of files or of a browser, over
 * Redis, LMDB or memory.
 */
import * as Persistence from "@effect/experimental/Persistence"
import { Duration, Effect, Option } from "effect"
import { makeRandom, randomName } from "../internal/random.js"
import { make as makeTier, type Source, type SourceStore, type Tier } from "../Tier.js"
import * as Entries from "./internal/tierEntries.js"

type Backing = Persistence.BackingPersistenceStore
type Fault = Persistence.PersistenceError

/** A store over files opens a file for each name of a call. */
const maxNames = 256

/** For what is kept until it is given up: the `setMany` of a `KeyValueStore` stores nothing that has no end. */
const forEver = Option.some(Duration.days(36_500))

/** A name whose text cannot be decoded: another program has written it, or a process has not finished. */
const isUnreadable = (error: Fault): boolean =>
  error.reason === "ParseError" || error.cause instanceof SyntaxError

const partsOf = <A>(all: ReadonlyArray<A>): ReadonlyArray<Array<A>> =>
  Array.from({ length: Math.ceil(all.length / maxNames) }, (_, n) =>
    all.slice(n * maxNames, (n + 1) * maxNames)
  )

const readOne = (backing: Backing, name: string): Effect.Effect<Option.Option<unknown>, Fault> =>
  Effect.catchIf(backing.get(name), isUnreadable, () => Effect.succeedNone)

/** Reads names. One that is unreadable fails the backend's `getMany`: then each is read alone. */
const readMany = (
  backing: Backing,
  names: Array<string>
): Effect.Effect<ReadonlyArray<Option.Option<unknown>>, Fault> =>
  Effect.catchIf(backing.getMany(names), isUnreadable, () =>
    Effect.forEach(names, (name) => readOne(backing, name))
  )

/** Removes a name. A store over files fails if there is none. */
const removeOne = (backing: Backing, name: string): Effect.Effect<void, Fault> =>
  Effect.catchTag(backing.remove(name), "PersistenceError", (error) =>
    Effect.flatMap(
      backing.get(name),
      Option.match({ onNone: () => Effect.void, onSome: () => Effect.fail(error) })
    )
  )

const storeOf = (backing: Backing, namespace: string, random: Int32Array): SourceStore => {
  const { generationName } = Entries
  const present = Effect.map(readOne(backing, generationName), (stored) =>
    Entries.decodeGeneration(namespace, Option.getOrUndefined(stored))
  )
  const begin = Effect.suspend(() => {
    const generation = randomName(random)
    const stored = Entries.encodeGeneration(namespace, generation)
    return Effect.as(backing.setMany([[generationName, stored, forEver]]), generation)
  })
  return {
    get: (keys) =>
      Effect.gen(function* () {
        const generation = yield* present
        if (generation === undefined) return keys.map(() => undefined)
        const found = yield* Effect.forEach(partsOf(keys.map(Entries.entryName)), (names) =>
          readMany(backing, names)
        )
        const stored = found.flat()
        return keys.map((key, n) =>
          Entries.decodeEntry(generation, key, Option.getOrUndefined(stored[n] ?? Option.none()))
        )
      }),
    put: (entries) =>
      Effect.gen(function* () {
        const generation = (yield* present) ?? (yield* begin)
        const encoded = entries.map(
          ({ key, ttl, value }) =>
            [
              Entries.entryName(key),
              Entries.encodeEntry(generation, key, value),
              ttl === undefined ? forEver : Option.some(ttl)
            ] as const
        )
        yield* Effect.forEach(partsOf(encoded), (part) => backing.setMany(part), { discard: true })
      }),
    remove: (keys) =>
      Effect.forEach(keys, (key) => removeOne(backing, Entries.entryName(key)), {
        concurrency: 16,
        discard: true
      }),
    clear: Effect.asVoid(begin)
  }
}

const sourceOf = (persistence: Persistence.BackingPersistence, random: Int32Array): Source => ({
  open: (namespace) =>
    Effect.map(persistence.make(Entries.storeName(namespace)), (backing) =>
      storeOf(backing, namespace, random)
    )
})

/**
 * Makes a tier over the `BackingPersistence` of the context. Other tiers, caches and programs may use the same backend.
 *
 * - It does not compare the `order` of entries: the backend cannot.
 * - A `ttl` is the backend's: most count it by the wall clock.
 * - A clear begins another generation of the namespace, and never calls the backend's own `clear`, which takes other
 *   stores with it. Entries of older generations are misses. They take room until their key is put again, their `ttl`
 *   ends, or the backend gives them up.
 * - An entry that cannot be decoded, or is of another key, is a miss.
 */
export const make: Effect.Effect<Tier, never, Persistence.BackingPersistence> = Effect.zipWith(
  Persistence.BackingPersistence,
  makeRandom,
  (persistence, random) => makeTier(sourceOf(persistence, random))
)
