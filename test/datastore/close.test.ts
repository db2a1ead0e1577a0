/** How a catalog is closed, what it hands back, and what becomes of its stores when they cannot be saved. */
import { describe, expect, it } from "@effect/vitest"
import { Context, Deferred, Effect, Fiber, Layer, Option, Stream, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { StorageError } from "../../src/Storage.js"
import { scripted } from "../support/datastore/backends.js"
import { board, followed, heldBy, make, shown, type Task, task } from "../support/datastore/stores.js"
import { scenario, settled, started } from "../support/time/turn.js"

const memory = { id: "board", kind: "permanent", ack: "memory" } as const
const flushed = { id: "board", kind: "permanent" } as const

const poison = new StorageError({ kind: "Poison", outcome: "NotStored", message: "a bad row" })

describe("a catalog that is closed", () => {
  for (const opening of [{}, memory, flushed]) {
    const name = "ack" in opening ? "memory" : "kind" in opening ? "flushed" : "temp"

    scenario(`gives each follower what was committed, then Closed (${name})`, function* () {
      const { store, stores } = yield* board({}, opening)
      const follower = yield* followed(store)
      yield* store.set(task("a"))
      store.unsafeSet(task("b"))
      const [report, again] = yield* Effect.all([stores.close, stores.closeWithin(5)], {
        concurrency: "unbounded"
      })
      expect(again).toBe(report)
      expect(report).toMatchObject({ unsaved: [], stats: { stores: 0, unsaved: 0, subscribers: 0 } })
      expect(Option.isSome(report.backend)).toBe(true)
      expect(yield* follower.end).toMatchObject({ _tag: "StoreEnded", reason: "Closed" })
      expect(heldBy(follower.frames)).toEqual(["a=1", "b=2"])
      expect(follower.ends()).toBe(1)
      const ended = { _tag: "StoreEnded", reason: "Closed" }
      expect(yield* Effect.flip(store.set(task("c")))).toMatchObject(ended)
      expect(yield* Effect.flip(store.get("a"))).toMatchObject(ended)
      expect(yield* Effect.flip(store.touch)).toMatchObject(ended)
      expect(yield* Effect.flip(store.subscribe("ann"))).toMatchObject(ended)
      expect(yield* Effect.flip(Stream.runDrain(store.follow()))).toMatchObject(ended)
      expect(store.unsafeSet(task("c"))).toBe(false)
      expect(yield* Effect.flip(stores.open({ id: "c" }))).toMatchObject({ reason: "Closed" })
      expect(yield* stores.get("board")).toEqual(Option.none())
    })
  }

  scenario("hands back, in order, what its backend does not take in time", function* () {
    const { backend, held, hold } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open<Task>(memory)
    yield* store.set(task("a"))
    yield* stores.flush
    const follower = yield* followed(store)
    hold()
    yield* store.set(task("b"))
    yield* held
    yield* store.delete("a")
    expect(store.unsafeSet(task("c"))).toBe(true)
    const closing = yield* Effect.fork(stores.closeWithin(1000))
    yield* TestClock.adjust(1001)
    const { stats, unsaved } = yield* Fiber.join(closing)
    expect(unsaved.map(({ steps, store }) => [store, steps[0]])).toMatchObject([
      ["board", { _tag: "Set", data: { id: "b" } }],
      ["board", { _tag: "Delete", key: "a" }],
      ["board", { _tag: "Set", data: { id: "c" } }]
    ])
    expect(unsaved.map(({ error }) => error.outcome)).toEqual(["Unknown", "NotStored", "NotStored"])
    expect(stats.unsaved).toBe(0)
    yield* follower.end
    expect(heldBy(follower.frames)).toEqual(["a=1"])
  })

  scenario("answers who waits for a commit that does not come in time", function* () {
    const { backend, held, hold } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open<Task>(flushed)
    hold()
    const first = yield* Effect.fork(Effect.flip(store.set(task("a"))))
    yield* held
    const second = yield* started(Effect.flip(store.set(task("b"))))
    const closing = yield* Effect.fork(stores.closeWithin(1000))
    yield* TestClock.adjust(1001)
    yield* Fiber.join(closing)
    expect(yield* Fiber.join(first)).toMatchObject({ reason: "NotStored", outcome: "Unknown" })
    expect(yield* Fiber.join(second)).toMatchObject({ reason: "NotStored", outcome: "NotStored" })
  })

  scenario("by its scope reports to onClosed", function* () {
    const reports: Array<Datastore.CloseReport> = []
    yield* Effect.scoped(
      Effect.gen(function* () {
        const { store } = yield* board(
          { onClosed: (report) => Effect.sync(() => reports.push(report)) },
          memory
        )
        yield* store.set(task("a"))
      })
    )
    expect(reports).toMatchObject([{ unsaved: [], stats: { applied: 1 } }])
  })
})

describe("a follower of a store that is owned", () => {
  scenario("gets nothing before it is committed, and reads get it at once", function* () {
    const { backend, held, hold, release } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open<Task>(memory)
    const follower = yield* followed(store)
    hold()
    yield* store.set(task("a"))
    yield* held
    yield* settled
    expect(follower.frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
    expect(shown(yield* store.snapshot())).toEqual(["a=1"])
    yield* release
    yield* stores.flush
    yield* settled
    expect(heldBy(follower.frames)).toEqual(["a=1"])
  })
})

describe("a store that cannot be saved", () => {
  scenario("ends as Failed, its operations are handed back, and others go on", function* () {
    const { backend, fail, hold, release } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open<Task>(memory)
    const follower = yield* followed(store)
    hold()
    yield* store.set(task("a"))
    yield* store.set(task("b"))
    fail(poison)
    yield* release
    const end = yield* follower.end
    expect(end).toMatchObject({ _tag: "StoreEnded", reason: "Failed" })
    expect(heldBy(follower.frames)).toEqual([])
    expect(yield* Effect.flip(store.set(task("c")))).toMatchObject({ reason: "Failed" })
    fail(undefined)
    const again = yield* stores.open<Task>(memory)
    expect(yield* again.snapshot()).toEqual({ seq: 0, rows: [] })
    yield* again.set(task("c"))
    const { stats, unsaved } = yield* stores.close
    expect(unsaved.map(({ steps }) => steps[0])).toMatchObject([{ data: { id: "a" } }, { data: { id: "b" } }])
    expect(stats.failed).toBe(1)
  })

  scenario("with ack flushed refuses that operation alone", function* () {
    const { backend, fail } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const store = yield* stores.open<Task>(flushed)
    fail(poison)
    expect(yield* Effect.flip(store.set(task("a")))).toMatchObject({ reason: "NotStored" })
    fail(undefined)
    expect(yield* store.set(task("b"))).toMatchObject({ seq: 1 })
    expect((yield* stores.close).unsaved).toEqual([])
  })
})

describe("the owner of a name", () => {
  scenario("is one catalog, until it is closed", function* () {
    const backend = yield* Datastore.memory()
    const first = yield* Datastore.make(backend)
    const second = yield* Datastore.make(backend)
    yield* (yield* first.open<Task>(memory)).set(task("a"))
    const refused = yield* Effect.flip(second.open(memory))
    expect(refused).toMatchObject({ _tag: "OpenError", reason: "Owned" })
    const other = yield* Datastore.make(backend, { name: "other" })
    expect(yield* Effect.flip(other.open(memory))).toMatchObject({ reason: "OpenMismatch", option: "ack" })
    yield* other.open({ ...memory, id: "other" })
    yield* second.open({ ...flushed, id: "shared" })
    yield* first.close
    const store = yield* second.open<Task>(memory)
    expect(shown(yield* store.snapshot())).toEqual(["a=1"])
  })

  scenario("that has lost it ends what it owned as Failed, and its other stores go on", function* () {
    const { backend, disown, held, hold, release } = yield* scripted
    const stores = yield* Datastore.make(backend)
    const owned = yield* stores.open<Task>(memory)
    const shared = yield* stores.open<Task>({ ...flushed, id: "shared" })
    const temp = yield* stores.open<Task>({ id: "temp" })
    const follower = yield* followed(owned)
    hold()
    yield* owned.set(task("a"))
    yield* held
    yield* disown
    expect(yield* follower.end).toMatchObject({ _tag: "StoreEnded", reason: "Failed" })
    expect(yield* Effect.flip(owned.set(task("b")))).toMatchObject({ reason: "Failed" })
    yield* release
    expect(yield* shared.set(task("c"))).toMatchObject({ seq: 1 })
    expect(yield* temp.set(task("c"))).toMatchObject({ seq: 1 })
    const { unsaved } = yield* stores.close
    expect(unsaved).toMatchObject([{ store: "board", steps: [{ data: { id: "a" } }] }])
  })

  scenario(
    "that has lost it hands back what it had, also to a catalog that is closed meanwhile",
    function* () {
      const { backend, disown, fail, held, hold, release } = yield* scripted
      // A transaction under way is not given up at once.
      const save: Datastore.Backend["save"] = (batch, token) =>
        Effect.uninterruptible(backend.save(batch, token))
      const stores = yield* Datastore.make({ ...backend, save })
      const store = yield* stores.open<Task>(memory)
      const follower = yield* followed(store)
      hold()
      yield* store.set(task("a"))
      yield* held
      yield* store.set(task("b"))
      yield* disown
      expect(yield* follower.end).toMatchObject({ reason: "Failed" })
      const closing = yield* started(stores.close)
      yield* settled
      fail(new StorageError({ kind: "Fatal", outcome: "NotStored", message: "it is owned by another one" }))
      yield* release
      const { unsaved } = yield* Fiber.join(closing)
      expect(unsaved.map(({ steps }) => steps[0])).toMatchObject([
        { data: { id: "a" } },
        { data: { id: "b" } }
      ])
    }
  )
})

describe("an owned store", () => {
  scenario("that another process has written ends as Failed, and stores nothing behind a hole", function* () {
    const backend = yield* Datastore.memory()
    let token: string | undefined
    const own: Datastore.Backend["own"] = (name) =>
      Effect.tap(backend.own(name), (ownership) => Effect.sync(() => (token = ownership.token)))
    const stores = yield* Datastore.make({ ...backend, own })
    const store = yield* stores.open<Task>(memory)
    const value = { data: task("z"), seq: 1 } as never
    const decide = () => ({ revisions: [[{ _tag: "Put" as const, key: "z", value }]] })
    yield* backend.save([{ store: "board", name: "foreign", keys: ["z"], id: undefined, decide }], token)
    const follower = yield* followed(store)
    yield* store.set(task("a"))
    expect(yield* follower.end).toMatchObject({ reason: "Failed" })
    expect(heldBy(follower.frames)).toEqual(["z=1"])
    expect((yield* stores.close).unsaved).toMatchObject([{ steps: [{ data: { id: "a" } }] }])
  })

  scenario("whose token is not the present one saves nothing", function* () {
    const backend = yield* Datastore.memory()
    const own: Datastore.Backend["own"] = (name) =>
      Effect.map(backend.own(name), (ownership) => ({ ...ownership, token: "an older one" }))
    const stores = yield* Datastore.make({ ...backend, own })
    const store = yield* stores.open<Task>(memory)
    const follower = yield* followed(store)
    yield* store.set(task("a"))
    expect(yield* follower.end).toMatchObject({ reason: "Failed" })
    expect(heldBy(follower.frames)).toEqual([])
    expect((yield* stores.close).unsaved).toMatchObject([{ steps: [{ data: { id: "a" } }] }])
  })
})

describe("a backend that comes late", () => {
  scenario("keeps no temporary store waiting, and permanent ones open when it is there", function* () {
    const up = yield* Deferred.make<Datastore.Backend>()
    const stores = yield* Datastore.makeDeferred(Deferred.await(up))
    const temp = yield* stores.open<Task>({ id: "temp" })
    yield* temp.set(task("a"))
    const opening = yield* started(stores.open<Task>(flushed))
    const queued = yield* stores.open<Task>({ ...memory, id: "queued", start: "queued" })
    expect(queued.unsafeSet(task("a"))).toBe(true)
    expect(queued.unsafeSet(task("b"))).toBe(true)
    expect(yield* stores.status).toMatchObject({ _tag: "Starting" })
    yield* Deferred.succeed(up, yield* Datastore.memory())
    const store = yield* Fiber.join(opening)
    expect(yield* store.set(task("a"))).toMatchObject({ seq: 1 })
    expect(yield* queued.set(task("c"))).toMatchObject({ seq: 3 })
    yield* stores.ready
    expect((yield* stores.status)._tag).toBe("Running")
  })

  scenario("and is away at first is asked again", function* () {
    let attempts = 0
    const away = new StorageError({ kind: "Transient", outcome: "NotStored", message: "no connection" })
    const stores = yield* Datastore.makeDeferred(
      Effect.suspend(() => (++attempts < 3 ? Effect.fail(away) : Datastore.memory()))
    )
    const opening = yield* Effect.fork(stores.open<Task>(flushed))
    yield* TestClock.adjust("2 seconds")
    const store = yield* Fiber.join(opening)
    expect(yield* store.set(task("a"))).toMatchObject({ seq: 1 })
    expect(attempts).toBe(3)
  })

  scenario("and never comes fails the openings with the cause", function* () {
    const never = new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no such database" })
    const stores = yield* Datastore.makeDeferred(Effect.fail(never))
    const refused = yield* Effect.flip(stores.open(flushed))
    expect(refused).toMatchObject({ reason: "Unavailable" })
    const queued = yield* stores.open<Task>({ ...flushed, id: "queued", start: "queued" })
    expect(yield* Effect.flip(queued.set(task("a")))).toMatchObject({ reason: "Failed" })
    expect((yield* stores.status)._tag).toBe("Failed")
    const report = yield* stores.close
    expect(Option.isNone(report.backend)).toBe(true)
  })

  scenario("is given up by a close in its time", function* () {
    const stores = yield* Datastore.makeDeferred(Effect.never)
    const opening = yield* started(Effect.flip(stores.open(flushed)))
    const closing = yield* Effect.fork(stores.closeWithin(1000))
    yield* TestClock.adjust(1001)
    yield* Fiber.join(closing)
    expect(yield* Fiber.join(opening)).toMatchObject({ _tag: "OpenError" })
  })
})

describe("a layer", () => {
  class Boards extends Context.Tag("test/datastore/Boards")<Boards, Datastore.Datastores>() {}

  scenario("provides a catalog that is closed with it", function* () {
    const used = Effect.gen(function* () {
      const stores = yield* Boards
      const store = yield* stores.open<Task>(flushed)
      yield* store.set(task("a"))
      return stores
    })
    for (const layer of [Datastore.layerMemory(Boards), Datastore.layer(Boards, Datastore.memory())]) {
      const stores = yield* Effect.provide(used, Layer.fresh(layer))
      expect((yield* stores.status)._tag).toBe("Closed")
    }
  })

  scenario("of wrong options fails", function* () {
    const wrong = Effect.provide(Boards, Datastore.layerMemory(Boards, { name: 5 as never }))
    expect(yield* Effect.flip(wrong)).toMatchObject({ _tag: "InvalidOptions", option: "name" })
    yield* make()
  })
})

describe("a store that is opened before its backend", () => {
  it.scoped("takes writes in order, and hands back those that never reached it", () =>
    Effect.gen(function* () {
      const stores = yield* Datastore.makeDeferred(Effect.never as Effect.Effect<Datastore.Backend>)
      const store = yield* stores.open<{ id: string }>({ id: "late", kind: "permanent", start: "queued" })
      expect(store.unsafeSet({ id: "a" })).toBe(true)
      const waiting = yield* Effect.fork(Effect.flip(store.set({ id: "b" })))
      yield* Effect.yieldNow()
      const { unsaved } = yield* stores.closeWithin(0)
      expect(unsaved).toMatchObject([{ store: "late", steps: [{ data: { id: "a" } }] }])
      expect(yield* Fiber.join(waiting)).toMatchObject({ _tag: "StoreEnded", reason: "Closed" })
    })
  )

  it.scoped("applies what waited, before what comes later", () =>
    Effect.gen(function* () {
      const up = yield* Deferred.make<void>()
      const stores = yield* Datastore.makeDeferred(Effect.andThen(Deferred.await(up), Datastore.memory()))
      const store = yield* stores.open<{ id: string }>({ id: "late", kind: "permanent", start: "queued" })
      for (const id of ["a", "b", "c"]) expect(store.unsafeSet({ id })).toBe(true)
      const set = yield* Effect.fork(store.set({ id: "d" }))
      yield* Effect.yieldNow()
      yield* Deferred.succeed(up, undefined)
      yield* Fiber.join(set)
      expect((yield* store.snapshot()).rows.map(({ key, seq }) => [key, seq])).toEqual([
        ["a", 1],
        ["b", 2],
        ["c", 3],
        ["d", 4]
      ])
    })
  )
})
