import { Data } from "effect"

/**
 * Options that cannot work, told by the `make` that got them: nothing was opened, created or started.
 * `option` is the option's name, `message` says what it must be.
 */
export class InvalidOptions extends Data.TaggedError("InvalidOptions")<{
  readonly option: string
  readonly message: string
}> {}
