/** The least that a queue with one consumer can be. */
import { Effect } from "effect"
import { constVoid } from "effect/Function"

export interface Queue<A> {
  readonly push: (item: A) => void
}

/** An array, handed to a callback at the end of the turn in which its first item came. */
export const callbackQueue = <A>(
  consume: (batch: Array<A>) => void
): Queue<A> & { readonly pending: () => number } => {
  let items: Array<A> = []
  const drain = () => {
    const batch = items
    items = []
    consume(batch)
  }
  return {
    push: (item) => {
      const open = items
      if (open.length === 0) setImmediate(drain)
      open.push(item)
    },
    pending: () => items.length
  }
}

/**
 * An array and a fiber that sleeps in `Effect.async` while it is empty. `end of turn` wakes it when the turn of the
 * first item is over, so that the items of a turn come together; `at once` does not. `run` never ends.
 */
export const fiberQueue = <A>(
  wakeUp: "at once" | "end of turn",
  consume: (batch: ReadonlyArray<A>) => Effect.Effect<void>
): Queue<A> & { readonly drained: () => number; readonly run: Effect.Effect<void> } => {
  let items: Array<A> = []
  let count = 0
  let wake: (() => void) | undefined
  const next = Effect.async<Array<A>>((resume) => {
    const take = () => {
      const batch = items
      items = []
      resume(Effect.succeed(batch))
    }
    if (items.length > 0) take()
    else wake = take
  })
  const later = wakeUp === "at once" ? (task: () => void) => task() : setImmediate
  return {
    push: (item) => {
      items.push(item)
      if (wake === undefined) return
      later(wake)
      wake = undefined
    },
    drained: () => count,
    // `Effect.forever` would yield to the scheduler at every turn of its loop.
    run: Effect.whileLoop({
      while: () => true,
      body: () =>
        Effect.flatMap(next, (batch) => {
          count += batch.length
          return consume(batch)
        }),
      step: constVoid
    })
  }
}
