/** The logs that the laws of projections are held on. */
import { Effect, Random } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { Value } from "./definitions.js"
import { type Restorable, restorable } from "./log.js"

export interface Backend {
  readonly log: ChangeLog.ChangeLog<Value>
  /** Its calls take time of the host. */
  readonly isOutside: boolean
  /** Puts the log back to what it was after the first of all that was done to it. */
  readonly restore: ((steps: ReadonlyArray<Step>, seq: number) => Effect.Effect<void, unknown>) | undefined
}

/** Something that has changed the log. */
export type Step = (log: ChangeLog.ChangeLog<Value>) => Effect.Effect<unknown, unknown>

/** Logs of one seed have the same epoch, and tags. */
const seeded = (seed: number) =>
  Effect.withRandom(ChangeLog.make<Value>({ keys: "indexed" }), Random.make(seed))

/** A log in memory, and copies of it that go on otherwise. */
export const memoryBackend = (seed: number): Effect.Effect<Backend, unknown> =>
  Effect.map(Effect.map(seeded(seed), restorable), ({ log, restore }: Restorable) => ({
    log,
    isOutside: false,
    restore: (steps, seq) =>
      Effect.gen(function* () {
        const copy = yield* seeded(seed)
        for (const step of steps) yield* step(copy)
        restore(copy, seq)
      })
  }))

/** A log in a database. */
export const databaseBackend = (log: ChangeLog.ChangeLog<Value>): Backend => ({
  log,
  isOutside: true,
  restore: undefined
})
