/** A pool that serves clients of an exchange: how they come up to date, within their rights, and what they are sent. */
import { describe, expect } from "@effect/vitest"
import { Effect, Stream, TestClock } from "effect"
import * as MergePool from "../../src/MergePool.js"
import { clientIn, type Exchanged, exchanged, tagOf } from "../support/mergePool/exchanged.js"
import { board, clientOf, strategies } from "../support/mergePool/served.js"
import { scenario, settled } from "../support/time/turn.js"
import { label, remove, title, vote } from "./pools.js"

/** Lets a tick pass. */
const tick = Effect.andThen(TestClock.adjust(50), settled)

const count = ({ tags }: Exchanged, tag: string): number => tags.filter((each) => each === tag).length

/** The requests that each wait for an answer. */
const tripsOf = ({ tags }: Exchanged) =>
  tags.filter((tag) => ["Hello", "Nodes", "Compare", "AskWhole", "Verify"].includes(tag))

const refusedOf = ({ actions }: Exchanged) =>
  actions.flatMap((each) => (each._tag === "Refused" ? [each.reason] : []))

const endsOf = ({ actions }: Exchanged) =>
  actions.flatMap((each) => (each._tag === "Ended" ? [each.reason] : []))

const forget = (line: Exchanged): void => {
  line.tags.length = 0
  line.lines.length = 0
}

/** What a client that holds nothing begins with. */
const helloOf = (client: string): string => {
  const [first] = clientIn(strategies, client).connect(0)
  return first?._tag === "Send" ? first.message : ""
}

/** Writes rows as the server itself. */
const written = (pool: MergePool.PoolHandle, rows: number, value: string) =>
  Effect.gen(function* () {
    const server = yield* clientOf(pool, "server")
    for (let n = 0; n < rows; n++) {
      const { patch } = yield* server.replica.edit(`row ${n}`, { title: { _tag: "Set", value } })
      yield* pool.merge(patch)
    }
    yield* tick
  })

const all: ReadonlyArray<MergePool.Action> = ["open", "read", "write", "subscribe"]

describe("a client of a pool", () => {
  scenario("brings its edits to the others, one change for each tick", function* () {
    const { pool } = yield* board()
    const ann = yield* exchanged(pool, "ann")
    const bob = yield* exchanged(pool, "bob")
    yield* ann.connect()
    yield* bob.connect()
    yield* tick
    expect([ann.client.phase(), bob.client.phase()]).toEqual(["Live", "Live"])
    forget(bob)
    yield* ann.edit(title("a", "first"))
    yield* settled
    for (let n = 0; n < 100; n++) yield* ann.edit(vote("a"))
    yield* ann.edit(label("a", "x"))
    yield* settled
    expect(count(bob, "Delta")).toBe(1)
    expect(ann.client.unsent()).toEqual([])
    yield* tick
    expect(count(bob, "Delta")).toBe(2)
    expect(bob.shown()).toEqual({ a: { title: "first", votes: 100, labels: ["x"] } })
    expect(ann.shown()).toEqual(bob.shown())
    yield* bob.edit(remove("a"))
    yield* tick
    expect([ann.shown(), bob.shown()]).toEqual([{}, {}])
    expect(refusedOf(ann)).toEqual([])
  })

  scenario("resumes by its cursor, by the hash tree, or by the whole state", function* () {
    const { pool } = yield* board({}, { maxRevisions: 20 })
    yield* written(pool, 500, "old")
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* tick
    expect(tripsOf(ann)).toEqual(["Hello", "Verify"])
    expect(Object.keys(ann.shown())).toHaveLength(500)
    yield* ann.cut
    forget(ann)
    yield* written(pool, 1, "new")
    yield* ann.edit(vote("row 7"))
    yield* ann.connect()
    yield* tick
    expect(tripsOf(ann)).toEqual(["Hello"])
    expect(ann.shown()["row 0"]).toEqual({ title: "new" })
    expect(yield* pool.hash()).toBe(ann.client.hash())
    yield* ann.cut
    forget(ann)
    const server = yield* clientOf(pool, "server")
    for (let n = 0; n < 30; n++) {
      const { patch } = yield* server.replica.edit("row 3", { title: { _tag: "Set", value: `${n}` } })
      yield* pool.merge(patch)
      yield* tick
    }
    yield* ann.edit(vote("row 8"))
    yield* ann.connect()
    yield* tick
    expect(tripsOf(ann)).toEqual(["Hello", "Nodes", "Compare", "Verify"])
    expect(ann.client.phase()).toBe("Live")
    expect(ann.shown()["row 3"]).toEqual({ title: "29" })
    yield* tick
    expect(yield* pool.hash()).toBe(ann.client.hash())
  })
})

describe("the sum of a pool", () => {
  scenario("is that of what the client was sent, also while edits come in every tick", function* () {
    const { pool } = yield* board()
    yield* written(pool, 300, "old")
    const bob = yield* exchanged(pool, "bob")
    yield* bob.connect()
    yield* tick
    const ann = yield* exchanged(pool, "ann")
    yield* bob.edit(vote("row 1"))
    yield* bob.edit(vote("row 1"))
    yield* ann.edit(vote("row 2"))
    yield* ann.connect()
    for (let n = 0; n < 10; n++) {
      // The tick is never empty when the client asks, and its own edits are answered before their change.
      yield* bob.edit(title("row 5", `${n}`))
      yield* ann.edit(vote("row 2"))
      yield* settled
      yield* TestClock.adjust(13)
    }
    yield* tick
    expect(tripsOf(ann)).toEqual(["Hello", "Verify"])
    expect(ann.client.phase()).toBe("Live")
    yield* tick
    expect(ann.shown()).toEqual(bob.shown())
    expect(ann.client.hash()).toBe(yield* pool.hash())
    expect(ann.shown()["row 2"]).toEqual({ title: "old", votes: 11 })
  })
})

describe("an answer", () => {
  scenario("may come before its change, and before a sum that it is no part of", function* () {
    const { pool } = yield* board()
    yield* written(pool, 3, "old")
    yield* tick
    const server = yield* clientOf(pool, "server")
    const change = Effect.flatMap(
      server.replica.edit("row 1", { votes: { _tag: "Increment", by: 1 } }),
      ({ patch }) => pool.merge(patch)
    )
    const { client: id } = yield* MergePool.replica(strategies)
    const ann = clientIn(strategies, id)
    const serving = yield* pool.serve({ as: { principal: "ann", client: id } })
    const pull = yield* Stream.toPull(serving.messages)
    const tags: Array<string> = []
    const send = (actions: ReadonlyArray<MergePool.ClientAction>) =>
      Effect.forEach(actions, (action) => {
        if (action._tag !== "Send") return Effect.void
        tags.push(tagOf(action.message))
        return serving.receive(action.message)
      })
    const take = Effect.flatMap(pull, ([line]) => {
      tags.push(tagOf(line!))
      return send(ann.receive(line!, 0))
    })
    yield* send(ann.connect(0))
    yield* Effect.andThen(take, take)
    yield* change
    yield* change
    const taken = yield* Effect.fork(Effect.andThen(take, take))
    yield* TestClock.adjust(50)
    yield* taken
    // The tick is over, and its sum is made. What comes now is of the next one.
    const made = ann.edit(vote("row 2"), 0)
    if ("_tag" in made) throw new Error(made.message)
    yield* send(made)
    yield* Effect.andThen(take, take)
    expect(tags).toEqual([
      "Hello",
      "Welcome",
      "Part",
      "Verify",
      "Delta",
      "Delta",
      "Merge",
      "Acknowledged",
      "Root"
    ])
    expect(ann.phase()).toBe("Live")
    expect(ann.unsent()).toEqual([])
  })
})

describe("a client that sees a part", () => {
  scenario("gets its cells only, loses those that it may see no more, and compares no sums", function* () {
    const { pool } = yield* board({
      authorize: (principal) => ({
        actions: all,
        ...(principal === "eve"
          ? {
              view: ({ field, row, value }: MergePool.PoolCell) =>
                !row.startsWith("secret") && !(field === "title" && value === "hidden")
            }
          : {})
      })
    })
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* ann.edit(title("secret", "of ann"))
    yield* ann.edit(title("open", "to all"))
    yield* tick
    const eve = yield* exchanged(pool, "eve")
    yield* eve.connect()
    yield* tick
    expect(tripsOf(eve)).toEqual(["Hello"])
    expect(eve.client.phase()).toBe("Live")
    yield* ann.edit(title("secret", "of ann, still"))
    yield* ann.edit(vote("open"))
    yield* eve.edit(vote("open", 2))
    yield* tick
    yield* tick
    expect(eve.shown()).toEqual({ open: { title: "to all", votes: 3 } })
    yield* ann.edit(title("open", "hidden"))
    yield* tick
    yield* tick
    expect(eve.shown()).toEqual({ open: { votes: 3 } })
    yield* ann.edit(title("open", "again"))
    yield* tick
    yield* tick
    expect(eve.shown()).toEqual({ open: { title: "again", votes: 3 } })
    yield* eve.cut
    yield* ann.edit(title("open", "hidden"))
    yield* ann.edit(title("secret 2", "of ann"))
    yield* tick
    forget(eve)
    yield* eve.connect()
    yield* tick
    expect(eve.tags.slice(0, 3)).toEqual(["Hello", "Welcome", "Delta"])
    expect(eve.shown()).toEqual({ open: { votes: 3 } })
    yield* eve.edit(title("secret", "of eve"))
    yield* settled
    expect(refusedOf(eve)).toEqual(["Forbidden"])
    expect(JSON.stringify(eve.actions)).not.toContain("of ann")
    expect(eve.lines.join()).not.toContain("secret")
    eve.alter = (text) => text.replace(/.*/, JSON.stringify({ _tag: "Verify" }))
    yield* eve.edit(vote("open"))
    yield* settled
    expect(endsOf(eve)).toEqual(["Unexpected"])
  })

  scenario(
    "begins anew with what it may see when its rights change, and gets no frame of older ones",
    function* () {
      let visible: string | undefined
      const { pool, pools } = yield* board({
        authorize: (principal) => ({
          actions: all,
          ...(principal === "eve" && visible !== undefined
            ? { view: ({ row }: MergePool.PoolCell) => row === visible }
            : {})
        })
      })
      const ann = yield* exchanged(pool, "ann")
      yield* ann.connect()
      for (const key of ["a", "b"]) yield* ann.edit(title(key, "1"))
      yield* tick
      const eve = yield* exchanged(pool, "eve")
      yield* eve.connect()
      yield* tick
      expect(tripsOf(eve)).toEqual(["Hello", "Verify"])
      forget(eve)
      yield* ann.edit(title("a", "2"))
      visible = "b"
      yield* pools.revoke("eve")
      yield* tick
      expect(eve.shown()).toEqual({ b: { title: "1" } })
      expect(eve.lines.join()).not.toContain('"2"')
      expect(eve.client.phase()).toBe("Live")
      forget(eve)
      visible = undefined
      yield* pools.revoke("eve")
      yield* tick
      expect(tripsOf(eve)).toEqual(["Verify"])
      expect(eve.shown()).toEqual({ a: { title: "2" }, b: { title: "1" } })
      expect(eve.client.hash()).toBe(yield* pool.hash())
    }
  )
})

describe("an exchange with a pool", () => {
  scenario("ends with the pool, with the client's rights, and with what is no message", function* () {
    let mayRead = true
    const { pool, pools } = yield* board({ authorize: () => ({ actions: mayRead ? all : ["write"] }) })
    const lines: Record<string, Exchanged> = {}
    for (const name of ["ended", "left", "malformed", "late", "revoked"]) {
      lines[name] = yield* exchanged(pool, name)
      yield* lines[name].connect()
    }
    const { ended, late, left, malformed, revoked } = lines as Record<string, Exchanged>
    yield* tick
    yield* pools.unsubscribeAll(left!.client.client)
    malformed!.alter = () => "{"
    yield* malformed!.edit(vote("a"))
    late!.alter = () => JSON.stringify({ _tag: "Nodes", nodes: [1] })
    yield* late!.edit(vote("a"))
    late!.alter = () => JSON.stringify({ _tag: "Nodes", nodes: [2] })
    yield* late!.edit(vote("a"))
    yield* settled
    expect([left, malformed, late].map((line) => endsOf(line!))).toEqual([
      ["Closed"],
      ["Malformed"],
      ["Unexpected"]
    ])
    yield* ended!.edit(title("a", "first"))
    yield* ended!.edit(title("a", "last"))
    mayRead = false
    yield* pools.revoke("revoked")
    yield* settled
    expect(endsOf(revoked!)).toEqual(["Unauthorized"])
    const refused = yield* exchanged(pool, "refused")
    yield* refused.connect()
    yield* settled
    expect(endsOf(refused)).toEqual(["Unauthorized"])
    yield* pool.end
    yield* settled
    expect(endsOf(ended!)).toEqual(["Ended"])
    expect(ended!.shown()).toEqual({ a: { title: "last" } })
    expect(yield* Effect.flip(Effect.scoped(pool.serve()))).toMatchObject({
      _tag: "StoreEnded",
      reason: "Ended"
    })
    expect((yield* pools.stats).subscribers).toBe(0)
  })

  scenario("with other strategies follows, and cannot merge", function* () {
    const { pool } = yield* board()
    const ann = yield* exchanged(pool, "ann")
    yield* ann.connect()
    yield* ann.edit(title("a", "first"))
    yield* tick
    const old = yield* exchanged(pool, "old", { ...strategies, title: MergePool.max })
    yield* old.connect()
    yield* tick
    yield* ann.edit(title("b", "second"))
    yield* tick
    expect(old.client.phase()).toBe("Foreign")
    const foreign = old.actions.flatMap((each) =>
      each._tag === "Foreign" ? [[each.isWhole, each.patch.rows.map(([key]) => key)]] : []
    )
    expect(foreign).toEqual([
      [true, ["a"]],
      [false, ["b"]]
    ])
    expect(tripsOf(old)).toEqual(["Hello"])
  })

  scenario(
    "whose join breaks its laws takes the whole state once at its begin, and its other fields go on",
    function* () {
      // It is not idempotent: what comes again counts again.
      const sum = MergePool.custom<number>({
        name: "sum",
        join: (a, b) => a + b,
        encode: (value) => value,
        decode: (data) => Number(data)
      })
      const fields = { ...strategies, sum }
      const pools = yield* MergePool.make(yield* MergePool.memory())
      const pool = yield* pools.open({ id: "board", strategies: fields, maxRevisions: 2 })
      const lines = [yield* exchanged(pool, "ann", fields), yield* exchanged(pool, "bob", fields)]
      const round = (value: number) =>
        Effect.gen(function* () {
          for (const line of lines) {
            yield* line.edit({ _tag: "Row", key: "a", fields: { sum: { _tag: "Set", value } } })
            yield* line.edit(vote("a"))
          }
          yield* lines[0]!.edit(title("a", `round ${value}`))
          yield* tick
        })
      for (const line of lines) yield* line.connect()
      yield* tick
      for (const value of [1, 2, 3]) yield* round(value)
      for (const line of lines) yield* line.cut
      // More than the pool keeps for followers that come back.
      for (let n = 0; n < 5; n++) yield* written(pool, 1, `${n}`)
      for (const value of [4, 5]) yield* round(value)
      for (const line of lines) {
        forget(line)
        yield* line.connect()
        yield* tick
        yield* tick
        // The sums differ once: then it takes the whole state instead of what it has joined.
        expect(tripsOf(line)).toEqual(["Hello", "Nodes", "Compare", "Verify", "AskWhole", "Verify"])
        expect(line.client.phase()).toBe("Live")
        expect(line.client.unsent()).toEqual([])
      }
      forget(lines[0]!)
      yield* round(6)
      yield* tick
      expect(tripsOf(lines[0]!)).toEqual([])
      for (const line of lines) expect(line.shown()).toMatchObject({ a: { title: "round 6", votes: 12 } })
      expect(lines.flatMap((line) => [...endsOf(line), ...refusedOf(line)])).toEqual([])
    }
  )

  scenario("sends the whole state in parts of 512 rows and 64 KiB, read when they are taken", function* () {
    const { pool } = yield* board()
    const server = yield* clientOf(pool, "server")
    const patchOf = (keys: ReadonlyArray<string>, value: string) =>
      Effect.map(
        Effect.forEach(keys, (key) => server.replica.edit(key, { title: { _tag: "Set", value } })),
        (edits): MergePool.Patch => ({ horizon: "", rows: edits.flatMap(({ patch }) => patch.rows) })
      )
    yield* pool.merge(
      yield* patchOf(
        Array.from({ length: 1_100 }, (_, n) => `row ${n}`),
        ""
      )
    )
    yield* pool.merge(
      yield* patchOf(
        Array.from({ length: 10 }, (_, n) => `large ${n}`),
        "x".repeat(20_000)
      )
    )
    yield* pool.merge(yield* patchOf(["huge"], "x".repeat(200_000)))
    yield* tick
    const serving = yield* pool.serve()
    const ann = clientIn(strategies, server.client)
    for (const action of ann.connect(0)) if (action._tag === "Send") yield* serving.receive(action.message)
    let parts = 0
    yield* serving.messages.pipe(
      Stream.takeUntil((line) => line.includes('"isLast":true')),
      Stream.runForEach((line) =>
        Effect.gen(function* () {
          if (tagOf(line) === "Part") {
            parts++
            const { rows } = JSON.parse(line)
            expect(rows.length).toBeLessThanOrEqual(512)
            expect(line.length < 2 ** 16 + 100 || rows.length === 1).toBe(true)
            // What is changed between two parts is not held as it was.
            if (parts === 1) yield* pool.merge(yield* patchOf(["huge"], "small"))
          }
          ann.receive(line, 0)
        })
      )
    )
    expect(parts).toBe(6)
    expect(ann.get("huge")).toEqual(new Map([["title", "small"]]))
    expect(ann.rows().size).toBe(1_111)
  })

  scenario(
    "costs nothing by a client that takes nothing: it waits with its requests, and gets all then",
    function* () {
      const { pool } = yield* board()
      yield* written(pool, 10, "old")
      const serving = yield* pool.serve({
        as: { principal: "slow", client: (yield* MergePool.replica(strategies)).client }
      })
      const hello = helloOf("-----------")
      yield* serving.receive(hello)
      const sending = yield* Effect.fork(
        Effect.forEach(
          Array.from({ length: 1_000 }),
          () => serving.receive(JSON.stringify({ _tag: "Verify" })),
          { discard: true }
        )
      )
      const ann = yield* exchanged(pool, "ann")
      yield* ann.connect()
      for (let n = 0; n < 20; n++) {
        yield* ann.edit(title(`row ${n % 10}`, `${n}`))
        yield* TestClock.adjust(50)
      }
      yield* settled
      // It is not read any further.
      expect(sending.unsafePoll()).toBeNull()
      const taken: Array<string> = []
      yield* Effect.forkScoped(
        Stream.runForEach(serving.messages, (line) => Effect.sync(() => taken.push(line)))
      )
      yield* tick
      expect(sending.unsafePoll()).not.toBeNull()
      const titles = taken.filter((line) => tagOf(line) === "Delta").join()
      for (let n = 10; n < 20; n++) expect(titles).toContain(`"${n}"`)
      expect(taken.filter((line) => tagOf(line) === "Root").length).toBeLessThan(10)
    }
  )
})
