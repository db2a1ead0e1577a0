/** Followers resume where they were, within the rights that they have now. */
import { describe, expect, it } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import { prefix } from "../../src/ChangeLog.js"
import type * as Datastore from "../../src/Datastore.js"
import { board, cursorOf, followed, heldBy, type Task, task } from "../support/datastore/stores.js"
import { runs } from "../support/laws/laws.js"
import { scenario, settled } from "../support/time/turn.js"

const all: ReadonlyArray<Datastore.Action> = ["open", "read", "write", "subscribe"]

describe("a follower that resumes", () => {
  for (const kind of ["temp", "permanent"]) {
    scenario(`gets what came after its cursor, and nothing twice (${kind})`, function* () {
      const { store } = yield* board({}, { kind })
      yield* store.set(task("a"))
      const after = cursorOf(yield* followed(store))
      yield* store.set(task("b"))
      yield* store.delete("a")
      const { frames } = yield* followed(store, { after })
      expect(frames.map((frame) => [frame._tag, "revision" in frame && frame.revision.seq])).toEqual([
        ["Events", 2],
        ["Events", 3],
        ["Synced", 3]
      ])
    })
  }

  scenario("behind what is kept gets a snapshot", function* () {
    const { store } = yield* board({}, { maxRevisions: 2 })
    const after = cursorOf(yield* followed(store))
    for (const id of ["a", "b", "c", "d"]) yield* store.set(task(id))
    const { frames } = yield* followed(store, { after })
    expect(frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
  })
})

describe("rights that have changed", () => {
  for (const kind of ["temp", "permanent"]) {
    scenario(`give a follower that resumes a snapshot, with no revision between (${kind})`, function* () {
      let visible = "a"
      const { store, stores } = yield* board(
        { authorize: () => ({ actions: all, view: ({ key }) => key === visible }) },
        { kind }
      )
      yield* store.set(task("b"))
      yield* store.set(task("a"))
      const as = { principal: "ann", client: "1" }
      const first = yield* followed(store, { as })
      yield* stores.unsubscribeAll("1")
      visible = "b"
      yield* stores.revoke("ann")
      const { frames } = yield* followed(store, { as, after: cursorOf(first) })
      expect(frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
      expect(heldBy(frames)).toEqual(["b=1"])
    })
  }
})

describe("rights that end at an instant", () => {
  scenario("end a follower that waits, after it", function* () {
    let grant: Datastore.Grant<unknown> | undefined = { actions: all, ttl: 1000 }
    const { store } = yield* board({ authorize: () => grant })
    yield* store.set(task("a"))
    const follower = yield* followed(store, { as: { principal: "ann" } })
    grant = undefined
    yield* TestClock.adjust(1000)
    yield* store.set(task("b"))
    yield* settled
    expect(heldBy(follower.frames)).toEqual(["a=1", "b=2"])
    yield* TestClock.adjust(1)
    expect(yield* follower.end).toMatchObject({ reason: "Unauthorized" })
    yield* store.set(task("c"))
    expect(heldBy(follower.frames)).toEqual(["a=1", "b=2"])
    const again = yield* Effect.flip(Stream.runDrain(store.follow({ as: { principal: "ann" } })))
    expect(again).toMatchObject({ reason: "Unauthorized" })
  })

  scenario("and are renewed give it a fresh snapshot", function* () {
    let visible = "a"
    const { store } = yield* board({
      authorize: () => ({ actions: all, ttl: 1000, view: ({ key }) => key === visible })
    })
    yield* store.set(task("a"))
    yield* store.set(task("b"))
    const follower = yield* followed(store, { as: { principal: "ann" } })
    visible = "b"
    yield* TestClock.adjust(1001)
    expect(heldBy(follower.frames)).toEqual(["b=2"])
  })

  scenario("that were never given may open, write and read nothing", function* () {
    const { store, stores } = yield* board({ authorize: () => undefined })
    yield* store.set(task("a"))
    const as = { principal: "ann" }
    expect(yield* Effect.flip(stores.open({ id: "b", as }))).toMatchObject({ reason: "Forbidden" })
    expect(yield* Effect.flip(store.set(task("a"), { as }))).toMatchObject({ reason: "Forbidden" })
    expect(yield* Effect.flip(store.delete("none", { as }))).toMatchObject({ reason: "Forbidden" })
    expect(yield* store.snapshot({ as })).toMatchObject({ rows: [] })
  })
})

describe("a call on behalf of a principal", () => {
  for (const kind of ["temp", "permanent"]) {
    scenario(`touches, subscribes and ends only with the right to it (${kind})`, function* () {
      const { store, stores } = yield* board(
        { authorize: (principal) => ({ actions: [principal as Datastore.Action] }) },
        { kind, expiry: "sliding", ttl: 1000 }
      )
      const by = (principal: string) => ({ principal })
      const forbidden = { _tag: "WriteError", reason: "Forbidden" }
      for (const other of ["open", "read", "subscribe", "admin"]) {
        expect(yield* Effect.flip(store.touchAs(by(other))), other).toMatchObject(forbidden)
      }
      for (const other of ["open", "read", "write", "admin"]) {
        expect(yield* Effect.flip(store.subscribe("tab", by(other))), other).toMatchObject(forbidden)
      }
      for (const other of ["open", "read", "write", "subscribe"]) {
        expect(yield* Effect.flip(store.endAs(by(other))), other).toMatchObject(forbidden)
      }
      expect(yield* Effect.flip(store.endAs({} as never))).toMatchObject(forbidden)
      expect([yield* store.subscribers, (yield* store.status)._tag]).toEqual([[], "Open"])
      expect(yield* store.touchAs(by("write"))).toBe(kind === "temp")
      expect(yield* store.subscribe("tab", by("subscribe"))).toBe(true)
      yield* store.endAs(by("admin"))
      expect(yield* Effect.flip(store.endAs(by("read")))).toMatchObject({ reason: "Ended" })
      expect((yield* stores.stats).stores).toBe(0)
    })
  }
})

describe("two principals", () => {
  scenario("whose clients count alike do not meet", function* () {
    for (const kind of ["temp", "permanent"]) {
      const { store } = yield* board({}, { kind })
      const as = (principal: string, client: string) => ({ as: { principal, client, n: 1 } })
      expect(yield* store.set(task("a", "ann's"), as("ann", "1"))).toMatchObject({ seq: 1 })
      expect(yield* store.set(task("a", "bob's"), as("bob", "1"))).toMatchObject({ seq: 2 })
      expect(yield* store.set(task("a", "an's"), as("an", "n1"))).toMatchObject({ seq: 3 })
      expect(yield* store.set(task("a", "ann's"), as("ann", "1"))).toMatchObject({ seq: 1 })
    }
  })
})

/** 5,000 in the long run. */
const count = runs(150)

/** Lets what was written reach the buffers of its followers, which takes turns of the host where it is stored first. */
const dispatched = (store: Datastore.StoreHandle<Task>) =>
  Effect.andThen(
    store.flush,
    Effect.promise(async () => {
      for (let turn = 0; turn < 5; turn++) await new Promise((resume) => setImmediate(resume))
    })
  )

describe.each([
  ["temp", {}],
  ["flushed", { kind: "permanent" }]
] as const)("a revocation in the middle of a burst (%s)", (_, opening) => {
  it.scoped(
    "lets none of its followers take a frame, and leaves none out of the others",
    () =>
      Effect.gen(function* () {
        let allowed = true
        const { store, stores } = yield* board(
          { authorize: (principal) => (principal === "bob" || allowed ? { actions: all } : undefined) },
          opening
        )
        const open = (principal: string) =>
          Effect.forEach(Array.from({ length: count }), () => store.opener({ principal }).open(prefix("")), {
            concurrency: "unbounded"
          })
        const [anns, bobs] = yield* Effect.all([open("ann"), open("bob")])
        for (const watcher of [...anns, ...bobs]) while (watcher.unsafePoll() !== undefined);
        const write = (i: number): boolean => store.unsafeSet(task(`${i}`) as Task)
        for (let i = 0; i < 5; i++) write(i)
        if ("kind" in opening) yield* dispatched(store)
        allowed = false
        yield* stores.revoke("ann")
        for (let i = 5; i < 10; i++) write(i)
        for (const watcher of anns) expect(watcher.unsafePoll()).toBeUndefined()
        yield* dispatched(store)
        for (const watcher of anns) {
          expect(watcher.unsafePoll()).toBeUndefined()
          expect(watcher.unsafeEnded()).toMatchObject({ reason: "Unauthorized" })
        }
        for (const watcher of bobs) {
          let last = 0
          for (let frame = watcher.unsafePoll(); frame !== undefined; frame = watcher.unsafePoll()) {
            if (frame._tag === "Events") last = frame.revision.seq
          }
          expect(last).toBe(10)
        }
      }),
    20_000 + 20 * count
  )
})

describe("a rule of the program that throws", () => {
  const broken = (): boolean => {
    throw new Error("a defect of the program")
  }

  for (const opening of [{}, { kind: "permanent", ack: "memory" }, { kind: "permanent" }] as const) {
    const name = "ack" in opening ? "memory" : "kind" in opening ? "flushed" : "temp"

    scenario(`allows nothing, and holds up nobody else (${name})`, function* () {
      const { store } = yield* board(
        {
          authorize: (principal) =>
            principal === "ann"
              ? { actions: all, mayWrite: broken }
              : { actions: all, ...(principal === "bob" && { view: broken }) }
        },
        opening
      )
      yield* store.set(task("a"))
      const ann = yield* Effect.flip(store.set(task("a", "by ann"), { as: { principal: "ann" } }))
      const bob = yield* Effect.flip(store.set(task("a", "by bob"), { as: { principal: "bob" } }))
      expect([ann, bob]).toMatchObject([{ reason: "Forbidden" }, { reason: "Forbidden" }])
      const { data } = yield* store.set(task("a", "by cy"), { as: { principal: "cy" } })
      expect(data.text).toBe("by cy")
    })
  }
})
