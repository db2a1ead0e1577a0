/** How logs hear of each other's commits: an adapter of `PgDoorbell`, or nothing. */
import type { Effect, Scope } from "effect"

/** Tells other processes of commits, and hears of theirs. Everything is a hint: correctness comes from reading. */
export interface Doorbell {
  /**
   * Calls `ring`, synchronously, when the feed was rung on the channel, and at times without any reason, until the
   * scope ends.
   */
  readonly listen: (
    channel: string,
    feed: string,
    ring: () => void
  ) => Effect.Effect<void, never, Scope.Scope>
  /** Rings a feed on a channel, everywhere. Never waits: rings of one feed that come close together are one. */
  readonly ring: (channel: string, feed: string, seq: number) => Effect.Effect<void>
}
