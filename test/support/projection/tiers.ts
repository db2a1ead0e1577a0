/** A tier in memory whose calls are listed, and can be replaced by other ones. */
import { Effect } from "effect"
import * as Tier from "../../../src/Tier.js"

type Call = "get" | "put" | "remove" | "clear"

export interface ScriptedTier {
  readonly tier: Tier.Tier
  readonly calls: () => ReadonlyArray<Call>
  /** What a kind of call does instead, from now on; `undefined`: what it should. */
  readonly instead: (call: Call, effect: Effect.Effect<never, Tier.TierError> | undefined) => void
  /** Replaces every value that is held by another text. */
  readonly spoil: (change: (value: string) => string) => Effect.Effect<void, Tier.TierError>
  /** The values that were put last, by their keys. */
  readonly held: () => ReadonlyMap<string, string>
}

export const tier: Effect.Effect<ScriptedTier> = Effect.gen(function* () {
  const memory = yield* Tier.memory()
  const calls: Array<Call> = []
  const instead = new Map<Call, Effect.Effect<never, Tier.TierError>>()
  const values = new Map<
    string,
    { readonly namespace: string; readonly key: string; readonly value: string }
  >()
  const call = <A>(name: Call, effect: Effect.Effect<A, Tier.TierError>): Effect.Effect<A, Tier.TierError> =>
    Effect.suspend(() => {
      calls.push(name)
      return instead.get(name) ?? effect
    })
  const scripted: ScriptedTier = {
    tier: {
      open: (namespace) =>
        Effect.map(
          memory.open(namespace),
          (store): Tier.Store => ({
            get: (keys) => call("get", store.get(keys)),
            put: (entries) =>
              call(
                "put",
                Effect.tap(store.put(entries), () => {
                  for (const { key, value } of entries) values.set(namespace + key, { namespace, key, value })
                })
              ),
            remove: (keys) => call("remove", store.remove(keys)),
            clear: call("clear", store.clear)
          })
        )
    },
    calls: () => calls,
    instead: (name, effect) => {
      if (effect === undefined) instead.delete(name)
      else instead.set(name, effect)
    },
    spoil: (change) =>
      Effect.scoped(
        Effect.forEach(values.values(), ({ key, namespace, value }) =>
          Effect.flatMap(memory.open(namespace), (store) => store.put([{ key, value: change(value) }]))
        )
      ),
    held: () => new Map([...values].map(([id, { value }]) => [id, value]))
  }
  return scripted
}).pipe(Effect.orDie)
