/** Runs a history over a place, and tells what was committed and what everybody was told. */
import { setTimeout as delay } from "node:timers/promises"
import { Clock, Effect, Either, Exit, Fiber, Option, Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import { ensure } from "../../support/laws/ensure.js"
import type { VirtualTime } from "../../support/time/virtualTime.js"
import type { Log, Place } from "./place.js"
import type { Action, Follow, Sample, Side } from "./schedule.js"
import { accountProblems, truthOf } from "./truth.js"
import { type Observed, type Published, type Truth, type Value, validate } from "./validators.js"
import { startWriter, type Writer } from "./writer.js"

interface Watching {
  readonly scope: Scope.CloseableScope
  readonly watch: Watch.Watch<Value>
}

interface Reader {
  readonly scope: Scope.CloseableScope
  readonly watcher: Watch.Watcher<Value>
  readonly observed: Omit<Observed, "ended" | "drained">
  readonly follow: Follow
  readonly side: Side
  readonly frames: Array<Watch.Frame<Value>>
  readonly published: Array<Published>
  /** How often the log had been compacted or renewed. */
  readonly losses: number
}

interface World {
  readonly place: Place
  readonly snapshots: Sample["snapshots"]
  readonly time: VirtualTime
  readonly logs: readonly [Log, Log]
  readonly watches: [Watching, Watching]
  readonly writer: Writer
  readers: Array<Reader>
  readonly done: Array<Observed>
  losses: number
}

const where = (event: { readonly key: string; readonly _tag: string }): boolean => event.key !== "dir/a"

const hostTime = Clock.make()

/** A handle that works in the host's time. */
export const outside = ({ outside }: VirtualTime, log: Log): Log => {
  const call = <A, E, R>(effect: Effect.Effect<A, E, R>) => outside(Effect.withClock(effect, hostTime))
  return {
    ...log,
    append: (changes) => call(log.append(changes)),
    commit: (entries) => call(log.commit(entries)),
    read: (options) => call(log.read(options)),
    head: call(log.head),
    compact: (upTo) => call(log.compact(upTo)),
    renewEpoch: call(log.renewEpoch),
    snapshot: (selector) => call(log.snapshot(selector))
  }
}

const away = new ChangeLog.ChangeLogError({ reason: "Unavailable", message: "no snapshot now" })

/** A handle whose snapshots fail or are slow, but for each third. */
const unsteady = (snapshots: Sample["snapshots"], log: Log): Log => {
  let asked = 0
  const fault = snapshots === "away" ? Effect.fail(away) : Effect.sleep("3 seconds")
  return snapshots === "well"
    ? log
    : {
        ...log,
        snapshot: (selector) =>
          Effect.suspend(() =>
            ++asked % 3 === 0 ? log.snapshot(selector) : Effect.zipRight(fault, log.snapshot(selector))
          )
      }
}

const settled = ({ time }: World): Effect.Effect<void> => Effect.promise(time.settle)

/** Waits for what may need time to pass, such as the pause before the next try. */
const driven = <A, E>(world: World, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    const ends = Effect.asVoid(Fiber.await(fiber))
    yield* Effect.raceFirst(ends, settled(world))
    while (fiber.unsafePoll() === null) {
      yield* Effect.raceFirst(
        ends,
        Effect.promise(() => world.time.advance(1000))
      )
    }
    return yield* Fiber.join(fiber)
  })

/** What an unavailable log may refuse. */
const attempt = <A, E>(world: World, effect: Effect.Effect<A, E>): Effect.Effect<A | undefined, E> =>
  driven(world, effect).pipe(
    Effect.catchIf(
      (error) =>
        world.place.fails && error instanceof ChangeLog.ChangeLogError && error.reason === "Unavailable",
      () => Effect.succeed(undefined)
    )
  )

const watching = (log: Log) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    const watch = yield* Scope.extend(Watch.make(log, { heartbeat: "1 hour" }), scope)
    return { scope, watch }
  })

const poll = ({ watcher, frames }: Reader, most: number): void => {
  for (let i = 0; i < most; i++) {
    const frame = watcher.unsafePoll()
    if (frame === undefined) return
    frames.push(frame)
  }
}

const open = (world: World, side: Side, follow: Follow, after: ChangeLog.Revision | undefined) =>
  Effect.gen(function* () {
    const { logs, losses, readers, watches } = world
    const before = yield* attempt(world, logs[side].head)
    if (before === undefined) return
    const { epoch } = before.head
    const from = after ?? (follow.start === "beginning" ? ChangeLog.start(epoch) : undefined)
    const scope = yield* Scope.make()
    const opened = yield* driven(
      world,
      Effect.either(
        Scope.extend(
          watches[side].watch.open(follow.selector, {
            ...(from === undefined
              ? { snapshot: follow.start === "snapshot" ? "first" : "none" }
              : { after: from }),
            where: follow.filters ? where : undefined,
            policy: follow.policy,
            buffer: follow.buffer,
            previous: follow.previous ? "include" : "omit",
            autoResnapshot: follow.autoResnapshot ? "on" : "off"
          }),
          scope
        )
      )
    )
    // The log may not answer, or no longer hold what it would resume with: then nothing is registered.
    if (Either.isLeft(opened)) return
    const watcher = opened.right
    const { cursor } = yield* watcher.health
    ensure(
      cursor.epoch !== epoch || cursor.seq >= (from ?? before.head).seq,
      "a watcher begins after what was there"
    )
    const frames: Array<Watch.Frame<Value>> = []
    const published: Array<Published> = []
    readers.push({
      scope,
      watcher,
      follow,
      side,
      frames,
      published,
      losses,
      observed: {
        selector: follow.selector,
        where: follow.filters ? where : undefined,
        policy: follow.policy,
        previous: follow.previous,
        start: from ?? cursor,
        frames,
        published
      }
    })
  })

/** Reads what is left, and asks for the end. */
const finish = (world: World, reader: Reader, drained: boolean) =>
  Effect.gen(function* () {
    const ended = yield* reader.watcher.take.pipe(
      Effect.map((frame) => reader.frames.push(frame)),
      Effect.forever,
      Effect.flip,
      Effect.raceFirst(Effect.as(settled(world), undefined))
    )
    world.done.push({ ...reader.observed, ended, drained })
    yield* Scope.close(reader.scope, Exit.void)
    return ended?.cursor
  })

const leave = (world: World, reader: Reader) =>
  Effect.suspend(() => {
    world.readers.splice(world.readers.indexOf(reader), 1)
    return Effect.zipRight(Scope.close(reader.scope, Exit.void), finish(world, reader, false))
  })

const resume = (world: World, reader: Reader, side: Side, policy: Watch.Policy) =>
  Effect.flatMap(leave(world, reader), (cursor) => open(world, side, { ...reader.follow, policy }, cursor))

/** Another watch takes the place of one; its watchers resume. */
const restart = (world: World, side: Side) =>
  Effect.gen(function* () {
    const left = world.readers.filter((reader) => reader.side === side)
    world.readers = world.readers.filter((reader) => reader.side !== side)
    yield* driven(world, Scope.close(world.watches[side].scope, Exit.void))
    world.watches[side] = yield* watching(world.logs[side])
    for (const reader of left) yield* open(world, side, reader.follow, yield* finish(world, reader, false))
  })

/** Whoever blocks when somebody begins to publish. Gives what is called when he has, and waits no longer. */
const publishing = (world: World): ((revision: ChangeLog.Revision) => void) => {
  const blocking = world.readers.filter(({ follow, side }) => follow.policy === "block" && side === 0)
  return (revision) => published(world, blocking, revision)
}

const published = (
  { losses, place, watches }: World,
  blocking: ReadonlyArray<Reader>,
  revision: ChangeLog.Revision
): void => {
  // At this very moment, before another fiber has its turn: reading the health is synchronous.
  const position = Option.getOrUndefined(Effect.runSync(watches[0].watch.health).position)
  for (const { watcher, frames, ...reader } of blocking) {
    const { buffered, state } = Effect.runSync(watcher.health)
    if (state === "Ended" || position === undefined) continue
    // Whoever reads on from the log holds up nobody. Only what is gone from the log can make it do so again.
    const wasLive = frames.some(({ _tag }) => _tag === "Synced")
    if (state !== "Live" && (!wasLive || place.evicts || losses > reader.losses)) continue
    reader.published.push({ revision, position, taken: frames.length, buffered })
  }
}

/** Nobody has anything to do: then only a watcher that blocks and has no room holds up the writer. */
const checkWriter = ({ readers, watches, writer }: World) =>
  Effect.gen(function* () {
    if (writer.isIdle() || Option.isSome((yield* watches[0].watch.health).cause)) return
    let waits = false
    for (const { follow, watcher, side } of readers) {
      const { buffered, state } = yield* watcher.health
      waits ||= side === 0 && follow.policy === "block" && state === "Live" && buffered * 2 > follow.buffer
    }
    ensure(waits, "a writer waits only for a watcher that blocks and has no room")
  })

const settle = (world: World) => Effect.zipRight(settled(world), checkWriter(world))

const act = (world: World, action: Action): Effect.Effect<unknown, unknown> => {
  const { logs, place, readers, time, writer } = world
  switch (action.do) {
    case "write":
      return writer.write(action.how, action.side, action.entries)
    case "compact":
      return attempt(
        world,
        Effect.flatMap(logs[action.side].head, ({ head }) => {
          world.losses++
          return logs[action.side].compact(head.seq - action.keep)
        })
      )
    case "renew":
      world.losses++
      return attempt(world, logs[action.side].renewEpoch)
    case "settle":
      return settle(world)
    case "answer":
      return time.calls() === 0 ? Effect.yieldNow() : Effect.promise(time.call)
    case "heartbeat":
      return Effect.zipRight(
        settle(world),
        Effect.promise(() => time.advance(70 * 60_000))
      )
    case "restart":
      return restart(world, action.side)
    case "open":
      return open(world, action.side, action.follow, undefined)
    case "read":
      if (readers.length > 0) poll(readers[action.which % readers.length]!, action.count)
      return Effect.void
    case "leave": {
      const reader = readers[action.which % Math.max(1, readers.length)]
      return reader === undefined ? Effect.void : leave(world, reader)
    }
    case "resume": {
      const reader = readers[action.which % Math.max(1, readers.length)]
      return reader === undefined ? Effect.void : resume(world, reader, action.side, action.policy)
    }
    case "fault":
      return place.fault(action.fault)
  }
}

/** A history has stalled when the log got no call for so long, in milliseconds. */
const stallTimeout = 5000

/** Whether the log gets another call. */
const called = async ({ time }: World): Promise<boolean> => {
  const given = new AbortController()
  const late = delay(stallTimeout, false, { signal: given.signal }).catch(() => false)
  const comes = await Promise.race([time.call().then(() => true), late])
  given.abort()
  return comes
}

const isThere = ({ watcher }: Reader, { epoch, seq }: ChangeLog.Revision) =>
  Effect.map(
    watcher.health,
    ({ cursor, state }) => state === "Ended" || (cursor.epoch === epoch && cursor.seq === seq)
  )

/** Everybody reads, until nobody has anything to read any more. */
const drain = (world: World): Effect.Effect<void, unknown> =>
  Effect.gen(function* () {
    const { logs, place, time, watches, writer } = world
    // What was committed without its writer being told of it rings nobody: something has to come after it.
    const last = place.fails ? writer.mark : Effect.map(logs[0].head, ({ head }) => head)
    let marked: ChangeLog.Revision | undefined
    let troubled = 0
    let waited = 0
    for (;;) {
      yield* settle(world)
      const before = world.readers.map(({ frames }) => frames.length).join()
      for (const reader of world.readers) poll(reader, Number.POSITIVE_INFINITY)
      if (before !== world.readers.map(({ frames }) => frames.length).join()) continue
      const healths = [
        ...(yield* Effect.forEach(watches, ({ watch }) => watch.health)),
        ...(yield* Effect.forEach(world.readers, ({ watcher }) => watcher.health))
      ]
      if (healths.some(({ cause }) => Option.isSome(cause))) {
        ensure(troubled++ < 1000, "a watch is in trouble only while its log does not answer")
        yield* Effect.promise(() => time.advance(2000))
        continue
      }
      if (!writer.isIdle() || time.calls() > 0) continue
      marked ??= yield* driven(world, last)
      const head = marked
      const there = yield* Effect.forEach(world.readers, (reader) => isThere(reader, head))
      if (!there.includes(false)) return
      if (world.snapshots !== "well" && waited++ < 20) {
        yield* Effect.promise(() => time.advance(3000))
        continue
      }
      if (!place.fails) return
      // Who rings may be another process. Whatever is missing when nobody rings is found by the validators.
      const wasUp = yield* place.isUp
      const rung = yield* Effect.promise(() => called(world))
      if (!rung && wasUp && (yield* place.isUp)) return
      // A doorbell that was down rings when it is up again, however long a busy machine takes for that.
      if (!rung) yield* place.up
      // What a late ring starts may take time of its own.
      waited = 0
    }
  })

/** Every break of what was promised to anybody, in words. */
export const breaksOf = (
  { actions, snapshots }: Sample,
  place: Place,
  time: VirtualTime
): Effect.Effect<ReadonlyArray<string>, unknown> =>
  Effect.gen(function* () {
    const logOf = (side: Side) => unsteady(snapshots, outside(time, place.logs[side]))
    const logs = [logOf(0), logOf(1)] as const
    const watches: [Watching, Watching] = [yield* watching(logs[0]), yield* watching(logs[1])]
    const writer = yield* startWriter(
      logs,
      () => watches[0].watch,
      () => publishing(world)
    )
    const world: World = { place, snapshots, time, logs, watches, writer, readers: [], done: [], losses: 0 }
    yield* Effect.addFinalizer(() =>
      driven(
        world,
        Effect.forEach(watches, ({ scope }) => Scope.close(scope, Exit.void))
      )
    )
    for (const action of actions) yield* act(world, action)
    yield* place.heal
    yield* drain(world)
    for (const reader of world.readers) yield* finish(world, reader, true)
    const lives = yield* place.lives
    return [
      ...writer.defects,
      ...accountProblems(lives, writer.writes).map((problem) => `W14: ${problem}`),
      ...(place.fails ? [] : writer.writes.flatMap(({ told }) => (typeof told === "string" ? [told] : []))),
      ...followProblems(truthOf(lives), world.done)
    ]
  }).pipe(Effect.scoped)

const followProblems = (truth: Truth, done: ReadonlyArray<Observed>): ReadonlyArray<string> =>
  done.flatMap((each) => validate(truth, each).map((problem) => `${problem} (${JSON.stringify(each)})`))
