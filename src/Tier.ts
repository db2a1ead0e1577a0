/**
 * An external cache of text: what a part asks before its master, shared by processes or kept over restarts.
 *
 * A tier is never trusted. It may lose entries, give old ones, fail or hang. Its user checks what an entry holds, and
 * the master answers where the tier does not. Every fault is a {@link TierError}, also a defect of the backend.
 *
 * {@link memory} keeps a tier in this process. `sql/SqlTier` keeps one in SQLite or Postgres, and
 * `platform/PersistenceTier` in any `BackingPersistence` of `@effect/experimental`. {@link make} makes one of a source
 * that you write; `testing/TierLaws` holds it against the laws of tiers.
 */
import { Cause, Data, Duration, Effect, Scope } from "effect"
import { outsideTransaction } from "./internal/callerContext.js"
import { InvalidOptions, millis, or, resolve, whole } from "./internal/options.js"
import { isLonger, validateText } from "./internal/text.js"
import { monotonicMillis } from "./internal/time.js"

export { InvalidOptions } from "./internal/options.js"

/**
 * A call of a tier failed.
 *
 * - `Invalid`: a namespace, key, value, `ttl` or `order` cannot be. Nothing of the call was done.
 * - `TooLarge`: the backend cannot hold an entry of this size.
 * - `Malformed`: the backend gave an answer that is none.
 * - `Unavailable`: everything else. A put or remove may have been done, or a part of it.
 */
export class TierError extends Data.TaggedError("TierError")<{
  readonly reason: "Invalid" | "TooLarge" | "Malformed" | "Unavailable"
  readonly message: string
  readonly cause?: unknown
}> {}

/** Which of two entries of one key is the later one: within an epoch, the one with the higher `seq`. */
export interface Order {
  readonly epoch: string
  /** A whole number from 0. */
  readonly seq: number
}

/** What a put stores. */
export interface Entry {
  readonly key: string
  readonly value: string
  /** How long it is returned. Default: until it is replaced, removed or given up. So is one of 100 years or more. */
  readonly ttl?: Duration.DurationInput | undefined
  /** Keeps it from replacing an entry of the same epoch with a higher `seq`, where the tier can compare. */
  readonly order?: Order | undefined
}

/**
 * One namespace of a tier. What it does concerns this namespace and nothing else. Keys and values are any text without
 * U+0000 and lone surrogates, of any length.
 */
export interface Store {
  /** Returns the values of the keys, in the order of the keys; `undefined` where there is none. */
  readonly get: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string | undefined>, TierError>
  /**
   * Stores entries, and replaces those of the same keys. It checks all of them first. Of several entries with one key
   * the last one counts, or the one before it that its `order` does not let it replace.
   */
  readonly put: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, TierError>
  /** Removes the entries of these keys, where there are any. */
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<void, TierError>
  /** Removes all entries of this namespace. */
  readonly clear: Effect.Effect<void, TierError>
}

/** An external cache of text under namespaces. */
export interface Tier {
  /**
   * Opens a namespace, until the scope ends. Its name is any text of at most 512 bytes of UTF-8, without U+0000 and lone
   * surrogates. What it holds stays when it is closed, and other handles see it.
   */
  readonly open: (namespace: string) => Effect.Effect<Store, TierError, Scope.Scope>
}

/** An entry that has been checked. */
export interface CheckedEntry {
  readonly key: string
  readonly value: string
  /** Whole milliseconds above 0, less than 100 years. */
  readonly ttl: Duration.Duration | undefined
  readonly order: Order | undefined
}

/** One namespace of a {@link Source}. It gets valid arguments: lists that are not empty, and each key once. */
export interface SourceStore {
  /** Returns the values of the keys, in the order of the keys; `undefined` where there is none. */
  readonly get: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string | undefined>, unknown>
  readonly put: (entries: ReadonlyArray<CheckedEntry>) => Effect.Effect<void, unknown>
  readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<void, unknown>
  readonly clear: Effect.Effect<void, unknown>
}

/** What a tier is made of. Its calls may fail with anything: a {@link TierError} stays what it is. */
export interface Source {
  readonly open: (namespace: string) => Effect.Effect<SourceStore, unknown, Scope.Scope>
}

/** The longest namespace, in bytes of UTF-8: an index of any database takes it beside a key. */
const maxNamespaceBytes = 512

const forEverMillis = Duration.toMillis(Duration.days(36_500))

const invalid = (message: string): TierError => new TierError({ reason: "Invalid", message })

const checkTexts = (what: string, texts: ReadonlyArray<unknown>): TierError | undefined => {
  if (!Array.isArray(texts)) return invalid(`${what}s must be an array`)
  for (const text of texts) {
    const problem = validateText(`a ${what}`, text)
    if (problem !== undefined) return invalid(problem)
  }
  return undefined
}

const checkOrder = (order: unknown): TierError | undefined => {
  if (order === undefined) return undefined
  const { epoch, seq } = (order ?? {}) as { readonly epoch?: unknown; readonly seq?: unknown }
  const problem = validateText("the epoch of an order", epoch)
  if (problem !== undefined) return invalid(problem)
  return Number.isSafeInteger(seq) && Number(seq) >= 0
    ? undefined
    : invalid("the seq of an order must be a whole number from 0")
}

const checkTtl = (given: unknown): Duration.Duration | TierError | undefined => {
  if (given === undefined) return undefined
  const value = millis("above 0").read("ttl", given)
  if (value instanceof InvalidOptions) return invalid(`a ttl ${value.message}`)
  return value < forEverMillis ? Duration.millis(Math.ceil(value)) : undefined
}

const checkEntry = (given: unknown): CheckedEntry | TierError => {
  if (typeof given !== "object" || given === null) return invalid("an entry must be a record: { key, value }")
  // Each member is checked before it is used.
  const { key, order, ttl: lasting, value } = given as Entry
  const problem = validateText("a key", key) ?? validateText("a value", value)
  if (problem !== undefined) return invalid(problem)
  const ttl = checkTtl(lasting)
  if (ttl instanceof TierError) return ttl
  return checkOrder(order) ?? { key, value, ttl, order: order && { epoch: order.epoch, seq: order.seq } }
}

/** Whether an entry with the order `next` replaces one with the order `held`. */
export const replaces = (held: Order | undefined, next: Order | undefined): boolean =>
  held === undefined || next === undefined || held.epoch !== next.epoch || held.seq <= next.seq

const checkEntries = (entries: ReadonlyArray<unknown>): ReadonlyArray<CheckedEntry> | TierError => {
  if (!Array.isArray(entries)) return invalid("entries must be an array")
  const byKey = new Map<string, CheckedEntry>()
  for (const given of entries) {
    const entry = checkEntry(given)
    if (entry instanceof TierError) return entry
    if (replaces(byKey.get(entry.key)?.order, entry.order)) byKey.set(entry.key, entry)
  }
  return [...byKey.values()]
}

const unavailable = (what: string, cause: unknown): TierError =>
  new TierError({
    reason: "Unavailable",
    message: `${what} failed: see the cause, and whether the tier's backend is up`,
    cause
  })

/** Runs a call of a source: what it fails or dies with becomes a {@link TierError}. An interruption stays one. */
const call = <A>(what: string, effect: () => Effect.Effect<A, unknown>): Effect.Effect<A, TierError> =>
  Effect.catchAllCause(outsideTransaction(Effect.suspend(effect)), (cause) => {
    if (Cause.isInterrupted(cause)) return Effect.failCause(Cause.stripFailures(cause))
    const error = Cause.squash(cause)
    return Effect.fail(error instanceof TierError ? error : unavailable(what, error))
  })

/** The values by their keys, or `undefined` if the answer is none. */
const answers = (keys: ReadonlyArray<string>, values: unknown): Map<string, string> | undefined => {
  if (!Array.isArray(values) || values.length !== keys.length) return undefined
  const byKey = new Map<string, string>()
  for (const [n, value] of values.entries()) {
    if (value === undefined) continue
    if (typeof value !== "string") return undefined
    // The answer has as many values as there are keys.
    byKey.set(keys[n]!, value)
  }
  return byKey
}

const malformed = new TierError({
  reason: "Malformed",
  message: "get must give a text or undefined for each key, in their order: correct the tier's source"
})

const get =
  (source: SourceStore): Store["get"] =>
  (keys) =>
    Effect.suspend(() => {
      const problem = checkTexts("key", keys)
      if (problem !== undefined) return problem
      if (keys.length === 0) return Effect.succeed([])
      const asked = [...keys]
      const distinct = [...new Set(asked)]
      return Effect.flatMap(
        call("getting entries", () => source.get(distinct)),
        (values) => {
          const byKey = answers(distinct, values)
          return byKey === undefined ? malformed : Effect.succeed(asked.map((key) => byKey.get(key)))
        }
      )
    })

const storeOf = (source: SourceStore): Store => ({
  get: get(source),
  put: (entries) =>
    Effect.suspend(() => {
      const checked = checkEntries(entries)
      if (checked instanceof TierError) return checked
      return checked.length === 0 ? Effect.void : call("putting entries", () => source.put(checked))
    }),
  remove: (keys) =>
    Effect.suspend(() => {
      const problem = checkTexts("key", keys)
      if (problem !== undefined) return problem
      const distinct = [...new Set(keys)]
      return distinct.length === 0 ? Effect.void : call("removing entries", () => source.remove(distinct))
    }),
  clear: call("clearing a namespace", () => source.clear)
})

const validateNamespace = (namespace: unknown): string | undefined =>
  validateText("a namespace", namespace) ??
  // It is a string then.
  (isLonger(namespace as string, maxNamespaceBytes)
    ? `a namespace must have at most ${maxNamespaceBytes} bytes of UTF-8`
    : undefined)

/**
 * Makes a tier of a source. It checks arguments before the source gets them, and the answers of the source. It turns
 * every failure and defect of the source into a {@link TierError}. The source runs outside of the caller's transaction.
 */
export const make = (source: Source): Tier => ({
  open: (namespace) =>
    Effect.flatMap(Effect.scope, (scope) => {
      const problem = validateNamespace(namespace)
      if (problem !== undefined) return invalid(problem)
      const opening = call("opening a namespace", () => Scope.extend(source.open(namespace), scope))
      return Effect.map(opening, storeOf)
    })
})

/** The options of a tier in memory; each has a default. */
export interface MemoryOptions {
  /** The most entries of all namespaces together. Beyond it, those put longest ago are given up. Default 10,000. */
  readonly maxEntries?: number | undefined
}

const memoryRules = { maxEntries: or(whole(1, "entries"), 10_000) }

interface Held {
  readonly namespace: string
  readonly value: string
  readonly order: Order | undefined
  /** In monotonic milliseconds. */
  readonly expires: number
}

const memorySource = (maxEntries: number): Source => {
  /** In the order in which they were put. */
  const held = new Map<string, Held>()
  // The length keeps a namespace and a key from running together.
  const idOf = (namespace: string, key: string): string => `${namespace.length}:${namespace}${key}`
  const at = <A>(use: (now: number) => A): Effect.Effect<A> =>
    Effect.map(Effect.clock, (clock) => use(monotonicMillis(clock)))

  const current = (id: string, now: number): Held | undefined => {
    const entry = held.get(id)
    if (entry === undefined || now < entry.expires) return entry
    held.delete(id)
    return undefined
  }

  const put = (namespace: string, { key, order, ttl, value }: CheckedEntry, now: number): void => {
    const id = idOf(namespace, key)
    if (!replaces(current(id, now)?.order, order)) return
    const expires = ttl === undefined ? Number.POSITIVE_INFINITY : now + Duration.toMillis(ttl)
    held.delete(id)
    held.set(id, { namespace, value, order, expires })
  }

  const giveUpOldest = (): void => {
    for (const id of held.keys()) {
      if (held.size <= maxEntries) return
      held.delete(id)
    }
  }

  return {
    open: (namespace) =>
      Effect.succeed({
        get: (keys) => at((now) => keys.map((key) => current(idOf(namespace, key), now)?.value)),
        put: (entries) =>
          at((now) => {
            for (const entry of entries) put(namespace, entry, now)
            giveUpOldest()
          }),
        remove: (keys) =>
          Effect.sync(() => {
            for (const key of keys) held.delete(idOf(namespace, key))
          }),
        clear: Effect.sync(() => {
          for (const [id, entry] of held) if (entry.namespace === namespace) held.delete(id)
        })
      })
  }
}

/**
 * Makes a tier in memory: for tests, and for several parts of one process that share it. What it holds ends with the
 * process. A `ttl` is measured on the monotonic clock. It compares the `order` of entries.
 */
export const memory = (options: MemoryOptions = {}): Effect.Effect<Tier, InvalidOptions> =>
  Effect.map(resolve<MemoryOptions>()(memoryRules, options), ({ maxEntries }) =>
    make(memorySource(maxEntries))
  )
