/** What a law is, whatever it is held against: its data, its needs, and how a subject is held against it. */
import { Cause, Data, Duration, Effect, type Scope } from "effect"
import type { Kind, TypeLambda } from "effect/HKT"
import {
  type InvalidOptions,
  millis,
  or,
  type Resolved,
  type Rules,
  resolve,
  whole
} from "../../internal/options.js"
import { isError } from "../../internal/realms.js"

/** A subject does not keep a law. `message` names what was seen and what to do. */
export class LawBroken extends Data.TaggedError("LawBroken")<{
  readonly law: string
  readonly message: string
}> {}

/** How a law is checked. */
export interface CheckOptions {
  /** The longest that one call of the subject may take. Default 10 seconds. */
  readonly limit?: Duration.DurationInput | undefined
  /** Where the values come from that are drawn: the same seed draws the same. A whole number from 0, default 1. */
  readonly seed?: number | undefined
  /** How many random values a law draws. Default 100. */
  readonly samples?: number | undefined
}

/** The rules of {@link CheckOptions}. */
export const checkRules = {
  limit: or(millis("above 0"), 10_000),
  seed: or(whole(0), 1),
  samples: or(whole(1, "values"), 100)
} satisfies Rules<CheckOptions>

/** How the laws are run, each as a test. */
export interface LawsOptions extends CheckOptions {
  /** The longest that one law may take. Default 60 seconds. */
  readonly timeout?: Duration.DurationInput | undefined
}

/** The rules of {@link LawsOptions}. */
export const lawsRules = {
  ...checkRules,
  timeout: or(millis("above 0"), 60_000)
} satisfies Rules<LawsOptions>

/** The subject of the kit `Subjects`, with the types that are free in it. A kit without free types ignores them. */
export type SubjectOf<Subjects extends TypeLambda, A, B> = Kind<Subjects, never, never, B, A>

/** What a law is, as data. */
export interface LawData<out Need extends string, out Group extends string> {
  /** The number by which tests and documents cite the law. It never changes, and is never given to another law. */
  readonly id: string
  /** For tables and for leaving it out: short, and never changed. */
  readonly name: string
  readonly group: Group
  /** The law in one sentence. */
  readonly statement: string
  /** What to do when it is broken. */
  readonly advice: string
  /** The law is left out for a subject that has not all of these. */
  readonly needs: ReadonlyArray<Need>
}

/** One law of the kit `Subjects`. */
export interface Law<in out Subjects extends TypeLambda, out Need extends string, out Group extends string>
  extends LawData<Need, Group> {
  /** Holds the law against a subject, in a place of its own. Fails with `InvalidOptions` before that. */
  readonly check: <A, B>(
    subject: SubjectOf<Subjects, A, B>,
    options?: CheckOptions
  ) => Effect.Effect<void, LawBroken | InvalidOptions>
}

/** The laws of one kind of subject, and which needs a subject does not meet. */
export interface Kit<
  in out Subjects extends TypeLambda,
  in out Need extends string,
  out Group extends string
> {
  readonly laws: ReadonlyArray<Law<Subjects, Need, Group>>
  /** Why a subject does not meet a need; `undefined` when it does. */
  readonly lacks: <A, B>(subject: SubjectOf<Subjects, A, B>, need: Need) => string | undefined
}

/** A law under way: its subject, and the options with their defaults. */
export interface Trial<out Subject> {
  readonly subject: Subject
  readonly limit: Duration.Duration
  readonly seed: number
  readonly samples: number
}

/** What a law does: it fails with what was seen. */
export type Body<Subjects extends TypeLambda> = <A, B>(
  trial: Trial<SubjectOf<Subjects, A, B>>
) => Effect.Effect<void, string, Scope.Scope>

/** The data of a law as it is written: `needs` may be left out. */
export type Written<Need extends string, Group extends string> = Omit<LawData<Need, Group>, "needs"> & {
  readonly needs?: ReadonlyArray<Need>
}

const messageOf = (cause: Cause.Cause<string>): string => {
  const seen = Cause.squash(cause)
  return typeof seen === "string" ? seen : `it died: ${isError(seen) ? seen.message : String(seen)}`
}

/** Runs the body of a law: what was seen becomes {@link LawBroken}, with the law's advice. */
const judge = (
  { advice, name }: LawData<string, string>,
  body: Effect.Effect<void, string, Scope.Scope>
): Effect.Effect<void, LawBroken> =>
  body.pipe(
    Effect.scoped,
    Effect.catchAllCause((cause) =>
      Cause.isInterruptedOnly(cause)
        ? Effect.interrupt
        : new LawBroken({ law: name, message: `${messageOf(cause)}. ${advice}` })
    )
  )

const trialOf = <Subject>(
  subject: Subject,
  { limit, samples, seed }: Resolved<CheckOptions, typeof checkRules>
): Trial<Subject> => ({ subject, limit: Duration.millis(limit), seed, samples })

/** Makes the laws of one kit, each of its data and its body. */
export const lawMaker =
  <Subjects extends TypeLambda, Need extends string, Group extends string>() =>
  (written: Written<Need, Group>, body: Body<Subjects>): Law<Subjects, Need, Group> => {
    const data = { needs: [], ...written }
    return {
      ...data,
      check: (subject, options = {}) =>
        Effect.flatMap(resolve<CheckOptions>()(checkRules, options), (resolved) =>
          judge(data, body(trialOf(subject, resolved)))
        )
    }
  }

/** Why a law is left out for a subject; `undefined` when it is not. */
export const leftOutReasonOf =
  <Subjects extends TypeLambda, Need extends string>(lacks: Kit<Subjects, Need, string>["lacks"]) =>
  <A, B>(
    { needs }: { readonly needs: ReadonlyArray<Need> },
    subject: SubjectOf<Subjects, A, B>
  ): string | undefined => {
    for (const need of needs) {
      const reason = lacks(subject, need)
      if (reason !== undefined) return reason
    }
    return undefined
  }
