/** The fold of every prefix of a key's events, by a plain loop, and what every answer owes to it. */
import { Either, Option } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type * as Projection from "../../../src/Projection.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { type Account, accounts, closed, noted, opened, paid } from "../../support/projection/accounts.js"
import type { Kind } from "./schedule.js"

/** A key's state after each of its events, and what is known of it. */
interface Prefix {
  readonly state: Account | undefined
  readonly concerned: boolean
  readonly committedAt: number
}

export interface Model {
  readonly prefixes: Map<string, Array<Prefix>>
  /** How many of a key's events are gone. */
  readonly gone: Map<string, number>
  /** The seq of each event, by key. */
  readonly seqs: Map<string, Array<number>>
  now: number
}

const none: Prefix = { state: undefined, concerned: false, committedAt: 0 }
const prefixOf = (model: Model, key: string, generation: number): Prefix =>
  generation === 0 ? none : (model.prefixes.get(key)?.[generation - 1] ?? none)
export const countOf = (model: Model, key: string): number => model.prefixes.get(key)?.length ?? 0

const after = (before: Account | undefined, kind: Kind, key: string, amount: number) => {
  const state = before ?? accounts.initial
  switch (kind) {
    case "Opened":
      return { ...state, owner: key }
    case "Paid":
      return { ...state, balance: state.balance + amount, payments: [...state.payments, amount] }
    case "Closed":
    case "Forgotten":
      return undefined
    default:
      return before
  }
}

const changeOf = (kind: Kind, key: string, amount: number) => {
  switch (kind) {
    case "Opened":
      return opened(key)
    case "Paid":
      return paid(key, amount)
    case "Noted":
      return noted(key)
    case "Closed":
      return closed(key)
    case "Erased":
      return ChangeLog.put<Projection.EventValue>(key, { kind: "Paid", erased: true })
    case "Forgotten":
      return ChangeLog.forgotten(key)
  }
}

export const makeModel = (): Model => ({ prefixes: new Map(), gone: new Map(), seqs: new Map(), now: 0 })

/** Notes an event that is about to be appended, and makes its change. */
export const note = (model: Model, key: string, kind: Kind): ChangeLog.Change<Projection.EventValue> => {
  const own = model.prefixes.get(key) ?? []
  const amount = own.length + 1
  const before = own.at(-1) ?? none
  own.push({
    state: after(before.state, kind, key, amount),
    concerned: before.concerned || kind !== "Noted",
    committedAt: model.now
  })
  model.prefixes.set(key, own)
  return changeOf(kind, key, amount)
}

/** Notes where events were appended. */
export const noteSeq = ({ seqs }: Model, keys: ReadonlyArray<string>, seq: number): void => {
  for (const key of keys) seqs.set(key, [...(seqs.get(key) ?? []), seq])
}

/** Notes that everything is gone up to a number. */
export const noteGone = ({ gone, seqs }: Model, upTo: number): void => {
  for (const [key, own] of seqs) {
    const count = own.filter((seq) => seq <= upTo).length
    gone.set(key, Math.max(count, gone.get(key) ?? 0))
  }
}

/** What holds of each answer, whatever the lane. */
const checkAnswer = (
  model: Model,
  key: string,
  maxAge: number,
  outcome: Projection.Outcome<Account>,
  owed: number
): void => {
  const { applied, cache, freshness, generation, state, strategy } = outcome
  const { concerned, state: expected } = prefixOf(model, key, generation)
  ensureSame(
    JSON.stringify(Option.getOrUndefined(state)),
    JSON.stringify(expected),
    `the state of generation ${generation}`
  )
  ensureSame(applied !== undefined, concerned, "a revision is applied if an event concerns the projection")
  ensureSame(strategy === "Empty", freshness === "NotApplicable", "Empty is NotApplicable")
  ensureSame(
    ["SlotHit", "SlotIncremental", "Tier", "TierIncremental"].includes(strategy),
    cache._tag === "Hit",
    "a Hit"
  )
  if (freshness !== "StaleAllowed")
    ensure(generation >= owed, "a fresh state holds what was committed before its call")
  else {
    const limit = model.now - maxAge
    const young = (model.prefixes.get(key) ?? []).filter(({ committedAt }) => committedAt < limit).length
    ensure(generation >= young, "a stale state holds what was committed before the age")
  }
}

export const checkRead = (
  model: Model,
  key: string,
  maxAge: number,
  answer: Either.Either<Projection.Outcome<Account>, Projection.ProjectionError>,
  owed: number
): void => {
  if (Either.isRight(answer)) checkAnswer(model, key, maxAge, answer.right, owed)
  else {
    ensureSame(answer.left.reason, "Compacted", "the only failure")
    ensure((model.gone.get(key) ?? 0) > 0, "Compacted, if events of the key are gone")
  }
}
