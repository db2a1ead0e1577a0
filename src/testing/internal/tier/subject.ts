/** What the laws of tiers are held against, and what they need of it. */
import type { Duration, Effect, Scope } from "effect"
import type { TypeLambda } from "effect/HKT"
import type { Tier } from "../../../Tier.js"
import { type Law, leftOutReasonOf } from "../law.js"

/** Where a tier keeps its entries. Empty when it is made. */
export interface TierPlace {
  /**
   * Opens the tier of the place, for as long as its scope lives. It runs again and again; every tier that it gives
   * holds what the others have put.
   */
  readonly open: Effect.Effect<Tier, unknown, Scope.Scope>
  /** Lets so much time pass for the place. Default: it is waited for. */
  readonly pass?: ((duration: Duration.Duration) => Effect.Effect<unknown, unknown>) | undefined
  /** Makes the backend fail from now on: its table is dropped, or its server is gone. Needed for faults "on demand". */
  readonly fail?: Effect.Effect<unknown, unknown> | undefined
}

/** What a tier promises. A law that needs something else is left out. */
export interface TierCapabilities {
  /** Whether it keeps an entry from being replaced by one of the same epoch with a lower seq. */
  readonly order: "compared" | "ignored"
  /** Whether it gives up an entry after its ttl. */
  readonly ttl: "kept" | "ignored"
  /** Whether its place can be made to fail. */
  readonly faults: "on demand" | "none"
}

/** A tier under test. It holds at least 1,200 small entries, and one of 1 MiB. */
export interface TierSubject {
  readonly name: string
  /** Makes an empty place of its own for every law. */
  readonly place: Effect.Effect<TierPlace, unknown, Scope.Scope>
  readonly capabilities: TierCapabilities
}

/** Something that a law needs of its subject. */
export type TierNeed = "order" | "ttl" | "faults"

/** What the laws of one group are about. */
export type TierGroup =
  | "reading"
  | "putting"
  | "removing"
  | "namespaces and keys"
  | "values"
  | "handles"
  | "order"
  | "time"
  | "errors"

/** The subjects of this kit: they have no free types. */
export interface TierSubjects extends TypeLambda {
  readonly type: TierSubject
}

/** One law. */
export type TierLaw = Law<TierSubjects, TierNeed, TierGroup>

/** Why a tier does not meet a need; `undefined` when it does. */
export const lacks = ({ capabilities }: TierSubject, need: TierNeed): string | undefined => {
  const { faults, order, ttl } = capabilities
  switch (need) {
    case "order":
      return order === "compared" ? undefined : "the tier does not compare the order of entries"
    case "ttl":
      return ttl === "kept" ? undefined : "the tier gives up nothing after its ttl"
    case "faults":
      return faults === "on demand" ? undefined : "the place cannot be made to fail"
  }
}

/** Why a law is left out for this tier; `undefined` when it is not. */
export const tierLeftOutReason = leftOutReasonOf<TierSubjects, TierNeed>(lacks)
