/** Types that a mistaken argument fails by a sentence, so that the compiler's message names the remedy. */
import type { Effect } from "effect"

/**
 * What is there already, not an Effect that makes it; `Else` adds another remedy. It stands before the type that it
 * guards: the compiler reports the first part of an intersection that fails.
 */
export type Made<Else extends string = ""> = {
  readonly [K in Effect.EffectTypeId]?: `this is an Effect: yield* it, and pass what it makes${Else}`
}

/** As {@link Made}, where another function takes the Effect. */
export type MadeOrDeferred = Made<", or pass the Effect to makeDeferred or layer">

/** An Effect that makes something, not the thing itself, which has the member `M`. */
export type Making<M extends string> = {
  readonly [K in M]?: "this is not an Effect: pass Effect.succeed of it"
}
