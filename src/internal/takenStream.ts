/**
 * Streams of what is taken from a source in chunks. A chunk costs a few steps of one channel: a stream that is unwrapped,
 * or made of repeated effects, runs each chunk through a channel of its own, which takes several times as long.
 */
import { Channel, type Chunk, type Effect, Exit, Scope, Stream } from "effect"

type Chunks<A, E> = Channel.Channel<Chunk.Chunk<A>, unknown, E, unknown, never>

const repeated = <A, E>(take: Effect.Effect<Chunk.Chunk<A>, E>): Chunks<A, E> => {
  const next: Chunks<A, E> = Channel.flatMap(Channel.fromEffect(take), (chunk) =>
    Channel.flatMap(Channel.write(chunk), () => next)
  )
  return next
}

/** Makes a stream of what an effect takes again and again, until it fails. */
export const takenStream = <A, E>(take: Effect.Effect<Chunk.Chunk<A>, E>): Stream.Stream<A, E> =>
  Stream.fromChannel(repeated(take))

/** As {@link takenStream}, of a source that is opened when the stream runs, and closed when it ends. */
export const openedStream = <A, E, E2, R>(
  open: Effect.Effect<Effect.Effect<Chunk.Chunk<A>, E>, E2, R | Scope.Scope>
): Stream.Stream<A, E | E2, Exclude<R, Scope.Scope>> =>
  Stream.fromChannel(
    // A stream that is interrupted before the scope has its finalizer has opened nothing in it.
    Channel.flatMap(Channel.fromEffect(Scope.make()), (scope) =>
      Channel.ensuringWith(
        Channel.flatMap(Channel.fromEffect(Scope.extend(open, scope)), (take) => repeated<A, E | E2>(take)),
        (exit) => Scope.close(scope, Exit.asVoid(exit))
      )
    )
  )
