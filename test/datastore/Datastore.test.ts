import { describe, expect, it } from "@effect/vitest"
import { Chunk, Deferred, Effect, Fiber, Option, Stream, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"

interface Task {
  readonly id: string
  readonly text: string
  readonly done?: boolean
}

const make = (options: Datastore.Options = {}) =>
  Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend, options))

describe("a temporary store", () => {
  it.scoped("shows each follower a snapshot, then every change in order", () =>
    Effect.gen(function* () {
      const stores = yield* make()
      const store = yield* stores.open<Task>({ id: "board" })
      yield* store.set({ id: "a", text: "one" })
      const following = yield* Effect.fork(
        store.follow().pipe(
          Stream.takeUntil(({ _tag }) => _tag === "Events"),
          Stream.runCollect
        )
      )
      const tags = yield* Effect.fork(
        store.follow().pipe(
          Stream.filter(({ _tag }) => _tag === "Synced"),
          Stream.runHead
        )
      )
      yield* Fiber.join(tags)
      expect(store.unsafeSet({ id: "a", text: "two" })).toBe(true)
      const frames = Chunk.toReadonlyArray(yield* Fiber.join(following))
      expect(frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced", "Events"])
      expect(yield* store.get("a")).toEqual(Option.some({ key: "a", data: { id: "a", text: "two" }, seq: 2 }))
    })
  )

  it.scoped("counts each client that follows or was subscribed once, and the server not at all", () =>
    Effect.gen(function* () {
      const stores = yield* make()
      const store = yield* stores.open<Task>({ id: "board" })
      const follow = (options: Datastore.FollowOptions<Task>) =>
        Effect.gen(function* () {
          const synced = yield* Deferred.make<void>()
          yield* Effect.forkScoped(
            Stream.runForEach(store.follow(options), ({ _tag }) =>
              _tag === "Synced" ? Deferred.succeed(synced, undefined) : Effect.void
            )
          )
          yield* Deferred.await(synced)
        })
      yield* follow({})
      yield* follow({ as: { principal: "ann", client: "tab" } })
      yield* follow({ as: { principal: "ann", client: "tab" } })
      yield* store.subscribe("bot")
      expect(yield* store.subscribers).toEqual(["bot", "tab"])
      expect(yield* stores.unsubscribeAll("tab")).toBe(2)
      expect(yield* store.subscribers).toEqual(["bot"])
    })
  )

  it.scoped("refuses a set that expects another seq, and shows the present record", () =>
    Effect.gen(function* () {
      const stores = yield* make()
      const store = yield* stores.open<Task>({ id: "board" })
      yield* store.set({ id: "a", text: "one" }, { expect: "absent" })
      const refused = yield* Effect.flip(store.set({ id: "a", text: "two" }, { expect: "absent" }))
      expect(refused).toMatchObject({ reason: "Conflict", row: { seq: 1, data: { text: "one" } } })
      expect((yield* store.patch("a", { set: { done: true } }, { expect: 1 })).seq).toBe(2)
    })
  )

  it.scoped("ends strictly after its time, with one end for each follower", () =>
    Effect.gen(function* () {
      const stores = yield* make()
      const store = yield* stores.open<Task>({ id: "board", ttl: 1000 })
      const end = yield* Effect.fork(Effect.flip(Stream.runDrain(store.follow())))
      yield* TestClock.adjust(1000)
      yield* store.set({ id: "a", text: "one" })
      yield* TestClock.adjust(1)
      expect(yield* Fiber.join(end)).toMatchObject({ _tag: "StoreEnded", reason: "Expired" })
      expect(yield* Effect.flip(store.get("a"))).toMatchObject({ reason: "Expired" })
      const next = yield* stores.open<Task>({ id: "board", ttl: 1000 })
      expect((yield* next.snapshot()).rows).toEqual([])
      expect(next.epoch).not.toBe(store.epoch)
      expect(yield* stores.purgeExpired).toBe(1)
    })
  )

  it.scoped("hides what a principal may not see, and ends its follow when it is revoked", () =>
    Effect.gen(function* () {
      let allowed = true
      const stores = yield* make({
        authorize: (principal) =>
          allowed
            ? {
                actions: ["open", "read", "write", "subscribe"],
                view: ({ key }) => key.startsWith(principal)
              }
            : undefined
      })
      const store = yield* stores.open<Task>({ id: "board" })
      const ann = { principal: "ann", client: "1" }
      const follow = yield* Effect.fork(Effect.either(Stream.runCollect(store.follow({ as: ann }))))
      yield* store.set({ id: "bob/1", text: "secret" })
      expect(yield* store.get("bob/1", { as: ann })).toEqual(Option.none())
      const refused = yield* Effect.flip(store.delete("bob/1", { as: ann, expect: 7 }))
      expect(refused).toMatchObject({ reason: "Forbidden" })
      expect(refused).not.toHaveProperty("row")
      allowed = false
      yield* stores.revoke("ann")
      expect(yield* Fiber.join(follow)).toMatchObject({ left: { reason: "Unauthorized" } })
    })
  )

  it.scoped("answers an operation that is sent again as it did the first time", () =>
    Effect.gen(function* () {
      const stores = yield* make()
      const store = yield* stores.open<Task>({ id: "board" })
      const as = { principal: "ann", client: "1", n: 1 }
      const first = yield* store.set({ id: "a", text: "one" }, { as })
      expect(yield* store.set({ id: "a", text: "one" }, { as })).toEqual(first)
      expect(yield* Effect.flip(store.set({ id: "a", text: "two" }, { as }))).toMatchObject({
        reason: "IdReused"
      })
      expect((yield* store.snapshot()).seq).toBe(1)
    })
  )
})

describe.each(["memory", "flushed"] as const)("a permanent store with ack %s", (ack) => {
  it.scoped("is there again after a close, with what was written and remembered", () =>
    Effect.gen(function* () {
      const backend = yield* Datastore.memory()
      const as = { principal: "ann", client: "1", n: 1 }
      const first = yield* Effect.scoped(
        Effect.gen(function* () {
          const stores = yield* Datastore.make(backend)
          const store = yield* stores.open<Task>({ id: "board", kind: "permanent", ack })
          yield* store.set({ id: "a", text: "one" })
          return yield* store.set({ id: "b", text: "two" }, { as, expect: "absent" })
        })
      )
      const stores = yield* Datastore.make(backend)
      const store = yield* stores.open<Task>({ id: "board", kind: "permanent", ack })
      expect((yield* store.snapshot()).rows.map(({ key, seq }) => [key, seq])).toEqual([
        ["a", 1],
        ["b", 2]
      ])
      expect(yield* store.set({ id: "b", text: "two" }, { as, expect: "absent" })).toEqual(first)
      const frames = yield* store.follow().pipe(Stream.take(2), Stream.runCollect)
      expect(Chunk.toReadonlyArray(frames).map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
      const report = yield* stores.close
      expect(report.unsaved).toEqual([])
      expect(yield* Effect.flip(store.get("a"))).toMatchObject({ reason: "Closed" })
    })
  )
})
