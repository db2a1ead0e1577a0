/**
 * A cache that follows a log misses nothing: random schedules of changes, loads, ended watchers, compactions, renewals,
 * outages, lost rings and time. What the cache holds and may trust is never older than the position of its follow.
 */
import { it } from "@effect/vitest"
import { Effect, Exit, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../src/ChangeLog.js"
import { ensure } from "../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { following } from "../support/liveTable/follows.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../support/time/virtualTime.js"

const keys = ["t/a", "t/b", "t/c"]

type Action =
  | { readonly do: "write" | "load"; readonly key: string }
  | { readonly do: "wait"; readonly millis: number }
  | { readonly do: "end" | "compact" | "renew" | "away" | "back" | "deaf" | "hear" | "settle" | "await" }

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("write" as const, "load" as const, "load" as const),
      key: fc.constantFrom(...keys)
    })
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("wait" as const), millis: fc.constantFrom(50, 300, 3000, 25_000) })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "end" as const,
        "end" as const,
        "compact" as const,
        "renew" as const,
        "away" as const,
        "back" as const,
        "deaf" as const,
        "hear" as const,
        "settle" as const,
        "await" as const
      )
    })
  }
)

const samples = fc.record({
  history: fc.constantFrom(1, 3, 100),
  actions: fc.array(action, { minLength: 5, maxLength: 60 })
})

/** What is written: the number of the last change of each key, and in which epoch. */
interface Truth {
  epoch: string
  readonly changes: Array<{ readonly key: string; readonly version: number }>
  version: number
  readonly versions: Map<string, number>
  /** The versions when the epoch began. */
  base: ReadonlyMap<string, number>
}

/** What the cache holds: the version of each loaded key. */
interface Cache {
  readonly held: Map<string, number>
  isTrusted: boolean
}

const newTruth = (epoch: string): Truth => ({
  epoch,
  changes: [],
  version: 0,
  versions: new Map(),
  base: new Map()
})

const open = (history: number) =>
  Effect.gen(function* () {
    const log = yield* ChangeLog.make<number>({ state: "latest" })
    const truth = newTruth((yield* log.head).head.epoch)
    const cache: Cache = { held: new Map(), isTrusted: false }
    const problems: Array<string> = []
    let at: ChangeLog.Revision | undefined
    const follow = yield* following({
      log,
      history,
      heartbeat: 10_000,
      apply: (revision, events) => {
        if (at !== undefined && at.epoch === revision.epoch && revision.seq !== at.seq + 1)
          problems.push(`${revision.seq} was applied behind ${at.seq}`)
        at = revision
        for (const { key } of events) cache.held.delete(key)
      },
      onGap: () => {
        at = undefined
        cache.held.clear()
      },
      onTrust: (isTrusted) => {
        if (isTrusted === cache.isTrusted) problems.push("trust was changed to what it was")
        cache.isTrusted = isTrusted
      }
    })
    return { ...follow, truth, cache, problems }
  })

type World = Effect.Effect.Success<ReturnType<typeof open>>

/** What the cache may trust is as new as the position; what it knows of the last changes is true. */
const check = ({ cache, changes, problems, truth }: World): void => {
  ensure(problems.length === 0, problems.join())
  ensure(cache.isTrusted === changes.isTrusted(), "every change of the trust is reported")
  const position = changes.position()
  if (!cache.isTrusted || position?.epoch !== truth.epoch) return
  const applied = truth.changes.slice(0, position.seq)
  for (const key of keys) {
    const seq = applied.map((change) => change.key).lastIndexOf(key) + 1
    const held = cache.held.get(key)
    const version = applied[seq - 1]?.version ?? truth.base.get(key) ?? 0
    ensure(held === undefined || held >= version, `${key} is held as of ${held}, and ${version} was applied`)
    const known = changes.lastChangeOf(key)
    const from = changes.knownFrom()
    ensure(seq <= from || known === seq, `the last change of ${key} is ${seq}, not ${known} (from ${from})`)
  }
}

const act = async (world: World, action: Action, time: VirtualTime, run: Runtime.Runtime<never>) => {
  const { cache, changes, endLast, faults, log, truth } = world
  const call = Runtime.runPromise(run)
  switch (action.do) {
    case "write": {
      truth.version++
      truth.changes.push({ key: action.key, version: truth.version })
      truth.versions.set(action.key, truth.version)
      await call(log.append([ChangeLog.put(action.key, truth.version)]))
      return
    }
    case "load":
      cache.held.set(action.key, truth.versions.get(action.key) ?? 0)
      return
    case "wait":
      return time.advance(action.millis)
    case "end":
      return call(endLast)
    case "compact":
      return call(Effect.flatMap(log.head, ({ head }) => log.compact(head.seq)))
    case "renew":
      truth.changes.splice(0)
      truth.base = new Map(truth.versions)
      truth.epoch = await call(log.renewEpoch)
      return
    case "away":
    case "back":
      faults.isAway = action.do === "away"
      return
    case "deaf":
    case "hear":
      faults.isDeaf = action.do === "deaf"
      return
    case "settle":
      return time.settle()
    case "await": {
      const { head } = await call(log.head)
      const reached = call(changes.awaitRevision(head, 1000))
      await time.advance(1000)
      const position = changes.position()
      const isThere = position?.epoch === head.epoch && position.seq >= head.seq
      ensure((await reached) === "NotReached" || isThere, "what was reached is applied")
    }
  }
}

it.live(
  "a follow misses no change without a gap before what the cache holds is trusted again",
  () =>
    holdsSeeded("the changes that a cache follows", samples, 80, async ({ actions, history }) => {
      const time = virtualTime()
      const run = runtimeIn(time)
      const scope = await Runtime.runPromise(run)(Scope.make())
      const world = await Runtime.runPromise(run)(Scope.extend(open(history), scope))
      for (const action of actions) {
        await act(world, action, time, run)
        check(world)
      }
      world.faults.isAway = false
      // The longest pause between two openings, and a heartbeat that stands for a lost ring.
      const { changes, truth } = world
      await time.advance(60_000)
      // A pause is jittered, and the opening after it may meet a log that asks again: it is awaited, not timed.
      for (let pauses = 0; pauses < 10 && changes.state() !== "Live"; pauses++) await time.advance(60_000)
      check(world)
      ensure(changes.state() === "Live" && changes.isTrusted(), `it follows again (${changes.state()})`)
      ensure(changes.position()?.seq === truth.changes.length, "everything is applied in the end")
      ensure(changes.position()?.epoch === truth.epoch, "it follows the last epoch")
      const closing = Runtime.runPromise(run)(Scope.close(scope, Exit.void))
      await time.advance(2000)
      await closing
    }),
  seededTimeout
)
