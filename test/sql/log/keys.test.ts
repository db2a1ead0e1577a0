/**
 * The index of keys of logs in databases: every way to append keeps it, it counts on when events are removed, and a feed
 * without it is another feed.
 */
import { SqlClient } from "@effect/sql/SqlClient"
import { describe, expect, it } from "@effect/vitest"
import { type Context, Effect, type Scope } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import { Column } from "../../../src/Storage.js"
import * as SqlChangeLog from "../../../src/sql/SqlChangeLog.js"
import * as SqlStorage from "../../../src/sql/SqlStorage.js"
import * as SqlTable from "../../../src/sql/SqlTable.js"
import * as Table from "../../../src/Table.js"
import { expectIndexed, historyOf, indexOf } from "./indexed.js"
import { all, make, type Place, places } from "./places.js"

const { put, remove } = ChangeLog

type Log = SqlChangeLog.SqlChangeLog<unknown>
type Changes = ReadonlyArray<ChangeLog.Change<unknown>>
type Feed = Pick<SqlChangeLog.LogOptions, "table" | "feed" | "state" | "keys">

/** Revisions of one or more changes: of several keys, of one key twice, removals, values of any kind and of none. */
const revisions: ReadonlyArray<Changes> = [
  [put("/a/1", { kind: "made", data: 1 })],
  [put("/a/1", { kind: "paid" }), put("/a/2", { kind: "made" }), put("/a/1", 7)],
  [put("/é", { kind: "paid", data: "é\"'\\" })],
  [remove("/a/2"), put("/a/10", { kind: 5 })],
  [put("/b", null), put("/b", { kind: "made", data: [] })],
  [ChangeLog.forgotten("/a/1"), put("/a/1", { kind: "other" })]
]

const records = { id: Column.text, n: Column.integer }

const rowsOf = (from: number) => revisions.map((_, n) => ({ id: `row ${from + n}`, n }))

const accounts = Table.define({
  name: "accounts",
  columns: { id: Column.text, kind: Column.text },
  id: "id"
})

type Append = (
  log: Log,
  context: Context.Context<SqlClient>,
  feed: Feed
) => Effect.Effect<unknown, unknown, Scope.Scope>

const each =
  (append: (changes: Changes, log: Log) => Effect.Effect<unknown, unknown>): Append =>
  (log) =>
    Effect.forEach(revisions, (changes) => append(changes, log))

/** Ways to append: the index is the same whatever way was taken. */
const ways = {
  append: each((changes, log) => log.append(changes)),
  commit: each((changes, log) => log.commit([{ changes }, { id: changes[0]!.key, changes }])),
  "commit of what it expects": each((changes, log) =>
    log.commit([{ changes, expect: [{ key: "/never", generation: 0 }] }, { changes }])
  ),
  asStorage: (log) =>
    ChangeLog.asStorage(log, (changes: Changes) => ({ changes })).save([...revisions, ...revisions]),
  transact: (log, context) =>
    Effect.forEach(revisions, (changes) =>
      SqlChangeLog.transact(({ append, commit }) =>
        Effect.andThen(append(log, changes), commit(log, [{ changes }, { changes }]))
      )
    ).pipe(Effect.provide(context)),
  "a transaction of its client": (log, context) =>
    Effect.flatMap(Effect.provide(SqlClient, context), (sql) =>
      sql.withTransaction(Effect.forEach(revisions, (changes) => log.append(changes)))
    ),
  "a storage's log": (_, context, feed) =>
    Effect.gen(function* () {
      const toEntry = ({ n }: { readonly n: number }) => ({ changes: revisions[n]! })
      const log = { ...feed, toEntry }
      const storage = yield* SqlStorage.make({ table: "records", columns: records, id: "id", log })
      yield* storage.save(rowsOf(0))
      yield* storage.save([...rowsOf(3), ...rowsOf(12)])
    }).pipe(Effect.provide(context)),
  "a table's log": (_, context, log) =>
    Effect.gen(function* () {
      const table = yield* SqlTable.make(accounts, { log })
      const rows = ["/a/1", "/b", "/é"].map((id) => Table.Write.insert({ id, kind: "made" }))
      yield* table.write(rows, "first")
      yield* table.write(rows.slice(1), "second")
      yield* table.write([Table.Write.delete("/b")], "third")
    }).pipe(Effect.provide(context))
} satisfies Record<string, Append>

const suite = (name: string, place: Effect.Effect<Place, unknown, Scope.Scope>) =>
  describe(`keys in ${name}`, () => {
    /** Appends to a feed of its own by each of these ways. */
    const indexedBy = (context: Context.Context<SqlClient>, names: ReadonlyArray<keyof typeof ways>) =>
      Effect.forEach(names, (way, n) =>
        Effect.gen(function* () {
          const state = n % 2 ? "latest" : "none"
          const feed = { table: "log", keys: "indexed", feed: way, state } as const
          const log = yield* make(context, feed)
          yield* ways[way](log, context, feed)
          yield* log.append(revisions[1]!)
          yield* expectIndexed(log)
        })
      )

    it.scopedLive("are indexed by every way to append, and read by every handle", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        yield* indexedBy(context, ["append", "commit", "asStorage"])
        // What one handle has appended is what another one, of connections of its own, goes on from.
        const other = yield* own({ table: "log", keys: "indexed", feed: "append" })
        yield* other.append(revisions[1]!)
        yield* expectIndexed(other)
      })
    )

    it.scopedLive("are indexed by every transaction", () =>
      Effect.flatMap(place, ({ context }) =>
        indexedBy(context, ["transact", "a transaction of its client", "commit of what it expects"])
      )
    )

    it.scopedLive("are indexed by storages and tables", () =>
      Effect.flatMap(place, ({ context }) => indexedBy(context, ["a storage's log", "a table's log"]))
    )

    it.scopedLive("count on when events are removed, and are never a part for the whole", () =>
      Effect.gen(function* () {
        const log = yield* (yield* place).own({ table: "log", keys: "indexed" })
        const index = indexOf(log)
        for (const changes of revisions) yield* log.append(changes)
        const before = yield* index.history("/a/1", { limit: 10 })
        yield* log.compact(2)
        expect(yield* Effect.flip(index.history("/a/1", { limit: 10 }))).toMatchObject({
          _tag: "Compacted",
          floor: 2
        })
        const at = (n: number) => {
          const { event, generation } = before.events[n]!
          return { generation, revision: event.revision }
        }
        // The last one that is removed is a base; one before it is none.
        const rest = yield* index.history("/a/1", { limit: 10, after: at(2) })
        expect(rest.events).toEqual(before.events.slice(3))
        expect(yield* Effect.flip(index.history("/a/1", { limit: 10, after: at(1) }))).toMatchObject({
          _tag: "Compacted"
        })
        const foreign = { ...at(2), revision: { ...at(2).revision, tag: at(2).revision.tag ^ 1 } }
        expect(yield* Effect.flip(index.history("/a/1", { limit: 10, after: foreign }))).toMatchObject({
          _tag: "EpochChanged"
        })
        yield* log.compact(6)
        expect(yield* index.history("/a/1", { limit: 10, after: rest.last! })).toMatchObject({
          events: [],
          more: false,
          last: rest.last
        })
        yield* log.append([put("/a/1", { kind: "made" }), put("/new", 1)])
        expect((yield* historyOf(log, "/new")).events).toEqual([[1, "/new 1@7"]])
        const next = yield* index.history("/a/1", { limit: 10, after: rest.last! })
        expect(next.events.map(({ generation }) => generation)).toEqual([rest.last!.generation + 1])
      })
    )

    it.scopedLive("keep their events when the epoch is renewed", () =>
      Effect.gen(function* () {
        const log = yield* (yield* place).own({ table: "log", keys: "indexed", state: "latest" })
        for (const changes of revisions) yield* log.append(changes)
        yield* log.compact(1)
        const { head: before } = yield* log.head
        const { events } = yield* historyOf(log, "/b")
        const epoch = yield* log.renewEpoch
        expect((yield* log.head).head).toEqual({ ...before, epoch })
        expect(yield* Effect.flip(indexOf(log).scan({ after: before, limit: 1 }))).toMatchObject({ epoch })
        expect((yield* historyOf(log, "/b")).events).toEqual(events)
        expect((yield* all(log)).length).toBe(revisions.length - 1)
        yield* log.append([put("/b", 1)])
        expect((yield* historyOf(log, "/b")).events).toEqual([...events, [3, "/b 1@7"]])
      })
    )

    it.scopedLive("are held for readers: retention leaves what they read next, compact does not", () =>
      Effect.gen(function* () {
        const { own } = yield* place
        const feed = { table: "log", keys: "indexed" } as const
        const writer = yield* own(feed)
        for (const changes of revisions) yield* writer.append(changes)
        // From here on there is no commit that its background would wake for.
        const log = yield* own({ ...feed, retention: { count: 1 } })
        const { hold, release } = indexOf(log)
        const { head } = yield* log.head
        const third = (yield* log.revisionAt!(3))!
        yield* hold("slow", (yield* log.revisionAt!(1))!)
        yield* hold("slow", third)
        yield* hold("quick", head)
        expect(yield* Effect.flip(hold("foreign", { ...third, tag: third.tag ^ 1 }))).toMatchObject({
          _tag: "EpochChanged"
        })
        expect([yield* log.prune, (yield* log.head).floor]).toEqual([3, third])
        const next = yield* indexOf(writer).scan({ after: third, limit: 10, kinds: ["made"] })
        expect(next.revisions.map(({ revision }) => revision.seq)).toEqual([5, 6])
        yield* indexOf(yield* own(feed)).release("slow")
        expect(yield* log.prune).toBe(2)
        yield* release("quick")
        yield* hold("slow", (yield* log.head).floor)
        yield* log.compact(6)
        expect((yield* log.head).floor).toEqual(head)
      })
    )

    it.scopedLive("are refused of a feed that has none, and a feed that has some by a handle without", () =>
      Effect.gen(function* () {
        const { context, own } = yield* place
        const plain = yield* own({ table: "log", feed: "plain" })
        expect(plain.index).toBe(undefined)
        yield* own({ table: "log", feed: "indexed", keys: "indexed" })
        const refused = yield* Effect.forEach(
          [
            own({ table: "log", feed: "plain", keys: "indexed" }),
            make(context, { table: "log", feed: "indexed" }),
            own({ table: "log", feed: "indexed", keys: "indexed", state: "latest" })
          ],
          Effect.flip
        )
        expect(refused.map(({ _tag }) => _tag)).toEqual(["StorageError", "StorageError", "StorageError"])
        expect(refused[0]?.message).toContain("read all revisions of this one and commit their changes to it")
        expect(refused[1]?.message).toContain('make it with keys: "indexed"')
        expect(refused[2]?.message).toContain('make it with state: "none"')
        const expecting = { changes: [put("/a", 1)], expect: [{ key: "/a", generation: 0 }] }
        expect(yield* Effect.flip(plain.commit([expecting]))).toMatchObject({ reason: "Invalid", index: 0 })
        const log = { table: "log", feed: "indexed", keys: "indexed", toEntry: () => expecting } as const
        const storage = yield* Effect.provide(
          SqlStorage.make({ table: "records", columns: records, id: "id", log }),
          context
        )
        const error = yield* Effect.flip(storage.save([{ id: "a", n: 1 }]))
        expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 0 }] })
      })
    )
  })

for (const [name, place] of places) suite(name, place)
