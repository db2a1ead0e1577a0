/** Which permanent stores and pools can leave memory. */
import * as Clients from "./clients.js"
import type { Living } from "./lifetime.js"

/** A store or pool that may be idle. */
interface Idling extends Pick<Living, "lifetime" | "usedAt"> {
  readonly id: string
  /** How many of its operations are not stored yet. */
  readonly pending: number
  readonly members: ReadonlySet<string>
}

/** Whether it is permanent, nothing of it is under way, and no call came for longer than the timeout. */
export const isIdle = (
  clients: Clients.Clients,
  { id, lifetime, members, pending, usedAt }: Idling,
  now: number,
  idleTimeout: number
): boolean =>
  lifetime === undefined &&
  pending === 0 &&
  members.size === 0 &&
  Clients.countOf(clients, id) === 0 &&
  now - usedAt > idleTimeout
