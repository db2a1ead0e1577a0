/** Checks the arguments that stand beside the options, such as the storage of a recorder: callers may have no types. */
import { Context, Effect, Layer, Predicate, type Scope } from "effect"
import { type AsGiven, InvalidOptions, invalid, type Rule, that } from "./options.js"

/** A thing that is recognized by some of its members; `what` names its kind, such as "a Storage". */
export const handle = (what: string, ...members: ReadonlyArray<string>): Rule<AsGiven> =>
  that(
    what,
    (given) => Predicate.isObject(given) && members.every((name) => Predicate.hasProperty(given, name))
  )

/** Fails if an argument does not pass its rule. */
export const check = (
  name: string,
  { read }: Rule<unknown>,
  given: unknown
): Effect.Effect<void, InvalidOptions> =>
  Effect.suspend(() => {
    const value = read(name, given)
    return value instanceof InvalidOptions ? Effect.fail(value) : Effect.void
  })

/** Dies if an argument does not pass its rule: for calls that cannot fail. */
export const checkOrDie = (name: string, rule: Rule<unknown>, given: unknown): Effect.Effect<void> =>
  Effect.orDie(check(name, rule, given))

const anEffect = that("an Effect", Effect.isEffect)

/** Fails if an argument is no Effect, which is run later. */
export const checkEffect = (name: string, given: unknown): Effect.Effect<void, InvalidOptions> =>
  check(name, anEffect, given)

/** Runs an argument that is an Effect. */
export const run = <A, E, R>(
  name: string,
  given: Effect.Effect<A, E, R>
): Effect.Effect<A, E | InvalidOptions, R> => Effect.andThen(checkEffect(name, given), () => given)

/** Makes a layer under a tag that is an argument. */
export const layer = <Id, S, E, R>(
  tag: Context.Tag<Id, S>,
  made: Effect.Effect<S, E, R>
): Layer.Layer<Id, E | InvalidOptions, Exclude<R, Scope.Scope>> =>
  Context.isTag(tag) ? Layer.scoped(tag, made) : Layer.fail(invalid("tag", "a Context.Tag", tag))
