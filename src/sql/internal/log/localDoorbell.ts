/**
 * The doorbells of the logs in this process. A log in a database has a name of its own, so whoever commits to it here
 * rings everybody here who follows it, whatever client or thread each of them uses.
 */
import { Effect, type Scope } from "effect"
import { ringEach } from "../../../internal/log/changeLog.js"

const ringsByLog = new Map<string, Set<() => void>>()

/** Rings everybody who hangs on the bell. */
export const ringLocally = (logId: string): void => {
  ringEach(ringsByLog.get(logId) ?? [])
}

/** Calls `ring`, synchronously, at every ring of the bell until the scope ends. */
export const listenLocally = (logId: string, ring: () => void): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      // Whoever hangs it twice has two.
      const own = () => ring()
      const rings = ringsByLog.get(logId) ?? new Set()
      ringsByLog.set(logId, rings.add(own))
      return own
    }),
    (own) =>
      Effect.sync(() => {
        const rings = ringsByLog.get(logId)
        rings?.delete(own)
        if (rings?.size === 0) ringsByLog.delete(logId)
      })
  ).pipe(Effect.asVoid)
