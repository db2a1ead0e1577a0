/** Rings the logs of this process for each other's commits. */
import { Context, Effect, type Scope } from "effect"
import { makeRings, type Rings } from "./rings.js"

/**
 * The callbacks of the logs in this process, by the ids of the logs. A log keeps its id in its database, so a commit
 * here rings every log here that reads the same feed, whatever client or thread each of them uses. The default is one
 * for the process.
 */
export class LocalDoorbell extends Context.Reference<LocalDoorbell>()("effect-recorder/sql/LocalDoorbell", {
  defaultValue: makeRings
}) {}

/** Calls `ring`, synchronously, at every local ring of the log until the scope ends. */
export const listenLocally = (
  local: Rings,
  logId: string,
  ring: () => void
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.asVoid(
    Effect.acquireRelease(
      Effect.sync(() => local.add(logId, ring)),
      (remove) => Effect.sync(remove)
    )
  )
