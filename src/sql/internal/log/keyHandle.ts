/** The index of keys of a log in a database, as its readers have it. */
import { Effect } from "effect"
import { refusal, wrongLimit } from "../../../internal/log/events.js"
import type { KeyIndex } from "../../../internal/log/keyIndex.js"
import { validateKinds } from "../../../internal/log/kinds.js"
import { resolveSelector, validateKey } from "../../../internal/log/selector.js"
import { typed } from "./failures.js"
import type { KeyStatements } from "./keyStatements.js"
import * as KeyStore from "./keyStore.js"
import type { LogStore } from "./store.js"

/** Checks a call before it runs. */
const checked = <A, E>(problem: string | undefined, call: Effect.Effect<A, E>) =>
  problem === undefined ? call : Effect.fail(refusal("Invalid", problem))

const validateName = (name: string): string | undefined =>
  validateKey(name)?.replace("a key", "the name of a hold")

const withLimit = <A, E>(limit: number, call: Effect.Effect<A, E>) =>
  Number.isSafeInteger(limit) && limit > 0 ? call : Effect.fail(wrongLimit)

/** Makes the index of an open log. */
export const indexHandle = <V>(store: LogStore, statements: KeyStatements): KeyIndex<V> => ({
  history: (key, options) =>
    Effect.suspend(() =>
      withLimit(
        options.limit,
        checked(
          validateKey(key) ?? validateKinds(options.kinds),
          typed(KeyStore.history<V>(store, statements, key, options))
        )
      )
    ),
  scan: (options) =>
    Effect.suspend(() => {
      const { kinds, limit, selector } = options
      const read = (own: typeof selector) =>
        typed(KeyStore.scan<V>(store, statements, { ...options, selector: own }))
      return withLimit(
        limit,
        checked(
          validateKinds(kinds),
          selector === undefined ? read(undefined) : Effect.flatMap(resolveSelector(selector), read)
        )
      )
    }),
  hold: (name, after) =>
    Effect.suspend(() => checked(validateName(name), typed(KeyStore.hold(store, statements, name, after)))),
  release: (name) =>
    Effect.suspend(() => checked(validateName(name), typed(KeyStore.release(store, statements, name))))
})
