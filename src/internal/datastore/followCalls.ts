/** The follows of a store: what a principal may see, from a snapshot or a revision on, until one typed end. */
import { Chunk, Effect, type Scope, type Stream } from "effect"
import { prefix, type Selector } from "../../ChangeLog.js"
import type { FollowError, Frame, Watcher, FollowOptions as WatchOptions } from "../../Watch.js"
import { isAs } from "../catalog/catalogOptions.js"
import { cursorOf, markShared } from "../catalog/epochMark.js"
import * as Follows from "../catalog/follows.js"
import { live, type Slot } from "../catalog/slot.js"
import { isCursor } from "../log/events.js"
import { type InvalidOptions, invalid, validateRecord } from "../options.js"
import { openedStream } from "../takenStream.js"
import type { As } from "./accept.js"
import { type FollowOptions, resolveFollow } from "./callOptions.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { JsonRow } from "./holding.js"
import type { Row } from "./operation.js"
import type { Runtime } from "./runtime.js"
import { access, type Store } from "./store.js"

const problemOf = (as: unknown, options: unknown): InvalidOptions | undefined =>
  as === undefined || isAs(as)
    ? validateRecord("options", options)
    : invalid("as", "{ principal, client? }", as)

/**
 * Opens a follow of what a selector matches, within the rights of its principal, as long as the scope lives. A cursor that
 * was made under other rights fails with `EpochChanged`.
 */
export const open = (
  runtime: Runtime,
  store: Store,
  as: As | undefined,
  selector: Selector,
  options: WatchOptions<JsonRow>
): Effect.Effect<Watcher<JsonRow>, FollowError | StoreEnded, Scope.Scope> =>
  Effect.gen(function* () {
    const problem = problemOf(as, options)
    if (problem !== undefined) return yield* problem
    const ended = access(store, runtime.shared.timers.now())
    if (ended !== undefined) return yield* ended
    const { epoch, following, holding, id, kind, marks, parts } = store
    const { policy } = runtime.shared
    // What is no cursor is refused by the watch.
    const after = isCursor(options.after) ? cursorOf(policy, epoch, options.after, as) : options.after
    if (parts !== undefined) yield* markShared(policy, { id, kind, marks, head: parts.head }, as)
    const followed = { id, kind, epoch, marks, following, seq: holding.seq }
    return yield* Follows.open(Follows.followersOf(runtime), followed, as, selector, { ...options, after })
  })

/** Opens a follow of all records, which begins with a snapshot if it cannot resume. */
const openAll = <A>(
  runtime: Runtime,
  store: Store,
  codec: Codec<A>,
  { after, as, buffer, policy, previous, view }: FollowOptions<A>
): Effect.Effect<Watcher<JsonRow>, FollowError | StoreEnded, Scope.Scope> => {
  const own = view && ((_: string, row: JsonRow): boolean => view(codec.row(row)))
  const begin = (first: WatchOptions<JsonRow>) =>
    open(runtime, store, as, prefix(""), {
      buffer,
      policy,
      previous,
      view: own,
      autoResnapshot: "on",
      ...first
    })
  return Follows.resumed(after, begin)
}

/** Returns how the frames of a watcher are taken as its reader has them. */
const takeOf = <A>(
  store: Store,
  { problem, row }: Codec<A>,
  { takeAll }: Watcher<JsonRow>
): Effect.Effect<Chunk.Chunk<Frame<Row<A>>>, Follows.FollowEnded> => {
  const taken =
    problem === undefined
      ? // Without a schema, A is JSON.
        (takeAll as unknown as Effect.Effect<Chunk.Chunk<Frame<Row<A>>>, Follows.FollowEnded>)
      : Effect.map(takeAll, Chunk.map(Follows.frameOf(row)))
  return Effect.mapError(taken, Follows.endOf(store))
}

/** Follows the store of a handle: it begins when the stream runs. */
export const follow = <A>(
  runtime: Runtime,
  slot: Slot<Store>,
  codec: Codec<A>,
  options: FollowOptions<A>
): Stream.Stream<Frame<Row<A>>, Follows.FollowEnded> =>
  openedStream(
    Effect.gen(function* () {
      const resolved = yield* resolveFollow(options)
      const store = yield* live(slot)
      const opened = Effect.mapError(openAll(runtime, store, codec, resolved), Follows.endOf(store))
      return takeOf(store, codec, yield* opened)
    })
  )
