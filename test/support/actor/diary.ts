/** An actor over a resource that is no storage: a diary, which keeps a line of everything that is done to it. */
import { type Deferred, Effect, type Scope } from "effect"
import * as Actor from "../../../src/Actor.js"

export interface Diary {
  readonly lines: Array<string>
}

export type Keeper = Actor.Actor<Diary, number>

type Options = Partial<Actor.Options<Diary, number>>

/** An actor that writes each batch down. */
export const keeper = (
  lines: Array<string>,
  options: Options | ((control: Actor.Control<number>) => Options) = {}
): Effect.Effect<Keeper, Actor.InvalidOptions, Scope.Scope> =>
  Actor.make<Diary, number>((control) => ({
    acquire: Effect.succeed({ lines }),
    onBatch: write,
    report: (rest) => rest,
    // A test that fails in the midst of a batch must not wait for it.
    closeDeadline: 0,
    ...(typeof options === "function" ? options(control) : options)
  }))

export const write = (diary: Diary, batch: Actor.Batch<number>): Effect.Effect<void> =>
  Effect.sync(() => {
    diary.lines.push(`batch ${batch.items.join(" ")}`)
  })

/** A question that writes itself down, and is answered with what was written before it. */
export const read =
  (name: string) =>
  (diary: Diary): Effect.Effect<ReadonlyArray<string>> =>
    Effect.sync(() => {
      const before = diary.lines.slice()
      diary.lines.push(name)
      return before
    })

/** A batch that waits for a gate once it is written down. */
export const gated =
  (gate: Deferred.Deferred<void>) =>
  (diary: Diary, batch: Actor.Batch<number>): Effect.Effect<void> =>
    Effect.zipRight(write(diary, batch), gate)
