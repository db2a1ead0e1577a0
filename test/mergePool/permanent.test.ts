/** Pools that a backend keeps: what was acknowledged comes back, and in several processes all hold the same. */
import { describe, expect } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Fiber, Scope, TestClock } from "effect"
import { prefix, remove } from "../../src/ChangeLog.js"
import * as MergePool from "../../src/MergePool.js"
import { StorageError } from "../../src/Storage.js"
import { scripted } from "../support/datastore/backends.js"
import { exchanged } from "../support/mergePool/exchanged.js"
import { acks, editorOf, opened, permanent, shownIn, ticked } from "../support/mergePool/permanent.js"
import { cursorOf, followed, shownBy, strategies } from "../support/mergePool/served.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { title, vote } from "./pools.js"

/** A catalog that ends before the test does. */
const aside = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) =>
  Effect.gen(function* () {
    const scope = yield* Scope.make()
    return [yield* Scope.extend(effect, scope), Scope.close(scope, Exit.void)] as const
  })

const otherFields = { ...strategies, bid: MergePool.min }

describe.each(acks)("a permanent pool, ack %s", (ack) => {
  scenario("comes back with its cells and its hash", function* () {
    const backend = yield* MergePool.memory()
    const { pool, pools } = yield* opened(backend, { ack })
    const ann = yield* editorOf(pool, "ann")
    const bob = yield* editorOf(pool, "bob")
    yield* ann.title("a/~", "slashed")
    yield* ann.vote("b", 2)
    yield* bob.vote("b", 3)
    yield* ann.label("b", "x")
    yield* ann.label("b", "y")
    yield* ann.unlabel("b", "y")
    yield* bob.title("c", "gone")
    yield* bob.remove("c")
    const before = [yield* pool.state(), yield* pool.hash()]
    expect((yield* pools.close).unsaved).toEqual([])
    const next = yield* opened(backend, { ack })
    expect([yield* next.pool.state(), yield* next.pool.hash()]).toEqual(before)
    expect(yield* shownIn(next.pool, "b")).toEqual({ votes: 5, labels: ["x"] })
    expect(yield* shownIn(next.pool, "c")).toEqual({})
    // What was removed is removed for fields, too, that the client has not seen.
    const cat = yield* editorOf(next.pool, "cat")
    yield* cat.vote("b")
    expect(yield* shownIn(next.pool, "b")).toEqual({ votes: 6, labels: ["x"] })
  })

  scenario("forgets removals after an hour, and keeps its horizon over restarts", function* () {
    const backend = yield* MergePool.memory()
    const often = { janitorInterval: "1 second" } as const
    const away = yield* MergePool.replica(strategies)
    const old = yield* away.edit("a", { title: { _tag: "Set", value: "old" } })
    const [first, closed] = yield* aside(opened(backend, { ack }, often))
    const ann = yield* editorOf(first.pool, "ann")
    yield* TestClock.adjust(1000)
    yield* ann.title("a", "new")
    yield* ann.title("b", "stays")
    yield* ann.remove("a")
    yield* TestClock.adjust("5 seconds")
    expect([(yield* first.pools.stats).removals, (yield* first.pool.state()).horizon]).toEqual([1, ""])
    yield* closed
    yield* TestClock.adjust("2 hours")
    const [second, closedAgain] = yield* aside(opened(backend, { ack }, often))
    expect((yield* second.pools.stats).removals).toBe(1)
    yield* TestClock.adjust("2 seconds")
    expect((yield* second.pools.stats).removals).toBe(0)
    const { horizon } = yield* second.pool.state()
    const { frames } = yield* followed(second.pool)
    expect(frames[0]).toMatchObject({ _tag: "Snapshot", entries: [{ key: "/" }, { key: "b/title" }] })
    yield* closedAgain
    const third = yield* opened(backend, { ack }, often)
    expect(horizon).not.toBe("")
    expect((yield* third.pool.state()).horizon).toBe(horizon)
    const as = { principal: "bob", client: away.client }
    const refused = yield* Effect.flip(ticked(third.pool.merge(old.patch, { as })))
    expect(refused).toMatchObject({ reason: "TooOld", cells: [{ row: "a", field: "title" }] })
    const later = yield* away.edit("b", { votes: { _tag: "Increment", by: 1 } })
    yield* ticked(third.pool.merge(later.patch, { as }))
    expect(yield* shownIn(third.pool, "b")).toEqual({ title: "stays", votes: 1 })
  })

  scenario("leaves memory when it is idle, and comes back with its epoch", function* () {
    const backend = yield* MergePool.memory()
    const { pool, pools } = yield* opened(
      backend,
      { ack },
      { idleTimeout: "2 seconds", janitorInterval: "1 second" }
    )
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "one")
    const [epoch, hash] = [yield* pool.epoch, yield* pool.hash()]
    yield* TestClock.adjust("1 second")
    expect((yield* pools.stats).pools).toBe(1)
    yield* TestClock.adjust("4 seconds")
    expect([(yield* pools.stats).pools, (yield* pool.status)._tag]).toEqual([0, "Unloaded"])
    yield* ann.title("b", "two")
    expect([yield* pool.epoch, (yield* pool.status)._tag]).toEqual([epoch, "Open"])
    expect(yield* pool.hash()).not.toBe(hash)
    expect(yield* shownIn(pool, "a")).toEqual({ title: "one" })
    const member = yield* followed(pool)
    yield* TestClock.adjust("6 seconds")
    expect((yield* pools.stats).pools).toBe(1)
    expect(shownBy(member.frames)).toEqual(['a/title="one"', 'b/title="two"'])
  })

  scenario("counts for its first opener also when it has come back", function* () {
    const backend = yield* MergePool.memory()
    const as = { principal: "ann" }
    const often = { idleTimeout: "2 seconds", janitorInterval: "1 second" } as const
    const quotas = { storesPerPrincipal: 1 }
    const { pool, pools } = yield* opened(backend, { ack, as }, { ...often, quotas })
    yield* TestClock.adjust("4 seconds")
    expect((yield* pool.status)._tag).toBe("Unloaded")
    yield* pool.state()
    const other = pools.open({ ...permanent, id: "other", ack, as })
    expect(yield* Effect.flip(other)).toMatchObject({ _tag: "OpenError", reason: "QuotaExceeded" })
    yield* pool.end
    yield* other
  })

  scenario("shows followers what is committed, and nothing before", function* () {
    const { backend, held, hold, release } = yield* scripted
    const { pool } = yield* opened(backend, { ack })
    const ann = yield* editorOf(pool, "ann")
    const member = yield* followed(pool)
    hold()
    const merging = yield* Effect.fork(ann.title("a", "one"))
    yield* held
    yield* TestClock.adjust(1000)
    const isAnswered = (yield* Fiber.poll(merging))._tag === "Some"
    expect([isAnswered, shownBy(member.frames)]).toEqual([ack === "memory", []])
    expect(yield* shownIn(pool, "a")).toEqual(ack === "memory" ? { title: "one" } : {})
    yield* release
    yield* TestClock.adjust(100)
    yield* Fiber.join(merging)
    expect(shownBy(member.frames)).toEqual(['a/title="one"'])
    expect(yield* shownIn(pool, "a")).toEqual({ title: "one" })
  })

  scenario("lets followers go on after a restart where they were", function* () {
    const backend = yield* MergePool.memory()
    const [{ pool }, closed] = yield* aside(opened(backend, { ack }))
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "one")
    const member = yield* followed(pool)
    yield* closed
    expect(yield* member.end).toMatchObject({ _tag: "StoreEnded", reason: "Closed" })
    const next = yield* opened(backend, { ack })
    const bob = yield* editorOf(next.pool, "bob")
    yield* bob.title("b", "two")
    const again = yield* followed(next.pool, { after: cursorOf(member) })
    expect(again.frames.map(({ _tag }) => _tag)).toEqual(["Events", "Synced"])
    expect(shownBy(again.frames)).toEqual(['b/title="two"'])
  })

  scenario("makes one revision of the merges of a tick", function* () {
    const backend = yield* MergePool.memory()
    const { pool, pools } = yield* opened(backend, { ack })
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "first")
    const first = cursorOf(yield* followed(pool)).seq
    yield* TestClock.adjust(1000)
    yield* ann.title("a", "at once")
    const all = yield* Effect.fork(
      Effect.forEach(
        Array.from({ length: 105 }, (_, n) => `row ${n % 7}`),
        (key) => ann.send(key, { votes: { _tag: "Increment", by: 1 } }),
        { concurrency: "unbounded" }
      )
    )
    yield* TestClock.adjust(100)
    yield* Fiber.join(all)
    expect(cursorOf(yield* followed(pool)).seq).toBe(first + 3)
    expect(yield* shownIn(pool, "row 0")).toEqual({ votes: 15 })
    expect((yield* pools.stats).applied).toBe(107)
  })

  scenario("is not opened with other strategies, unless its cells are migrated, once", function* () {
    const backend = yield* MergePool.memory()
    const [{ pool }, closed] = yield* aside(opened(backend, { ack }))
    const ann = yield* editorOf(pool, "ann")
    yield* ann.edit("a", { bid: { _tag: "Set", value: 5 }, title: { _tag: "Set", value: "kept" } })
    yield* ann.title("b", "removed")
    yield* ann.remove("b")
    const hash = yield* pool.hash()
    yield* closed
    const pools = yield* MergePool.make(backend)
    const other = { ...permanent, ack, strategies: otherFields }
    const refused = yield* Effect.flip(pools.open(other))
    expect(refused).toMatchObject({ reason: "OpenMismatch", option: "strategies" })
    expect(refused.message).toMatch(/pass migrate/)
    const throwing = yield* Effect.flip(
      pools.open({
        ...other,
        migrate: () => {
          throw new Error("not this one")
        }
      })
    )
    expect(throwing).toMatchObject({ reason: "Undecodable" })
    const [again, closedAgain] = yield* aside(opened(backend, { ack }, { name: "again" }).pipe(Effect.either))
    if (ack === "flushed") {
      expect(again._tag === "Right" && (yield* again.right.pool.hash())).toBe(hash)
    }
    yield* closedAgain
    const seen: Array<string> = []
    const migrate: MergePool.Migrate = ({ cell, field, row }, fingerprint) => {
      seen.push(`${fingerprint === pool.fingerprint} ${row}/${field}`)
      const [reset, stamp, bid] = cell
      return field === "bid" ? { field, cell: [reset, stamp ?? "", -Number(bid)] } : { field, cell }
    }
    const migrated = yield* pools.open({ ...other, migrate })
    expect(seen.sort()).toEqual(["true a/bid", "true a/title"])
    expect(yield* shownIn(migrated, "a")).toEqual({ bid: -5, title: "kept" })
    const bob = yield* editorOf(migrated, "bob", otherFields)
    yield* bob.edit("a", { bid: { _tag: "Set", value: -3 } })
    expect(yield* shownIn(migrated, "a")).toEqual({ bid: -5, title: "kept" })
    yield* pools.close
    const last = yield* MergePool.make(backend)
    expect(yield* shownIn(yield* last.open({ ...other, migrate }), "a")).toEqual({ bid: -5, title: "kept" })
    expect(seen.length).toBe(2)
    const former = yield* MergePool.make(backend, { name: ack === "memory" ? "merge-pool-2" : "merge-pool" })
    const error = yield* Effect.flip(former.open({ ...permanent, ack }))
    expect(error).toMatchObject({ reason: "OpenMismatch" })
  })

  scenario("of a backend that comes late takes merges that wait for it", function* () {
    const late = yield* Deferred.make<MergePool.Backend>()
    const pools = yield* MergePool.makeDeferred(Deferred.await(late))
    const pool = yield* pools.open({ ...permanent, ack, start: "queued" })
    const ann = yield* editorOf(pool, "ann")
    const merging = yield* started(ann.title("a", "early"))
    expect([(yield* pool.status)._tag, yield* Fiber.poll(merging)]).toMatchObject([
      "Loading",
      { _tag: "None" }
    ])
    yield* Deferred.succeed(late, yield* MergePool.memory())
    yield* TestClock.adjust(100)
    yield* Fiber.join(merging)
    expect(yield* shownIn(pool, "a")).toEqual({ title: "early" })
    yield* pool.flush
    expect((yield* pools.close).unsaved).toEqual([])
  })

  scenario("is closed with all that was merged within the last tick", function* () {
    const backend = yield* MergePool.memory()
    const { pool, pools } = yield* opened(backend, { ack })
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "one")
    const merging = yield* Effect.fork(
      Effect.forEach(["two", "three"], (value) => ann.send("a", { title: { _tag: "Set", value } }), {
        concurrency: "unbounded"
      })
    )
    yield* settled
    const closing = yield* Effect.fork(pools.close)
    yield* settled
    yield* Fiber.join(merging)
    expect((yield* Fiber.join(closing)).unsaved).toEqual([])
    const next = yield* opened(backend, { ack })
    expect(yield* shownIn(next.pool, "a")).toEqual({ title: "three" })
  })

  scenario("belongs to pools alone, and to those of its ack", function* () {
    const backend = yield* MergePool.memory()
    const { pools } = yield* opened(backend, { ack })
    const ofStore = {
      id: "store",
      part: "store",
      primary: "id",
      version: 0,
      fingerprint: "",
      owner: ""
    } as const
    yield* Effect.scoped(backend.open(ofStore))
    const error = yield* Effect.flip(pools.open({ ...permanent, id: "store", ack }))
    expect(error).toMatchObject({ reason: "OpenMismatch", option: "part" })
    const otherAck = ack === "memory" ? "flushed" : "memory"
    const mismatch = yield* Effect.flip(pools.open({ ...permanent, ack: otherAck }))
    expect(mismatch).toMatchObject({ reason: "OpenMismatch", option: "ack" })
  })
})

describe("a pool that one process owns", () => {
  scenario("hands back what could not be stored, which can be merged again", function* () {
    const { backend, fail } = yield* scripted
    const { pool, pools } = yield* opened(backend, { ack: "memory" })
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "stored")
    fail(
      new StorageError({
        kind: "Poison",
        outcome: "NotStored",
        message: "too wide",
        bad: [{ index: 0, cause: "wide" }]
      })
    )
    yield* ann.send("a", { votes: { _tag: "Increment", by: 1 } })
    yield* ann.send("b", { title: { _tag: "Set", value: "in the tick" } })
    yield* TestClock.adjust(100)
    expect(yield* Effect.flip(pool.touch)).toMatchObject({ reason: "Failed" })
    fail(undefined)
    const { stats, unsaved } = yield* pools.close
    expect([stats.failed, unsaved.length]).toEqual([1, 2])
    const next = yield* opened(backend, { ack: "memory" })
    expect(yield* shownIn(next.pool, "a")).toEqual({ title: "stored" })
    for (const { patch } of unsaved) yield* next.pool.merge(patch)
    expect(yield* shownIn(next.pool, "a")).toEqual({ title: "stored", votes: 1 })
    expect(yield* shownIn(next.pool, "b")).toEqual({ title: "in the tick" })
  })

  scenario("that was ended comes back with what was still to be saved", function* () {
    const { backend, hold, release } = yield* scripted
    const { pool, pools } = yield* opened(backend, { ack: "memory" })
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "one")
    hold()
    yield* ann.title("a", "two")
    yield* pool.end
    const next = yield* started(pools.open({ ...permanent, ack: "memory" }))
    yield* release
    yield* TestClock.adjust(100)
    expect(yield* shownIn(yield* Fiber.join(next), "a")).toEqual({ title: "two" })
  })

  scenario("is refused to a second one, and ends when the ownership is lost", function* () {
    const { backend, disown } = yield* scripted
    const { pool } = yield* opened(backend, { ack: "memory" })
    const second = yield* MergePool.make(backend)
    expect(yield* Effect.flip(second.open({ ...permanent, ack: "memory" }))).toMatchObject({
      reason: "Owned"
    })
    yield* disown
    yield* settled
    expect(yield* Effect.flip(pool.touch)).toMatchObject({ reason: "Failed" })
  })

  scenario("that another process has written ends as Failed, and stores nothing behind a hole", function* () {
    const backend = yield* MergePool.memory()
    const { pool } = yield* opened(backend, { ack: "memory" })
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "one")
    const { log } = yield* backend.open({
      id: "board",
      part: "pool",
      primary: "",
      version: 0,
      fingerprint: "",
      owner: ""
    })
    yield* log.append([remove("nothing")])
    yield* ann.send("a", { title: { _tag: "Set", value: "two" } })
    yield* TestClock.adjust(100)
    expect(yield* Effect.flip(pool.touch)).toMatchObject({ reason: "Failed" })
    expect((yield* log.snapshot(prefix("a/"))).entries).toMatchObject([
      { value: { data: [expect.any(String), "one"] } }
    ])
  })
})

describe("a pool that several processes write", () => {
  /** Two catalogs over one backend. */
  const both = Effect.gen(function* () {
    const backend = yield* MergePool.memory()
    const here = yield* opened(backend, {}, { name: "here" })
    const there = yield* opened(backend, {}, { name: "there" })
    return { backend, here, there }
  })

  scenario("joins what both write at once, and both hold the same", function* () {
    const { here, there } = yield* both
    const ann = yield* editorOf(here.pool, "ann")
    const bob = yield* editorOf(there.pool, "bob")
    yield* ann.vote("a")
    for (let round = 0; round < 5; round++) {
      const writing = Effect.all(
        [
          ann.send("a", {
            votes: { _tag: "Increment", by: 1 },
            labels: { _tag: "Add", members: [`ann ${round}`] }
          }),
          bob.send("a", {
            votes: { _tag: "Increment", by: 10 },
            labels: { _tag: "Add", members: [`bob ${round}`] }
          }),
          bob.send(`row ${round}`, { title: { _tag: "Set", value: "by bob" } })
        ],
        { concurrency: "unbounded" }
      )
      yield* ticked(writing)
    }
    yield* ticked(
      Effect.all([ann.replica.remove("row 1"), bob.replica.remove("row 2")]).pipe(
        Effect.flatMap(([one, two]) =>
          Effect.all([here.pool.merge(one.patch), there.pool.merge(two.patch)], { concurrency: "unbounded" })
        )
      )
    )
    const row = yield* shownIn(here.pool, "a")
    expect([row.votes, (row.labels as ReadonlyArray<string>).length]).toEqual([56, 10])
    expect(yield* there.pool.state({ read: "latest" })).toEqual(yield* here.pool.state({ read: "latest" }))
    expect(yield* there.pool.hash()).toBe(yield* here.pool.hash())
    expect(yield* shownIn(there.pool, "row 1")).toEqual({})
  })

  scenario("serves clients of an exchange in each process, which hold the same by its sum", function* () {
    const { here, there } = yield* both
    const ann = yield* exchanged(here.pool, "ann")
    const bob = yield* exchanged(there.pool, "bob")
    yield* ann.edit(title("a", "before"))
    yield* ann.connect()
    yield* bob.connect()
    for (let n = 0; n < 50; n++) {
      yield* ann.edit(vote("a"))
      yield* bob.edit(vote("a"))
    }
    // All of them are merged within a few ticks: none waits for the commit of the one before it.
    yield* TestClock.adjust(200)
    yield* settled
    expect([ann.client.unsent(), bob.client.unsent()]).toEqual([[], []])
    expect(ann.shown()).toEqual({ a: { title: "before", votes: 100 } })
    expect(bob.shown()).toEqual(ann.shown())
    yield* ann.cut
    yield* bob.edit(title("b", "meanwhile"))
    yield* TestClock.adjust(100)
    ann.tags.length = 0
    yield* ann.connect({ as: ann.as })
    yield* TestClock.adjust(100)
    yield* settled
    expect(ann.shown()).toEqual({ a: { title: "before", votes: 100 }, b: { title: "meanwhile" } })
    const late = yield* exchanged(there.pool, "late")
    yield* late.connect()
    yield* TestClock.adjust(100)
    yield* settled
    expect([ann.client.phase(), bob.client.phase(), late.client.phase()]).toEqual(["Live", "Live", "Live"])
    const hash = yield* here.pool.hash()
    expect([ann.client.hash(), bob.client.hash(), late.client.hash()]).toEqual([hash, hash, hash])
  })

  scenario("has one horizon, whichever process raises it", function* () {
    const backend = yield* MergePool.memory()
    const [{ pool }, closed] = yield* aside(opened(backend))
    const ann = yield* editorOf(pool, "ann")
    yield* ann.title("a", "new")
    yield* ann.remove("a")
    yield* closed
    yield* TestClock.adjust("2 hours")
    const one = yield* opened(backend, {}, { name: "one", janitorInterval: "1 second" })
    const two = yield* opened(backend, {}, { name: "two", janitorInterval: "1 second" })
    yield* TestClock.adjust("3 seconds")
    const [here, there] = [yield* one.pool.state(), yield* two.pool.state()]
    expect(here).toMatchObject({ horizon: expect.stringMatching(/./), rows: [] })
    expect(there).toEqual(here)
    expect(cursorOf(yield* followed(two.pool)).seq).toBe(3)
  })

  scenario("refuses foreign parts and malformed patches, and others of the tick are merged", function* () {
    const { here } = yield* both
    const ann = yield* editorOf(here.pool, "ann")
    const bob = yield* editorOf(here.pool, "bob")
    yield* ann.vote("a")
    const { patch } = yield* ann.replica.edit("a", { votes: { _tag: "Increment", by: 5 } })
    const tooMany = Array.from({ length: 100_001 }, (_, n) => [`row ${n}`, "", [["title", "", n]]] as const)
    const bad = [
      here.pool.merge(patch, { as: bob.as }),
      here.pool.merge({ horizon: "", rows: [["x", "no stamp", []]] }),
      here.pool.merge({ horizon: "", rows: [["", "", [["title", "-", Number.NaN]]]] }),
      here.pool.merge(undefined as never),
      here.pool.merge({ horizon: "", rows: tooMany }, { as: bob.as }),
      here.pool.merge({ horizon: "", rows: undefined } as never)
    ]
    const good = bob.send("a", { votes: { _tag: "Increment", by: 2 } })
    const flipped = Effect.forEach(bad, (merging) => Effect.flip(merging), { concurrency: "unbounded" })
    const [answers] = yield* ticked(Effect.all([flipped, good], { concurrency: "unbounded" }))
    expect(answers).toMatchObject([
      { reason: "Forbidden", row: "a" },
      ...Array.from({ length: 5 }, () => ({ reason: "InvalidData" }))
    ])
    expect(yield* shownIn(here.pool, "a")).toEqual({ votes: 3 })
  })

  scenario("judges rights and quotas in the turn of a merge", function* () {
    const backend = yield* MergePool.memory()
    const actions = ["open", "read", "write", "subscribe"] as const
    const authorize = (principal: string): MergePool.Grant<MergePool.PoolCell> => ({
      actions: principal === "eve" ? ["read", "subscribe"] : actions,
      ...(principal === "bob" ? { view: ({ row }) => row !== "secret" } : {})
    })
    const { pool, pools } = yield* opened(backend, {}, { authorize, quotas: { records: 3 } })
    const ann = yield* editorOf(pool, "ann")
    const bob = yield* editorOf(pool, "bob")
    const eve = yield* editorOf(pool, "eve")
    yield* ann.title("secret", "of ann")
    const refused = yield* Effect.flip(bob.title("secret", "of bob"))
    expect(refused).toMatchObject({ reason: "Forbidden", row: "secret" })
    expect(yield* Effect.flip(eve.title("a", "of eve"))).toMatchObject({ reason: "Forbidden" })
    const stolen = { principal: "bob", client: ann.as.client }
    const { patch } = yield* ann.replica.edit("a", { title: { _tag: "Set", value: "stolen" } })
    expect(yield* Effect.flip(ticked(pool.merge(patch, { as: stolen })))).toMatchObject({
      reason: "Forbidden"
    })
    const three = ["b", "c", "d"].map((key) =>
      Effect.either(ann.send(key, { title: { _tag: "Set", value: key } }))
    )
    const results = yield* ticked(Effect.all(three, { concurrency: "unbounded" }))
    expect(results.map(({ _tag }) => _tag)).toEqual(["Right", "Right", "Left"])
    expect(results[2]).toMatchObject({ left: { reason: "QuotaExceeded" } })
    yield* ann.remove("b")
    const member = yield* followed(pool, { as: bob.as })
    expect(shownBy(member.frames)).toEqual(['c/title="c"'])
    expect((yield* pools.stats).refused).toBe(4)
  })

  scenario(
    "judges the right to write in the turn of a merge, which may be revoked while it waits",
    function* () {
      const backend = yield* MergePool.memory()
      let mayWrite = true
      const authorize = (): MergePool.Grant<MergePool.PoolCell> => ({
        actions: mayWrite ? ["open", "read", "write", "subscribe"] : ["read", "subscribe"]
      })
      const { pool, pools } = yield* opened(backend, {}, { authorize })
      const ann = yield* editorOf(pool, "ann")
      const sent = (key: string) =>
        Effect.match(ann.send(key, { title: { _tag: "Set", value: key } }), {
          onFailure: (error) => error._tag === "MergeError" && error.reason,
          onSuccess: () => "Merged"
        })
      const first = yield* started(sent("a"))
      const second = yield* started(sent("b"))
      mayWrite = false
      yield* pools.revoke("ann")
      yield* TestClock.adjust(200)
      expect(yield* Effect.flatten(first.await)).toBe("Merged")
      expect(yield* Effect.flatten(second.await)).toBe("Forbidden")
      expect(yield* shownIn(pool, "b")).toEqual({})
    }
  )

  scenario("shows a merge where it was answered", function* () {
    const { here } = yield* both
    const ann = yield* editorOf(here.pool, "ann")
    const sent = ann.send("a", { title: { _tag: "Set", value: "one" } })
    const row = yield* ticked(Effect.andThen(sent, shownIn(here.pool, "a")))
    expect(row).toEqual({ title: "one" })
  })

  scenario("ends a process that joins by former strategies, and takes nothing of it", function* () {
    const memory = yield* MergePool.memory()
    const gate = yield* Deferred.make<void>()
    const slow: MergePool.Backend = {
      ...memory,
      save: (batch, token) => Effect.andThen(Deferred.await(gate), memory.save(batch, token))
    }
    const here = yield* opened(slow)
    const ann = yield* editorOf(here.pool, "ann")
    const merging = yield* started(Effect.flip(ann.send("a", { bid: { _tag: "Set", value: 1 } })))
    const pools = yield* MergePool.make(memory, { name: "newer" })
    const newer = {
      ...permanent,
      strategies: otherFields,
      migrate: ({ cell, field }: MergePool.StoredCell) => ({ cell, field })
    }
    const next = yield* pools.open(newer)
    yield* settled
    expect(yield* Effect.flip(here.pool.touch)).toMatchObject({ reason: "Failed" })
    yield* Deferred.succeed(gate, undefined)
    yield* TestClock.adjust(100)
    expect((yield* Fiber.join(merging)).message).toMatch(/load the program anew/)
    expect((yield* next.state({ read: "latest" })).rows).toEqual([])
  })

  scenario("is migrated with what was written while it was loaded", function* () {
    const memory = yield* MergePool.memory()
    const here = yield* opened(memory)
    const ann = yield* editorOf(here.pool, "ann")
    yield* ann.title("a", "before")
    const writes = ["b", "a"].map((key) => ann.send(key, { title: { _tag: "Set", value: "meanwhile" } }))
    const meanwhile = Effect.suspend(() => Effect.ignore(writes.shift() ?? Effect.void))
    const busy: MergePool.Backend = {
      ...memory,
      open: (stored) =>
        Effect.map(memory.open(stored), (one) => ({ ...one, load: Effect.zipLeft(one.load, meanwhile) }))
    }
    const pools = yield* MergePool.make(busy, { name: "newer" })
    const migrate: MergePool.Migrate = ({ cell: [reset, title], field }) => ({
      field,
      cell: [reset, `${title}!`]
    })
    const newer = { ...permanent, strategies: otherFields, migrate }
    const opening = yield* Effect.fork(pools.open(newer))
    yield* Effect.repeatN(TestClock.adjust(100), 3)
    const next = yield* Fiber.join(opening)
    expect(yield* shownIn(next, "a")).toEqual({ title: "meanwhile!" })
    expect(yield* shownIn(next, "b")).toEqual({ title: "meanwhile!" })
  })

  scenario(
    "is not migrated for ever while others add rows: its opening fails, and says what to do",
    function* () {
      const memory = yield* MergePool.memory()
      const here = yield* opened(memory)
      const ann = yield* editorOf(here.pool, "ann")
      yield* ann.title("a", "before")
      const loads: Array<number> = []
      const next = Effect.flatMap(Clock.currentTimeMillis, (now) => {
        loads.push(now)
        const key = `row ${loads.length}`
        return loads.length < writers ? ann.send(key, { title: { _tag: "Set", value: "new" } }) : Effect.void
      })
      let writers = Number.POSITIVE_INFINITY
      const busy: MergePool.Backend = {
        ...memory,
        open: (stored) =>
          Effect.map(memory.open(stored), (one) => ({
            ...one,
            load: Effect.zipLeft(one.load, Effect.ignore(next))
          }))
      }
      const pools = yield* MergePool.make(busy, { name: "newer" })
      const migrate: MergePool.Migrate = ({ cell, field }) => ({ field, cell })
      const newer = { ...permanent, strategies: otherFields, migrate }
      const opening = yield* Effect.fork(Effect.either(pools.open(newer)))
      yield* Effect.repeatN(TestClock.adjust(100), 100)
      const outcome = yield* Fiber.poll(opening)
      expect(outcome).toMatchObject({
        value: { value: { left: { _tag: "OpenError", reason: "Unavailable" } } }
      })
      expect(JSON.stringify(outcome)).toMatch(/Stop the processes that write it/)
      expect(loads.length).toBe(11)
      // The pauses grow: a burst of writes passes meanwhile.
      expect(loads[10]! - loads[0]!).toBeGreaterThan(6_000)
      expect(yield* shownIn(here.pool, "row 1")).toEqual({ title: "new" })
      writers = loads.length + 3
      const again = yield* Effect.fork(pools.open(newer))
      yield* Effect.repeatN(TestClock.adjust(100), 20)
      expect(yield* shownIn(yield* Fiber.join(again), "row 13")).toEqual({ title: "new" })
    }
  )
})
