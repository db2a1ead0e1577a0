/** The index of keys of a log in a database, as its readers have it. */
import { Effect } from "effect"
import {
  validateHistory,
  validateHold,
  validateHoldName,
  validateScan
} from "../../../internal/log/checkReading.js"
import type { ChangeLogError } from "../../../internal/log/events.js"
import type { KeyIndex } from "../../../internal/log/keyIndex.js"
import { resolveSelector } from "../../../internal/log/selector.js"
import { typed } from "./failures.js"
import type { KeyStatements } from "./keyStatements.js"
import * as KeyStore from "./keyStore.js"
import type { LogStore } from "./store.js"

/** Checks a call before it runs. */
const checked = <A, E>(problem: ChangeLogError | undefined, call: () => Effect.Effect<A, E>) =>
  problem === undefined ? call() : Effect.fail(problem)

/** Makes the index of an open log. */
export const indexHandle = <V>(store: LogStore, statements: KeyStatements): KeyIndex<V> => ({
  history: (key, options) =>
    Effect.suspend(() =>
      checked(validateHistory(key, options), () =>
        typed(KeyStore.history<V>(store, statements, key, options))
      )
    ),
  scan: (options) =>
    Effect.suspend(() =>
      checked(validateScan(options), () => {
        const { selector } = options
        const read = (own: typeof selector) =>
          typed(KeyStore.scan<V>(store, statements, { ...options, selector: own }))
        return selector === undefined ? read(undefined) : Effect.flatMap(resolveSelector(selector), read)
      })
    ),
  hold: (name, after) =>
    Effect.suspend(() =>
      checked(validateHold(name, after), () => typed(KeyStore.hold(store, statements, name, after)))
    ),
  release: (name) =>
    Effect.suspend(() =>
      checked(validateHoldName(name), () => typed(KeyStore.release(store, statements, name)))
    )
})
