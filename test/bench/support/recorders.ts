/** Recorders for benchmarks that are not Effect code themselves. */
import { Effect, Exit, Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import type { Storage } from "../../../src/Storage.js"

/** Ends at the end of the present turn of the event loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Acquires something in a scope of its own and closes it after use. */
export const using = async <A, E, B>(
  acquire: Effect.Effect<A, E, Scope.Scope>,
  use: (acquired: A) => Promise<B>
): Promise<B> => {
  const scope = Effect.runSync(Scope.make())
  try {
    return await use(await Effect.runPromise(Scope.extend(acquire, scope)))
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

export const withRecorder = <R, Q, A, B>(
  storage: Storage<R, Q, A>,
  options: Recorder.Options<R>,
  use: (recorder: Recorder.Recorder<R, Q, A>) => Promise<B>
): Promise<B> =>
  using(Recorder.make(storage, options), async (recorder) => {
    await Effect.runPromise(recorder.ready)
    return use(recorder)
  })

/** A storage that keeps nothing: what is left is the recorder. */
export const nowhere = <R>(): Storage<R> => ({ save: () => Effect.void, load: () => Effect.void })

/**
 * Waits until every record accepted so far has an outcome, looking once a turn. It keeps a core busy: where a thread
 * or a server does the work, wait with {@link flushed}.
 */
export const settled = async (recorder: { readonly unsafeStats: () => Recorder.Stats }): Promise<void> => {
  while (recorder.unsafeStats().pending > 0) await turn()
}

export const flushed = <E>(recorder: { readonly flush: Effect.Effect<void, E> }): Promise<void> =>
  Effect.runPromise(recorder.flush)
