/** Wrong when a call hangs, or is given up. */
import { Effect, Fiber } from "effect"
import type { Row } from "../../support/laws/subjects.js"
import {
  check,
  clashes,
  commit,
  copy,
  newOnes,
  poison,
  right,
  type Save,
  saving,
  type Wrong
} from "./right.js"

export const wrongInterruption: ReadonlyArray<Wrong> = [
  saving(
    "hangs from its thirteenth save on",
    (_, { save }) => {
      let saves = 0
      return (batch) => Effect.suspend(() => (++saves > 12 ? Effect.never : (save(batch) as Save)))
    },
    [
      "answers-in-time",
      "retry-after-a-part",
      "retry-after-interruption",
      "order-after-interruption",
      "refuses-nan",
      "refuses-numbers-out-of-range",
      "refuses-bad-text",
      "refuses-bad-json",
      "refuses-other-types"
    ]
  ),
  saving(
    "does not end when it is interrupted",
    (_, { save }) =>
      (batch) =>
        Effect.onInterrupt(save(batch) as Save, () => Effect.never),
    [
      "interruption-ends",
      "nothing-after-interruption",
      "retry-after-interruption",
      "order-after-interruption",
      "reopens-after-interruption"
    ]
  ),
  saving(
    "commits behind its interruption",
    (disk, { save }) =>
      (batch) =>
        Effect.onInterrupt(save(batch) as Save, () =>
          Effect.forkDaemon(Effect.delay(Effect.ignore(commit(disk, batch)), "10 millis"))
        ),
    ["nothing-after-interruption"]
  ),
  saving(
    "takes 50 ms for a save, and goes on with it behind its interruption",
    (_, { save }) =>
      (batch) =>
        Effect.flatMap(Effect.forkDaemon(Effect.delay(save(batch) as Save, "50 millis")), Fiber.join),
    ["nothing-after-interruption"]
  ),
  saving(
    "notes the ids before it writes the rows",
    (disk) => {
      const noted = new Set<string>()
      return (batch) =>
        Effect.suspend(() => {
          const error = check(batch)
          if (error !== undefined) return Effect.fail(error)
          const fresh = newOnes(disk.rows, batch).filter(({ id }) => !noted.has(id))
          if (clashes(disk.rows, fresh)) return Effect.fail(poison("another unique constraint"))
          for (const { id } of fresh) noted.add(id)
          return Effect.zipRight(
            Effect.yieldNow(),
            Effect.map(commit(disk, fresh), () => ({ duplicates: batch.length - fresh.length }))
          )
        })
    },
    ["retry-after-interruption", "order-after-interruption"]
  ),
  saving(
    "writes a batch from its end",
    (disk) => (batch) =>
      Effect.gen(function* () {
        const error = check(batch)
        if (error !== undefined) return yield* error
        const fresh = newOnes(disk.rows, batch)
        if (clashes(disk.rows, fresh)) return yield* poison("another unique constraint")
        let next: Row | undefined
        for (const row of fresh.slice().reverse()) {
          const at = next === undefined ? disk.rows.length : disk.rows.indexOf(next)
          next = copy(row)
          disk.rows.splice(at, 0, next)
          if (fresh.length < 20) yield* Effect.yieldNow()
        }
        return { duplicates: batch.length - fresh.length }
      }),
    ["order-after-interruption", "same-records-at-once"]
  ),
  {
    name: "keeps its lock when a load is interrupted",
    breaks: ["free-after-interruption"],
    open: (disk) =>
      Effect.map(Effect.makeSemaphore(1), (lock) => {
        const rightly = right(disk)
        const save = (batch: ReadonlyArray<Row>) => lock.withPermits(1)(rightly.save(batch))
        return {
          ...rightly,
          save,
          prepare: save,
          load: (query) =>
            Effect.zipRight(
              lock.take(1),
              Effect.tapBoth(rightly.load(query), {
                onFailure: () => lock.release(1),
                onSuccess: () => lock.release(1)
              })
            )
        }
      })
  }
]
