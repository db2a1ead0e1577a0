/** How logs of several processes are rung for each other's commits. `PgDoorbell` is one. */
import type { Effect, Scope } from "effect"

/** Rings other processes for commits, and is rung for theirs. A ring is a hint: correctness comes from reading. */
export interface Doorbell {
  /**
   * Calls `ring`, synchronously, when the feed is rung on the channel, and at times without a reason. Ends with the
   * scope.
   */
  readonly listen: (
    channel: string,
    feed: string,
    ring: () => void
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Rings a feed on a channel, everywhere. Never waits: rings of one feed that come close together are one. */
  readonly ring: (channel: string, feed: string, seq: number) => Effect.Effect<void>
}
