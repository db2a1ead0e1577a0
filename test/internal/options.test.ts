import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Schedule } from "effect"
import * as Options from "../../src/internal/options.js"

interface Sizes {
  readonly count?: number | undefined
  readonly sizeOf?: ((item: string) => number) | undefined
}

interface Given {
  readonly name?: string | undefined
  readonly timeout?: number | string | undefined
  readonly retry?: Schedule.Schedule<unknown> | undefined
  readonly onFatal?: "stop" | "go-on" | undefined
  readonly bound?: Sizes | undefined
}

const forever = Schedule.forever

const rules = {
  name: Options.or(Options.text, "recorder"),
  timeout: Options.or(Options.millis("above 0"), 30_000),
  retry: Options.or(Options.schedule, forever),
  onFatal: Options.optional(Options.oneOf("stop", "go-on")),
  bound: Options.optional(
    Options.nested<Sizes>()({
      count: Options.optional(Options.whole(1, "records")),
      sizeOf: Options.optional(Options.func("that gives a size"))
    })
  )
}

/** As a program without types gives them. */
const resolve = (options: unknown) =>
  Effect.runSync(Effect.either(Options.resolve<Given>()(rules, options as Given)))

const problem = (options: unknown) => {
  const { message, option } = Either.getOrThrow(Either.flip(resolve(options)))
  return `${option} ${message}`
}

describe("options", () => {
  it("have their defaults, and keep what was given", () => {
    expect(Either.getOrThrow(resolve({}))).toEqual({
      name: "recorder",
      timeout: 30_000,
      retry: forever,
      onFatal: undefined,
      bound: undefined
    })
    const sizeOf = (item: string): number => item.length
    const resolved = Either.getOrThrow(
      resolve({ name: undefined, timeout: "2 seconds", onFatal: "stop", bound: { count: 3, sizeOf } })
    )
    expect(resolved).toMatchObject({ name: "recorder", timeout: 2000, onFatal: "stop" })
    // The types of functions are those of the owner's options.
    const size: number | undefined = resolved.bound?.sizeOf?.("abc")
    expect(size).toBe(3)
  })

  it.each([
    [{ nmae: "a" }, "nmae there is no such option: did you mean `name`?"],
    [{ TimeOut: 1 }, "TimeOut there is no such option: did you mean `timeout`?"],
    [{ bound: { cuont: 1 } }, "bound.cuont there is no such option: did you mean `bound.count`?"],
    [
      { quiteAnother: 1 },
      "quiteAnother there is no such option: the options are name, timeout, retry, onFatal, bound"
    ],
    [{ name: 5 }, "name must be a string, not 5"],
    [{ name: null }, "name must be a string, not null"],
    [{ onFatal: "secret" }, 'onFatal must be "stop" or "go-on", not another string'],
    [{ retry: {} }, "retry must be a Schedule, not an object"],
    [{ bound: 7 }, "bound must be a record of options, not 7"],
    [{ bound: { count: 0 } }, "bound.count must be a whole number of records above 0, not 0"],
    [{ bound: { sizeOf: [] } }, "bound.sizeOf must be a function that gives a size, not an array"],
    [null, "options must be a record of options, not null"]
  ])("refuses %j: %s", (options, expected) => {
    expect(problem(options)).toBe(expected)
  })

  it.each([0, -1, Number.NaN, "-5 seconds", "soon", -5n, null, {}])("refuses %s as a duration", (timeout) => {
    expect(problem({ timeout })).toMatch(/^timeout must be a duration above 0, such as 30000/)
  })
})
