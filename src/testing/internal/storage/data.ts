/** The laws of the data itself: what every backend keeps, and what none may take. */
import { Cause, Effect, Exit } from "effect"
import type { ColumnType } from "../../../internal/columns/columns.js"
import { StorageError } from "../../../Storage.js"
import { ensure, failedWith } from "../calls.js"
import { type BadRule, badValues, draw, hardValues, randomRow, valuesOfOtherTypes } from "../values.js"
import { type Fixture, given, isPoison, loads, makeFixture, sameRecords } from "./fixture.js"
import { type Law, law, type StorageTrial } from "./subject.js"

/** The columns of a type whose values the law may choose. */
const freeColumns = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  type?: ColumnType
): ReadonlyArray<string> => {
  const { columns, id, keep = [] } = given(trial, "table")
  return Object.keys(columns).filter(
    (name) => name !== id && !keep.includes(name) && (type === undefined || columns[name]?.type === type)
  )
}

/** The record of a number, with other values. */
const withValues = <Record, Query>(trial: StorageTrial<Record, Query>, i: number, values: object): Record =>
  // With a table the records are its rows, by the subject's own word. Its record(i) is made anew, and a bad value is
  // the point of some laws.
  ({ ...(trial.subject.record(i) as object), ...values }) as Record

const quote = (value: unknown): string => {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}

/** Saves a record for every value in every column of its type, and reads all of them back. */
const keeps = (type: ColumnType, values: ReadonlyArray<unknown>) =>
  (<Record, Query>(trial: StorageTrial<Record, Query>) =>
    Effect.gen(function* () {
      const fixture = yield* makeFixture(trial)
      let next = 0
      const rows = freeColumns(trial, type).flatMap((column) =>
        values.map((value) => withValues(trial, next++, { [column]: value }))
      )
      yield* fixture.save(rows)
      yield* loads(trial, fixture, rows, `after values of type ${type}`)
    })) satisfies Parameters<typeof law>[1]

const keeping = (
  type: ColumnType,
  data: Pick<Law, "id" | "name" | "statement" | "advice">,
  values: ReadonlyArray<unknown> = hardValues[type]
): Law => law({ ...data, group: "data", needs: [`column ${type}`] }, keeps(type, values))

/** What is wrong with the way in which a batch with one bad record at this place was refused. */
const refusalProblem = (exit: Exit.Exit<unknown, unknown>, place: number): string | undefined => {
  if (!isPoison(exit)) return `ended with ${failedWith(exit)}`
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  if (!(error instanceof StorageError) || error.bad === undefined) return undefined
  const named = error.bad.map(({ index }) => index)
  return named.length === 1 && named[0] === place ? undefined : `names ${named} as bad, not ${place}`
}

/** Every value is refused where it stands, and nothing of its batch is stored as if nothing had been wrong. */
const refusesEach = <Record, Query>(
  trial: StorageTrial<Record, Query>,
  fixture: Fixture<Record, Query>,
  column: string,
  values: ReadonlyArray<unknown>
) =>
  Effect.forEach(
    values,
    (value, at) =>
      Effect.gen(function* () {
        const place = at % 3
        const batch = [0, 1, 2].map((i) =>
          i === place ? withValues(trial, i, { [column]: value }) : trial.subject.record(i)
        )
        const exit = yield* fixture.attempt(batch)
        const problem = refusalProblem(exit, place)
        yield* ensure(
          problem === undefined,
          `a batch with ${quote(value)} in ${column} at position ${place} ${problem}`
        )
      }),
    { discard: true }
  )

const refusing = (rule: BadRule, data: Pick<Law, "id" | "name" | "statement" | "advice">): Law => {
  const byType = Object.entries(badValues[rule]) as ReadonlyArray<[ColumnType, ReadonlyArray<unknown>]>
  return law({ ...data, group: "data", needs: ["table"] }, (trial) =>
    Effect.flatMap(makeFixture(trial), (fixture) =>
      Effect.forEach(
        byType.flatMap(([type, values]) => freeColumns(trial, type).map((column) => ({ column, values }))),
        ({ column, values }) => refusesEach(trial, fixture, column, values),
        { discard: true }
      )
    )
  )
}

export const lawsOfData: ReadonlyArray<Law> = [
  law(
    {
      id: "S69",
      name: "random-rows",
      group: "data",
      statement: "Random rows with every type of column read back as `Storage.memory` reads them back.",
      needs: ["table"],
      advice: "Check how the values of that column are encoded and decoded; the same seed draws the same rows"
    },
    (trial) =>
      Effect.gen(function* () {
        const { columns } = given(trial, "table")
        const free = freeColumns(trial)
        const by = draw(trial.seed)
        const fixture = yield* makeFixture(trial)
        for (let from = 0; from < trial.samples; from += 20) {
          const rows = Array.from({ length: Math.min(20, trial.samples - from) }, (_, i) =>
            withValues(trial, from + i, randomRow(columns, free, {}, by))
          )
          yield* fixture.save(rows)
          yield* Effect.mapError(
            Effect.flatMap(fixture.load, (loaded) => sameRecords(trial, loaded, rows)),
            (seen) => `with the seed ${trial.seed}, ${seen}`
          )
        }
      })
  ),
  law(
    {
      id: "S70",
      name: "null-is-not-empty",
      group: "data",
      statement: "NULL reads back as null, and an empty text, object or list of bytes as what it is.",
      needs: ["table"],
      advice: "Keep the empty value and NULL apart, and read NULL back as null"
    },
    (trial) =>
      Effect.gen(function* () {
        const { columns } = given(trial, "table")
        const empty: { readonly [Type in ColumnType]?: unknown } = {
          text: "",
          json: {},
          bytes: new Uint8Array()
        }
        const fixture = yield* makeFixture(trial)
        const rows = freeColumns(trial).flatMap((column, at) => {
          const { nullable, type } = columns[column] ?? { nullable: false, type: "text" }
          const values = [...(nullable ? [null, undefined] : []), ...(type in empty ? [empty[type]] : [])]
          return values.map((value, nth) => withValues(trial, 3 * at + nth, { [column]: value }))
        })
        yield* fixture.save(rows)
        yield* loads(trial, fixture, rows, "after empty values")
      })
  ),
  keeping("text", {
    id: "S71",
    name: "keeps-text",
    statement: "Text of every kind in a text column reads back equal.",
    advice: "Store text as UTF-8, without trimming or normalising it"
  }),
  keeping("integer", {
    id: "S72",
    name: "keeps-integers",
    statement: "Whole numbers up to ±(2^53 - 1) read back equal.",
    advice: "Use a type of 64 bits, and read it as a number"
  }),
  keeping("bigint", {
    id: "S73",
    name: "keeps-bigints",
    statement: "The whole range of int64 reads back equal, as bigint.",
    advice: "Read the column as bigint: a number in between loses digits"
  }),
  keeping("real", {
    id: "S74",
    name: "keeps-doubles",
    statement: "Every finite double reads back equal.",
    advice: "Use a double of 64 bits, and pass it without rounding"
  }),
  keeping(
    "real",
    {
      id: "S75",
      name: "minus-zero-is-zero",
      statement: "-0 is stored as 0.",
      advice: "Add 0 before storing it: some backends keep the sign and some do not"
    },
    [-0]
  ),
  keeping("timestamp", {
    id: "S76",
    name: "keeps-dates",
    statement: "Dates of the years 0001 to 9999 read back equal, to the millisecond.",
    advice: "Store instants in UTC with milliseconds"
  }),
  keeping("json", {
    id: "S77",
    name: "keeps-json",
    statement: "Plain data, up to 1,000 levels deep, reads back equal.",
    advice: "Store the text of JSON.stringify, and parse it once"
  }),
  keeping("bytes", {
    id: "S78",
    name: "keeps-bytes",
    statement: "Bytes read back equal, those that view a part of a buffer too.",
    advice: "Store the bytes of the view, not of its buffer"
  }),
  refusing("NaN and infinities", {
    id: "S79",
    name: "refuses-nan",
    statement: "NaN and infinities are refused as Poison.",
    advice: "Check numbers with Number.isFinite first (rowCheck does it): JSON makes null of them"
  }),
  refusing("numbers out of range", {
    id: "S80",
    name: "refuses-numbers-out-of-range",
    statement: "Numbers that are not whole or out of range are refused as Poison.",
    advice: "Check the range first (rowCheck does it): some backends wrap or round"
  }),
  refusing("dates out of range", {
    id: "S81",
    name: "refuses-dates-out-of-range",
    statement: "Invalid dates, and dates outside of the years 0001 to 9999, are refused as Poison.",
    advice: "Check dates first (rowCheck does it)"
  }),
  refusing("text that is no Unicode", {
    id: "S82",
    name: "refuses-bad-text",
    statement: "U+0000 and lone surrogates are refused as Poison, in text and in json, keys too.",
    advice: "Check text first (rowCheck does it): Postgres refuses U+0000, encoders replace lone surrogates"
  }),
  refusing("json that is no data", {
    id: "S83",
    name: "refuses-bad-json",
    statement: "JSON that is too deep or no plain data is refused as Poison.",
    advice: "Check json first (rowCheck does it): JSON.stringify drops or changes what it does not know"
  }),
  law(
    {
      id: "S84",
      name: "refuses-other-types",
      group: "data",
      statement: "A value of another type than its column's is refused as Poison.",
      needs: ["table"],
      advice: "Check the types first (rowCheck does it): a backend that converts changes the data"
    },
    (trial) =>
      Effect.flatMap(makeFixture(trial), (fixture) =>
        Effect.forEach(
          freeColumns(trial),
          (column) => {
            const type = given(trial, "table").columns[column]?.type ?? "text"
            return refusesEach(trial, fixture, column, valuesOfOtherTypes(type))
          },
          { discard: true }
        )
      )
  )
]
