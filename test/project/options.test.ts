/**
 * One table over everything that takes a record of options: a name that is not known, a value of another kind, and a
 * value out of bounds are refused as `InvalidOptions`, which names the option, before anything is opened.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Either } from "effect"
import { InvalidOptions } from "../../src/internal/options.js"
import { databases, others } from "./options/adapters.js"
import { calls } from "./options/arguments.js"
import { core, watches } from "./options/core.js"
import { datastores } from "./options/datastore.js"
import { endless, typed } from "./options/durations.js"
import { laws } from "./options/laws.js"
import { mergePools } from "./options/mergePool.js"
import type { Place } from "./options/wrong.js"

/** How a place refuses options: with what it fails, or that it does not fail. */
const refusal = ({ make, name }: Place, options: object): Effect.Effect<InvalidOptions> =>
  Effect.suspend(() => make(options)).pipe(
    Effect.sandbox,
    Effect.flip,
    Effect.timeout("2 seconds"),
    Effect.orElseFail(() => new Error(`${name} takes them`)),
    Effect.map(Cause.failureOrCause),
    Effect.flatMap(Either.match({ onLeft: Effect.succeed, onRight: Effect.failCause })),
    Effect.filterOrDie(
      (error) => error instanceof InvalidOptions,
      (error) => new Error(`${name} fails otherwise: ${error}`)
    ),
    Effect.orDie
  )

for (const each of [...core, ...watches, ...datastores, ...mergePools, ...others, ...laws, ...databases]) {
  const { name, needed, prefix = "", wrong } = each
  describe(`the options of ${name}`, () => {
    it.live("have no unknown names: an error names the nearest known one", () =>
      Effect.forEach(Object.keys(wrong), (known) =>
        Effect.gen(function* () {
          const misspelled = `${known}${known.at(-1)}`
          const error = yield* refusal(each, { ...needed, [misspelled]: 1 })
          expect(error).toMatchObject({ option: prefix + misspelled })
          expect(error.message).toContain(`did you mean \`${prefix}${known}\`?`)
        })
      )
    )

    it.live.skipIf(each.takesOthers === true)("are a record", () =>
      Effect.forEach([null, 5, []], (given) =>
        Effect.gen(function* () {
          // What types refuse.
          const error = yield* refusal(each, given as never)
          expect(error).toMatchObject({
            option: prefix === "" ? "options" : prefix.slice(0, -1),
            message: expect.stringContaining("must be a record of options, not ")
          })
        })
      )
    )

    for (const [option, values] of Object.entries(wrong)) {
      it.live(`refuse a wrong ${option}`, () =>
        Effect.forEach(values, ({ inside, value }) =>
          Effect.gen(function* () {
            const error = yield* refusal(each, { ...needed, [option]: value })
            expect(error.option, `${JSON.stringify(value)}: ${error.message}`).toBe(prefix + option + inside)
            expect(error.message).not.toBe("")
          })
        )
      )
    }
  })
}

// What Effect takes as 0.
const wrongDurations = ["-5 seconds", "soon", -1, Number.NaN, [-1, 5], null] as ReadonlyArray<unknown>

describe.each(endless)("the duration of $name", ({ make, option }) => {
  it.scoped("is refused before anything is done, if it is none", () =>
    Effect.gen(function* () {
      const { call, works } = yield* make
      yield* Effect.forEach(wrongDurations, (given) =>
        Effect.gen(function* () {
          const cause = yield* Effect.flip(Effect.sandbox(Effect.suspend(() => call(given as never))))
          expect(Cause.squash(cause), String(given)).toMatchObject({ _tag: "InvalidOptions", option })
        })
      )
      yield* works
    })
  )
})

it.each(typed)("the duration of %s is refused by its error", async (_, call, error) => {
  for (const given of wrongDurations) {
    expect(await Effect.runPromise(Effect.flip(call(given as never))), String(given)).toMatchObject(error)
  }
})

describe.each(calls)("nothing as an argument: $call", ({ error, given }) => {
  it.live("fails with a typed error that names it", () =>
    Effect.forEach([null, undefined], (nothing) =>
      Effect.gen(function* () {
        // What types refuse.
        const failed = Effect.suspend(() => given(nothing as never)).pipe(
          Effect.scoped,
          Effect.sandbox,
          Effect.flip,
          // What cannot fail dies.
          Effect.map(Cause.squash)
        )
        const { message = /./, ...rest } = error
        const found = yield* Effect.timeout(failed, "10 seconds")
        expect(found, String(nothing)).toMatchObject(rest)
        expect(found).toHaveProperty("message", expect.stringMatching(message))
      })
    )
  )
})
