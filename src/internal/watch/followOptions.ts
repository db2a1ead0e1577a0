/** How somebody follows, and the check of it. */
import type { Event, Revision } from "../log/events.js"
import { InvalidOptions } from "../options.js"
import type * as Buffer from "./buffer.js"

/** What a follow is; everything has a default. */
export interface FollowOptions<V> {
  /** Resumes after this revision, exclusive. Default: with what comes from now on. */
  readonly after?: Revision | undefined
  /**
   * `first`: begins with a Snapshot of everything that the selector matches and `where` takes, as it is now. Not
   * together with `after`. Default `none`. It is taken beside everything else: one that takes long holds up this follow
   * alone.
   */
  readonly snapshot?: "first" | "none" | undefined
  /**
   * Tells only what it takes, of what the selector matches: events, and the entries of every Snapshot, each as an event
   * that puts the entry's value, with the entry's revision. A key that was told and whose value it does not take any more
   * is not told as gone: the event that changed it is left out. Pure. When it throws, the follow ends as `Failed`.
   */
  readonly where?: ((event: Event<V>) => boolean) | undefined
  /** The most revisions that wait. Default 256. */
  readonly buffer?: number | undefined
  /** What happens when they are more. Default `resync`, of `register` `cancel`. */
  readonly policy?: Buffer.Policy | undefined
  /** `include`: tells with each event what was there before it. Default `omit`. */
  readonly previous?: "include" | "omit" | undefined
  /**
   * `on`: when what comes next is gone, it is told a Gap and a Snapshot instead of its end. Default `off`. Until the
   * Snapshot is there it is `Behind`; it is asked for again while its source is `Unavailable`, from 50 ms to every 2 s,
   * and ends the follow as `Failed` when it fails otherwise. A source that gives only revisions that the log cannot go
   * on from ends it as `Compacted` or `EpochChanged`, after 6 of them.
   */
  readonly autoResnapshot?: "on" | "off" | undefined
}

const policies: ReadonlyArray<unknown> = ["resync", "conflate", "cancel", "drop-oldest", "block"]

const oneOf =
  (...values: ReadonlyArray<unknown>) =>
  (given: unknown): string | undefined =>
    values.includes(given)
      ? undefined
      : `must be ${values.map((value) => JSON.stringify(value)).join(" or ")}`

export const wholeAbove0 = (given: unknown): string | undefined =>
  Number.isSafeInteger(given) && (given as number) > 0 ? undefined : "must be a whole number above 0"

const checks: { readonly [option: string]: (given: unknown) => string | undefined } = {
  buffer: wholeAbove0,
  policy: oneOf(...policies),
  snapshot: oneOf("first", "none"),
  previous: oneOf("include", "omit"),
  autoResnapshot: oneOf("on", "off"),
  where: (given) => (typeof given === "function" ? undefined : "must be a function")
}

/** What is wrong with the options, or `undefined`. */
export const followProblem = <V>(options: FollowOptions<V>): InvalidOptions | undefined => {
  for (const [option, check] of Object.entries(checks)) {
    const given = options[option as keyof FollowOptions<V>]
    const message = given === undefined ? undefined : check(given)
    if (message !== undefined) return new InvalidOptions({ option, message })
  }
  return options.after !== undefined && options.snapshot === "first"
    ? new InvalidOptions({
        option: "after",
        message: "a follow begins after a revision or with a snapshot, not both"
      })
    : undefined
}
