/** Wrong in the order and the time of entries, and in errors. */
import { Duration, Effect } from "effect"
import { monotonicMillis } from "../../../src/internal/time.js"
import * as Tier from "../../../src/Tier.js"
import { parts, spaceOf } from "../rightTier.js"
import { calling, current, differing, failing, isPlain, known, unguarded, type WrongTier } from "./wrong.js"

const isSame = (a: Tier.Order | undefined, b: Tier.Order | undefined): boolean =>
  a !== undefined && b !== undefined && a.epoch === b.epoch && a.seq === b.seq

const order: ReadonlyArray<WrongTier> = [
  differing("compares no orders", { replaces: () => true }, ["higher-seq-stays", "highest-of-many"]),
  differing(
    "replaces lower seqs only, not the same",
    { replaces: (held, next) => parts.replaces(held, next) && !isSame(held?.order, next.order) },
    ["higher-seq-stays"]
  ),
  differing(
    "compares seqs as text",
    {
      replaces: (held, { order }) =>
        held?.order === undefined ||
        order === undefined ||
        held.order.epoch !== order.epoch ||
        String(held.order.seq) <= String(order.seq)
    },
    ["higher-seq-stays"]
  ),
  differing(
    "compares seqs of different epochs",
    { replaces: (held, { order }) => (held?.order?.seq ?? 0) <= (order?.seq ?? Number.POSITIVE_INFINITY) },
    ["others-replace"]
  ),
  calling(
    "reads the order, and writes later",
    ({ remove }, disk, namespace) => ({
      put: (entries) =>
        Effect.gen(function* () {
          yield* remove([])
          const now = monotonicMillis(yield* Effect.clock)
          const seen = spaceOf(disk, namespace)
          const fresh = entries.filter((entry) => parts.replaces(current(seen, entry.key, now), entry))
          yield* Effect.yieldNow()
          for (const { key, order, ttl, value } of fresh) {
            const held = { key, value, order, expires: parts.expires(ttl, now, undefined) }
            spaceOf(disk, namespace).set(key, held)
          }
        })
    }),
    ["highest-of-many"]
  ),
  calling(
    "remembers the seqs of what was removed",
    ({ put }, disk, namespace) => {
      const highest = known(disk, `highest ${namespace}`, new Map<string, Tier.Order>())
      return {
        put: (entries) => {
          const fresh = entries.filter(({ key, order }) => Tier.replaces(highest.get(key), order))
          for (const { key, order } of fresh) {
            if (order === undefined) highest.delete(key)
            else highest.set(key, order)
          }
          return put(fresh)
        }
      }
    },
    ["others-replace", "last-put-decides"]
  )
]

const time: ReadonlyArray<WrongTier> = [
  differing("gives up nothing", { isOver: () => false }, ["gone-after-its-ttl", "last-put-decides"]),
  differing(
    "keeps the first end of a key",
    { expires: (ttl, now, held) => held?.expires ?? parts.expires(ttl, now, held) },
    ["last-put-decides"]
  ),
  differing(
    "counts a ttl in 32 bits",
    {
      expires: (ttl, now, held) =>
        ttl === undefined ? parts.expires(ttl, now, held) : now + (Duration.toMillis(ttl) | 0)
    },
    ["gone-after-its-ttl"]
  ),
  calling(
    "lets an expired entry of a higher seq be in the way",
    ({ put }, disk, namespace) => ({
      put: (entries) =>
        Effect.suspend(() =>
          put(entries.filter((entry) => parts.replaces(spaceOf(disk, namespace).get(entry.key), entry)))
        )
    }),
    ["last-put-decides"]
  )
]

const errors: ReadonlyArray<WrongTier> = [
  unguarded(
    "stores text that is no Unicode",
    ({ put }, source) => ({
      put: (entries) =>
        isPlain(entries) && entries.every(({ order, ttl }) => order === undefined && ttl === undefined)
          ? Effect.mapError(
              source.put(entries.map(({ key, value }) => ({ key, value, ttl: undefined, order: undefined }))),
              () => failing
            )
          : put(entries)
    }),
    ["bad-text-is-refused"]
  ),
  unguarded(
    "stores what stands before a bad entry",
    ({ put }) => ({ put: (entries) => Effect.forEach(entries, (entry) => put([entry]), { discard: true }) }),
    ["bad-text-is-refused", "bad-entries-are-refused"]
  ),
  unguarded(
    "takes a failure for a missing entry",
    ({ get }) => ({
      get: (keys) =>
        Effect.catchIf(
          get(keys),
          ({ reason }) => reason === "Unavailable",
          () => Effect.succeed(keys.map(() => undefined))
        )
    }),
    ["faults-surface"]
  ),
  unguarded(
    "swallows the failure of a put",
    ({ put }) => ({
      put: (entries) =>
        Effect.catchIf(
          put(entries),
          ({ reason }) => reason === "Unavailable",
          () => Effect.void
        )
    }),
    ["faults-surface"]
  ),
  unguarded("dies while its backend is down", ({ clear }) => ({ clear: Effect.orDie(clear) }), [
    "faults-surface"
  ]),
  differing("hangs while its backend is down", { down: Effect.never }, ["faults-surface"])
]

export const wrongOrder: ReadonlyArray<WrongTier> = [...order, ...time, ...errors]
