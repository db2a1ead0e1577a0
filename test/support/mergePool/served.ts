/** Catalogs of pools for tests, clients of them, and what their followers get. */
import { Deferred, Effect, Stream } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import * as MergePool from "../../../src/MergePool.js"
import type { Frame } from "../../../src/Watch.js"

/** A card of a board: the title that was written last, votes, labels, and the highest bid. */
export const strategies = {
  title: MergePool.last<string>(),
  votes: MergePool.counter,
  labels: MergePool.set<string>(),
  bid: MergePool.max
}

/** A catalog over a backend in memory. */
export const make = (options: MergePool.Options = {}) =>
  Effect.flatMap(MergePool.memory(), (backend) => MergePool.make(backend, options))

/** A catalog whose pool `board` is open. */
export const board = (
  options: MergePool.Options = {},
  opening: Omit<MergePool.OpenOptions, "strategies"> = {}
) =>
  Effect.gen(function* () {
    const pools = yield* make(options)
    return { pools, pool: yield* pools.open({ id: "board", strategies, ...opening }) }
  })

/** The edits that a client makes, sent to a pool on behalf of a principal. */
export const clientOf = (pool: MergePool.PoolHandle, principal: string, session?: string) =>
  Effect.gen(function* () {
    const replica = yield* MergePool.replica(strategies)
    const { client } = replica
    const send = ({ n, patch }: MergePool.Unsent) =>
      Effect.tap(pool.merge(patch, { as: { principal, client }, session }), () => replica.confirm(n))
    return {
      replica,
      client,
      as: { principal, client },
      edit: (key: string, fields: { readonly [name: string]: MergePool.FieldEdit }) =>
        Effect.flatMap(replica.edit(key, fields), send),
      title: (key: string, value: string) =>
        Effect.flatMap(replica.edit(key, { title: { _tag: "Set", value } }), send),
      remove: (key: string) => Effect.flatMap(replica.remove(key), send)
    }
  })

export interface Followed {
  readonly frames: Array<Frame<MergePool.PoolCell>>
  /** What it has ended with; completes once, with the first end. */
  readonly end: Effect.Effect<MergePool.FollowEnded>
}

/** Follows a pool, and keeps what comes. Completes when the follow is synced, or has ended. */
export const followed = (pool: MergePool.PoolHandle, options: MergePool.FollowOptions = {}) =>
  Effect.gen(function* () {
    const frames: Array<Frame<MergePool.PoolCell>> = []
    const synced = yield* Deferred.make<void>()
    const end = yield* Deferred.make<MergePool.FollowEnded>()
    const take = (frame: Frame<MergePool.PoolCell>) =>
      Effect.suspend(() => {
        frames.push(frame)
        return frame._tag === "Synced" ? Deferred.succeed(synced, undefined) : Effect.void
      })
    const following = Stream.runForEach(pool.follow(options), take).pipe(
      Effect.flip,
      Effect.flatMap((error) => Deferred.succeed(end, error)),
      Effect.andThen(Deferred.succeed(synced, undefined))
    )
    yield* Effect.forkScoped(following)
    yield* Deferred.await(synced)
    const result: Followed = { frames, end: Deferred.await(end) }
    return result
  })

/** What a follower shows after its frames: `row/field=value`, by key; the horizon and removals left out. */
export const shownBy = (frames: ReadonlyArray<Frame<MergePool.PoolCell>>): ReadonlyArray<string> => {
  const held = new Map<string, MergePool.PoolCell>()
  for (const frame of frames) {
    if (frame._tag === "Snapshot") {
      held.clear()
      for (const { key, value } of frame.entries) held.set(key, value)
    }
    if (frame._tag !== "Events") continue
    for (const event of frame.events) {
      if (event._tag === "Put") held.set(event.key, event.value)
      else held.delete(event.key)
    }
  }
  return Array.from(held.values())
    .filter(({ value }) => value !== undefined)
    .map(({ field, row, value }) => `${row}/${field}=${JSON.stringify(value)}`)
    .sort()
}

/** The keys that a follower holds, removals and the horizon too. */
export const keysOf = (frames: ReadonlyArray<Frame<MergePool.PoolCell>>): ReadonlyArray<string> => {
  const held = new Set<string>()
  for (const frame of frames) {
    if (frame._tag === "Snapshot") for (const { key } of frame.entries) held.add(key)
    if (frame._tag !== "Events") continue
    for (const { _tag, key } of frame.events)
      if (_tag === "Put") held.add(key)
      else held.delete(key)
  }
  return Array.from(held).sort()
}

/** The frames of events. */
export const deltasOf = ({ frames }: Followed) =>
  frames.flatMap((frame) => (frame._tag === "Events" ? [frame.events] : []))

/** The revision that a follower has last got. */
export const cursorOf = ({ frames }: Followed): Revision => {
  const last = frames.at(-1)
  if (last === undefined || last._tag === "Gap") throw new Error("it has no revision")
  return last.revision
}
