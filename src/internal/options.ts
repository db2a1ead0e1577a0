/**
 * Checks the options of every `make` and `layer` by rules that are written as data. A rule returns the option's value with
 * its default, or an {@link InvalidOptions} that names the kind of the value and what is allowed. Names without a rule
 * are refused.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

/**
 * Options that cannot work. The `make` that takes them fails with it, before anything is opened, created or started.
 * `option` is the option's name (`bound.count` for one inside another), `message` is what it must be.
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly option: string
  readonly message: string
}> {}

/** The type of an option whose rule checks the value and keeps the type that the options declare. */
export interface AsGiven {
  readonly _: unique symbol
}

/** What one option must be. `A` is the type of the resolved value. */
export interface Rule<out A> {
  readonly read: (option: string, given: unknown) => A | InvalidOptions
}

/** A rule for each option of `O`. */
export type Rules<O> = { readonly [K in keyof Required<O>]: Rule<unknown> }

/** The options `O`, resolved by the rules `R`. */
export type Resolved<O, R> = {
  readonly [K in keyof R]: R[K] extends Rule<infer A>
    ? [AsGiven] extends [A]
      ? Exclude<A, AsGiven> | (K extends keyof O ? Exclude<O[K], undefined> : never)
      : A
    : never
}

/** Returns the kind of a value. Only numbers are shown: a text may be a secret. */
const kindOf = (given: unknown): string => {
  if (given === null || given === undefined) return String(given)
  if (typeof given === "number" || typeof given === "bigint") return String(given)
  if (Array.isArray(given)) return "an array"
  if (Effect.isEffect(given)) return "an Effect"
  return typeof given === "object" ? "an object" : `a ${typeof given}`
}

const notAllowed = (option: string, allowed: string, kind: string): InvalidOptions =>
  new InvalidOptions({ option, message: `must be ${allowed}, not ${kind}` })

/** Makes the error of an option whose value is not allowed. */
export const invalid = (option: string, allowed: string, given: unknown): InvalidOptions =>
  notAllowed(option, allowed, kindOf(given))

/** `textKind` is the kind of a text that is not allowed, where others are. */
const rule = <A>(allowed: string, read: (given: unknown) => A | Wrong, textKind = "a string"): Rule<A> => ({
  read: (option, given) => {
    const value = read(given)
    if (value !== wrong) return value
    return notAllowed(option, allowed, typeof given === "string" ? textKind : kindOf(given))
  }
})

const anotherText = "another string"

const wrong: unique symbol = Symbol()
type Wrong = typeof wrong

/** An option that may be left out. */
export const optional = <A>({ read }: Rule<A>): Rule<A | undefined> => ({
  read: (option, given) => (given === undefined ? undefined : read(option, given))
})

/** An option with a default. */
export const or = <A, const B>({ read }: Rule<A>, fallback: B): Rule<A | B> => ({
  read: (option, given) => (given === undefined ? fallback : read(option, given))
})

/** A value that passes a test, of the type that the options declare. `allowed` completes "must be". */
export const that = (allowed: string, passes: (given: unknown) => boolean): Rule<AsGiven> =>
  // `Resolved` replaces the mark by the type that the options declare.
  rule(allowed, (given) => (passes(given) ? (given as AsGiven) : wrong))

/** A function; `what` describes it, such as "that returns a size". */
export const func = (what = ""): Rule<AsGiven> =>
  that(`a function${what === "" ? "" : ` ${what}`}`, (given) => typeof given === "function")

/** A `Schedule`. */
export const schedule: Rule<AsGiven> = that("a Schedule", Schedule.isSchedule)

/** Any value: the caller checks it after `resolve`. */
export const anything: Rule<AsGiven> = that("anything", () => true)

/** A text. */
export const text: Rule<string> = rule("a string", (given) => (typeof given === "string" ? given : wrong))

/** One of some texts. */
export const oneOf = <const A extends string>(...values: ReadonlyArray<A>): Rule<A> =>
  rule(
    values.map((value) => JSON.stringify(value)).join(" or "),
    (given) => {
      const found = values.find((value) => value === given)
      return found === undefined ? wrong : found
    },
    anotherText
  )

/** A whole number of `unit`, from `min` to `max`. */
export const whole = (min: 0 | 1, unit = "", max = Number.MAX_SAFE_INTEGER): Rule<number> => {
  const of = unit === "" ? "" : ` of ${unit}`
  const range = max === Number.MAX_SAFE_INTEGER ? (min === 0 ? "from 0" : "above 0") : `from ${min} to ${max}`
  return rule(`a whole number${of} ${range}`, (given) =>
    typeof given === "number" && Number.isSafeInteger(given) && given >= min && given <= max ? given : wrong
  )
}

/**
 * The milliseconds of a duration. Numbers below 0 and NaN are refused: Effect takes them as 0, and a missing setting
 * that has become NaN would be a time limit of nothing.
 */
export const millis = (min: "0" | "above 0" = "0"): Rule<number> =>
  rule(durationText(min), (given) => readMillis(given, min), anotherText)

/** The milliseconds of a duration from 0, or a word that stands for some. */
export const millisOr = <const W extends string>(word: W): Rule<number | W> =>
  rule(
    `${JSON.stringify(word)} or ${durationText("0")}`,
    (given) => (given === word ? word : readMillis(given, "0")),
    anotherText
  )

const durationText = (min: "0" | "above 0"): string =>
  `a duration${min === "0" ? "" : " above 0"}, such as 30000 (milliseconds) or "30 seconds"`

const readMillis = (given: unknown, min: "0" | "above 0"): number | Wrong => {
  if (typeof given === "number" && !(given >= 0)) return wrong
  if (typeof given === "bigint" && given < 0n) return wrong
  if (typeof given === "string" && given.trim().startsWith("-")) return wrong
  if (Array.isArray(given) && given.some((part) => !(part >= 0))) return wrong
  const decoded = Duration.decodeUnknown(given)
  if (Option.isNone(decoded)) return wrong
  const value = Duration.toMillis(decoded.value)
  return value > 0 || (value === 0 && min === "0") ? value : wrong
}

/**
 * The milliseconds of a duration, of a call that fails with nothing. A value that is no duration is a defect, an
 * {@link InvalidOptions} that names it, before the call does anything.
 */
export const millisOf = (option: string, given: unknown): Effect.Effect<number> =>
  Effect.suspend(() => {
    const value = millis().read(option, given)
    return value instanceof InvalidOptions ? Effect.die(value) : Effect.succeed(value)
  })

/** A record of options inside another one. */
export const nested =
  <O extends object>() =>
  <const R extends Rules<O>>(rules: R): Rule<Resolved<O, R>> => ({
    read: (option, given) => resolveAt<O, R>(`${option}.`, rules, given)
  })

/** Resolves options to values with defaults. Fails with the error of the first option that cannot work. */
export const resolve =
  <O extends object>() =>
  <const R extends Rules<O>>(rules: R, options: O): Effect.Effect<Resolved<O, R>, InvalidOptions> =>
    Effect.suspend(() => {
      const resolved = readOptions<O>()(rules, options)
      return resolved instanceof InvalidOptions ? Effect.fail(resolved) : Effect.succeed(resolved)
    })

/** As {@link resolve}, where no Effect can run: answers the error. */
export const readOptions =
  <O extends object>() =>
  <const R extends Rules<O>>(rules: R, options: O): Resolved<O, R> | InvalidOptions =>
    resolveAt<O, R>("", rules, options)

/** Returns why a value is no record of options, or `undefined`. */
export const validateRecord = (option: string, given: unknown): InvalidOptions | undefined =>
  typeof given !== "object" || given === null || Array.isArray(given)
    ? invalid(option, "a record of options", given)
    : undefined

const resolveAt = <O extends object, R extends Rules<O>>(
  prefix: string,
  rules: R,
  options: unknown
): Resolved<O, R> | InvalidOptions => {
  const problem = validateRecord(prefix === "" ? "options" : prefix.slice(0, -1), options)
  if (problem !== undefined) return problem
  // It is a record.
  const given = options as { readonly [name: string]: unknown }
  const unknown = Object.keys(given).find((name) => !Object.hasOwn(rules, name))
  if (unknown !== undefined) return unknownOption(prefix, unknown, Object.keys(rules))
  const resolved: Record<string, unknown> = {}
  for (const [name, { read }] of Object.entries<Rule<unknown>>(rules)) {
    const value = read(prefix + name, given[name])
    if (value instanceof InvalidOptions) return value
    resolved[name] = value
  }
  // Each value was made by the rule of its name.
  return resolved as Resolved<O, R>
}

const unknownOption = (prefix: string, name: string, known: ReadonlyArray<string>): InvalidOptions => {
  const nearest = known
    .map((option) => ({ option, distance: distanceOf(name.toLowerCase(), option.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const advice =
    nearest !== undefined && nearest.distance <= Math.max(2, name.length / 2)
      ? `did you mean \`${prefix}${nearest.option}\`?`
      : `the options are ${known.map((option) => prefix + option).join(", ")}`
  return new InvalidOptions({ option: prefix + name, message: `there is no such option: ${advice}` })
}

/** Counts the letters that have to be added, removed or replaced (Wagner and Fischer, 1974). */
const distanceOf = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = row[j]! + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, row[j + 1]! + 1, next[j]! + 1))
    }
    row = next
  }
  return row[b.length]!
}

/** A list whose members each pass a rule. The name of a member is like `indexes[0]`. */
export const each = <A>({ read }: Rule<A>): Rule<ReadonlyArray<A>> => ({
  read: (option, given) => {
    if (!Array.isArray(given)) return invalid(option, "an array", given)
    const members: Array<A> = []
    for (const [index, member] of given.entries()) {
      const value = read(`${option}[${index}]`, member)
      if (value instanceof InvalidOptions) return value
      members.push(value)
    }
    return members
  }
})

/** A value that a function validates, which answers the problem ("must be ...") or `undefined`. */
export const valid = <A>(validate: (given: unknown) => string | undefined): Rule<A> => ({
  read: (option, given) => {
    const message = validate(given)
    // What passes is of the type that its validator promises.
    return message === undefined ? (given as A) : new InvalidOptions({ option, message })
  }
})
