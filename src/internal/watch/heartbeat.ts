/** The heartbeat of a watch: asks the log for its head, and lets watchers that wait know how far it is. */
import { Effect, Random } from "effect"
import type { Revision } from "../log/events.js"
import { type Dispatcher, noteHead, noteKnown } from "./dispatcherState.js"
import * as Registry from "./registry.js"
import * as Watcher from "./watcher.js"

const answered = <V>(dispatcher: Dispatcher<V>, head: Revision, askedAt: number): void => {
  const { registry } = dispatcher
  noteHead(dispatcher, head)
  noteKnown(dispatcher, askedAt)
  const { position } = registry
  if (position === undefined) return
  // A doorbell that did not ring costs a heartbeat at most.
  if (head.seq !== position.seq || head.epoch !== position.epoch) Registry.ring(registry)
  for (const watcher of registry.watchers.values()) if (Watcher.isLive(watcher)) Watcher.oweProgress(watcher)
}

const ask = <V>(dispatcher: Dispatcher<V>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const askedAt = dispatcher.millis()
    return Effect.matchEffect(dispatcher.source.head, {
      onSuccess: ({ head }) => Effect.sync(() => answered(dispatcher, head, askedAt)),
      // The next pass asks until it is answered, and keeps the cause meanwhile.
      onFailure: () => Effect.sync(() => Registry.ring(dispatcher.registry))
    })
  })

/** Asks once in each interval, jittered by 10 %, until the watch has failed. `inTurn` runs in the dispatcher's turn. */
export const run = <V>(
  dispatcher: Dispatcher<V>,
  inTurn: (effect: Effect.Effect<void>) => Effect.Effect<void, unknown>
): Effect.Effect<void> => {
  const pause = Effect.flatMap(Random.nextRange(0.9, 1.1), (factor) =>
    Effect.sleep(dispatcher.heartbeat * factor)
  )
  const next = Effect.andThen(pause, Effect.exit(inTurn(ask(dispatcher))))
  return Effect.asVoid(Effect.repeat(next, { while: () => dispatcher.failure === undefined }))
}
