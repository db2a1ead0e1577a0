/** How somebody follows, and the check of it. */
import type { Event, Revision } from "./events.js"
import { InvalidOptions } from "./invalidOptions.js"
import type * as Outbox from "./outbox.js"

/** What a follow is; everything has a default. */
export interface FollowOptions<V> {
  /** Resumes after this revision, exclusive. Default: with what comes from now on. */
  readonly after?: Revision | undefined
  /** `first`: begins with everything that matches, as it is now. Not together with `after`. Default `none`. */
  readonly snapshot?: "first" | "none" | undefined
  /** Tells only the events that it takes, of those that the selector matches. Pure. */
  readonly where?: ((event: Event<V>) => boolean) | undefined
  /** The most revisions that wait. Default 256. */
  readonly buffer?: number | undefined
  /** What happens when they are more. Default `resync`, of `register` `cancel`. */
  readonly policy?: Outbox.Policy | undefined
  /** `include`: tells with each event what was there before it. Default `omit`. */
  readonly previous?: "include" | "omit" | undefined
  /** `on`: when what comes next is gone, it is told a Gap and a Snapshot instead of its end. Default `off`. */
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
