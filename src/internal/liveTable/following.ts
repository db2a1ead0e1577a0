/**
 * Follows: the answer now, then every different one. A reader pulls, so a slow one gets the latest. Followers of one key
 * share when it was read last, so that they wake together and share one load.
 */
import { type Clock, Effect, Option, Stream } from "effect"
import type { Timers } from "../lease/timers.js"
import { type InSlices, inSlices } from "../slices.js"
import { monotonicMillis } from "../time.js"
import type { Turn } from "../turn.js"
import type { Answer } from "./answers.js"
import { type Key, queryMark } from "./coherence.js"
import type { ReadFailed } from "./errors.js"
import * as LookGate from "./lookGate.js"

/** A key that is followed. Only this file writes it. */
interface Followed {
  readonly isQuery: boolean
  readonly followers: Set<Follower>
  /** Monotonic milliseconds; when its last read began. */
  lastReadAt: number
  /** How many reads have failed since one succeeded. */
  failures: number
}

interface Follower {
  /** Something may have changed since its last look. */
  dirty: boolean
  wake: (() => void) | undefined
  /** Ends a pause after failures. */
  resume: (() => void) | undefined
}

export interface Follows {
  readonly keys: Map<Key, Followed>
  /**
   * The queries of which a follower has looked since all of them were woken last. Others are woken already: one event more
   * costs nothing for them.
   */
  readonly looked: Set<Followed>
  readonly gate: LookGate.LookGate
  readonly inSlices: InSlices
  readonly clock: Clock.Clock
  /** Followers that wait for one moment resume in some turns: the host fires its timers without a turn in between. */
  readonly timers: Timers
  readonly minInterval: number
  readonly refresh: number | undefined
}

/** What is followed under one key. */
export interface Source<in out A extends Answer<unknown>> {
  readonly key: Key
  /** The answer of the cache, if it is current. */
  readonly peek: () => A | undefined
  readonly read: Effect.Effect<A, ReadFailed>
  /** Reads from the master, past the cache. */
  readonly poll: Effect.Effect<A, ReadFailed>
  /** A text that two answers share if they are the same. */
  readonly textOf: (answer: A) => string
  /** Keeps the entry from eviction, and returns how to end that. */
  readonly pin: () => () => void
}

/** The pauses after failures, in milliseconds: doubled from the first one, up to the longest. */
const firstPause = 100
const maxPause = 30_000

export const make = (
  clock: Clock.Clock,
  turn: Turn,
  timers: Timers,
  minInterval: number,
  refresh: number | undefined
): Follows => ({
  keys: new Map(),
  looked: new Set(),
  gate: LookGate.make(turn),
  inSlices: inSlices(turn, clock),
  clock,
  timers,
  minInterval,
  refresh
})

const sleep = ({ timers }: Follows, millis: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    // A timer is due strictly after its deadline, in whole milliseconds.
    const timer = timers.schedule(timers.now() + millis - 1, () => resume(Effect.void))
    return Effect.sync(() => timers.cancel(timer))
  })

const notify = ({ followers }: Followed): void => {
  for (const follower of followers) {
    if (follower.dirty) continue
    follower.dirty = true
    follower.wake?.()
  }
}

/** Wakes what follows a key. */
export const wake = ({ keys }: Follows, key: Key): void => {
  const followed = keys.get(key)
  if (followed !== undefined) notify(followed)
}

/** Wakes what follows lists and counts, many of them in slices. */
export const wakeQueries = ({ inSlices, looked }: Follows): void => {
  if (looked.size === 0) return
  const woken = [...looked]
  looked.clear()
  inSlices(woken, notify)
}

/** Wakes all followers. */
export const wakeAll = ({ inSlices, keys, looked }: Follows): void => {
  looked.clear()
  inSlices([...keys.values()], notify)
}

/** Notes that a follower looks: what changes from now on concerns it again. */
const beginLook = (follows: Follows, followed: Followed, follower: Follower): void => {
  follower.dirty = false
  if (followed.isQuery) follows.looked.add(followed)
}

const enter = (follows: Follows, key: Key, follower: Follower): Followed => {
  const known = follows.keys.get(key)
  const followed = known ?? {
    isQuery: typeof key === "string" && key.startsWith(queryMark),
    followers: new Set(),
    lastReadAt: Number.NEGATIVE_INFINITY,
    failures: 0
  }
  if (known === undefined) follows.keys.set(key, followed)
  followed.followers.add(follower)
  beginLook(follows, followed, follower)
  return followed
}

const leave = ({ keys, looked }: Follows, key: Key, follower: Follower): void => {
  const followed = keys.get(key)
  if (followed === undefined) return
  followed.followers.delete(follower)
  if (followed.followers.size > 0) return
  keys.delete(key)
  looked.delete(followed)
}

/** Waits until something may have changed. */
const untilDirty = (follower: Follower): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    if (follower.dirty) return resume(Effect.void)
    follower.wake = () => resume(Effect.void)
    return Effect.sync(() => {
      follower.wake = undefined
    })
  })

/** Sleeps through a pause after failures, unless the master answers one of the others. */
const untilRecovered = (
  follows: Follows,
  followed: Followed,
  follower: Follower,
  pause: number
): Effect.Effect<void> =>
  Effect.raceFirst(
    sleep(follows, pause),
    Effect.async<void>((resume) => {
      // It may have answered before this fiber waits.
      if (followed.failures === 0) return resume(Effect.void)
      follower.resume = () => resume(Effect.void)
      return Effect.sync(() => {
        follower.resume = undefined
      })
    })
  )

/** The master has answered: no follower of the key pauses after its failures any more. */
const recovered = (followed: Followed): void => {
  if (followed.failures === 0) return
  followed.failures = 0
  for (const follower of followed.followers) follower.resume?.()
}

interface Following<A extends Answer<unknown>> {
  readonly follows: Follows
  readonly source: Source<A>
  readonly followed: Followed
  readonly follower: Follower
  /** The text of the last answer; none before the first. */
  text: string | undefined
}

const pauseAfter = (base: number, failures: number): number =>
  failures === 0 ? base : Math.min(Math.max(base, firstPause) * 2 ** failures, Math.max(base, maxPause))

/** Waits until the key may be read again. Returns whether it is polled, without a change. */
const untilDue = <A extends Answer<unknown>>({
  followed,
  follower,
  follows
}: Following<A>): Effect.Effect<boolean> => {
  const { clock, minInterval, refresh } = follows
  // Whole milliseconds: a rest that is too short for a clock to pass would be waited for again and again.
  const left = (base: number) =>
    Math.max(0, Math.ceil(followed.lastReadAt + pauseAfter(base, followed.failures) - monotonicMillis(clock)))
  const spaced: Effect.Effect<void> = Effect.suspend(() => {
    const millis = left(minInterval)
    if (millis === 0) return Effect.void
    if (followed.failures === 0) return sleep(follows, millis)
    return Effect.andThen(untilRecovered(follows, followed, follower, millis), spaced)
  })
  const changed = Effect.as(Effect.andThen(untilDirty(follower), spaced), false)
  if (refresh === undefined) return changed
  const due: Effect.Effect<void> = Effect.suspend(() => {
    const millis = left(refresh)
    if (millis > 0) return Effect.andThen(sleep(follows, millis), due)
    // This follower polls. The others are woken by its answer.
    followed.lastReadAt = monotonicMillis(clock)
    return Effect.void
  })
  return Effect.raceFirst(changed, Effect.as(due, true))
}

/** Looks once. None: there is no answer, or the same as before. */
const look = <A extends Answer<unknown>>(
  following: Following<A>,
  polled: boolean
): Effect.Effect<Option.Option<A>> =>
  Effect.suspend(() => {
    const { followed, follower, follows, source } = following
    beginLook(follows, followed, follower)
    const known = polled ? undefined : source.peek()
    if (known === undefined) followed.lastReadAt = monotonicMillis(follows.clock)
    const answer = known === undefined ? (polled ? source.poll : source.read) : Effect.succeed(known)
    return Effect.matchEffect(answer, {
      onFailure: () =>
        Effect.sync(() => {
          followed.failures++
          // It is tried again, later and later: a poll when the next one is due.
          if (!polled) follower.dirty = true
          return Option.none<A>()
        }),
      onSuccess: (answer) =>
        Effect.sync(() => {
          if (answer.freshness._tag === "Stale") {
            // The master is slow or fails: what it has is looked for again.
            followed.failures++
            follower.dirty = true
          } else if (known === undefined) recovered(followed)
          // An answer that is not stored wakes none of the others.
          if (polled && answer.freshness._tag === "Bypassed") notify(followed)
          const text = source.textOf(answer)
          if (text === following.text) return Option.none<A>()
          following.text = text
          return Option.some(answer)
        })
    })
  })

const nextOf = <A extends Answer<unknown>>(following: Following<A>): Effect.Effect<A> =>
  Effect.suspend(() => untilDue(following)).pipe(
    Effect.flatMap((polled) =>
      Effect.andThen(LookGate.pass(following.follows.gate), look(following, polled))
    ),
    Effect.repeat({ until: Option.isSome }),
    // It was repeated until there was one.
    Effect.map((answer) => (answer as Option.Some<A>).value)
  )

const firstOf = <A extends Answer<unknown>>(following: Following<A>): Effect.Effect<A, ReadFailed> =>
  Effect.suspend(() => {
    const { followed, follows, source } = following
    if (source.peek() === undefined) followed.lastReadAt = monotonicMillis(follows.clock)
    return Effect.tap(source.read, (answer) =>
      Effect.sync(() => {
        following.text = source.textOf(answer)
      })
    )
  })

/**
 * Follows one key: a stream that begins with the answer now. A read or a poll that fails later emits nothing. `closed`
 * fails when the live table is closed.
 */
export const follow = <A extends Answer<unknown>>(
  follows: Follows,
  source: Source<A>,
  closed: Effect.Effect<never, ReadFailed>
): Stream.Stream<A, ReadFailed> =>
  Stream.unwrapScoped(
    Effect.acquireRelease(
      Effect.sync(() => {
        const follower: Follower = { dirty: false, wake: undefined, resume: undefined }
        const followed = enter(follows, source.key, follower)
        return { follower, followed, unpin: source.pin() }
      }),
      ({ follower, unpin }) =>
        Effect.sync(() => {
          leave(follows, source.key, follower)
          unpin()
        })
    ).pipe(
      Effect.map(({ followed, follower }) => {
        const following: Following<A> = { follows, source, followed, follower, text: undefined }
        const next = Effect.suspend(
          (): Effect.Effect<A, ReadFailed> =>
            following.text === undefined ? firstOf(following) : nextOf(following)
        )
        return Stream.repeatEffect(Effect.raceFirst(next, closed))
      })
    )
  )
