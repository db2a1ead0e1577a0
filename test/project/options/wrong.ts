/** What a table of wrong options is made of. */
import { Effect, Layer, type Scope } from "effect"

/** A wrong value of an option, and what the error adds to the option's name when it names one inside of it. */
export interface Wrong {
  readonly value: unknown
  readonly inside: string
}

/** What is wrong for each option: first a value of another kind, then values out of bounds. */
export type WrongOf<O> = { readonly [K in keyof Required<O>]: ReadonlyArray<Wrong> }

export const of = (...values: ReadonlyArray<unknown>): ReadonlyArray<Wrong> =>
  values.map((value) => ({ value, inside: "" }))

export const inside = (option: string, ...values: ReadonlyArray<unknown>): ReadonlyArray<Wrong> =>
  values.map((value) => ({ value, inside: option.startsWith("[") ? option : `.${option}` }))

export const aText = of(5)
export const aFunction = of("a text")
export const aSchedule = of({})
export const durations = of("soon", -1, "-5 seconds", [-1, 5], Number.NaN, null)
export const durationsAbove0 = [...durations, ...of(0)]
export const wholes = of("many", 0, 1.5, Number.NaN)
export const words = of(5, "another")

export const aBound = [
  ...of(5),
  ...inside("overflow", { count: 1 }, { count: 1, overflow: "wait" }),
  ...inside("count", { overflow: "reject" }, { count: 0, overflow: "reject" }),
  ...inside("bytes", { bytes: "many", overflow: "reject" }, { bytes: -1, overflow: "reject" }),
  ...inside("sizeOf", { bytes: 1, overflow: "reject" }, { count: 1, sizeOf: 5, overflow: "reject" }),
  ...inside("cuont", { cuont: 1, overflow: "reject" })
]

export interface Place {
  readonly name: string
  /** What stands before the name of an option in an error, of a record that is a part of another. */
  readonly prefix?: string
  /** It also takes what is no record, and refuses that by a message of its own. */
  readonly takesOthers?: true
  /** The options that it cannot do without. */
  readonly needed: object
  readonly wrong: Readonly<Record<string, ReadonlyArray<Wrong>>>
  readonly make: (options: object) => Effect.Effect<unknown, unknown>
}

/** A place whose rows are complete: each option of `O` has one. */
export const place = <O extends object>(
  name: string,
  needed: Partial<O>,
  wrong: WrongOf<O>,
  make: (options: O) => Effect.Effect<unknown, unknown>
): Place => ({ name, needed, wrong, make: make as Place["make"] })

export const scoped = <A, E>(effect: Effect.Effect<A, E, Scope.Scope>) => Effect.scoped(effect)
export const built = <A, E>(layer: Layer.Layer<A, E>) => Effect.scoped(Layer.build(layer))
