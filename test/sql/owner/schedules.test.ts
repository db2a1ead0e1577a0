/** Owners under random schedules: whatever happens when, the saves of one owner never come behind those of a later one. */
import { describe, expect, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber } from "effect"
import fc from "fast-check"
import { plain } from "../../../src/sql/internal/dialect.js"
import type { Owner } from "../../../src/sql/internal/owner/holding.js"
import { holdsEffect } from "../../support/laws/laws.js"
import { type Place, type Process, places } from "./places.js"

const processes = [0, 1] as const

const stepKinds = ["take", "expire", "save", "begin", "finish", "release"] as const

const steps = fc.array(
  fc.record({ kind: fc.constantFrom(...stepKinds), by: fc.constantFrom(...processes) }),
  { minLength: 6, maxLength: 24 }
)

interface Save {
  readonly go: Deferred.Deferred<void>
  readonly fiber: Fiber.RuntimeFiber<unknown, unknown>
}

/** Runs one schedule for a name of its own, and compares each answer with what it has to be. */
const schedule = (
  place: Place,
  started: ReadonlyArray<Process>,
  name: string,
  plan: ReadonlyArray<{ readonly kind: (typeof stepKinds)[number]; readonly by: 0 | 1 }>
) =>
  Effect.gen(function* () {
    const owners: Array<Owner | undefined> = [undefined, undefined]
    const saves: Array<Save | undefined> = [undefined, undefined]
    let holder: Owner | undefined
    let isOver = false
    const write = ({ generation }: Owner) =>
      plain(`INSERT INTO writes (name, generation) VALUES ('${name}', ${generation})`)
    const begin = (one: Process, owner: Owner) =>
      Effect.gen(function* () {
        const [go, proved] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
        const fiber = yield* Effect.fork(
          one.save(owner, (run) =>
            Effect.andThen(
              Deferred.succeed(proved, undefined),
              Effect.andThen(Deferred.await(go), run(write(owner)))
            )
          )
        )
        yield* Effect.raceFirst(Deferred.await(proved), Fiber.await(fiber))
        return { go, fiber }
      })
    const finish = (by: 0 | 1) =>
      Effect.gen(function* () {
        const save = saves[by]
        saves[by] = undefined
        if (save === undefined) return
        yield* Deferred.succeed(save.go, undefined)
        yield* Fiber.join(save.fiber)
      })
    for (const { by, kind } of plan) {
      const one = started[by]!
      const owner = owners[by]
      switch (kind) {
        case "take": {
          const may = (holder === undefined || isOver) && saves.every((save) => save === undefined)
          const tried = yield* Effect.exit(one.acquire(name, { who: `process ${by}` }))
          expect(Exit.isSuccess(tried)).toBe(may)
          if (!Exit.isSuccess(tried)) break
          owners[by] = tried.value
          holder = tried.value
          isOver = false
          break
        }
        case "expire":
          yield* place.expire
          isOver = true
          break
        case "save": {
          if (
            owner === undefined ||
            (place.database.dialect === "sqlite" && saves.some((save) => save !== undefined))
          )
            break
          const saved = yield* Effect.exit(one.save(owner, (run) => run(write(owner))))
          expect(Exit.isSuccess(saved)).toBe(owner === holder)
          break
        }
        case "begin":
          // A file has one transaction at a time.
          if (owner === undefined || owner !== holder || place.database.dialect === "sqlite") break
          yield* finish(by)
          saves[by] = yield* begin(one, owner)
          break
        case "finish":
          yield* finish(by)
          break
        case "release":
          if (owner === undefined) break
          yield* owner.release
          if (owner === holder) holder = undefined
          break
      }
    }
    for (const by of processes) yield* finish(by)
    const written = yield* place.database.sql(
      `SELECT generation FROM writes WHERE name = '${name}' ORDER BY n`
    )
    const generations = written.map(({ generation }) => Number(generation))
    expect(generations).toEqual([...generations].sort((a, b) => a - b))
  }).pipe(Effect.scoped)

const numbered = { sqlite: "n integer PRIMARY KEY", pg: "n bigserial" } as const

for (const [database, makePlace] of places) {
  describe(`owners, ${database}`, () => {
    it.scoped("never save behind a later one, whatever runs out, is released, or is taken over when", () =>
      Effect.gen(function* () {
        const place = yield* makePlace
        const { database, start } = place
        const started = yield* Effect.all([start(), start()])
        yield* database.sql(`CREATE TABLE writes (${numbered[database.dialect]}, name text, generation int)`)
        let run = 0
        yield* holdsEffect(steps, 12, (plan) => schedule(place, started, `x${run++}`, plan))
      })
    )
  })
}
