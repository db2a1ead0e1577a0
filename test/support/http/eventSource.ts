/** Clients with an EventSource that is not ours, and what they have been told over all of their connections. */
import { Deferred, Effect, type Scope } from "effect"
import { EventSource } from "eventsource"
import type { Data } from "../../../src/platform/WatchSse.js"
import { openPage } from "./chromium.js"

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

/** Connects, and again whenever the connection ends, until the scope does. */
export type Connect = <I>(url: string) => Effect.Effect<Client<I>, never, Scope.Scope>

const names: ReadonlyArray<Names> = ["snapshot", "synced", "events", "progress", "gap", "end"]

/** What a source tells of itself: that it has connected, or an event by its name, data and last id. */
type Tell = (name: string, data: string, lastEventId: string) => void

const collecting = <I>(): { readonly tell: Tell; readonly client: Omit<Client<I>, "close"> } => {
  const received: Array<Received<I>> = []
  const waiting = new Set<() => void>()
  let connections = 0
  return {
    tell: (name, data, lastEventId) => {
      if (name === "open") {
        connections++
        return
      }
      received.push({ name, data: JSON.parse(data), lastEventId } as Received<I>)
      for (const look of [...waiting]) look()
    },
    client: {
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
        })
    }
  }
}

/** In this process. */
export const eventSource: Connect = <I>(url: string) =>
  Effect.acquireRelease(
    Effect.sync((): Client<I> => {
      const { client, tell } = collecting<I>()
      const source = new EventSource(url)
      source.addEventListener("open", () => tell("open", "", ""))
      for (const name of names) {
        source.addEventListener(name, ({ data, lastEventId }) => tell(name, data, lastEventId))
      }
      return { ...client, close: Effect.sync(() => source.close()) }
    }),
    ({ close }) => close
  )

/** In a page of a real browser, which has come from the same server. */
export const chromiumEventSource: Connect = <I>(url: string) =>
  Effect.gen(function* () {
    const { client, tell } = collecting<I>()
    const page = yield* openPage(url, `<link rel="icon" href="data:,">`)
    const connect = `{
      const source = new EventSource(${JSON.stringify(url)})
      source.addEventListener("open", () => tell("open", "", ""))
      for (const name of ${JSON.stringify(names)}) {
        source.addEventListener(name, ({ data, lastEventId }) => tell(name, data, lastEventId))
      }
    }`
    yield* Effect.promise(async () => {
      await page.exposeFunction("tell", tell)
      await page.evaluate(connect)
    })
    return { ...client, close: Effect.promise(() => page.close()) }
  })
