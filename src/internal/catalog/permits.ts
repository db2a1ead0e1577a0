/** Judges the calls of a handle that neither read, write nor follow: by the rights of their principal, and by quotas. */
import { isAs } from "./catalogOptions.js"
import * as Clients from "./clients.js"
import type { Action, Policy, Thing } from "./policy.js"
import { type Exceeded, exceeded, messageOf, type Quotas } from "./quotas.js"
import type { As } from "./sessionCalls.js"

/** Why a call is refused. */
export interface NotPermitted {
  readonly reason: "Forbidden" | "QuotaExceeded"
  readonly message: string
  readonly quota?: Exceeded | undefined
}

export const isRefusal = (given: unknown): given is NotPermitted =>
  typeof given === "object" && given !== null && "message" in given

/** Refuses a principal that has no right to an action; the server itself may do everything. */
export const forbidden = (
  policy: Pick<Policy<never>, "rights">,
  { id, kind }: Thing,
  as: As | undefined,
  action: Action
): NotPermitted | undefined => {
  if (as === undefined) return undefined
  if (!isAs(as)) return { reason: "Forbidden", message: "as must be { principal, client? }" }
  return policy.rights(as.principal, { id, kind }).actions.has(action)
    ? undefined
    : { reason: "Forbidden", message: `the principal has no right to ${action}` }
}

/** Adds a client to the members, unless there are as many as a quota allows. Returns whether it was new. */
export const join = (
  clients: Clients.Clients,
  members: Clients.Members,
  quotas: Quotas,
  client: string
): boolean | NotPermitted => {
  const over = members.has(client) ? undefined : exceeded(quotas, "subscribers", members.size + 1)
  return over === undefined
    ? Clients.join(clients, members, client)
    : { reason: "QuotaExceeded", message: messageOf(over), quota: over }
}
