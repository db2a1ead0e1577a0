/** An EventSource that is not ours, and what it has been told over all of its connections. */
import { Deferred, Effect, type Scope } from "effect"
import { EventSource } from "eventsource"
import type { Data } from "../../src/platform/WatchSse.js"

type Names = keyof Data<unknown>

/** An event as its listener gets it. */
export type Received<I> = {
  readonly [Name in Names]: {
    readonly name: Name
    readonly data: Data<I>[Name]
    /** The last id until then: its own, or that of an event before it. */
    readonly lastEventId: string
  }
}[Names]

export interface Client<I> {
  readonly received: ReadonlyArray<Received<I>>
  /** How often it has connected. */
  readonly connections: () => number
  /** Completes when this holds for what it has been told. */
  readonly until: (holds: (received: ReadonlyArray<Received<I>>) => boolean) => Effect.Effect<void>
  readonly close: Effect.Effect<void>
}

const names: ReadonlyArray<Names> = ["snapshot", "synced", "events", "progress", "gap", "end"]

/** Connects, and again whenever the connection ends, until the scope does. */
export const eventSource = <I>(url: string): Effect.Effect<Client<I>, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const received: Array<Received<I>> = []
      const waiting = new Set<() => void>()
      const source = new EventSource(url)
      let connections = 0
      source.addEventListener("open", () => {
        connections++
      })
      for (const name of names) {
        source.addEventListener(name, ({ data, lastEventId }) => {
          received.push({ name, data: JSON.parse(data), lastEventId } as Received<I>)
          for (const look of [...waiting]) look()
        })
      }
      const client: Client<I> = {
        received,
        connections: () => connections,
        until: (holds) =>
          Effect.gen(function* () {
            const found = yield* Deferred.make<void>()
            const look = () => {
              if (holds(received)) Deferred.unsafeDone(found, Effect.void)
            }
            waiting.add(look)
            look()
            yield* Effect.ensuring(
              Deferred.await(found),
              Effect.sync(() => waiting.delete(look))
            )
          }),
        close: Effect.sync(() => source.close())
      }
      return client
    }),
    ({ close }) => close
  )
