/** Accounts: the events and the projection that tests use, and a log of them whose index can be held up. */
import { Effect, Either, type Option, Schema } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Projection from "../../../src/Projection.js"

type V = Projection.EventValue
export type Log = ChangeLog.ChangeLog<V>

export const accountEvents = Projection.events(
  {
    Opened: Schema.Struct({ owner: Schema.String }),
    Paid: Schema.Struct({ amount: Schema.Int }),
    Noted: Schema.String,
    Closed: Schema.Null
  },
  { renamed: { Deposited: "Paid" } }
)

export const Account = Schema.Struct({
  owner: Schema.String,
  balance: Schema.Number,
  payments: Schema.Array(Schema.Number)
})
export type Account = typeof Account.Type

/** Without `Noted`, so that there are events that do not concern it. */
export const accounts = Projection.define({
  name: "accounts",
  events: accountEvents,
  kinds: ["Opened", "Paid", "Closed"],
  state: Account,
  initial: { owner: "", balance: 0, payments: [] },
  incremental: "on",
  apply: (state, event) => {
    switch (event.kind) {
      case "Opened":
        return { ...state, owner: event.data.owner }
      case "Paid":
        return {
          ...state,
          balance: state.balance + event.data.amount,
          payments: [...state.payments, event.data.amount]
        }
      case "Noted":
        return state
      default:
        return undefined
    }
  }
})

export const opened = (key: string, owner = key) => right(accountEvents.change(key, "Opened", { owner }))
export const paid = (key: string, amount: number) => right(accountEvents.change(key, "Paid", { amount }))
export const noted = (key: string, text = "") => right(accountEvents.change(key, "Noted", text))
export const closed = (key: string) => right(accountEvents.change(key, "Closed", null))

const right = <A>(either: Either.Either<A, unknown>): A => Either.getOrThrow(either)

/** A log whose index counts its reads, and can be held up and broken. */
export interface Scripted {
  readonly log: Log
  /** How often a history was read. */
  readonly reads: () => number
  /** What the next history that is read does before it is read. */
  readonly beforeNext: (effect: Effect.Effect<unknown, ChangeLog.ChangeLogError>) => void
  /** What the next history that is read does after it was read. */
  readonly afterNext: (effect: Effect.Effect<unknown, ChangeLog.ChangeLogError>) => void
  /** Ends what was to be done at reads that have not come. */
  readonly clear: () => void
}

/** `async`: it does not answer during the call, as a database. */
export const scripted = (log: Log, kind: "now" | "async" = "async"): Scripted => {
  let reads = 0
  const before: Array<Effect.Effect<unknown, ChangeLog.ChangeLogError>> = []
  const after: Array<Effect.Effect<unknown, ChangeLog.ChangeLogError>> = []
  const index = log.index as ChangeLog.KeyIndex<V>
  return {
    log: {
      ...log,
      append: kind === "now" ? log.append : (changes) => log.append(changes),
      index: {
        ...index,
        history: (key, options) =>
          Effect.suspend(() => {
            reads++
            const first = before.shift() ?? Effect.void
            const last = after.shift() ?? Effect.void
            return Effect.zipLeft(Effect.andThen(first, index.history(key, options)), last)
          })
      }
    },
    reads: () => reads,
    beforeNext: (effect) => before.push(effect),
    afterNext: (effect) => after.push(effect),
    clear: () => {
      before.length = 0
      after.length = 0
    }
  }
}

export const indexedLog: Effect.Effect<Log> = Effect.orDie(ChangeLog.make({ keys: "indexed" }))

/** A log of these events, each a revision of its own. */
export const logOf = (
  ...changes: ReadonlyArray<ChangeLog.Change<V>>
): Effect.Effect<Log, ChangeLog.ChangeLogError> =>
  Effect.tap(indexedLog, (log) => Effect.forEach(changes, (change) => log.append([change])))

/** An outcome in short. */
export const brief = (outcome: Projection.Outcome<Account>): string => {
  const { cache, freshness, generation, stored, strategy } = outcome
  return `${strategy} ${cache._tag} ${freshness} ${stored} g${generation} ${balanceOf(outcome.state)}`
}

export const balanceOf = (state: Option.Option<Account>): string =>
  state._tag === "Some" ? String(state.value.balance) : "none"
