/**
 * One table over everything that takes a record of options: a name that is not known, a value of another kind, and a
 * value out of bounds are refused as `InvalidOptions`, which names the option, before anything is opened.
 */
import { describe, expect, it } from "@effect/vitest"
import { Cause, Effect, Either } from "effect"
import { InvalidOptions } from "../../src/internal/options.js"
import { databases, others } from "./options/adapters.js"
import { core, watches } from "./options/core.js"
import { datastores } from "./options/datastore.js"
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
