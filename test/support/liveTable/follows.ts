/** A follow of a log in memory that can go away, lose rings and end its watchers, and what a cache was called for. */
import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { type FollowSpec, follow } from "../../../src/internal/liveTable/changes.js"
import * as Watch from "../../../src/Watch.js"
import { brief } from "../watch/frames.js"
import { away, logOf } from "../watch/watches.js"

export interface Faults {
  /** No call of the log is answered. */
  isAway: boolean
  /** No doorbell reaches the watch. */
  isDeaf: boolean
}

/** How the watch is made, what is followed, and what the cache does beyond noting it. */
export interface World extends Partial<FollowSpec<number>> {
  readonly heartbeat?: number
  readonly log?: ChangeLog.ChangeLog<number>
}

/** A watch over a log with faults, whose last watcher can be ended. */
export const faultyWatch = (log: ChangeLog.ChangeLog<number>, heartbeat: number) =>
  Effect.gen(function* () {
    const faults: Faults = { isAway: false, isDeaf: false }
    const orAway = <A, E>(call: Effect.Effect<A, E>) =>
      Effect.suspend(
        (): Effect.Effect<A, E | ChangeLog.ChangeLogError> => (faults.isAway ? Effect.fail(away) : call)
      )
    const watch = yield* Watch.make<number>(
      {
        ...log,
        head: orAway(log.head),
        read: (options) => orAway(log.read(options)),
        doorbell: (ring) => log.doorbell(() => (faults.isDeaf ? undefined : ring()))
      },
      { heartbeat }
    )
    const opened: Array<Watch.Watcher<number>> = []
    const starts: Array<Watch.FollowOptions<number>> = []
    const open: typeof watch.open = (selector, options = {}) =>
      Effect.andThen(
        Effect.sync(() => starts.push(options)),
        Effect.tap(watch.open(selector, options), (watcher) => Effect.sync(() => opened.push(watcher)))
      )
    const endLast = Effect.suspend(() => opened.at(-1)?.cancel ?? Effect.void)
    return { faults, starts, endLast, watch: { ...watch, open } }
  })

/** A follow, and in words what its cache was called for. */
export const following = ({ heartbeat = 10_000, log: given, ...spec }: World = {}) =>
  Effect.gen(function* () {
    const log = given ?? (yield* logOf())
    const faulty = yield* faultyWatch(log, heartbeat)
    const calls: Array<string> = []
    const changes = yield* follow<number>({
      watch: faulty.watch,
      selector: ChangeLog.prefix("t/"),
      history: 100,
      concernsAll: ({ key }) => key === "t/all",
      apply: (revision, events) => calls.push(brief({ _tag: "Events", revision, events })),
      onGap: () => calls.push("gap"),
      onReset: () => calls.push("reset"),
      onTrust: (isTrusted) => calls.push(isTrusted ? "trusted" : "untrusted"),
      traced: (_operation, _count, effect) => effect,
      ...spec
    })
    const put = (key: string, value: number) => log.append([ChangeLog.put(key, value)])
    /** What the cache was called for since it was asked last. */
    const taken = () => calls.splice(0)
    return { ...faulty, log, changes, calls, put, taken }
  })
