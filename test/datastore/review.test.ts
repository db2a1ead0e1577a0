/** Limits and rights that hold in corners: keys written twice, kinds, answers that were forgotten, resumes that begin anew. */
import { describe, expect } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { board, cursorOf, followed, make, task } from "../support/datastore/stores.js"
import { scenario, settled } from "../support/time/turn.js"

const all: ReadonlyArray<Datastore.Action> = ["open", "read", "write", "subscribe"]

describe("the quota of bytes", () => {
  for (const opening of [{}, { kind: "permanent" }, { kind: "permanent", ack: "memory" }] as const) {
    scenario(`counts a record once that a batch writes twice (${JSON.stringify(opening)})`, function* () {
      const { store } = yield* board({ quotas: { bytes: 2000 } }, opening)
      yield* store.set(task("a", "x".repeat(1500)))
      const doubled = store.batch([Datastore.remove("a"), Datastore.set(task("a", "x".repeat(3000)))])
      expect(yield* Effect.flip(doubled)).toMatchObject({ reason: "QuotaExceeded" })
      yield* store.batch([
        Datastore.set(task("b", "x".repeat(300))),
        Datastore.set(task("b", "x".repeat(300)))
      ])
    })
  }
})

describe("rights", () => {
  scenario("of one kind of a store do not count for another kind of the same id", function* () {
    const stores = yield* make({
      quotas: { stores: 0 },
      authorize: (_, { kind }) => (kind === "temp" ? { actions: all } : undefined)
    })
    const as = { principal: "ann" }
    expect(yield* Effect.flip(stores.open({ id: "a", as }))).toMatchObject({ reason: "QuotaExceeded" })
    const other = stores.open({ id: "a", as, kind: "permanent" })
    expect(yield* Effect.flip(other)).toMatchObject({ reason: "Forbidden" })
  })

  scenario("that end at an instant end then, also when 10,000 principals came after", function* () {
    let isValid = true
    const { store } = yield* board({
      authorize: () => (isValid ? { actions: all, ttl: 1000 } : undefined)
    })
    const follower = yield* followed(store, { as: { principal: "ann", client: "1" } })
    for (let i = 0; i < 10_001; i++) yield* store.get("a", { as: { principal: `p${i}` } })
    isValid = false
    yield* TestClock.adjust(1002)
    const before = follower.frames.length
    yield* store.set(task("b"))
    yield* settled
    expect(follower.frames.length).toBe(before)
    expect(follower.ends()).toBe(1)
  })

  scenario("that are lost hide the record of a Conflict that is asked for again", function* () {
    for (const kind of ["temp", "permanent"]) {
      let isHidden = false
      const { store, stores } = yield* board(
        { authorize: () => ({ actions: all, view: () => !isHidden }) },
        { kind }
      )
      yield* store.set(task("a", "secret"))
      const again = Effect.flip(
        store.set(task("a"), { expect: "absent", as: { principal: "ann", client: "1", n: 1 } })
      )
      expect(yield* again).toMatchObject({ reason: "Conflict", row: { key: "a" } })
      isHidden = true
      yield* stores.revoke("ann")
      expect(JSON.stringify(yield* again)).not.toContain("secret")
      expect(yield* again).toMatchObject({ reason: "Conflict" })
    }
  })
})

describe("a resume that begins anew", () => {
  scenario("counts as one follow", function* () {
    const { store } = yield* board({ quotas: { subscribers: 1 } }, { maxRevisions: 2 })
    yield* store.set(task("a"))
    const first = yield* Effect.scoped(followed(store))
    for (const id of ["b", "c", "d", "e"]) yield* store.set(task(id))
    const { frames } = yield* followed(store, { after: cursorOf(first) })
    expect(frames.map(({ _tag }) => _tag)).toEqual(["Snapshot", "Synced"])
  })
})

describe("a session that is not open", () => {
  scenario("gets no lease in the backend", function* () {
    const memory = yield* Datastore.memory()
    const asked: Array<string> = []
    const extend: Datastore.Backend["sessions"]["extend"] = (leases) => {
      for (const { id } of leases) asked.push(id)
      return memory.sessions.extend(leases)
    }
    const stores = yield* Datastore.make({ ...memory, sessions: { ...memory.sessions, extend } })
    const store = yield* stores.open<{ id: string }>({ id: "a", kind: "permanent" })
    const write = store.set({ id: "a" }, { session: "no such one", as: { principal: "ann", client: "1" } })
    expect(yield* Effect.flip(write)).toMatchObject({ reason: "InvalidOperation" })
    expect(asked).toEqual([])
  })
})
