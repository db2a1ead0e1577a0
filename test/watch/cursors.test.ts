/** Where a watcher stands, what a Gap stands for, and that reading goes on behind a full read. */
import { describe, expect } from "@effect/vitest"
import { Effect } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Watch from "../../src/Watch.js"
import { scenario, settled } from "../support/time/turn.js"
import { brief } from "../support/watch/frames.js"
import { logOf, setUp, taking } from "../support/watch/watches.js"

const all = ChangeLog.prefix("")

/** What is told until the end, and where it stands then. */
const drained = (watcher: Watch.Watcher<number>) =>
  Effect.gen(function* () {
    const frames: Array<string> = []
    const ended = yield* Effect.flip(
      Effect.forever(Effect.map(watcher.take, (frame) => frames.push(brief(frame))))
    )
    return { frames, ended }
  })

const entriesOf = (count: number): ReadonlyArray<ChangeLog.Entry<number>> =>
  Array.from({ length: count }, (_, i) => ({ changes: [ChangeLog.put("a", i + 1)] }))

describe("the cursor of a follow that has ended", () => {
  const ends: {
    readonly [what: string]: (one: Watch.Watcher<number>, watch: Watch.Watch<number>) => Effect.Effect<void>
  } = {
    "that was told nothing for long and was cancelled is where the watch was": ({ cancel }) => cancel,
    "that was told nothing for long and ended with its watch is where the watch was": (_, { close }) => close
  }
  for (const [what, end] of Object.entries(ends)) {
    scenario(what, function* () {
      const { log, put, watch } = yield* setUp({ heartbeat: 0 })
      const idle = yield* watch.open(ChangeLog.key("a"))
      expect(yield* taking(idle, 1)).toEqual(["synced 0"])
      for (let i = 1; i <= 5; i++) yield* put("b", i)
      yield* settled
      expect((yield* idle.health).cursor.seq).toBe(5)
      yield* end(idle, watch)
      const { ended, frames } = yield* drained(idle)
      expect([frames, ended.cursor.seq]).toEqual([[], 5])
      expect((yield* idle.health).cursor.seq).toBe(5)
      // What it knows may go.
      yield* log.compact(5)
      yield* put("a", 6)
      const again = yield* (yield* Watch.make(log)).open(ChangeLog.key("a"), { after: ended.cursor })
      expect(yield* taking(again, 2)).toEqual(["6: a=6", "synced 6"])
    })
  }

  scenario("behind what waits for it is where it had read to", function* () {
    const { put, watch } = yield* setUp()
    const slow = yield* watch.open(ChangeLog.key("a"), { buffer: 2 })
    for (const [key, value] of [
      ["a", 1],
      ["b", 2],
      ["a", 3],
      ["b", 4],
      ["a", 5],
      ["b", 6]
    ] as const) {
      yield* put(key, value)
    }
    yield* settled
    expect((yield* slow.health).state).toBe("Behind")
    yield* slow.cancel
    const { ended, frames } = yield* drained(slow)
    expect([frames, ended.cursor.seq]).toEqual([["synced 0", "1: a=1", "3: a=3"], 4])
    const again = yield* watch.open(ChangeLog.key("a"), { after: ended.cursor })
    expect(yield* taking(again, 2)).toEqual(["5: a=5", "synced 6"])
  })

  scenario("in the middle of a commit is the revision before the one that was not delivered", function* () {
    const { log, watch } = yield* setUp()
    const where = (event: ChangeLog.Event<number>) => {
      if (event._tag === "Put" && event.value === 7) throw new Error("no")
      return event._tag === "Put" && event.value < 3
    }
    const bad = yield* watch.open(ChangeLog.key("a"), { where })
    const full = yield* watch.open(ChangeLog.key("a"), { buffer: 4, policy: "cancel" })
    yield* log.commit(entriesOf(20))
    yield* settled
    expect((yield* drained(bad)).ended).toMatchObject({ reason: "Failed", cursor: { seq: 6 } })
    expect((yield* drained(full)).ended).toMatchObject({ reason: "Overflow", cursor: { seq: 4 } })
  })

  scenario("that another one's predicate ends is not behind what was delivered to it", function* () {
    const { log, watch } = yield* setUp()
    const one = yield* watch.open(ChangeLog.key("a"))
    const where = (event: ChangeLog.Event<number>) => {
      if (event._tag === "Put" && event.value === 3) Effect.runSync(one.cancel)
      return true
    }
    yield* watch.open(ChangeLog.key("a"), { where })
    yield* log.commit(entriesOf(6))
    yield* settled
    const { ended, frames } = yield* drained(one)
    expect([frames.at(-1), ended.cursor.seq]).toEqual(["3: a=3", 3])
  })

  scenario("is of the epoch in which it was delivered, when another one has begun", function* () {
    const { log, put, watch } = yield* setUp()
    const idle = yield* watch.open(ChangeLog.key("a"))
    const { epoch } = yield* put("b", 1)
    yield* settled
    yield* log.renewEpoch
    yield* put("a", 2)
    yield* settled
    expect((yield* drained(idle)).ended).toMatchObject({ reason: "EpochChanged", cursor: { epoch, seq: 1 } })
  })

  scenario("that began ahead of the others gets no gap of what they have", function* () {
    const log = yield* logOf()
    // Nobody rings: the watch hears of nothing by itself.
    const watch = yield* Watch.make({ ...log, doorbell: () => Effect.void }, { heartbeat: 0 })
    const first = yield* watch.open(all)
    yield* settled
    yield* log.commit(entriesOf(10))
    yield* log.compact(7)
    const ahead = yield* watch.open(all, { snapshot: "first" })
    yield* settled
    expect(yield* taking(ahead, 2)).toEqual(["snapshot 10: a=10", "synced 10"])
    expect(yield* ahead.health).toMatchObject({ state: "Live", cursor: { seq: 10 } })
    expect((yield* drained(first)).ended.reason).toBe("Compacted")
    yield* ahead.cancel
    expect((yield* drained(ahead)).ended).toMatchObject({ reason: "Closed", cursor: { seq: 10 } })
  })
})

describe("a watcher that begins ahead of the others", () => {
  scenario("is not delivered what comes to them before it began", function* () {
    const log = yield* logOf()
    const rings: Array<() => void> = []
    const late = { ...log, doorbell: (ring: () => void) => Effect.sync(() => rings.push(ring)) }
    const watch = yield* Watch.make(late, { heartbeat: 0 })
    const first = yield* watch.open(all)
    yield* settled
    yield* log.commit(entriesOf(3))
    const ahead = yield* watch.open(all)
    yield* settled
    for (const ring of rings) ring()
    yield* settled
    expect(yield* taking(first, 4)).toEqual(["synced 0", "1: a=1", "2: a=2", "3: a=3"])
    yield* log.append([ChangeLog.put("a", 4)])
    for (const ring of rings) ring()
    yield* settled
    expect(yield* taking(ahead, 2)).toEqual(["synced 3", "4: a=4"])
  })
})

describe("a gap", () => {
  for (const [what, count, gap] of [
    ["of an epoch in which nothing has happened begins before it ends", 0, "gap 0-0 EpochChanged"],
    ["of an epoch that is shorter than the one before begins before it ends", 2, "gap 1-2 EpochChanged"]
  ] as const) {
    scenario(what, function* () {
      const { log, put, watch } = yield* setUp()
      const watcher = yield* watch.open(all, { autoResnapshot: "on" })
      for (const value of [1, 2, 3, 4]) yield* put("k", value)
      yield* settled
      yield* log.renewEpoch
      yield* log.commit(entriesOf(count))
      yield* settled
      expect((yield* taking(watcher, 6)).at(-1)).toBe(gap)
      const [next] = yield* Effect.replicateEffect(watcher.take, 1)
      expect(next).toMatchObject({ _tag: "Snapshot", revision: { seq: count } })
    })
  }
})

describe("a full read", () => {
  const many = 1500

  const counts = (watcher: Watch.Watcher<number>) => {
    let events = 0
    for (let frame = watcher.unsafePoll(); frame !== undefined; frame = watcher.unsafePoll()) {
      if (frame._tag === "Events") events++
    }
    return events
  }

  scenario("is followed by another one for those that are live, though nothing rings", function* () {
    const { log, watch } = yield* setUp({ heartbeat: 0 })
    const watcher = yield* watch.open(all, { buffer: 10_000 })
    yield* log.commit(entriesOf(many))
    yield* settled
    expect(counts(watcher)).toBe(many)
  })

  scenario("is followed by another one for those that read on, though nothing rings", function* () {
    const { log, watch } = yield* setUp({ heartbeat: 0 })
    const { epoch } = (yield* log.head).head
    yield* log.commit(entriesOf(2 * many))
    const watcher = yield* watch.open(all, { buffer: 10_000, after: ChangeLog.start(epoch) })
    yield* settled
    expect(counts(watcher)).toBe(2 * many)
    expect((yield* watcher.health).state).toBe("Live")
  })
})

describe("a follow that begins so many revisions back", () => {
  scenario("is delivered these, or what the log holds", function* () {
    const { log, put, watch } = yield* setUp()
    for (let value = 1; value <= 5; value++) yield* put("a", value)
    const near = yield* watch.open(ChangeLog.key("a"), { back: 2 })
    expect(yield* taking(near, 3)).toEqual(["4: a=4", "5: a=5", "synced 5"])
    const far = yield* watch.open(ChangeLog.key("a"), { back: 100 })
    expect((yield* taking(far, 6)).slice(0, 2)).toEqual(["1: a=1", "2: a=2"])
    yield* log.compact(3)
    const atFloor = yield* watch.open(ChangeLog.key("a"), { back: 4 })
    expect(yield* taking(atFloor, 3)).toEqual(["4: a=4", "5: a=5", "synced 5"])
    expect(
      (yield* Effect.flip(watch.open(ChangeLog.key("a"), { back: 1, snapshot: "first" }))).message
    ).toMatch('snapshot: "first"')
    const { head } = yield* log.head
    const both = yield* Effect.flip(watch.open(ChangeLog.key("a"), { back: 1, after: head }))
    expect(both).toMatchObject({ _tag: "InvalidOptions", option: "back" })
  })

  scenario("begins at the floor of a log that cannot name a revision by its number", function* () {
    const { log, put } = yield* setUp()
    for (let value = 1; value <= 3; value++) yield* put("a", value)
    const { revisionAt: _, ...rest } = log
    const watch = yield* Watch.make(rest)
    const watcher = yield* watch.open(ChangeLog.key("a"), { back: 1 })
    expect((yield* taking(watcher, 4)).slice(0, 3)).toEqual(["1: a=1", "2: a=2", "3: a=3"])
  })
})
