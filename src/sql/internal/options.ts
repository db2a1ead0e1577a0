/** Rules of options that several modules of this folder have. */
import { handle } from "../../internal/arguments.js"
import { validateName } from "../../internal/columns/columns.js"
import { InvalidOptions, invalid, millis, type Rule, that, valid } from "../../internal/options.js"
import { isLonger } from "../../internal/text.js"

/** A name of a table, a schema or an index. */
export const sqlName: Rule<string> = valid<string>(validateName)

/** The longest name of a table or an index on Postgres, which cuts longer ones off. */
const maxNameBytes = 63

/** A name of a table that others are named after, with this suffix at most. */
export const tableName = (suffix: string): Rule<string> => {
  const max = maxNameBytes - suffix.length
  return valid<string>(
    (given) =>
      validateName(given) ??
      // It is a string then.
      (isLonger(given as string, max) ? `must have at most ${max} bytes` : undefined)
  )
}

/** The milliseconds of a duration that a timer of Node or of a server can hold: both end at 2^31 - 1 ms. */
export const timer: Rule<number> = {
  read: (option, given) => {
    const value = millis("above 0").read(option, given)
    return value instanceof InvalidOptions || (value >= 1 && value < 2 ** 31)
      ? value
      : invalid(option, "a duration from 1 millisecond to 24 days", given)
  }
}

/** The path of a SQLite file. */
export const sqliteFile = that(
  "the path of a file, or :memory:",
  (given) => typeof given === "string" && given !== ""
)

/** A doorbell. */
export const doorbell = handle("a doorbell, such as PgDoorbell.make makes", "ring", "listen")
