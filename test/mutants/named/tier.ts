/** Guards of tiers: in memory, in databases, and over the backends of others. */
import type { NamedMutant } from "../named.js"
import { guardsOf } from "./guard.js"

const guard = guardsOf("tier")

const ofTier = (name: string): readonly [test: string, title: string] => ["Tier", name]
const ofSql = (name: string): readonly [test: string, title: string] => ["sql/SqlTier", name]
const ofPersistence = (name: string): readonly [test: string, title: string] => [
  "platform/PersistenceTier",
  name
]

const core: ReadonlyArray<NamedMutant> = [
  guard(
    "let a namespace and a key run together",
    "Tier",
    ["namespace.length", "0"],
    ofTier("keeps namespaces and keys apart that would run together")
  ),
  guard(
    "replace an entry of a higher seq",
    "Tier",
    ["held.seq <= next.seq", "held.seq !== next.seq"],
    ofTier("keeps an entry of the same epoch with a higher seq")
  ),
  guard(
    "return an entry at the end of its ttl",
    "Tier",
    ["now < entry.expires", "now <= entry.expires"],
    ofTier("measures a ttl on the monotonic clock: at its end the entry is gone")
  ),
  guard(
    "measure a ttl on the wall clock",
    "Tier",
    ["use(monotonicMillis(clock))", "use(clock.unsafeCurrentTimeMillis())"],
    ofTier("measures a ttl on the monotonic clock: at its end the entry is gone")
  ),
  guard(
    "give up an entry by its first put",
    "Tier",
    ["    held.delete(id)\n    held.set(id, {", "    held.set(id, {"],
    ofTier("gives up the entries that were put longest ago, of all namespaces")
  ),
  guard(
    "take an answer of another length",
    "Tier",
    ["!Array.isArray(values) || values.length !== keys.length", "!Array.isArray(values)"],
    ofTier("takes an answer that is none for a fault")
  ),
  guard(
    "run a source in the caller's transaction",
    "Tier",
    ["outsideTransaction(Effect.suspend(effect))", "Effect.suspend(effect)"],
    ofTier("runs its source outside of the transaction that the caller is in")
  )
]

const sql: ReadonlyArray<NamedMutant> = [
  guard(
    "take a key for the hash of another one",
    "sql/internal/tier/table",
    ["key.startsWith(hashed) || isLonger", "isLonger"],
    ofSql("takes no long key for a key that looks like its hash")
  ),
  guard(
    "sweep behind every put",
    "sql/internal/tier/source",
    ["if (millis < next) return Effect.void", "if (millis < 0) return Effect.void"],
    ofSql("deletes expired entries of all namespaces behind puts, at most once a second")
  ),
  guard(
    "never sweep",
    "sql/internal/tier/source",
    ["if (millis < next) return Effect.void", "if (millis > 0) return Effect.void"],
    ofSql("deletes expired entries of all namespaces behind puts, at most once a second")
  )
].map((mutant): NamedMutant => ({ ...mutant, needs: "servers" }))

const persistence: ReadonlyArray<NamedMutant> = [
  guard(
    "put without an end",
    "platform/PersistenceTier",
    ["ttl === undefined ? forEver : Option.some(ttl)", "Option.fromNullable(ttl)"],
    ofPersistence("stores nothing by setMany without a TTL; a tier stores entries with and without one")
  ),
  guard(
    "fail a get by one garbled entry",
    "platform/PersistenceTier",
    [
      "Effect.catchIf(backing.getMany(names), isUnreadable, ",
      "Effect.catchIf(backing.getMany(names), () => false, "
    ],
    ofPersistence("fails a getMany when one file is garbled; a tier misses that entry alone")
  ),
  guard(
    "fail to remove what is not there",
    "platform/PersistenceTier",
    ["onNone: () => Effect.void", "onNone: () => Effect.fail(error)"],
    ofPersistence("fails to remove what is not there; a tier takes it for removed")
  ),
  guard(
    "clear by the backend",
    "platform/PersistenceTier",
    ["clear: Effect.asVoid(begin)", "clear: backing.clear"],
    ofPersistence("lose everything when one is cleared; a tier's clear takes its namespace alone")
  ),
  guard(
    "name a store by its namespace",
    "platform/internal/tierEntries",
    ["fingerprint(namespace)", "namespace"],
    ofPersistence("fails on a key of 400 bytes; a tier takes one of any length")
  ),
  guard(
    "take a value that is made of two",
    "platform/internal/tierEntries",
    ["return fingerprint(value) === sum ? value : undefined", "return sum === undefined ? undefined : value"],
    ofPersistence("is a miss when its value is made of two, or is of another key")
  ),
  guard(
    "take the entry of another key",
    "platform/internal/tierEntries",
    [" || stored[1] !== key", ""],
    ofPersistence("is a miss when its value is made of two, or is of another key")
  ),
  guard(
    "begin the same generation again",
    "platform/PersistenceTier",
    ["const generation = randomName(random)", 'const generation = random === undefined ? "" : "first"'],
    ofPersistence("is lost with the generation of its namespace, and never comes back")
  )
]

export const tierMutants: ReadonlyArray<NamedMutant> = [...core, ...sql, ...persistence]
