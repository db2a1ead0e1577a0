/**
 * `synced` is true: random histories of two watchers over one log in memory, whose readers take a frame now and then.
 * Everything is asked of the watch alone, and compared with what was committed.
 */
import { it } from "@effect/vitest"
import { Effect, Exit, Fiber, Runtime, Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import { ensure } from "../../support/laws/ensure.js"
import { holdsSeeded, seededTimeout } from "../../support/laws/laws.js"
import { runtimeIn, type VirtualTime, virtualTime } from "../../support/time/virtualTime.js"

const keys = ["k/a", "k/b", "other"]

type Action =
  | { readonly do: "write"; readonly keys: ReadonlyArray<string> }
  | { readonly do: "sync" | "interrupt"; readonly which: number }
  | { readonly do: "take"; readonly which: number; readonly count: number }
  | { readonly do: "compact" | "renew" | "settle" | "turn" }
  | { readonly do: "cancel"; readonly which: number }

const which = fc.nat(1)

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("write" as const),
      keys: fc.array(fc.constantFrom(...keys), { minLength: 1, maxLength: 3 })
    })
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("sync" as const), which }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant("take" as const),
      which,
      count: fc.integer({ min: 1, max: 4 })
    })
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom("settle" as const, "turn" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("compact" as const, "renew" as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("interrupt" as const, "cancel" as const), which }) }
)

const policies = ["resync", "conflate", "drop-oldest", "block"] as const

const samples = fc.record({
  policies: fc.tuple(fc.constantFrom(...policies), fc.constantFrom(...policies)),
  buffer: fc.integer({ min: 1, max: 4 }),
  autoResnapshot: fc.constantFrom("on" as const, "off" as const),
  actions: fc.array(action, { minLength: 5, maxLength: 60 })
})

interface Point {
  readonly epoch: string
  readonly seq: number
}

interface Waiting {
  readonly fiber: Fiber.RuntimeFiber<ChangeLog.Revision, Watch.WatchEnded | ChangeLog.ChangeLogError>
  readonly headAtCall: Point
  checked: boolean
}

interface Reader {
  readonly watcher: Watch.Watcher<number>
  readonly waits: Array<Waiting>
  /** The number up to which each key is known in the present epoch, by events, gaps and snapshots. */
  readonly known: Map<string, number>
  covered: Point
}

interface World {
  readonly log: ChangeLog.ChangeLog<number>
  readonly time: VirtualTime
  readonly readers: ReadonlyArray<Reader>
  /** The epochs in their order, and the keys of each revision. */
  readonly epochs: Map<string, Array<ReadonlyArray<string>>>
}

const note = (reader: Reader, frame: Watch.Frame<number>): void => {
  const all = (seq: number) => {
    for (const key of keys) reader.known.set(key, seq)
  }
  if (frame._tag === "Gap") {
    if (frame.reason === "Overflow") all(frame.to)
    return
  }
  if (frame.revision.epoch !== reader.covered.epoch) reader.known.clear()
  reader.covered = frame.revision
  if (frame._tag === "Snapshot") all(frame.revision.seq)
  if (frame._tag === "Events") for (const { key } of frame.events) reader.known.set(key, frame.revision.seq)
}

const take = (reader: Reader): boolean => {
  const frame = reader.watcher.unsafePoll()
  if (frame !== undefined) note(reader, frame)
  return frame !== undefined
}

/** The keys that match, with a change up to a point that the reader has not taken. */
const missing = (
  { epochs }: World,
  { covered, known }: Reader,
  { epoch, seq }: Point
): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const [i, changed] of (epochs.get(epoch) ?? []).slice(0, seq).entries()) {
    for (const key of changed) {
      const upTo = covered.epoch === epoch ? (known.get(key) ?? 0) : 0
      if (key.startsWith("k/") && upTo <= i) found.push(`${key} of ${i + 1}`)
    }
  }
  return found
}

const checkDone = (world: World, reader: Reader): void => {
  const names = [...world.epochs.keys()]
  for (const wait of reader.waits) {
    const exit = wait.fiber.unsafePoll()
    if (exit === null || wait.checked) continue
    wait.checked = true
    if (Exit.isFailure(exit)) {
      const isEnd = exit.cause._tag === "Fail" && exit.cause.error._tag === "WatchEnded"
      ensure(isEnd || Exit.isInterrupted(exit), `synced fails with the end alone (${exit.cause})`)
      continue
    }
    const { headAtCall } = wait
    const { epoch, seq } = exit.value
    const isLater = names.indexOf(epoch) > names.indexOf(headAtCall.epoch)
    ensure(isLater || (epoch === headAtCall.epoch && seq >= headAtCall.seq), "the head is of after the call")
    const open = missing(world, reader, exit.value)
    ensure(open.length === 0, `everything up to ${seq} was taken (not ${open})`)
  }
}

/** Takes one frame after the other, so that each wait is looked at before the next frame. */
const takeAll = async (world: World, reader: Reader, count: number): Promise<void> => {
  for (let i = 0; i < count && take(reader); i++) {
    await world.time.settle()
    checkDone(world, reader)
  }
}

const act = async (world: World, action: Action, run: Runtime.Runtime<never>): Promise<void> => {
  const { epochs, log, readers, time } = world
  const call = Runtime.runPromise(run)
  switch (action.do) {
    case "write": {
      const { epoch, seq } = await call(log.append(action.keys.map((key) => ChangeLog.put(key, 0))))
      epochs.get(epoch)![seq - 1] = action.keys
      return
    }
    case "sync": {
      const reader = readers[action.which]!
      const { head } = await call(log.head)
      const fiber = Runtime.runFork(run)(reader.watcher.synced)
      reader.waits.push({ fiber, headAtCall: head, checked: false })
      return
    }
    case "take":
      return takeAll(world, readers[action.which]!, action.count)
    case "compact":
      return call(Effect.flatMap(log.head, ({ head }) => log.compact(head.seq - 1)))
    case "renew":
      epochs.set(await call(log.renewEpoch), [])
      return
    case "settle":
      return time.settle()
    case "turn":
      await Promise.resolve()
      return
    case "interrupt": {
      const last = readers[action.which]!.waits.at(-1)
      if (last !== undefined) await call(Fiber.interrupt(last.fiber))
      return
    }
    case "cancel":
      return call(readers[action.which]!.watcher.cancel)
  }
}

/** When its reader has taken everything, nothing waits. */
const drain = async (world: World): Promise<void> => {
  const { readers, time } = world
  let isQuiet = false
  while (!isQuiet) {
    await time.settle()
    isQuiet = true
    for (const reader of readers) {
      if (!take(reader)) continue
      isQuiet = false
      await time.settle()
      checkDone(world, reader)
    }
  }
  for (const reader of readers) {
    checkDone(world, reader)
    ensure(
      reader.waits.every(({ checked }) => checked),
      "nothing waits when everything was taken"
    )
  }
}

it.live(
  "W15: synced completes when everything up to a head of after the call was taken, and nothing waits for more",
  () =>
    holdsSeeded("synced over a log in memory", samples, 80, async (sample) => {
      const time = virtualTime()
      const runtime = runtimeIn(time)
      const scope = await Runtime.runPromise(runtime)(Scope.make())
      const opened = Effect.gen(function* () {
        const log = yield* ChangeLog.make<number>({ state: "latest" })
        const watch = yield* Watch.make(log, { heartbeat: 0 })
        const { epoch } = (yield* log.head).head
        const readers = yield* Effect.forEach(sample.policies, (policy) =>
          Effect.map(
            watch.open(ChangeLog.prefix("k/"), {
              policy,
              buffer: sample.buffer,
              autoResnapshot: sample.autoResnapshot
            }),
            (watcher): Reader => ({ watcher, waits: [], known: new Map(), covered: { epoch, seq: 0 } })
          )
        )
        return { log, time, readers, epochs: new Map([[epoch, []]]) } satisfies World
      })
      const opening = Runtime.runPromise(runtime)(Scope.extend(opened, scope))
      await time.settle()
      const world: World = await opening
      for (const action of sample.actions) await act(world, action, runtime)
      await drain(world)
      const closing = Runtime.runPromise(runtime)(Scope.close(scope, Exit.void))
      await time.advance(2000)
      await closing
    }),
  seededTimeout
)
