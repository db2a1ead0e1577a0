import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, TestClock } from "effect"
import { Recorder } from "effect-recorder"
import { Fault, make, type Script } from "effect-recorder/testing/FaultStorage"
import { InvalidOptions, memory, StorageError } from "../../src/Storage.js"
import { expectBalance, numbers } from "../support/recorder/account.js"
import { scenario, settled, started } from "../support/time/turn.js"

const over = (script: Script<number> = []) => {
  const memoryStorage = memory<number>()
  return Effect.map(make(memoryStorage, script), (faults) => ({
    ...faults,
    held: () => memoryStorage.records,
    save: (...batch: ReadonlyArray<number>) => faults.storage.save(batch)
  }))
}

describe("FaultStorage", () => {
  it.effect("passes calls through, and keeps what happened", () =>
    Effect.gen(function* () {
      const { held, loads, overlaps, save, saves, storage } = yield* over()
      yield* TestClock.adjust(5)
      yield* save(1, 2)
      yield* TestClock.adjust(5)
      yield* save(3)
      expect(yield* storage.load(undefined)).toEqual([1, 2, 3])
      expect(held()).toEqual([1, 2, 3])
      expect(saves.map(({ at, batch, fault, nth, stored }) => [nth, at, batch, stored, fault])).toEqual([
        [1, 5, [1, 2], 2, undefined],
        [2, 10, [3], 1, undefined]
      ])
      expect(saves.every(({ exit }) => exit !== undefined && Exit.isSuccess(exit))).toBe(true)
      expect(loads).toMatchObject([{ nth: 1, at: 10, query: undefined }])
      expect(overlaps()).toBe(0)
    })
  )

  it.effect("keeps the storage's own greatest batch, and its head start, which meets faults too", () =>
    Effect.gen(function* () {
      const below = memory<number>()
      const plain = yield* make(below)
      expect("maxBatch" in plain.storage || "prepare" in plain.storage).toBe(false)
      const { saves, storage } = yield* make(
        { ...below, maxBatch: 7, prepare: (batch) => below.save(batch) },
        [{ call: 1, fault: Fault.fail() }]
      )
      expect(storage.maxBatch).toBe(7)
      const prepared = storage.prepare!([1, 2])
      expect(saves).toEqual([])
      expect(yield* Effect.flip(prepared)).toMatchObject({ kind: "Transient", outcome: "NotStored" })
      yield* prepared
      expect(saves.map(({ stored }) => stored)).toEqual([0, 2])
      expect(below.records).toEqual([1, 2])
    })
  )

  const failures: ReadonlyArray<readonly [string, Fault, held: ReadonlyArray<number>, told: object]> = [
    ["before the commit", Fault.fail(), [], { kind: "Transient", outcome: "NotStored" }],
    ["as it is told", Fault.fail("Fatal"), [], { kind: "Fatal", outcome: "NotStored" }],
    ["after a part, and tells it", Fault.fail("Transient", "half"), [1], { outcome: "NotStored", stored: 1 }],
    ["after so many", Fault.fail("Unknown", 2), [1, 2], { kind: "Unknown", stored: 2 }],
    ["after the commit", Fault.failAfterCommit(), [1, 2, 3], { outcome: "Unknown" }],
    [
      "after a part, without a word",
      Fault.failAfterCommit("Unknown", 1),
      [1],
      { kind: "Unknown", outcome: "Unknown" }
    ],
    ["with an error of a driver", Fault.raise({ code: "EPIPE" }, "all"), [1, 2, 3], { code: "EPIPE" }]
  ]
  for (const [what, fault, holds, told] of failures) {
    it.effect(`fails ${what}`, () =>
      Effect.gen(function* () {
        const { held, save, saves } = yield* over([{ fault, times: 1 }])
        const error = yield* Effect.flip(save(1, 2, 3))
        expect(error).toMatchObject(told)
        expect("stored" in (error as object)).toBe("stored" in told)
        expect(held()).toEqual(holds)
        expect(saves).toMatchObject([{ stored: holds.length, fault }])
        yield* save(4)
        expect(held()).toEqual([...holds, 4])
      })
    )
  }

  it.effect("dies", () =>
    Effect.gen(function* () {
      const { held, save, saves } = yield* over([{ fault: Fault.die("why", "half") }])
      const exit = yield* Effect.exit(save(1, 2))
      expect(exit).toEqual(Exit.die("why"))
      expect(saves[0]?.exit).toEqual(exit)
      expect(held()).toEqual([1])
    })
  )

  it.effect("refuses records, and reports as much as its script asks for", () =>
    Effect.gen(function* () {
      const odd = (n: number) => n % 2 === 1
      for (const [tells, holds, told] of [
        ["positions", [2], { bad: [{ index: 1 }, { index: 2 }] }],
        ["prefix", [4, 2], { stored: 1 }],
        ["nothing", [2], {}]
      ] as const) {
        const { held, save } = yield* over([{ record: odd, fault: Fault.refuse(tells) }])
        const error = yield* Effect.flip(save(4, 1, 3))
        expect(error).toBeInstanceOf(StorageError)
        expect(error).toMatchObject({ kind: "Poison", outcome: "NotStored", ...told })
        expect(Object.keys(told)).toEqual(["bad", "stored"].filter((key) => key in (error as object)))
        yield* save(2)
        expect(held()).toEqual(holds)
      }
    })
  )

  it.effect("hangs until it is interrupted, or for good", () =>
    Effect.gen(function* () {
      const { held, overlaps, save, saves } = yield* over([
        { call: 1, fault: Fault.hang("all") },
        { call: 2, fault: Fault.hang("none", "ignored") }
      ])
      const heeds = yield* started(save(1))
      expect(held()).toEqual([1])
      expect(saves[0]?.exit).toBeUndefined()
      yield* Fiber.interrupt(heeds)
      expect(saves[0]?.exit).toSatisfy((exit: Exit.Exit<unknown>) => Exit.isInterrupted(exit))
      const ignores = yield* Effect.forkDaemon(save(2))
      yield* settled
      yield* Fiber.interruptFork(ignores)
      yield* TestClock.adjust("1 hour")
      expect(ignores.unsafePoll()).toBeNull()
      yield* save(3)
      expect(overlaps()).toBe(1)
    })
  )

  it.effect("answers late, before or after the commit", () =>
    Effect.gen(function* () {
      const { held, save, saves, storage } = yield* over([
        { call: 1, fault: Fault.delay("1 second") },
        { call: 2, fault: Fault.delay(500, "after") },
        { of: "load", call: [1, 1], fault: Fault.delay("1 second") }
      ])
      const before = yield* started(save(1))
      yield* TestClock.adjust(999)
      expect(held()).toEqual([])
      yield* TestClock.adjust(1)
      yield* Fiber.join(before)
      const after = yield* started(save(2))
      expect(held()).toEqual([1, 2])
      expect(saves[1]?.exit).toBeUndefined()
      yield* TestClock.adjust(500)
      yield* Fiber.join(after)
      const asked = yield* started(storage.load(undefined))
      yield* save(3)
      yield* TestClock.adjust(1000)
      expect(yield* Fiber.join(asked)).toEqual([1, 2, 3])
    })
  )

  it.effect("fails loads, and counts them by themselves", () =>
    Effect.gen(function* () {
      const { loads, save, storage } = yield* over([
        { of: "load", call: 2, fault: Fault.fail("Transient", "all") },
        { of: "load", call: 3, fault: Fault.refuse() }
      ])
      yield* save(1)
      expect(yield* storage.load(undefined)).toEqual([1])
      expect(yield* Effect.flip(storage.load(undefined))).toMatchObject({
        kind: "Transient"
      })
      expect(yield* Effect.flip(storage.load(undefined))).toMatchObject({ kind: "Poison" })
      expect(yield* storage.load(undefined)).toEqual([1])
      expect(loads.map(({ fault }) => fault?._tag)).toEqual([undefined, "Fail", "Refuse", undefined])
    })
  )

  it.effect("takes the next faults before its script, which can be replaced", () =>
    Effect.gen(function* () {
      const { next, nextLoads, play, save, saves, storage } = yield* over([
        { call: [2, 3], fault: Fault.fail("Fatal") }
      ])
      yield* next(Fault.fail(), undefined)
      yield* nextLoads(Fault.raise("no answer"))
      const ends = (...batch: ReadonlyArray<number>) =>
        Effect.map(Effect.exit(save(...batch)), (exit) =>
          Exit.match(exit, {
            onFailure: (cause) => (Cause.squash(cause) as StorageError).kind,
            onSuccess: () => "saved"
          })
        )
      expect(yield* Effect.forEach([1, 2, 3, 4], (n) => ends(n))).toEqual([
        "Transient",
        "saved",
        "Fatal",
        "saved"
      ])
      yield* play([{ call: 6, fault: Fault.fail("Unknown") }])
      expect(yield* Effect.forEach([5, 6], (n) => ends(n))).toEqual(["saved", "Unknown"])
      expect(saves.map(({ nth }) => nth)).toEqual([1, 2, 3, 4, 5, 6])
      expect(yield* Effect.flip(storage.load(undefined))).toBe("no answer")
    })
  )

  it.effect("refuses a script that can never be played, typed", () =>
    Effect.gen(function* () {
      const fault = Fault.fail()
      const wrong: ReadonlyArray<readonly [string, Script<number>]> = [
        ["script[0].call", [{ call: 0, fault }]],
        ["script[0].call", [{ call: 1.5, fault }]],
        ["script[0].call", [{ call: [3, 2], fault }]],
        ["script[1].times", [{ fault }, { times: 0, fault }]],
        ["script[0].record", [{ of: "load", record: () => true, fault }]],
        ["script[0].record", [{ record: 3 as never, fault }]],
        ["script[0].of", [{ of: "prepare" as "save", fault }]],
        ["script[0].fault", [{ fault: { _tag: "Away" } as never }]],
        ["script[0].nth", [{ nth: 2, fault } as never]],
        ["script[0].fault.duration", [{ fault: Fault.delay("soon" as "1 second") }]],
        ["script", {} as never]
      ]
      const { play } = yield* over()
      for (const [option, script] of wrong) {
        for (const made of [over(script), play(script)]) {
          const error = yield* Effect.flip(made)
          expect(error).toBeInstanceOf(InvalidOptions)
          expect(error.option).toBe(option)
        }
      }
    })
  )

  scenario("drives a recorder: a test waits for the call that it needs", function* () {
    const { held, next, overlaps, saveBegun, saves, storage } = yield* over([
      { record: (n) => n === 3, fault: Fault.refuse("nothing") }
    ])
    const recorder = yield* Recorder.make(storage, { saveTimeout: "1 second" })
    yield* next(Fault.hang("all"))
    for (const n of numbers(4)) recorder.unsafeSave(n)
    const first = yield* saveBegun(1)
    expect(first.batch).toEqual([1, 2, 3, 4])
    const bisected = yield* started(saveBegun(4))
    yield* TestClock.adjust("1 minute")
    expect((yield* Fiber.join(bisected)).nth).toBe(4)
    const { setAside, stats } = yield* recorder.close
    expectBalance(stats)
    expect(setAside.map(({ outcome, record }) => [record, outcome])).toEqual([[3, "Unknown"]])
    expect(new Set(held())).toEqual(new Set([1, 2, 3, 4]))
    expect(overlaps()).toBe(0)
    expect(saves.at(-1)?.exit).toBeDefined()
  })
})
