/** A live table whose writes go to a target, which the master shows later (rule 1). */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Option, TestClock } from "effect"
import { resolve } from "../../src/internal/liveTable/options.js"
import { get } from "../../src/internal/liveTable/readCalls.js"
import { start } from "../../src/internal/liveTable/starting.js"
import { write } from "../../src/internal/liveTable/writeCalls.js"
import * as LiveTable from "../../src/LiveTable.js"
import { Column, StorageError } from "../../src/Storage.js"
import * as Table from "../../src/Table.js"
import { freshnessOf, type Keys, key, keys, stateOf } from "../support/liveTable/keys.js"

/** A master and a target that both hold a key. The master never gets what is written to the target. */
const split = Effect.gen(function* () {
  const master = yield* Table.memory(keys)
  const target = yield* Table.memory(keys)
  yield* master.insert(key("k1"))
  yield* target.insert(key("k1"))
  return { master, target, live: yield* LiveTable.make(master, { target, sample: 0, targetLag: 5000 }) }
})

/** A call that waits: `begun` completes when it was made, `go` lets it go on. */
const gate = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const latch = yield* Effect.makeLatch()
  const pass = Effect.andThen(Deferred.succeed(begun, undefined), latch.await)
  return { pass, begun: Deferred.await(begun), go: latch.open }
})

const makeLive = (master: Table.Table<Keys>, target: Table.Table<Keys>) =>
  LiveTable.make(master, { target, sample: 0, targetLag: 5000 })

/** The target waits before it writes. */
const held = Effect.gen(function* () {
  const { master, target } = yield* split
  const { pass, ...gated } = yield* gate
  const late = {
    ...target,
    write: (...args: Parameters<typeof target.write>) => Effect.andThen(pass, target.write(...args))
  }
  return { live: yield* makeLive(master, late), target: gated }
})

/** The master has read when it waits, each time at a gate of its own. */
const slow = Effect.gen(function* () {
  const { master, target } = yield* split
  const first = yield* gate
  const second = yield* gate
  const passes = [first.pass, second.pass]
  const late: Table.Table<Keys> = {
    ...master,
    getMany: (ids) => Effect.tap(master.getMany(ids), () => passes.shift() ?? Effect.void)
  }
  return { live: yield* makeLive(late, target), first, second }
})

/** The inside of a live table whose master has read when it waits, each time at a gate of its own. */
const opened = Effect.gen(function* () {
  const { master, target } = yield* split
  const { pass, ...gated } = yield* gate
  const late: Table.Table<Keys> = { ...master, getMany: (ids) => Effect.tap(master.getMany(ids), pass) }
  const settings = yield* resolve<Keys>({ target, sample: 0, targetLag: 5000 })
  const inside = yield* start(Effect.succeed(late), settings)
  yield* Deferred.await(inside.up)
  const held = () => {
    const { lapsed, open } = inside.life.reads!.core.c.acknowledged
    return open.size + lapsed.size
  }
  const insert = (id: string) => write(inside, Table.Write.insert(key(id)))
  return { inside, insert, held, master: gated }
})

/** Master and target say their revisions. A list waits when it has read; `show` lets the master show the writes. */
const shown = Effect.gen(function* () {
  const { master, target } = yield* split
  const { pass, ...gated } = yield* gate
  const at = { seq: 0 }
  const revisionAt = (seq: number) => ({ epoch: "target", seq, tag: 0 })
  const revised = <A extends object, E>(read: Effect.Effect<A, E>) =>
    Effect.map(read, (answer) => ({ ...answer, revision: revisionAt(at.seq) }))
  const late: Table.Table<Keys> = {
    ...master,
    getMany: (ids) => revised(master.getMany(ids)),
    list: (query) => Effect.tap(revised(master.list(query)), pass)
  }
  const written: Table.Table<Keys> = {
    ...target,
    write: (writes, batch) =>
      Effect.map(target.write(writes, batch), (outcomes) =>
        outcomes.map((outcome) =>
          outcome._tag === "Written" ? { ...outcome, revision: Option.some(revisionAt(1)) } : outcome
        )
      )
  }
  const show = Effect.andThen(master.patch("k1", { state: "revoked" }), () =>
    Effect.sync(() => {
      at.seq = 1
    })
  )
  return { live: yield* makeLive(late, written), master: { ...gated, show } }
})

const other = Table.define({
  name: "keys",
  columns: { id: Column.text, account: Column.text },
  id: "id"
})

describe("a live table with a write target", () => {
  it.scoped("answers a written row from its acknowledgement, until targetLag is over", () =>
    Effect.gen(function* () {
      const { live, master, target } = yield* split
      yield* live.patch("k1", { state: "revoked" })
      expect(stateOf(yield* live.get("k1"))).toBe("revoked")
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      expect(freshnessOf(yield* live.list())).toBe("Bypassed")
      yield* TestClock.adjust(4999)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      yield* TestClock.adjust(1)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("active")
      expect(freshnessOf(yield* live.list())).toBe("Fresh")
      const report = yield* live.close
      expect([report.master, report.target]).toMatchObject([{ value: master }, { value: target }])
    })
  )

  it.scoped("answers all rows as gone, and those written later, once everything was deleted", () =>
    Effect.gen(function* () {
      const { live } = yield* split
      yield* live.deleteAll
      expect((yield* live.get("k1")).value).toEqual(Option.none())
      yield* live.insert(key("k1", "new"))
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("new")
      expect((yield* live.get("k2")).value).toEqual(Option.none())
      yield* TestClock.adjust(5000)
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("active")
    })
  )

  it.scoped("answers a written row also if something invalidates it while it is written", () =>
    Effect.gen(function* () {
      const { live, target } = yield* held
      const writing = yield* Effect.fork(live.patch("k1", { state: "revoked" }))
      yield* target.begun
      yield* live.invalidate({ ids: ["k1"] })
      yield* target.go
      yield* Fiber.join(writing)
      expect(stateOf(yield* live.get("k1"))).toBe("revoked")
    })
  )

  it.scoped("answers a written row to who asked the master within targetLag, though it answers later", () =>
    Effect.gen(function* () {
      const { first, live, second } = yield* slow
      yield* live.patch("k1", { state: "revoked" })
      const before = yield* Effect.fork(live.get("k1", { use: "master" }))
      yield* first.begun
      yield* TestClock.adjust(5000)
      const after = yield* Effect.fork(live.get("k1", { use: "master" }))
      yield* second.begun
      yield* first.go
      expect(stateOf(yield* Fiber.join(before))).toBe("revoked")
      yield* second.go
      expect(stateOf(yield* Fiber.join(after))).toBe("active")
    })
  )

  it.scoped("forgets what it has written when targetLag is over, though nothing is read", () =>
    Effect.gen(function* () {
      const { held, insert } = yield* opened
      const ids = Array.from({ length: 200 }, (_, n) => `n${n}`)
      yield* Effect.forEach(ids, insert, { concurrency: "unbounded" })
      expect(held()).toBe(200)
      yield* TestClock.adjust(5_000)
      expect(held()).toBe(0)
    })
  )

  it.scoped("forgets what it has written when the last read from before has landed", () =>
    Effect.gen(function* () {
      const { held, insert, inside, master } = yield* opened
      yield* insert("n1")
      const reading = yield* Effect.fork(get(inside, "k1", undefined))
      yield* master.begun
      yield* TestClock.adjust(5_000)
      expect(held()).toBe(1)
      yield* master.go
      yield* Fiber.join(reading)
      expect(held()).toBe(0)
    })
  )

  it.scoped("stores a list only if it shows every write: one that began before does not count", () =>
    Effect.gen(function* () {
      const { live, master } = yield* shown
      yield* live.patch("k1", { state: "revoked" })
      const listing = yield* Effect.fork(live.list())
      yield* master.begun
      yield* master.show
      expect(stateOf(yield* live.get("k1", { use: "master" }))).toBe("revoked")
      yield* master.go
      expect(freshnessOf(yield* Fiber.join(listing))).toBe("Bypassed")
      const later = yield* live.list()
      expect([later.value.map(({ state }) => state), freshnessOf(later)]).toEqual([["revoked"], "Fresh"])
    })
  )

  it.scoped(
    "stores nothing that a write of unknown outcome may reach, until the master must have shown it",
    () =>
      Effect.gen(function* () {
        const { master, target } = yield* split
        const lost = new StorageError({ kind: "Transient", outcome: "Unknown", message: "lost" })
        const losing: Table.Table<Keys> = { ...target, write: () => Effect.succeed([lost]) }
        const options = { target: losing, sample: 0, targetLag: 5000, doubt: 1000 }
        const live = yield* LiveTable.make(master, options)
        expect(yield* Effect.flip(live.patch("k1", { state: "revoked" }))).toMatchObject({
          outcome: "Unknown"
        })
        yield* TestClock.adjust(5999)
        expect(freshnessOf(yield* live.get("k1"))).toBe("Bypassed")
        yield* TestClock.adjust(1)
        expect(freshnessOf(yield* live.get("k1"))).toBe("Fresh")
      })
  )

  it.scoped("shows what was staged from its confirmation until the master shows it, in a list too", () =>
    Effect.gen(function* () {
      const { live } = yield* split
      const shown = Effect.map(live.list({}, { pending: "include" }), ({ value }) =>
        value.map(({ id, state }) => `${id} ${state}`).join()
      )
      const inserted = yield* live.stage(Table.Write.insert(key("k2", "new")))
      expect(yield* shown).toBe("k1 active,k2 new")
      yield* inserted.outcome
      expect(yield* shown).toBe("k1 active,k2 new")
      yield* live.patch("k2", { state: "newer" })
      const deleted = yield* live.stage(Table.Write.delete("k1"))
      yield* deleted.outcome
      expect(yield* shown).toBe("k2 newer")
      expect((yield* live.list()).value.map(({ id }) => id)).toEqual(["k1"])
      yield* TestClock.adjust(5_000)
      expect(yield* shown).toBe("k1 active")
    })
  )

  it.scoped("is not made with a target of other columns", () =>
    Effect.gen(function* () {
      const master = yield* Table.memory(keys)
      // As a caller without types would pass it.
      const target = (yield* Table.memory(other)) as never
      const error = yield* Effect.flip(LiveTable.make(master, { target }))
      expect(error).toMatchObject({ _tag: "InvalidOptions", option: "target" })
      const live = yield* LiveTable.makeDeferred(Effect.succeed(master), { target })
      expect(yield* Effect.flip(live.get("k1"))).toMatchObject({
        reason: "Failed",
        cause: { option: "target" }
      })
    })
  )
})
