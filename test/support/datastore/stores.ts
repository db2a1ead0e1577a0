/** Catalogs of stores for tests, and what their followers get. */
import { Deferred, Effect, Stream } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import * as Datastore from "../../../src/Datastore.js"
import type { Frame } from "../../../src/Watch.js"

export interface Task {
  readonly id: string
  readonly text: string
  readonly done?: boolean
}

export const task = (id: string, text = "a text"): Task => ({ id, text })

/** A catalog over a backend in memory. */
export const make = (options: Datastore.Options = {}) =>
  Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend, options))

/** A catalog whose store `board` is open. */
export const board = (options: Datastore.Options = {}, opening: Datastore.OpenOptions<Task, Task> = {}) =>
  Effect.gen(function* () {
    const stores = yield* make(options)
    return { stores, store: yield* stores.open<Task>({ id: "board", ...opening }) }
  })

export interface Followed<A> {
  readonly frames: Array<Frame<Datastore.Row<A>>>
  /** What it has ended with; completes once, with the first end. */
  readonly end: Effect.Effect<Datastore.FollowEnded>
  /** How many ends there were. */
  readonly ends: () => number
}

/** Follows a store, and keeps what comes. Completes when the follow is synced, or has ended. */
export const followed = <A>(store: Datastore.StoreHandle<A>, options: Datastore.FollowOptions<A> = {}) =>
  Effect.gen(function* () {
    const frames: Array<Frame<Datastore.Row<A>>> = []
    const synced = yield* Deferred.make<void>()
    const end = yield* Deferred.make<Datastore.FollowEnded>()
    let ends = 0
    const take = (frame: Frame<Datastore.Row<A>>) =>
      Effect.suspend(() => {
        frames.push(frame)
        return frame._tag === "Synced" ? Deferred.succeed(synced, undefined) : Effect.void
      })
    const following = Stream.runForEach(store.follow(options), take).pipe(
      Effect.flip,
      Effect.flatMap((error) => {
        ends++
        return Deferred.succeed(end, error)
      }),
      Effect.andThen(Deferred.succeed(synced, undefined))
    )
    yield* Effect.forkScoped(following)
    yield* Deferred.await(synced)
    const result: Followed<A> = { frames, end: Deferred.await(end), ends: () => ends }
    return result
  })

/** What a follower holds after its frames: `key=seq`, by key. */
export const heldBy = (frames: ReadonlyArray<Frame<Datastore.Row<unknown>>>): ReadonlyArray<string> => {
  const held = new Map<string, number>()
  for (const frame of frames) {
    if (frame._tag === "Snapshot") {
      held.clear()
      for (const { key, value } of frame.entries) held.set(key, value.seq)
    }
    if (frame._tag !== "Events") continue
    for (const event of frame.events) {
      if (event._tag === "Put") held.set(event.key, event.value.seq)
      else held.delete(event.key)
    }
  }
  return Array.from(held, ([key, seq]) => `${key}=${seq}`).sort()
}

/** What a reader sees: `key=seq`, by key. */
export const shown = ({ rows }: Datastore.Snapshot<unknown>): ReadonlyArray<string> =>
  rows.map(({ key, seq }) => `${key}=${seq}`).sort()

/** The revision that a follower has last got. */
export const cursorOf = ({ frames }: Followed<unknown>): Revision => {
  const last = frames.at(-1)
  if (last === undefined || last._tag === "Gap") throw new Error("it has no revision")
  return last.revision
}
