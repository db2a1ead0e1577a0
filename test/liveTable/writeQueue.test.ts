/** The queue of writes: its bound, its bulk calls, and what becomes of writes that are not waited for (rule 16). */
import { describe, expect } from "@effect/vitest"
import { Chunk, Effect, Exit, Fiber, Option, Stream } from "effect"
import { Write } from "../../src/Table.js"
import { key, liveKeys, stateOf } from "../support/liveTable/keys.js"
import { away, failing, held } from "../support/liveTable/master.js"
import { scenario, started } from "../support/time/turn.js"

const rows = (count: number) => Array.from({ length: count }, (_, n) => key(`k${n}`, "old"))

/** A live table whose worker is busy with a write, until the latch opens. */
const busy = (count: number) =>
  Effect.gen(function* () {
    const both = yield* liveKeys({}, rows(count))
    const latch = yield* Effect.makeLatch()
    both.master.next("write", held(latch))
    const first = yield* started(both.live.patch("k0", { state: "first" }))
    return { ...both, latch, first }
  })

const patch = (n: number) => Write.patch(`k${n}`, { state: "new" })

describe("the queue of writes", () => {
  scenario("does 1,000 patches behind a slow master by at most five calls", function* () {
    const { first, latch, live, master } = yield* busy(1_001)
    const writes = Effect.forEach(rows(1_001).slice(1), ({ id }) => live.patch(id, { state: "new" }), {
      concurrency: "unbounded"
    })
    const fiber = yield* started(writes)
    yield* latch.open
    yield* Fiber.join(first)
    const written = yield* Fiber.join(fiber)
    expect(written.every(({ change }) => change === "Changed")).toBe(true)
    expect(master.count("write")).toBeLessThanOrEqual(5)
    expect(live.unsafeStats().writeCalls).toBe(master.count("write"))
  })

  scenario(
    "holds 256 with those of the call under way: then unsafeWrite takes none, and writers wait for room",
    function* () {
      const { first, latch, live } = yield* busy(300)
      const accepted = rows(300).filter((_, n) => live.unsafeWrite(patch(n))).length
      expect(accepted).toBe(255)
      expect(live.unsafeWrite(patch(299))).toBe(false)
      const waiting = yield* started(live.patch("k299", { state: "new" }))
      expect(waiting.unsafePoll()).toBe(null)
      expect(live.unsafeStats().pending).toBe(256)
      yield* latch.open
      yield* Fiber.join(first)
      expect((yield* Fiber.join(waiting)).change).toBe("Changed")
      yield* live.flush
      expect(live.unsafeStats()).toMatchObject({ pending: 0, writes: 257 })
      expect(live.unsafeWrite(patch(1))).toBe(true)
    }
  )

  scenario("never gets a write whose caller left while it waited for room", function* () {
    const { first, latch, live } = yield* busy(300)
    for (let n = 0; n < 256; n++) live.unsafeWrite(patch(n))
    const waiting = yield* started(live.patch("k299", { state: "new" }))
    const staging = yield* started(live.stage(Write.patch("k298", { state: "new" })))
    expect(stateOf(yield* live.get("k298", { pending: "include" }))).toBe("new")
    yield* Fiber.interrupt(waiting)
    yield* Fiber.interrupt(staging)
    expect(stateOf(yield* live.get("k298", { pending: "include" }))).toBe("old")
    yield* latch.open
    yield* Fiber.join(first)
    yield* live.flush
    expect(stateOf(yield* live.get("k299"))).toBe("old")
    expect(stateOf(yield* live.get("k298"))).toBe("old")
  })

  scenario("refuses what is not valid at once, and queues nothing of it", function* () {
    const { live, master } = yield* liveKeys()
    expect(live.unsafeWrite(Write.patch("k1", {}))).toBe(false)
    expect(live.unsafeWrite(Write.insert({ id: 5 } as never))).toBe(false)
    expect(live.unsafeStats().writes).toBe(0)
    yield* live.flush
    expect(master.count("write")).toBe(0)
  })

  scenario("gives later failures of writes that were not waited for to readers of failures", function* () {
    const { live, master } = yield* liveKeys()
    master.next("write", failing(away()))
    expect(live.unsafeWrite(Write.insert(key("k1")))).toBe(true)
    yield* live.flush
    expect(live.unsafeWrite(Write.patch("k2", { state: "new" }))).toBe(true)
    yield* live.flush
    // A reader that comes later gets those that were kept, then the next ones.
    const reader = yield* started(Stream.runCollect(Stream.take(live.failures, 3)))
    live.unsafeWrite(Write.patch("k3", { state: "new" }))
    const failures = Chunk.toReadonlyArray(yield* Fiber.join(reader))
    expect(failures.map(({ error, write }) => `${write._tag} ${error._tag} ${error.reason}`)).toEqual([
      "Insert WriteFailed Master",
      "Patch WriteRefused Missing",
      "Patch WriteRefused Missing"
    ])
  })

  scenario("is waited for by reads at least as new as what was queued (rule 11)", function* () {
    const { first, latch, live, master } = yield* busy(3)
    live.unsafeWrite(patch(1))
    const read = yield* started(live.get("k1", { atLeast: "queued" }))
    const list = yield* started(live.list({}, { atLeast: "queued" }))
    expect(read.unsafePoll()).toBe(null)
    expect(stateOf(yield* live.get("k1"))).toBe("old")
    yield* latch.open
    yield* Fiber.join(first)
    expect(stateOf(yield* Fiber.join(read))).toBe("new")
    expect((yield* Fiber.join(list)).value.map(({ state }) => state)).toEqual(["first", "new", "old"])
    // Without a queue it waits for nothing, and the cache is used.
    const reads = master.count("getMany")
    expect(stateOf(yield* live.get("k1", { atLeast: "queued" }))).toBe("new")
    expect(master.count("getMany")).toBe(reads)
  })

  scenario("keeps writes whose callers were interrupted after they were queued", function* () {
    const { first, latch, live } = yield* busy(3)
    const write = yield* started(live.patch("k1", { state: "new" }))
    expect(Exit.isInterrupted(yield* Fiber.interrupt(write))).toBe(true)
    const staged = yield* live.stage(patch(2))
    yield* latch.open
    yield* Fiber.join(first)
    yield* live.flush
    expect(stateOf(yield* live.get("k1"))).toBe("new")
    expect(Option.getOrThrow((yield* staged.outcome).row).state).toBe("new")
  })
})
