/** Composing a recorder: layers, mapInput, and the options it is made with. */
import { describe, expect } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope, TestClock } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { Column, type MemoryQuery, Query, type RowOf } from "../../src/Storage.js"
import { closeAndAccount, expectBalance, numbers } from "../support/recorder/account.js"
import { backend, type Matching } from "../support/recorder/backends.js"
import { microtasks, scenario, settled, started, withTurn } from "../support/time/turn.js"

const raise = (message: string): never => {
  throw new Error(message)
}

describe("layer", () => {
  class Audit extends Context.Tag("test/Audit")<
    Audit,
    Recorder.Recorder<number, Matching<number>, ReadonlyArray<number>>
  >() {}
  class Database extends Context.Tag("test/Database")<Database, { readonly name: string }>() {}

  const handler = (record: number) => Effect.map(Audit, (audit) => audit.unsafeSave(record))

  scenario("is there at once, and takes records before its storage has come", function* () {
    const layer = Recorder.layer(Audit, Effect.never, { closeDeadline: 0 })
    const built = yield* started(Effect.provide(handler(1), layer))
    // Its end is waited for, its beginning is not.
    yield* TestClock.adjust("100 millis")
    expect(yield* Fiber.join(built)).toBe(true)
  })

  scenario("composes with other services, and drains when its scope ends", function* () {
    const storage = backend<number>()
    const events: Array<string> = []
    const database = Layer.scoped(
      Database,
      Effect.acquireRelease(Effect.succeed({ name: "db" }), () =>
        Effect.sync(() => void events.push("database closed"))
      )
    )
    const acquire = Effect.gen(function* () {
      const { name } = yield* Database
      events.push(`opened on ${name}`)
      yield* Effect.addFinalizer(() =>
        Effect.sync(() => void events.push(`${storage.held.length} stored, released`))
      )
      return storage.storage
    })
    const layer = Layer.provide(Recorder.layer(Audit, acquire, { name: "audit" }), database)
    yield* Effect.provide(Effect.forEach(numbers(3), handler), layer)
    expect(storage.held).toEqual(numbers(3))
    expect(events).toEqual(["opened on db", "3 stored, released", "database closed"])
  })

  scenario("fails typed with wrong options", function* () {
    const layer = Recorder.layer(Audit, Effect.never, { maxBatchSize: 0 })
    const error = yield* Effect.flip(Effect.provide(handler(1), layer))
    expect(error).toMatchObject({ _tag: "InvalidOptions", option: "maxBatchSize" })
  })
})

describe("layerMemory", () => {
  interface Entry {
    readonly id: string
    readonly who: string
  }
  class Audit extends Context.Tag("test/MemoryAudit")<
    Audit,
    Recorder.Recorder<Entry, MemoryQuery<Entry>, ReadonlyArray<Entry>>
  >() {}

  const program = Effect.gen(function* () {
    const audit = yield* Audit
    audit.unsafeSave({ id: "1", who: "ann" })
    audit.unsafeSave({ id: "2", who: "bob" })
    return yield* audit.load(({ who }) => who === "bob")
  })

  scenario("tests a program without its backend", function* () {
    expect(yield* Effect.provide(program, Recorder.layerMemory(Audit))).toEqual([{ id: "2", who: "bob" }])
  })

  scenario("is a new storage each time it is built, and takes the options of a recorder", function* () {
    const layer = Recorder.layerMemory(Audit, { bound: { count: 1, overflow: "reject" } })
    const offered = Effect.map(Audit, (audit) => ["1", "2"].map((id) => audit.unsafeSave({ id, who: "ann" })))
    expect(yield* Effect.provide(offered, layer)).toEqual([true, false])
    expect(yield* Effect.provide(offered, layer)).toEqual([true, false])
  })

  const columns = { id: Column.text, who: Column.text, at: Column.timestamp }
  class Table extends Context.Tag("test/MemoryTable")<
    Table,
    Recorder.Recorder<RowOf<typeof columns>, Query<typeof columns>, ReadonlyArray<RowOf<typeof columns>>>
  >() {}
  const at = new Date("2024-02-29T12:00:00.000Z")

  scenario("with columns it checks records, ignores duplicates and answers typed queries", function* () {
    const report = yield* Effect.provide(
      Effect.gen(function* () {
        const table = yield* Table
        table.unsafeSave({ id: "b", who: "bob", at })
        table.unsafeSave({ id: "x", who: "nul \u0000", at })
        table.unsafeSave({ id: "a", who: "ann", at })
        table.unsafeSave({ id: "b", who: "again", at })
        const found = yield* table.load({
          where: Query.gte("id", "a"),
          orderBy: [{ column: "id", direction: "asc" }]
        })
        expect(found).toEqual([
          { id: "a", who: "ann", at },
          { id: "b", who: "bob", at }
        ])
        return yield* table.close
      }),
      Recorder.layerMemory(Table, { columns, id: "id" })
    )
    expectBalance(report.stats)
    expect(report.stats).toMatchObject({ accepted: 4, stored: 3, duplicates: 1, setAside: 1 })
    expect(report.setAside).toMatchObject([
      { record: { id: "x" }, cause: { kind: "Poison", cause: { _tag: "ColumnError", column: "who" } } }
    ])
  })

  scenario("with columns that cannot work it fails typed", function* () {
    const layer = Recorder.layerMemory(Table, { columns, id: "nowhere" as "id" })
    expect(yield* Effect.flip(Effect.provide(Table, layer))).toMatchObject({ _tag: "InvalidOptions" })
  })

  scenario("refuses a table without its columns or its id, and keeps nothing unchecked", function* () {
    const optionOf = (options: object) =>
      Effect.map(
        Effect.flip(Effect.provide(Table, Recorder.layerMemory(Table, options as never))),
        ({ option }) => option
      )
    expect(yield* optionOf({ columns })).toBe("id")
    expect(yield* optionOf({ id: "id" })).toBe("columns")
    expect(yield* optionOf({ table: "doors" })).toBe("columns")
  })
})

describe("mapInput", () => {
  interface Request {
    readonly path: string
  }

  scenario("saves what f makes of the input, by every call", function* () {
    const storage = backend<string>()
    const recorder = yield* Recorder.make(storage.storage)
    const requests = Recorder.mapInput(recorder, ({ path }: Request) => `GET ${path}`)
    expect(requests.unsafeSave({ path: "/1" })).toBe(true)
    expect(yield* requests.save({ path: "/2" })).toBe(true)
    expect(yield* requests.saveAll([{ path: "/3" }, { path: "/4" }])).toBe(true)
    yield* requests.saveDurable({ path: "/5" })
    const accepted = numbers(5).map((n) => `GET /${n}`)
    yield* closeAndAccount(recorder, storage, { accepted })
    expect(storage.held).toEqual(accepted)
  })

  scenario("refuses and counts what f throws at, and never throws into a handler", function* () {
    const storage = backend<string>()
    const recorder = yield* Recorder.make(storage.storage)
    const picky = Recorder.mapInput(recorder, ({ path }: Request) =>
      path === "bad" ? raise("no path") : path
    )
    const bad = { path: "bad" }
    expect(picky.unsafeSave(bad)).toBe(false)
    expect(yield* picky.save(bad)).toBe(false)
    expect(yield* picky.saveAll([{ path: "good" }, bad])).toBe(false)
    expect(yield* Effect.flip(picky.saveDurable(bad))).toMatchObject({ _tag: "NotStored", reason: "Refused" })
    expect(picky.unsafeSave({ path: "good" })).toBe(true)
    expect(recorder.unsafeStats()).toMatchObject({ accepted: 1, refused: 5 })
    yield* closeAndAccount(recorder, storage, { accepted: ["good"] })
  })

  scenario("maps what is mapped, and knows a closed recorder", function* () {
    const storage = backend<string>()
    const recorder = yield* Recorder.make(storage.storage)
    const lengths = Recorder.mapInput(
      Recorder.mapInput(recorder, (n: number) => "x".repeat(n)),
      ({ path }: Request) => path.length
    )
    lengths.unsafeSave({ path: "abc" })
    yield* closeAndAccount(recorder, storage, { accepted: ["xxx"] })
    expect(lengths.unsafeSave({ path: "abc" })).toBe(false)
    expect(recorder.unsafeStats().refused).toBe(1)
  })
})

describe("wrong options fail in make with a typed error that names the option:", () => {
  const nothing = "x" as never
  const wrong: ReadonlyArray<readonly [string, Recorder.Options<string>]> = [
    ["maxBatchSize", { maxBatchSize: 0 }],
    ["maxBatchSize", { maxBatchSize: -1 }],
    ["maxBatchSize", { maxBatchSize: 1.5 }],
    ["maxBatchSize", { maxBatchSize: Number.NaN }],
    ["maxBatchSize", { maxBatchSize: Number.POSITIVE_INFINITY }],
    ["linger", { linger: nothing }],
    ["linger", { linger: Number.NaN }],
    ["linger", { linger: -1 }],
    ["saveTimeout", { saveTimeout: nothing }],
    ["saveTimeout", { saveTimeout: 0 }],
    ["saveTimeout", { saveTimeout: Number.NaN }],
    ["saveTimeout", { saveTimeout: "-5 seconds" as never }],
    ["loadTimeout", { loadTimeout: nothing }],
    ["loadTimeout", { loadTimeout: 0 }],
    ["closeDeadline", { closeDeadline: nothing }],
    ["closeDeadline", { closeDeadline: -1 }],
    ["onFatal", { onFatal: nothing }],
    ["name", { name: 1 as never }],
    ["retry", { retry: nothing }],
    ["deadLetters", { deadLetters: nothing }],
    ["onClosed", { onClosed: nothing }],
    ["maxBatch", { maxBatch: 10 } as object],
    ["bound.size", { bound: { size: 1, overflow: "reject" } as never }],
    ["maxHeld", { maxHeld: -1 }],
    ["maxHeld", { maxHeld: 1.5 }],
    ["bound.overflow", { bound: { count: 1, overflow: nothing } }],
    ["bound.count", { bound: { overflow: "reject" } }],
    ["bound.count", { bound: { count: 0, overflow: "reject" } }],
    ["bound.count", { bound: { count: 2.5, overflow: "reject" } }],
    ["bound.bytes", { bound: { bytes: 0, sizeOf: () => 1, overflow: "reject" } }],
    ["bound.sizeOf", { bound: { bytes: 10, overflow: "reject" } }],
    ["bound.sizeOf", { bound: { bytes: 10, sizeOf: nothing, overflow: "reject" } }]
  ]
  const shown = (options: Recorder.Options<string>) =>
    JSON.stringify(options, (_, value) => (typeof value === "number" ? String(value) : value))

  for (const [option, options] of wrong) {
    scenario(`${option} in ${shown(options)}`, function* () {
      let acquired = false
      const acquire = Effect.sync(() => {
        acquired = true
        return backend<string>().storage
      })
      const error = yield* Effect.flip(Recorder.makeDeferred(acquire, options))
      expect(error).toMatchObject({ _tag: "InvalidOptions", option })
      expect(error.message.length).toBeGreaterThan(10)
      yield* settled
      // Nothing was started.
      expect(acquired).toBe(false)
    })
  }

  scenario("while all of the right ones are taken", function* () {
    const storage = backend<string>()
    const scope = yield* Scope.make()
    const recorder = yield* Recorder.make(storage.storage, {
      name: "audit",
      maxBatchSize: 1,
      linger: 0,
      saveTimeout: "1 minute",
      loadTimeout: Number.POSITIVE_INFINITY,
      retry: Recorder.defaultRetry,
      onFatal: "set-aside",
      deadLetters: () => Effect.void,
      bound: { count: 1, bytes: 10, sizeOf: (record) => record.length, overflow: "suspend" },
      closeDeadline: 0,
      onClosed: () => Effect.void
    }).pipe(Scope.extend(scope), withTurn(microtasks))
    expect(recorder.unsafeSave("a")).toBe(true)
    yield* recorder.flush
    const ended = yield* started(Scope.close(scope, Exit.void))
    yield* TestClock.adjust("100 millis")
    yield* Fiber.join(ended)
    expect(storage.held).toEqual(["a"])
  })
})
