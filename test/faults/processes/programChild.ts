/**
 * A program with all parts under load, in wholeProgram.test.ts, until it is ended: by SIGTERM, or by its main program, which
 * returns at SIGUSR2.
 *
 * Each load writes one thing after the other. It reports `sent <load> <n>` before, and `kept <load> <n>` when that is
 * acknowledged, or `refused <load> <n> <outcome> <message>`. It reports `lost <load> <n>` if what is acknowledged cannot be
 * read. Followers report `saw <follower> <n>`, and `over <follower> <reason>`. `closing` comes before the parts are closed, and
 * `left <n> fibers, <n> timers` is what runs when all has ended.
 */
import { defaultTeardown } from "@effect/platform/Runtime"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Deferred, Effect, Fiber, Logger, Option, Stream, Supervisor } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as MergePool from "../../../src/MergePool.js"
import { Query } from "../../../src/Storage.js"
import type { Frame } from "../../../src/Watch.js"
import { report } from "../../support/processes/report.js"
import {
  Changes,
  Counts,
  events,
  type Item,
  Log,
  Pools,
  Prices,
  program,
  Stores,
  strategies,
  Trail
} from "./programParts.js"

export interface ProgramSetting {
  readonly filename: string
  /** Milliseconds. */
  readonly closeDeadline: number
  /** Whether the load ends before the parts are closed, or goes on until they are. */
  readonly load: "ends first" | "goes on"
}

const given = JSON.parse(process.argv[2] ?? "{}") as ProgramSetting

/** What writes to a part. */
interface Load {
  readonly name: string
  /** Completes when what it writes is acknowledged. */
  readonly write: (n: number) => Effect.Effect<unknown, Failure>
  /** Reads what was acknowledged. */
  readonly has: (n: number) => Effect.Effect<boolean, unknown>
}

/** How a write has failed. Unless its outcome is `Unknown`, nothing is stored. */
interface Failure {
  readonly _tag?: string
  readonly message: string
  readonly outcome?: string | undefined
  readonly cause?: unknown
}

/** The cause of a store that has ended is of an earlier write. */
const outcomeOf = ({ _tag, cause, outcome }: Failure): string => {
  const earlier = _tag === "StoreEnded" ? undefined : (cause as Failure | undefined)?.outcome
  return outcome ?? earlier ?? "NotStored"
}

const accepted = (isAccepted: () => boolean): Effect.Effect<void, Failure> =>
  Effect.suspend(() => (isAccepted() ? Effect.void : Effect.fail({ message: "it is not accepted" })))

const trailLoads = Effect.map(Trail, (trail): ReadonlyArray<Load> => {
  const has = (n: number) =>
    Effect.map(trail.load({ where: Query.eq("id", n) }), ({ length }) => length === 1)
  return [
    { name: "plain", write: (id) => accepted(() => trail.unsafeSave({ id, load: "plain" })), has },
    { name: "durable", write: (id) => trail.saveDurable({ id, load: "durable" }), has }
  ]
})

const logLoads = Effect.gen(function* () {
  const { append } = yield* Log
  const projection = yield* Counts
  const has = (key: string) => (n: number) =>
    Effect.map(
      projection.project(key),
      Option.exists(({ ns }) => ns.includes(n))
    )
  const loads: ReadonlyArray<Load> = [
    {
      name: "log",
      write: (n) =>
        Effect.flatMap(Effect.orDie(events.change("log", "counted", { n })), (change) => append([change])),
      has: has("log")
    },
    {
      name: "projection",
      write: (n) => projection.decide("decided", () => [{ kind: "counted", data: { n } }]),
      has: has("decided")
    }
  ]
  return loads
})

const tableLoads = Effect.map(Prices, (prices): ReadonlyArray<Load> => {
  const has = (n: number) => Effect.map(prices.get(n), ({ value }) => Option.isSome(value))
  return [
    { name: "insert", write: (id) => prices.insert({ id, load: "insert" }), has },
    {
      name: "unsafe",
      write: (id) => accepted(() => prices.unsafeWrite({ _tag: "Insert", row: { id, load: "unsafe" } })),
      // It shows when it is done.
      has: () => Effect.succeed(true)
    }
  ]
})

const acks = ["memory", "flushed"] as const

const storeLoads = Effect.gen(function* () {
  const stores = yield* Stores
  return yield* Effect.forEach(acks, (ack) =>
    Effect.map(stores.open<Item>({ id: `${ack}-store`, kind: "permanent", ack }), (store): Load => {
      const as = (n: number) => ({ principal: "child", client: ack, n })
      let operations = 0
      return {
        name: store.id,
        write: (n) => store.set({ id: `${n}`, n }, { as: as(++operations) }),
        has: (n) => Effect.map(store.get(`${n}`), Option.isSome)
      }
    })
  )
})

const poolLoads = Effect.gen(function* () {
  const pools = yield* Pools
  return yield* Effect.forEach(acks, (ack) =>
    Effect.gen(function* () {
      const pool = yield* pools.open({ id: `${ack}-pool`, kind: "permanent", ack, strategies })
      const { client, confirm, edit } = yield* MergePool.replica(strategies)
      const load: Load = {
        name: pool.id,
        write: (value) =>
          Effect.flatMap(edit(`${value}`, { n: { _tag: "Set", value } }), ({ n, patch }) =>
            Effect.andThen(pool.merge(patch, { as: { principal: "child", client } }), confirm(n))
          ),
        has: (n) => Effect.map(pool.get(`${n}`), Option.isSome)
      }
      return load
    })
  )
})

let count = 0
let goesOn = true

/** Writes one thing, and reads it when it is acknowledged. */
const writeOne = ({ has, name, write }: Load) =>
  Effect.gen(function* () {
    const n = ++count
    report(`sent ${name} ${n}`)
    const isKept = yield* Effect.match(write(n), {
      onFailure: (error) => {
        report(`refused ${name} ${n} ${outcomeOf(error)} ${error.message}`)
        return false
      },
      onSuccess: () => {
        report(`kept ${name} ${n}`)
        return true
      }
    })
    // A part that is closed is not read any more.
    const isThere = yield* Effect.orElseSucceed(has(n), () => true)
    if (isKept && !isThere) report(`lost ${name} ${n}`)
    yield* Effect.sleep(2)
  })

const loadsOf = Effect.map(Effect.all([trailLoads, logLoads, tableLoads, storeLoads, poolLoads]), (loads) =>
  loads.flat().map((load) => Effect.repeat(writeOne(load), { while: () => goesOn }))
)

/** Reports the numbers in what a follower gets, and how it ends. */
const follower = <A, E extends { readonly message: string }>(
  name: string,
  followed: Stream.Stream<A, E>,
  numbersOf: (got: A) => ReadonlyArray<number>
) =>
  Stream.runForEach(followed, (got) =>
    Effect.sync(() => {
      for (const n of numbersOf(got)) report(`saw ${name} ${n}`)
    })
  ).pipe(
    Effect.match({
      onFailure: (end) => report(`over ${name} ${"reason" in end ? end.reason : end.message}`),
      onSuccess: () => report(`over ${name} early`)
    })
  )

const framed =
  <V>(numberOf: (value: V) => number) =>
  (frame: Frame<V>): ReadonlyArray<number> => {
    if (frame._tag === "Snapshot") return frame.entries.map(({ value }) => numberOf(value))
    if (frame._tag !== "Events") return []
    return frame.events.flatMap((event) => (event._tag === "Put" ? [numberOf(event.value)] : []))
  }

const followersOf = Effect.gen(function* () {
  const changes = yield* Changes
  const prices = yield* Prices
  const projection = yield* Counts
  const stores = yield* Stores
  const pools = yield* Pools
  const ofStores = yield* Effect.forEach(acks, (id) =>
    Effect.map(stores.get(`${id}-store`), Option.getOrThrow)
  )
  const ofPools = yield* Effect.forEach(acks, (id) => Effect.map(pools.get(`${id}-pool`), Option.getOrThrow))
  return [
    follower(
      "watch",
      changes.follow(ChangeLog.prefix("")),
      framed(({ data }) => (data as { readonly n: number }).n)
    ),
    follower("table", prices.follow({ orderBy: [Query.desc("id")], limit: 1 }), ({ value }) =>
      value.map(({ id }) => id)
    ),
    follower("projection", projection.follow("decided"), ({ state }) =>
      Option.match(state, { onNone: () => [], onSome: ({ ns }) => ns.slice(-1) })
    ),
    ...ofStores.map((store) =>
      follower(
        store.id,
        store.follow(),
        framed(({ data }) => (data as Item).n)
      )
    ),
    ...ofPools.map((pool) =>
      follower(
        pool.id,
        pool.follow(),
        framed(({ row }) => Number(row))
      )
    )
  ]
})

/** What outlives the parts: it ends by itself when they are closed. */
const outliving: Array<Fiber.RuntimeFiber<unknown, unknown>> = []

const outlive = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.forkDaemon(effect), (fiber) => void outliving.push(fiber))

const main = Effect.gen(function* () {
  const ended = yield* Deferred.make<void>()
  process.once("SIGUSR2", () => Deferred.unsafeDone(ended, Effect.void))
  const loads = yield* loadsOf
  yield* Effect.forEach(yield* followersOf, outlive)
  yield* Effect.addFinalizer(() => Effect.sync(() => report("closing")))
  yield* Effect.forEach(loads, (load) => (given.load === "goes on" ? outlive(load) : Effect.forkScoped(load)))
  yield* Deferred.await(ended)
}).pipe(
  Effect.scoped,
  Effect.provide(
    program({
      ...given,
      onClosed: (part, unsaved) => Effect.sync(() => report(`handed back ${part} ${JSON.stringify(unsaved)}`))
    })
  )
)

const finish = Effect.suspend(() => {
  report("closed")
  goesOn = false
  return Fiber.awaitAll(outliving)
})

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length

void Effect.runPromise(Supervisor.track).then((supervisor) => {
  const all = main.pipe(
    Effect.ensuring(finish),
    Effect.supervised(supervisor),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )
  NodeRuntime.runMain(all, {
    disableErrorReporting: true,
    disablePrettyLogger: true,
    teardown: (exit, _) => {
      const left = timers()
      // Without a call of `_` the process exits when nothing is left to do.
      process.once("beforeExit", () => {
        report(`left ${Effect.runSync(supervisor.value).length} fibers, ${left} timers`)
      })
      defaultTeardown(exit, (code) => {
        process.exitCode = code
      })
    }
  })
})
