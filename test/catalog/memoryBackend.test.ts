import { expect, it } from "@effect/vitest"
import { Effect, Exit, Scope, TestClock } from "effect"
import { put, remove } from "../../src/ChangeLog.js"
import type { Decision, Save, Stored, StoredValue } from "../../src/internal/catalog/backend.js"
import { memory } from "../../src/internal/catalog/memoryBackend.js"

const stored = (id: string): Stored => ({
  id,
  part: "store",
  primary: "id",
  version: 0,
  fingerprint: "",
  owner: ""
})

const value = (data: StoredValue["data"], seq: number, session?: string): StoredValue => ({
  data,
  seq,
  session
})

let saves = 0

const save = (
  store: string,
  decide: Save["decide"],
  keys: ReadonlyArray<string> = ["a", "b", "c", "k", "missing"]
): Save => ({
  store,
  name: `save ${++saves}`,
  keys,
  id: undefined,
  decide
})

const puts =
  (...keys: ReadonlyArray<string>): Save["decide"] =>
  ({ head }): Decision => ({
    revisions: keys.map((key, n) => [put(key, value({ id: key }, head.seq + 1 + n))])
  })

it.effect("keeps what is saved after the scope that opened the store has ended", () =>
  Effect.gen(function* () {
    const backend = yield* memory()
    yield* Effect.scoped(
      Effect.andThen(
        backend.open(stored("s")),
        backend.save([save("s", puts("a", "b")), save("s", puts("a"))], undefined)
      )
    )
    const { load, log } = yield* Effect.scoped(backend.open(stored("s")))
    const { revision, values } = yield* load
    expect(values.map(({ key, seq }) => [key, seq])).toEqual([
      ["b", 2],
      ["a", 3]
    ])
    expect((yield* log.head).head).toEqual(revision)
  })
)

it.scoped("appends nothing to any store when one of the saves dies", () =>
  Effect.gen(function* () {
    const backend = yield* memory()
    const a = yield* backend.open(stored("a"))
    yield* backend.open(stored("b"))
    const dying = save("b", () => {
      throw new Error("decide threw")
    })
    const exit = yield* Effect.exit(backend.save([save("a", puts("k")), dying], undefined))
    expect(Exit.isFailure(exit)).toBe(true)
    expect((yield* a.log.head).head.seq).toBe(0)
    expect((yield* a.load).values).toEqual([])
    yield* backend.save([save("a", puts("k"))], undefined)
    expect((yield* a.load).values.map(({ seq }) => seq)).toEqual([1])
  })
)

it.scoped("names the save whose value is no JSON, and stores nothing of its batch", () =>
  Effect.gen(function* () {
    const backend = yield* memory()
    const { load } = yield* backend.open(stored("s"))
    const bad = save("s", () => ({ revisions: [[put("k", value({ n: Number.NaN }, 2))]] }))
    const error = yield* Effect.flip(backend.save([save("s", puts("a")), bad], undefined))
    expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored", bad: [{ index: 1 }] })
    expect((yield* load).values).toEqual([])
  })
)

it.scoped("counts the bytes of what it holds, and the keys of sessions, through every change", () =>
  Effect.gen(function* () {
    const backend = yield* memory()
    yield* backend.open(stored("s"))
    const totals: Array<unknown> = []
    const step = (...changes: Decision["revisions"][number]) =>
      save("s", (locked) => {
        totals.push(locked.totals)
        return { revisions: [changes] }
      })
    yield* backend.save(
      [
        step(put("a", value("x", 1, "one")), put("b", value(12, 1, "one"))),
        step(put("a", value("longer", 2, "two")))
      ],
      undefined
    )
    yield* backend.save([step(remove("b"), remove("missing")), step(put("c", value(null, 4)))], undefined)
    expect(totals).toEqual([
      { records: 0, bytes: 0 },
      { records: 2, bytes: 5 },
      { records: 2, bytes: 10 },
      { records: 1, bytes: 8 }
    ])
    expect(yield* backend.sessions.keysOf("s", "one")).toEqual([])
    expect(yield* backend.sessions.keysOf("s", "two")).toEqual(["a"])
  })
)

it.effect("measures leases by time that only grows, and keeps its wall clock's start", () =>
  Effect.gen(function* () {
    yield* TestClock.setTime(1_000_000)
    const backend = yield* memory()
    yield* backend.sessions.extend([{ id: "s", ttl: 30_000 }])
    yield* TestClock.adjust(30_000)
    expect(yield* backend.now).toBe(1_030_000)
    expect(yield* backend.sessions.ended(10)).toEqual([])
    yield* TestClock.adjust(1)
    expect(yield* backend.sessions.ended(10)).toEqual([{ id: "s", stores: [] }])
  })
)

it.effect("gives the ownership again when its scope has ended, and saves nothing with the old token", () =>
  Effect.gen(function* () {
    const backend = yield* memory()
    yield* Effect.scoped(backend.open(stored("s")))
    const scope = yield* Scope.make()
    const { lost, token } = yield* Scope.extend(backend.own("catalog"), scope)
    const refused = yield* Effect.flip(Effect.scoped(backend.own("catalog")))
    expect(refused).toMatchObject({ _tag: "Owned", by: "catalog" })
    yield* backend.save([save("s", puts("a"))], token)
    yield* Scope.close(scope, Exit.void)
    expect(yield* lost).toBe("its scope has ended")
    const next = yield* Scope.extend(backend.own("catalog"), yield* Effect.scope)
    expect(yield* Effect.flip(backend.save([save("s", puts("b"))], token))).toMatchObject({
      kind: "Fatal",
      outcome: "NotStored"
    })
    yield* backend.save([save("s", puts("c"))], next.token)
  }).pipe(Effect.scoped)
)
