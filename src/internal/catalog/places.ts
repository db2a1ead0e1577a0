/** How many stores or pools of a catalog are open, and whose they are: its quotas count them. */
import { Effect, Exit } from "effect"
import { OpenError } from "./ended.js"
import { exceeded, messageOf, type Quotas } from "./quotas.js"
import type { As } from "./sessionCalls.js"

export interface Places {
  /** By principal: how many of theirs are open, or being opened. */
  readonly byPrincipal: Map<string, number>
  /** What is being opened. It counts already. */
  readonly opening: Set<string>
}

export const make = (): Places => ({ byPrincipal: new Map(), opening: new Set() })

/** Refuses one more than the quotas allow. `open`: how many are open. */
export const overQuota = (
  { byPrincipal, opening }: Places,
  quotas: Quotas,
  open: number,
  principal: string | undefined
): OpenError | undefined => {
  const over =
    exceeded(quotas, "stores", open + opening.size + 1) ??
    (principal === undefined
      ? undefined
      : exceeded(quotas, "storesPerPrincipal", (byPrincipal.get(principal) ?? 0) + 1))
  return over && new OpenError({ reason: "QuotaExceeded", message: messageOf(over), quota: over })
}

/** For whom something counts that is opened by the server itself. */
export interface CountedFor {
  readonly countedFor?: string | undefined
}

interface Opening extends CountedFor {
  readonly as?: As | undefined
}

/** The principal that what is opened counts for. */
export const countedFor = ({ as, countedFor }: Opening): string | undefined => countedFor ?? as?.principal

/** The opening of what has left memory: the server brings it back, and it counts as before. */
export const again = <O extends Opening>(opening: O): O => ({
  ...opening,
  as: undefined,
  countedFor: countedFor(opening)
})

/** Gives up the place of what has ended. */
export const leave = ({ byPrincipal }: Places, principal: string | undefined): void => {
  if (principal === undefined) return
  const count = byPrincipal.get(principal) ?? 0
  if (count <= 1) byPrincipal.delete(principal)
  else byPrincipal.set(principal, count - 1)
}

/** Opens something that counts from now on, so that openers at once do not pass a limit together. */
export const counted = <A>(
  places: Places,
  id: string,
  principal: string | undefined,
  made: Effect.Effect<A, OpenError>
): Effect.Effect<A, OpenError> =>
  Effect.suspend(() => {
    const { byPrincipal, opening } = places
    opening.add(id)
    if (principal !== undefined) byPrincipal.set(principal, (byPrincipal.get(principal) ?? 0) + 1)
    return Effect.onExit(made, (exit) =>
      Effect.sync(() => {
        opening.delete(id)
        if (Exit.isFailure(exit)) leave(places, principal)
      })
    )
  })
