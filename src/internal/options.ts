import { Data, Duration, Option } from "effect"

/**
 * Options that cannot work, told by the `make` that got them: nothing was opened, created or started.
 * `option` is the option's name, `message` says what it must be.
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly option: string
  readonly message: string
}> {}

/**
 * The milliseconds of a duration option. Numbers below 0 and NaN are refused: Effect takes them as 0, and a missing
 * setting that has become NaN would be a time limit of nothing.
 */
export const millisOf = (
  option: string,
  input: Duration.DurationInput,
  least: "0" | "above 0" = "0"
): number | InvalidOptions => {
  const decoded = Duration.decodeUnknown(input)
  const millis = Option.isSome(decoded) ? Duration.toMillis(decoded.value) : Number.NaN
  if (typeof input === "number" && !(input >= 0)) return invalidDuration(option)
  return millis > 0 || (millis === 0 && least === "0") ? millis : invalidDuration(option, least)
}

const invalidDuration = (option: string, least = "0"): InvalidOptions =>
  new InvalidOptions({
    option,
    message: `must be a duration${least === "0" ? "" : " above 0"}, such as 30000 (milliseconds) or "30 seconds"`
  })
