/** The status of an actor and whoever watches it. Publishing is synchronous and waits for nobody. */
import { Effect, Exit, Mailbox, Stream } from "effect"

export interface Statuses<A> {
  current: A
  ended: boolean
  readonly watchers: Set<Mailbox.Mailbox<A>>
}

export const make = <A>(initial: A): Statuses<A> => ({ current: initial, ended: false, watchers: new Set() })

/** Sets the present status; `terminal` ends the streams after it. */
export const publish = <A>(statuses: Statuses<A>, status: A, terminal: boolean): void => {
  statuses.current = status
  statuses.ended = terminal
  for (const watcher of statuses.watchers) {
    watcher.unsafeOffer(status)
    if (terminal) watcher.unsafeDone(Exit.void)
  }
  if (terminal) statuses.watchers.clear()
}

// A slow watcher loses the oldest changes, never the last one.
const maxKept = 64

export const changes = <A>(statuses: Statuses<A>): Stream.Stream<A> =>
  Stream.unwrapScoped(
    Effect.acquireRelease(
      Effect.map(Mailbox.make<A>({ capacity: maxKept, strategy: "sliding" }), (watcher) => {
        watcher.unsafeOffer(statuses.current)
        if (statuses.ended) watcher.unsafeDone(Exit.void)
        else statuses.watchers.add(watcher)
        return watcher
      }),
      (watcher) => Effect.sync(() => statuses.watchers.delete(watcher))
    ).pipe(Effect.map(Mailbox.toStream))
  )
