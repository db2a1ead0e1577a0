/**
 * What a view lets through: random histories of two clients under rights that change, over one log. They are cut, as one
 * of them is at every frame, and resume, before and behind the floor.
 */
import { it } from "@effect/vitest"
import { Effect, Exit, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import { ensure } from "../../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../../support/time/virtualTime.js"
import { outside } from "./history.js"
import { memoryPlace, type OpenPlace } from "./place.js"
import { sqlitePlaces } from "./sqlite.js"
import * as Viewed from "./viewed.js"

const keys = ["k/a", "k/b", "k/c", "other"]
const followed = ChangeLog.prefix(Viewed.followed)

type Action =
  | { readonly do: "write"; readonly changes: ReadonlyArray<ChangeLog.Change<number>> }
  | { readonly do: "take"; readonly which: number; readonly count: number }
  | { readonly do: "cut"; readonly which: number }
  | { readonly do: "raise"; readonly which: number; readonly sees: ReadonlyArray<number> | undefined }
  | { readonly do: "compact" | "renew" | "settle" | "turn" | "recheck" }

const which = fc.nat(1)
const only = <const Name extends string>(name: Name) => fc.constant(name)
const key = fc.constantFrom(...keys)
const change: fc.Arbitrary<ChangeLog.Change<number>> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ _tag: only("Put"), key, value: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ _tag: only("Delete"), key }) }
)
const sees = fc.subarray([0, 1, 2])
const policy = fc.constantFrom<Watch.Policy>("resync", "conflate", "drop-oldest", "block", "cancel")

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: only("write"), changes: fc.array(change, { minLength: 1, maxLength: 3 }) })
  },
  { weight: 5, arbitrary: fc.record({ do: only("take"), which, count: fc.integer({ min: 1, max: 4 }) }) },
  { weight: 2, arbitrary: fc.record({ do: only("cut"), which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: only("raise"), which, sees: fc.option(sees, { nil: undefined }) })
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("settle" as const, "settle" as const, "turn" as const) })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("compact" as const, "recheck" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("renew" as const) }) }
)

const samples = fc.record({
  policies: fc.tuple(policy, policy),
  sees: fc.tuple(sees, sees),
  previous: fc.boolean(),
  autoResnapshot: fc.constantFrom("on" as const, "off" as const),
  buffer: fc.integer({ min: 1, max: 4 }),
  actions: fc.array(action, { minLength: 5, maxLength: 50 })
})

type Sample = typeof samples extends fc.Arbitrary<infer S> ? S : never

interface Reader extends Viewed.Client {
  /** It is cut at every frame. */
  readonly isCut: boolean
  readonly scope: Scope.CloseableScope
  watcher: Watch.Watcher<number>
  ended: Watch.WatchEnded | undefined
  /** It had no rights at some time since its follow began. */
  wasDenied: boolean
}

interface World {
  readonly sample: Sample
  readonly time: VirtualTime
  readonly log: ChangeLog.ChangeLog<number>
  readonly watch: Watch.Watch<number>
  readonly all: Viewed.Committed
  readonly readers: ReadonlyArray<Reader>
}

/** Runs until it has ended, in a time that does not pass. */
type Run = <A, E>(effect: Effect.Effect<A, E>) => Promise<A>

const runIn = (time: VirtualTime): Run => {
  const run = Runtime.runPromise(runtimeIn(time))
  return async (effect) => {
    let isDone = false
    const done = run(effect).finally(() => {
      isDone = true
    })
    // Its failure is that of what is returned.
    done.catch(() => undefined)
    // What closes has a deadline.
    for (await time.settle(); !isDone; ) await time.advance(1000)
    return done
  }
}

const openAt = (
  { autoResnapshot, buffer, previous }: Sample,
  watch: Watch.Watch<number>,
  { policy, rights }: Viewed.Client,
  scope: Scope.Scope,
  after: ChangeLog.Revision | undefined
) => {
  const begin = (start: Watch.FollowOptions<number>) =>
    watch.open(followed, {
      ...start,
      policy,
      buffer,
      autoResnapshot,
      previous: previous ? "include" : "omit",
      view: Viewed.viewOf(rights)
    })
  const anew = () => begin({ snapshot: "first" })
  const opened =
    after === undefined ? anew() : Effect.catchTags(begin({ after }), { Compacted: anew, EpochChanged: anew })
  return Scope.extend(opened, scope)
}

/** Follows again: after what it took, if that was judged by the rights of now. */
const reopen = async (
  run: Run,
  { sample, watch }: World,
  reader: Reader,
  after = reader.cursor
): Promise<void> => {
  await run(reader.watcher.cancel)
  const isCurrent = reader.heldBy === reader.rights.version
  reader.ended = undefined
  reader.wasDenied = reader.rights.sees === undefined
  reader.delivered = new Set(isCurrent ? reader.held.keys() : [])
  reader.watcher = await run(openAt(sample, watch, reader, reader.scope, isCurrent ? after : undefined))
  // A follow that begins anew names as deleted what it has delivered itself.
  reader.delivered = new Set()
}

/** Takes a frame, or goes on behind the end. False: nothing waits. */
const take = async (run: Run, world: World, reader: Reader): Promise<boolean> => {
  const frame = reader.watcher.unsafePoll()
  const ended = reader.watcher.unsafeEnded()
  if (frame !== undefined) {
    ensure(reader.ended === undefined, "W19: nothing comes behind the end")
    Viewed.apply(reader, frame, world.all)
    // Each follow begins with a Synced at least: to cut there too would never end.
    if (reader.isCut && frame._tag !== "Synced") await reopen(run, world, reader)
    return true
  }
  if (ended === undefined || reader.ended !== undefined) {
    ensure(reader.ended === undefined || ended?.reason === reader.ended.reason, "W19: it ends once")
    return false
  }
  reader.ended = ended
  const isDenied = ended.reason === "Unauthorized"
  if (isDenied) ensure(reader.wasDenied, "W18: it had no rights")
  if (isDenied && reader.rights.sees === undefined) return false
  await reopen(run, world, reader, ended.reason === "Overflow" ? ended.cursor : undefined)
  return true
}

const write = async (run: Run, world: World, changes: ReadonlyArray<ChangeLog.Change<number>>) => {
  const rows = Viewed.committed(world.all, await run(world.log.append(changes)), changes)
  for (const reader of world.readers) Viewed.noteRows(reader, rows)
}

const act = async (run: Run, world: World, action: Action): Promise<void> => {
  const { all, log, readers, time, watch } = world
  switch (action.do) {
    case "write":
      return write(run, world, action.changes)
    case "take":
      for (let i = 0; i < action.count && (await take(run, world, readers[action.which]!)); i++);
      return
    case "cut":
      return reopen(run, world, readers[action.which]!)
    case "raise": {
      const reader = readers[action.which]!
      Viewed.raise(reader, action.sees, all)
      reader.wasDenied ||= action.sees === undefined
      if (reader.ended !== undefined) await reopen(run, world, reader)
      return
    }
    case "compact":
      return run(Effect.flatMap(log.head, ({ head }) => log.compact(head.seq - 1)))
    case "renew":
      return Viewed.renewed(all, await run(log.renewEpoch))
    case "settle":
      return time.settle()
    case "turn":
      await Promise.resolve()
      return
    case "recheck":
      return run(watch.recheck)
  }
}

/** Reads until nothing waits. */
const drain = async (run: Run, world: World): Promise<void> => {
  for (let isQuiet = false; !isQuiet; ) {
    await run(world.watch.recheck)
    await world.time.settle()
    isQuiet = true
    for (const reader of world.readers) if (await take(run, world, reader)) isQuiet = false
  }
}

const checkEqual = ({ all }: World, reader: Reader): void => {
  const { ended, held, isLossy, rights } = reader
  if (rights.sees === undefined) {
    ensure(ended?.reason === "Unauthorized", "W18: it has ended without rights")
    return
  }
  if (isLossy) return
  const got = [...held].map(([key, value]) => `${key}=${value}`).sort()
  const fresh = Viewed.visibleOf(reader, all.state)
  ensure(got.join() === fresh.join(), `W16: it ends equal to a fresh one: ${got}, not ${fresh}`)
}

const endAll = async (run: Run, { readers, watch }: World): Promise<void> => {
  await run(Effect.all([watch.end("Expired", "over"), watch.end("Ended", "again")]))
  for (const { rights, watcher } of readers) {
    ensure(watcher.unsafePoll() === undefined, "W19: everything was taken before the end")
    const reason = watcher.unsafeEnded()?.reason
    ensure(
      reason === (rights.sees === undefined ? "Unauthorized" : "Expired"),
      `W19: it ends once, not as ${reason}`
    )
  }
}

const history = async (openPlace: OpenPlace, sample: Sample): Promise<void> => {
  const time = virtualTime()
  const run = runIn(time)
  const scope = await run(Scope.make())
  const place = await Effect.runPromise(
    openPlace({ state: "latest", maxRevisions: 1000, snapshots: "well", actions: [] })
  )
  const log = outside(time, place.logs[0])
  const opened = Effect.gen(function* () {
    const watch = yield* Watch.make(log, { heartbeat: 0 })
    const all = Viewed.nothingIn((yield* log.head).head.epoch)
    const readers = yield* Effect.forEach(sample.policies, (policy, i) => {
      const client: Viewed.Client = {
        rights: { version: 1, sees: sample.sees[i] },
        policy,
        previous: sample.previous,
        held: new Map(),
        heldBy: 1,
        cursor: undefined,
        delivered: new Set(),
        mayKnow: new Set(),
        isLossy: false
      }
      return Effect.map(
        openAt(sample, watch, client, scope, undefined),
        (watcher): Reader => ({
          ...client,
          isCut: i === 1,
          scope,
          watcher,
          ended: undefined,
          wasDenied: false
        })
      )
    })
    return { sample, time, log, watch, all, readers } satisfies World
  })
  const world: World = await run(Scope.extend(opened, scope))
  for (const action of sample.actions) await act(run, world, action)
  await drain(run, world)
  for (const reader of world.readers) checkEqual(world, reader)
  await endAll(run, world)
  await run(Scope.close(scope, Exit.void))
}

const law = (name: string, count: number, open: Effect.Effect<OpenPlace, unknown, Scope.Scope>): void => {
  it.scopedLive(
    `W16-W19: a follow under rights that change is delivered what they let through, over ${name}`,
    () =>
      Effect.flatMap(open, (openPlace) =>
        holdsSeeded(`views over ${name}`, samples, count, (sample) => history(openPlace, sample))
      ),
    seededTimeout
  )
}

law("a log in memory", 50, Effect.succeed(memoryPlace))
law("a log in a SQLite file", 8, sqlitePlaces)
