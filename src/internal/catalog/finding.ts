/** Finds permanent stores and pools in a backend, or makes them there. */
import { Effect, type Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend, OpenedStore, Stored } from "./backend.js"
import { OpenError } from "./ended.js"

/** Why a store or pool is not loaded. */
export const unavailable = (thing: Stored["part"], cause: StorageError): OpenError =>
  new OpenError({
    reason: "Unavailable",
    message: `the ${thing} could not be loaded: ${cause.message}. Open it again`,
    cause
  })

/** Returns how what is stored differs from what is asked for. */
const mismatch = (stored: Stored, wanted: Stored): OpenError | undefined => {
  for (const option of ["part", "primary", "owner"] as const) {
    if (stored[option] === wanted[option]) continue
    const name = option === "owner" ? "ack" : option
    const message = `the ${wanted.part} ${JSON.stringify(stored.id)} was made with another ${name}: name it as it is, or use another id`
    return new OpenError({ reason: "OpenMismatch", option: name, message })
  }
  return undefined
}

/** Opens what is stored under an id, or makes it as it is described. */
export const find = (backend: Backend, wanted: Stored): Effect.Effect<OpenedStore, OpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const opened = yield* Effect.mapError(backend.open(wanted), (cause) => unavailable(wanted.part, cause))
    const problem = mismatch(opened.stored, wanted)
    if (problem !== undefined) return yield* problem
    return opened
  })
