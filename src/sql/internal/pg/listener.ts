/** One connection to a Postgres server that listens for notifications. */
import { Cause, Deferred, Duration, Effect, Exit, type Scope } from "effect"
import * as Pg from "pg"
import type { Row } from "../dialect.js"
import { cancelTarget } from "./cancel.js"
import { classifyPg } from "./errors.js"
import { rows } from "./inspect.js"

/** Receives a notification. The payload is empty if there was none. */
export type OnNotification = (channel: string, payload: string) => void

/** A connection that listens. */
export interface Listener {
  /** Sends a statement behind those before it; `done` is called with its end, and with its rows. */
  readonly send: (
    text: string,
    params: ReadonlyArray<string>,
    done: (error: string | undefined, rows: ReadonlyArray<Row>) => void
  ) => void
  /** The process of its backend, as the server named it; a pooler names one of its own, or none. */
  readonly backend: number | undefined
  /** Fails with the reason when the connection is gone. */
  readonly lost: Effect.Effect<never, string>
}

/** How long the end of a connection may take before its socket is destroyed. */
const endTimeout = Duration.seconds(1)

const messageOf = (error: unknown): string => classifyPg(error, true).message

// `pg` does not declare the connection below a client, which it has had since its version 7.
const destroy = (client: Pg.Client): void =>
  (
    client as unknown as { readonly connection: { readonly stream: { readonly destroy: () => void } } }
  ).connection.stream.destroy()

/** Whether the connection may be broken. */
const failed = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && !Cause.isInterruptedOnly(exit.cause)

/** Connects; ends the connection with the scope. Fails with a message when there is none in time. */
export const connectListener = (
  config: Pg.ClientConfig,
  onNotification: OnNotification
): Effect.Effect<Listener, string, Scope.Scope> =>
  Effect.gen(function* () {
    const gone = yield* Deferred.make<never, string>()
    const lose = (reason: string): void => Deferred.unsafeDone(gone, Effect.fail(reason))
    let alive = true
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const client = new Pg.Client(config)
        // Before anything can happen: an error without a listener ends the process.
        client.on("error", (error) => {
          alive = false
          lose(messageOf(error))
        })
        client.on("end", () => {
          alive = false
          lose("the connection was closed")
        })
        client.on("notification", ({ channel, payload }) => onNotification(channel, payload ?? ""))
        return client
      }),
      (client, exit) =>
        (alive && !failed(exit) ? Effect.promise(() => client.end()) : Effect.void).pipe(
          Effect.interruptible,
          Effect.timeoutOption(endTimeout),
          Effect.zipRight(Effect.sync(() => destroy(client)))
        )
    )
    yield* Effect.async<void, string>((resume) => {
      client.connect((error: Error | null | undefined) => {
        if (error) alive = false
        resume(error ? Effect.fail(messageOf(error)) : Effect.void)
      })
      // A connection that is not there yet cannot be ended in order.
      return Effect.sync(() => {
        alive = false
      })
    })
    const queue: Array<() => void> = []
    // The driver takes one statement at a time.
    const next = (): void => queue[0]?.()
    return {
      backend: cancelTarget(client)?.processID,
      lost: Deferred.await(gone),
      send: (text, params, done) => {
        const start = () => {
          client.query(text, [...params], (error: Error | null | undefined, result) => {
            queue.shift()
            done(error ? messageOf(error) : undefined, error ? [] : rows(result))
            next()
          })
        }
        if (queue.push(start) === 1) next()
      }
    }
  })

/** Sends a statement and waits for its rows, for so long. */
export const ask = (
  { send }: Listener,
  limit: Duration.DurationInput,
  text: string,
  ...params: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Row>, string> =>
  Effect.async<ReadonlyArray<Row>, string>((resume) =>
    send(text, params, (error, rows) =>
      resume(error === undefined ? Effect.succeed(rows) : Effect.fail(error))
    )
  ).pipe(
    Effect.timeoutFail({
      duration: limit,
      onTimeout: () => `the server did not answer within ${Duration.format(Duration.decode(limit))}`
    })
  )
