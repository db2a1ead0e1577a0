/** A SQLite file that is replaced at each step of a save: what is confirmed is in the file at the path. */
import * as fs from "node:fs"
import * as path from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Scheduler } from "effect"
import { runs } from "../../support/laws/laws.js"
import { heldIn, loggedIn, place, rows, storages } from "../../support/sqlite/files.js"

/** Runs something, and `replace` before one of its operations; gives whether there was such an operation. */
const replacedAt = <A, E>(effect: Effect.Effect<A, E>, step: number, replace: () => void) => {
  let steps = 0
  const base = new Scheduler.MixedScheduler(2048)
  const scheduler: Scheduler.Scheduler = {
    // A fiber asks before each of its operations.
    shouldYield: () => {
      if (++steps === step) replace()
      return false
    },
    scheduleTask: (task, priority) => base.scheduleTask(task, priority)
  }
  return effect.pipe(
    Effect.either,
    Effect.withScheduler(scheduler),
    Effect.map((result) => ({ result, done: steps < step }))
  )
}

describe("a SQLite file that is replaced at each step of a save", () => {
  for (const [name, make] of storages.filter(([name]) => name.startsWith("SqliteStorage"))) {
    const isLogged = name.endsWith("log")
    // In a long run (LAWS_RUNS) each of its 260 operations.
    const stride = isLogged && runs(1) === 1 ? 5 : 1

    // The operations of the file's own fibers, on the calling thread: those of a thread are the same.
    it.scopedLive(
      isLogged ? "a save with its revisions succeeds only where it is" : "a save succeeds only where it is",
      () =>
        Effect.gen(function* () {
          const at = yield* place
          const storage = yield* make(at.file)
          const [backup, template] = [
            path.join(at.outside, "backup.db"),
            path.join(at.outside, "template.db")
          ]
          yield* Effect.scoped(make(template))
          const outcomes = new Set<string>()
          let n = 0
          for (let step = 1; ; step += stride) {
            fs.copyFileSync(template, backup)
            // It opens the file of the round before.
            yield* storage.load({})
            const save = Effect.suspend(() => storage.save(rows(n, n + 3)))
            const { done, result } = yield* replacedAt(save, step, () => fs.renameSync(backup, at.file))
            if (Either.isLeft(result)) {
              expect(result.left.kind).toBe("Transient")
              outcomes.add(result.left.outcome)
              yield* storage.save(rows(n, n + 3))
            } else outcomes.add("stored")
            const held = heldIn(at.file)
            expect(held.slice(-3)).toEqual([n, n + 1, n + 2])
            if (isLogged) expect(loggedIn(at.file)).toBe(held.length)
            n += 3
            if (done) break
          }
          expect([...outcomes]).toContain("stored")
          expect([...outcomes]).toContain("Unknown")
        })
    )
  }
})
