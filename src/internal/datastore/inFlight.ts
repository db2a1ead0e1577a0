/**
 * Operations of clients that are being decided. One that is sent again meanwhile waits for the answer of the first: it is
 * no operation more, and takes nothing of its principal's rate.
 */
import type { OperationId } from "../catalog/backend.js"

interface Waiting<A> {
  readonly id: OperationId
  readonly resends: Array<(answer: A) => void>
}

/** By the client and the number of the operation. */
export type InFlight<A> = Map<string, Waiting<A>>

export const make = <A>(): InFlight<A> => new Map()

const nameOf = ({ client, n }: OperationId): string => `${n}:${client}`

/** Waits for the answer of an operation that is under way; `false`: it is not. Other content is another operation. */
export const join = <A>(inFlight: InFlight<A>, id: OperationId, go: (answer: A) => void): boolean => {
  const known = inFlight.get(nameOf(id))
  if (known?.id.content !== id.content || known.id.principal !== id.principal) return false
  known.resends.push(go)
  return true
}

/** Begins an operation. Returns what answers it, and then those that were sent again. */
export const begin = <A>(
  inFlight: InFlight<A>,
  id: OperationId,
  done: (answer: A) => void
): ((answer: A) => void) => {
  const name = nameOf(id)
  if (inFlight.has(name)) return done
  const resends: Waiting<A>["resends"] = []
  inFlight.set(name, { id, resends })
  return (answer) => {
    inFlight.delete(name)
    done(answer)
    for (const go of resends) go(answer)
  }
}
