/** The laws of text, for records of every kind. */
import { Effect, Exit } from "effect"
import { badTexts, hardTexts, longText } from "../values.js"
import { given, holds, idsOf, loads, makeFixture } from "./fixture.js"
import { type Law, law } from "./subject.js"

export const lawsOfText: ReadonlyArray<Law> = [
  law(
    {
      id: "S85",
      name: "hard-text",
      group: "data",
      statement:
        "Text of every plane, with line ends, quotes and signs of other languages, reads back equal.",
      needs: ["withText"],
      advice: "Encode text so that no sign of it has a meaning of its own"
    },
    (trial) =>
      Effect.gen(function* () {
        const withText = given(trial, "withText")
        const fixture = yield* makeFixture(trial)
        const batch = hardTexts.map((text, i) => withText(i, text))
        yield* fixture.save(batch)
        yield* loads(trial, fixture, batch, "after text of every kind")
      })
  ),
  law(
    {
      id: "S86",
      name: "long-text",
      group: "data",
      statement: "Text of 1 MiB reads back equal, and so do its neighbours.",
      needs: ["withText"],
      advice: "Use a column without a limit, and read until the whole record is there"
    },
    (trial) =>
      Effect.gen(function* () {
        const withText = given(trial, "withText")
        const fixture = yield* makeFixture(trial)
        const batch = [withText(0, "before"), withText(1, longText(1)), withText(2, "after")]
        yield* fixture.save(batch)
        yield* loads(trial, fixture, batch, "after a text of 1 MiB")
      })
  ),
  law(
    {
      id: "S87",
      name: "equal-or-refused",
      group: "data",
      statement: "U+0000 and lone surrogates are refused, or they read back equal.",
      needs: ["withText"],
      advice: "Refuse text that would come back changed (String.prototype.isWellFormed)"
    },
    (trial) =>
      Effect.gen(function* () {
        const withText = given(trial, "withText")
        const fixture = yield* makeFixture(trial)
        const taken: Array<ReturnType<typeof withText>> = []
        for (const [i, text] of badTexts.entries()) {
          const record = withText(i, text)
          if (Exit.isSuccess(yield* fixture.attempt([record]))) taken.push(record)
        }
        yield* holds(trial, fixture, taken, `after ${idsOf(trial, taken).length} texts that are no Unicode`)
        yield* loads(trial, fixture, taken, "after texts that are no Unicode")
      })
  )
]
