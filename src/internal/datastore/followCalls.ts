/** The follows of a store: what a principal may see, from a snapshot or a revision on, until one typed end. */
import { Effect, type Scope, Stream } from "effect"
import { prefix, type Revision, type Selector } from "../../ChangeLog.js"
import type { FollowError, Frame, Watcher, FollowOptions as WatchOptions } from "../../Watch.js"
import { cursorOf, markShared } from "../catalog/epochMark.js"
import * as Follows from "../catalog/follows.js"
import type { As } from "./accept.js"
import type { Codec } from "./data.js"
import type { StoreEnded } from "./errors.js"
import type { JsonRow } from "./holding.js"
import type { Row } from "./operation.js"
import type { Runtime } from "./runtime.js"
import { access, type Store } from "./store.js"

/** Options of a follow of a store; each has a default. */
export interface FollowOptions<A> extends Pick<WatchOptions<never>, "buffer" | "policy" | "previous"> {
  /**
   * Resumes after this revision, exclusive. If what came after it is gone, or the follower's rights have changed since, it
   * begins with a snapshot; with `authorize` also if another process gave the cursor. Default: with a snapshot.
   */
  readonly after?: Revision | undefined
  /** Which records are delivered. A record that begins or ceases to match comes as a put or a delete. Pure. */
  readonly view?: ((row: Row<A>) => boolean) | undefined
  /** Who follows. Default: the server itself, which sees everything. */
  readonly as?: As | undefined
}

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
    const ended = access(store, runtime.shared.timers.now())
    if (ended !== undefined) return yield* ended
    const { epoch, following, holding, id, kind, marks, parts } = store
    const { policy } = runtime.shared
    const after = options.after && cursorOf(policy, epoch, options.after, as)
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

/** Follows a store: it begins when the stream runs. */
export const follow = <A>(
  runtime: Runtime,
  store: Store,
  codec: Codec<A>,
  options: FollowOptions<A>
): Stream.Stream<Frame<Row<A>>, Follows.FollowEnded> => {
  const frames = Stream.unwrapScoped(
    Effect.map(openAll(runtime, store, codec, options), (watcher) => watcher.frames)
  )
  const decoded =
    codec.problem === undefined
      ? // Without a schema, A is JSON.
        (frames as unknown as Stream.Stream<Frame<Row<A>>, Follows.FollowEnded>)
      : Stream.map(frames, Follows.frameOf(codec.row))
  return Stream.mapError(decoded, Follows.endOf(store))
}
