/** Calls that meet faults: how each begins and ends, whatever is decorated. */
import { Clock, Effect, type Exit } from "effect"
import { StorageError } from "../../../Storage.js"
import { committed, type Fault, type Interruption } from "./script.js"

/** One call, from its beginning on. */
export interface Call<out Answer, out F = Fault> {
  /** Counted from 1, for each kind of call by itself. */
  readonly nth: number
  /** When it began, in milliseconds of the clock. */
  readonly at: number
  /** What it met; nothing when it went through. */
  readonly fault: F | undefined
  /** How it ended; undefined while it runs. */
  readonly exit: Exit.Exit<Answer, unknown> | undefined
}

export type Mutable<A> = { -readonly [K in keyof A]: A[K] }

const failure = (fault: Extract<Fault, { readonly _tag: "Fail" }>, stored: number): StorageError => {
  const { kind, outcome } = fault
  return new StorageError({
    kind,
    outcome,
    message: `a scripted failure of kind ${kind}`,
    ...(outcome === "NotStored" && stored > 0 ? { stored } : {})
  })
}

/** Runs a part of a call that ends when it is interrupted, or does not. */
export const withInterruption =
  (interruption: Interruption) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
    interruption === "ignored" ? Effect.uninterruptible(effect) : effect

const delayed = <A, E>(
  fault: Extract<Fault, { readonly _tag: "Delay" }>,
  call: Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  withInterruption(fault.interruption)(
    fault.when === "before"
      ? Effect.delay(call, fault.duration)
      : Effect.tap(call, Effect.sleep(fault.duration))
  )

/** The effect of one fault: `commit` does so many of the `length` parts of a call, `whole` is the call itself. */
export const playing = <A>(
  fault: Exclude<Fault, { readonly _tag: "Refuse" }>,
  length: number,
  commit: (count: number) => Effect.Effect<unknown, unknown>,
  whole: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> => {
  if (fault._tag === "Delay") return delayed(fault, whole)
  const count = committed(fault.commits, length)
  switch (fault._tag) {
    case "Fail":
      return Effect.andThen(commit(count), Effect.fail(failure(fault, count)))
    case "Raise":
      return Effect.andThen(commit(count), Effect.fail(fault.error))
    case "Die":
      return Effect.andThen(commit(count), Effect.die(fault.defect))
    case "Hang":
      return withInterruption(fault.interruption)(Effect.andThen(commit(count), Effect.never))
  }
}

/** Begins a call, keeps how it ends, and whether it was alone. */
export const recorded = <Answer>(
  state: { open: number; overlaps: number },
  begin: (
    at: number
  ) => readonly [call: Mutable<Pick<Call<unknown>, "exit">>, effect: Effect.Effect<Answer, unknown>]
): Effect.Effect<Answer, unknown> =>
  Effect.flatMap(Clock.currentTimeMillis, (at) =>
    Effect.uninterruptibleMask((restore) => {
      const [call, effect] = begin(at)
      if (state.open++ > 0) state.overlaps++
      return Effect.onExit(restore(effect), (exit) =>
        Effect.sync(() => {
          state.open--
          call.exit = exit
        })
      )
    })
  )
