/** Clients of an exchange that a pool serves, over a pair in memory that is cut wherever a test wants. */
import { Effect, Exit, Fiber, Scope, Stream } from "effect"
import * as MergePool from "../../../src/MergePool.js"
import { strategies } from "./served.js"

export const clientIn = (fields: MergePool.Fields, client: string): MergePool.ExchangeClient => {
  const made = MergePool.exchange.client(fields, { client })
  if ("_tag" in made) throw new Error(made.message)
  return made
}

export interface Exchanged {
  readonly client: MergePool.ExchangeClient
  readonly as: MergePool.As
  /** What the client was shown, and the messages both ways by their tags. */
  readonly actions: Array<MergePool.ClientAction>
  readonly tags: Array<string>
  /** The messages of the server, as they came. */
  readonly lines: Array<string>
  /** What lies on the way to the server, changed. */
  alter: (line: string) => string
  readonly connect: (
    options?: MergePool.ServeOptions
  ) => Effect.Effect<void, MergePool.InvalidOptions | MergePool.StoreEnded>
  readonly cut: Effect.Effect<void>
  readonly edit: (edit: MergePool.Edit) => Effect.Effect<void>
  /** The rows as plain data. */
  readonly shown: () => Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

/** The time of the test's clock, in milliseconds. */
const now = Effect.clockWith((clock) => clock.currentTimeMillis)

export const tagOf = (line: string): string => JSON.parse(line)._tag

/** Makes a client of a pool on behalf of a principal; it is not connected. */
export const exchanged = (
  pool: Pick<MergePool.PoolHandle, "serve">,
  principal: string,
  fields: MergePool.Fields = strategies
) =>
  Effect.gen(function* () {
    const { client: id } = yield* MergePool.replica(fields)
    const client = clientIn(fields, id)
    const as = { principal, client: id }
    let connection: { readonly scope: Scope.CloseableScope; readonly serving: MergePool.Serving } | undefined
    const perform = (actions: ReadonlyArray<MergePool.ClientAction>): Effect.Effect<void> =>
      Effect.forEach(
        actions,
        (action) => {
          if (action._tag !== "Send") return Effect.sync(() => void line.actions.push(action))
          line.tags.push(tagOf(action.message))
          return connection?.serving.receive(line.alter(action.message)) ?? Effect.void
        },
        { discard: true }
      )
    const take = (message: string) =>
      Effect.flatMap(now, (wall) => {
        line.tags.push(tagOf(message))
        line.lines.push(message)
        return perform(client.receive(message, wall))
      })
    const cut = Effect.suspend(() => {
      const last = connection
      connection = undefined
      client.disconnect()
      return last === undefined ? Effect.void : Scope.close(last.scope, Exit.void)
    })
    yield* Effect.addFinalizer(() => cut)
    const line: Exchanged = {
      client,
      as,
      actions: [],
      tags: [],
      lines: [],
      alter: (text) => text,
      connect: (options = { as }) =>
        Effect.gen(function* () {
          yield* cut
          const scope = yield* Scope.make()
          const serving = yield* Scope.extend(pool.serve(options), scope)
          connection = { scope, serving }
          const fiber = yield* Effect.forkIn(Stream.runForEach(serving.messages, take), scope)
          yield* Scope.addFinalizer(scope, Fiber.interruptFork(fiber))
          yield* perform(client.connect(yield* now))
        }),
      cut,
      edit: (edit) =>
        Effect.flatMap(now, (wall) => {
          const actions = client.edit(edit, wall)
          if ("_tag" in actions) throw new Error(actions.message)
          return perform(actions)
        }),
      shown: () =>
        Object.fromEntries(Array.from(client.rows(), ([key, row]) => [key, Object.fromEntries(row)]))
    }
    return line
  })
