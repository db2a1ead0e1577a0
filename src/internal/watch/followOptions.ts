/** The options of a follow, their rules and their defaults. */
import { Effect } from "effect"
import { type Event, isCursor, type Revision } from "../log/events.js"
import { func, InvalidOptions, oneOf, optional, or, resolve, that, whole } from "../options.js"
import type { Policy } from "./buffer.js"
import type { Rights, View } from "./view.js"

/** Options of a follow; each has a default. */
export interface FollowOptions<V> {
  /** Resumes after this revision, exclusive. Default: with what is committed from now on. */
  readonly after?: Revision | undefined
  /**
   * Begins so many revisions back of the log's head of now, or at its floor if it holds fewer. Not together with `after`
   * or `snapshot`. Default 0.
   */
  readonly back?: number | undefined
  /**
   * `first`: begins with a Snapshot of everything that the selector matches and `where` takes, as it is now. Not
   * together with `after`. Default `none`. One that takes long delays this follow alone.
   */
  readonly snapshot?: "first" | "none" | undefined
  /**
   * What the follow may see of what the selector matches. A row that begins to be visible is delivered as a put, one that
   * ceases to be visible as a delete. A row that was never visible is not named. Needs a log with `state: "latest"`.
   *
   * Rights are compared each time that the reader takes. If they changed, what waits is discarded, and the follow gets
   * a Snapshot of what is visible now, or ends as `Unauthorized`. Frames that were taken before are the reader's to
   * drop. `Watch.recheck` compares for readers that wait. If a predicate or the rights throw, the follow ends as
   * `Failed`. A cursor holds for the view that it was delivered by: under another one begin with a snapshot.
   */
  readonly view?: View<V> | undefined
  /**
   * Delivers only what it takes of what the selector matches: events, and the entries of every Snapshot. It gets each
   * entry as an event that puts the entry's value, with the entry's revision. With a `view` it gets what the view lets
   * through. If it does not take the new value of a
   * key that was delivered, that event is left out, and the key is not reported as gone. Pure. If it throws, the
   * follow ends as `Failed`.
   *
   * It is no means for rights: a reader that may no longer see a value keeps the old one. Use `view` for rights.
   */
  readonly where?: ((event: Event<V>) => boolean) | undefined
  /** The most revisions that wait. Default 256. */
  readonly buffer?: number | undefined
  /** What happens when they are more. Default `resync`, of `register` `cancel`. */
  readonly policy?: Policy | undefined
  /** `include`: delivers with each event the value before it. Default `omit`. */
  readonly previous?: "include" | "omit" | undefined
  /**
   * `on`: if what comes next is gone, the follow gets a Gap and a Snapshot, and does not end. Default `off`. Until the
   * Snapshot is taken, the follow is `Behind`. While its source is `Unavailable` it is asked again, from 50 ms to
   * every 2 s. If it fails otherwise, the follow ends as `Failed`. A source that gives only revisions that the log
   * cannot go on from ends the follow as `Compacted` or `EpochChanged`, after 6 of them.
   */
  readonly autoResnapshot?: "on" | "off" | undefined
}

const isView = (given: unknown): boolean => {
  if (typeof given === "function") return true
  if (typeof given !== "object" || given === null) return false
  const { version, visible } = given as { readonly [K in keyof Rights<never>]?: unknown }
  return typeof version === "function" && typeof visible === "function"
}

const policy = oneOf("resync", "conflate", "cancel", "drop-oldest", "block")

const registerRules = {
  buffer: or(whole(1), 256),
  policy: or(policy, "cancel"),
  previous: or(oneOf("include", "omit"), "omit")
}

const followRules = {
  ...registerRules,
  policy: or(policy, "resync"),
  after: optional(that("a Revision of the log", isCursor)),
  back: optional(whole(0, "revisions")),
  snapshot: or(oneOf("first", "none"), "none"),
  view: optional(that("a predicate, or rights with the functions version and visible", isView)),
  where: optional(func("that answers a boolean")),
  autoResnapshot: or(oneOf("on", "off"), "off")
}

/** A follow, with its defaults. */
export type Follow<V> = Effect.Effect.Success<ReturnType<typeof resolveFollow<V>>>

const notTogether = (option: string, other: string): InvalidOptions =>
  new InvalidOptions({ option, message: `must not be combined with ${other}: leave one of them out` })

const validateStart = <V>({
  after,
  back,
  snapshot
}: Pick<FollowOptions<V>, "after" | "back" | "snapshot">): InvalidOptions | undefined => {
  if (after !== undefined && snapshot === "first") return notTogether("after", 'snapshot: "first"')
  if (back === undefined) return undefined
  if (after !== undefined) return notTogether("back", "after")
  return snapshot === "first" ? notTogether("back", 'snapshot: "first"') : undefined
}

export const resolveFollow = <V>(options: FollowOptions<V>) =>
  Effect.flatMap(resolve<FollowOptions<V>>()(followRules, options), (follow) => {
    const problem = validateStart(follow)
    return problem === undefined ? Effect.succeed(follow) : Effect.fail(problem)
  })

/** What `register` takes of {@link FollowOptions}. */
export type RegisterOptions<V> = Pick<FollowOptions<V>, "buffer" | "policy" | "previous">

export const resolveRegister = <V>(options: RegisterOptions<V>) =>
  resolve<RegisterOptions<V>>()(registerRules, options)
