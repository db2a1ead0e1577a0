/** The moves that the laws of tiers are made of. */
import { type Duration, Effect, Scope } from "effect"
import type { Entry, Store, Tier } from "../../../Tier.js"
import { ensure, type Limited, succeeds } from "../calls.js"
import { lawMaker, type Trial } from "../law.js"
import type { TierGroup, TierLaw, TierNeed, TierPlace, TierSubject, TierSubjects } from "./subject.js"

/** A key, and what it has to have. */
export type Expected = readonly [key: string, value: string | undefined]

/** An open namespace whose calls have to succeed, each within the limit. */
export interface StoreFixture {
  readonly store: Store
  readonly get: (keys: ReadonlyArray<string>) => Effect.Effect<ReadonlyArray<string | undefined>, string>
  readonly put: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, string>
  readonly remove: (...keys: ReadonlyArray<string>) => Effect.Effect<void, string>
  readonly clear: Effect.Effect<void, string>
  /** Fails unless the keys have these values. `when` begins the sentence of what was seen. */
  readonly holds: (when: string, expected: ReadonlyArray<Expected>) => Effect.Effect<void, string>
}

/** Opens namespaces of one tier. */
type Open = (namespace: string) => Effect.Effect<StoreFixture, string, Scope.Scope>

/** A law under way, and the first tier on a place of its own. */
export interface TierTrial extends Trial<TierSubject> {
  readonly tier: Tier
  readonly open: Open
  /** Another tier on the place. */
  readonly another: Effect.Effect<Open, string, Scope.Scope>
  readonly pass: (duration: Duration.Duration) => Effect.Effect<void, string>
  /** Makes the backend fail. */
  readonly fail: Effect.Effect<void, string>
}

/** A text in a message: short, and in quotes. */
export const quoted = (text: string | undefined): string => {
  if (text === undefined) return "nothing"
  const short = text.length > 40 ? `${text.slice(0, 40)}… (${text.length} units)` : text
  return JSON.stringify(short)
}

export const entry = (key: string, value: string, more: Omit<Entry, "key" | "value"> = {}): Entry => ({
  key,
  value,
  ...more
})

/** Entries of pairs of a key and a value. */
export const entriesOf = (
  pairs: ReadonlyArray<readonly [key: string, value: string]>
): ReadonlyArray<Entry> => pairs.map(([key, value]) => ({ key, value }))

const fixtureOf = (limits: Limited, store: Store): StoreFixture => {
  const ok = <A>(what: string, call: () => Effect.Effect<A, unknown>) =>
    succeeds(limits, what, Effect.suspend(call))
  const get = (keys: ReadonlyArray<string>) => ok(`getting ${keys.length} keys`, () => store.get(keys))
  return {
    store,
    get,
    put: (entries) => ok(`putting ${entries.length} entries`, () => store.put(entries)),
    remove: (...keys) => ok(`removing ${keys.length} keys`, () => store.remove(keys)),
    clear: ok("clearing the namespace", () => store.clear),
    holds: (when, expected) =>
      Effect.flatMap(get(expected.map(([key]) => key)), (values) => {
        const wrong = expected.findIndex(([, value], n) => values[n] !== value)
        const [key, value] = expected[wrong] ?? []
        return Effect.andThen(
          ensure(
            values.length === expected.length,
            `${when}, ${expected.length} keys get ${values.length} values`
          ),
          ensure(
            wrong === -1,
            `${when}, the key ${quoted(key)} has ${quoted(values[wrong])} instead of ${quoted(value)}`
          )
        )
      })
  }
}

const openOf =
  (limits: Limited, tier: Tier): Open =>
  (namespace) =>
    Effect.flatMap(Effect.scope, (scope) =>
      Effect.map(
        succeeds(
          limits,
          `opening the namespace ${quoted(namespace)}`,
          Effect.suspend(() => Scope.extend(tier.open(namespace), scope))
        ),
        (store) => fixtureOf(limits, store)
      )
    )

const passing = (limits: Limited, { pass }: TierPlace): TierTrial["pass"] =>
  pass === undefined
    ? (duration) => Effect.sleep(duration)
    : (duration) => succeeds(limits, "letting time pass", Effect.asVoid(pass(duration)))

const startTrial = (trial: Trial<TierSubject>): Effect.Effect<TierTrial, string, Scope.Scope> =>
  Effect.flatMap(Effect.scope, (scope) =>
    Effect.gen(function* () {
      const place = yield* succeeds(trial, "making a place", Scope.extend(trial.subject.place, scope))
      const opening = Effect.flatMap(Effect.scope, (scope) =>
        succeeds(trial, "opening the tier", Scope.extend(place.open, scope))
      )
      const tier = yield* opening
      const fail = place.fail ?? Effect.fail("the place has no `fail`")
      return {
        ...trial,
        tier,
        open: openOf(trial, tier),
        another: Effect.map(opening, (tier) => openOf(trial, tier)),
        pass: passing(trial, place),
        fail: succeeds(trial, "making the backend fail", Effect.asVoid(fail))
      }
    })
  )

const law = lawMaker<TierSubjects, TierNeed, TierGroup>()

/** Makes a law of its data and its body, which begins with a tier on a place of its own. */
export const tierLaw = (
  data: Parameters<typeof law>[0],
  body: (trial: TierTrial) => Effect.Effect<void, string, Scope.Scope>
): TierLaw => law(data, (trial) => Effect.flatMap(startTrial(trial), body))
