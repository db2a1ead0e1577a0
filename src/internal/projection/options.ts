/** The options of a projection, their rules and their defaults. */
import type { Duration } from "effect"
import type { Tier } from "../../Tier.js"
import { handle } from "../arguments.js"
import * as Rules from "../options.js"
import type { Made } from "../remedy.js"
import { validateName } from "./compiled.js"

/** How a projection caches; everything has a default. */
export interface Options {
  /**
   * Names it in metrics, spans and the tier. Projections of one definition over several logs that share a tier need
   * different names. Default: the definition's name.
   */
  readonly name?: string | undefined
  /** Keeps states beyond this process. It is never trusted. Default: none. */
  readonly tier?: (Made & Tier) | undefined
  /** The longest that a call of the tier may take. After one that took longer, it is left alone for 10 s. Default 1 s. */
  readonly tierTimeout?: Duration.DurationInput | undefined
  /** `on`: the tier is asked while the log is read, instead of after it. Default `off`. */
  readonly prefetch?: "on" | "off" | undefined
  /** The most states in memory; 0 for none. Default 1,000. */
  readonly slots?: number | undefined
  /** After so many new events, the tier gets the state of a key again. Default 1. */
  readonly snapshotEvery?: number | undefined
  /** The most bytes of an encoded state. A larger one fails as `TooLarge`. Default 16 MiB. */
  readonly maxStateBytes?: number | undefined
}

export const rules = {
  name: Rules.optional(Rules.valid<string>(validateName)),
  tier: Rules.optional(handle("a Tier", "open")),
  tierTimeout: Rules.or(Rules.millis("above 0"), 1_000),
  prefetch: Rules.or(Rules.oneOf("on", "off"), "off"),
  slots: Rules.or(Rules.whole(0, "states"), 1_000),
  snapshotEvery: Rules.or(Rules.whole(1, "events"), 1),
  maxStateBytes: Rules.or(Rules.whole(1, "bytes"), 16 * 1024 * 1024)
} satisfies Rules.Rules<Options>

export type Settings = Rules.Resolved<Options, typeof rules>
