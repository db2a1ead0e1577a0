/** Sessions of clients, one connection of them for each scope. */
import { type Duration, Effect, type Scope } from "effect"
import { SessionRefused, type Sessions } from "../lease/sessions.js"
import { type InvalidOptions, millis, optional, or, resolve, text, that } from "../options.js"

/** On whose behalf a call acts. Left out: the server itself, which may do everything. */
export interface As {
  readonly principal: string
  readonly client?: string | undefined
}

/** Which session, and on whose behalf. */
export interface SessionOptions {
  readonly client: string
  readonly principal?: string | undefined
  /** How long a lost connection has to come back. Of a session that begins. Default 30 seconds. */
  readonly grace?: Duration.DurationInput | undefined
  /** Continues a session by its secret. Default: a session begins. */
  readonly resume?: { readonly id: string; readonly secret: string } | undefined
}

/** A connection of a session. When its scope ends without `goodbye`, the grace begins. */
export interface Connected {
  /** What records name, to end with the session. It is no secret. */
  readonly id: string
  /** For the client alone: it resumes the session. */
  readonly secret: string
  /** Ends the session at once, and with it the records that name it. Does nothing if a later connection has taken over. */
  readonly goodbye: Effect.Effect<void>
}

const isResume = (given: unknown): boolean => {
  if (typeof given !== "object" || given === null) return false
  const { id, secret } = given as { readonly [name: string]: unknown }
  return typeof id === "string" && typeof secret === "string"
}

const rules = {
  client: text,
  principal: optional(text),
  grace: or(millis(), 30_000),
  resume: optional(that("{ id, secret }", isResume))
}

/** Whether a session is open, and belongs to the client and the principal; the server itself may name any. */
export const isSessionOf = (sessions: Sessions, id: string, as: As | undefined): boolean => {
  const session = sessions.get(id)
  if (session === undefined || as === undefined) return session !== undefined
  const isOfPrincipal = session.principal === undefined || session.principal === as.principal
  return session.client === as.client && isOfPrincipal
}

interface Connection {
  readonly id: string
  readonly secret: string
  readonly generation: number
}

const connect = (
  sessions: Sessions,
  { client, grace, principal, resume }: Effect.Effect.Success<ReturnType<typeof resolveSession>>
): Effect.Effect<Connection, SessionRefused> =>
  Effect.suspend(() => {
    if (resume === undefined) {
      const { secret, session } = sessions.open({ client, principal, grace })
      return Effect.succeed({ id: session.id, secret, generation: session.generation })
    }
    const { id, secret } = resume
    const resumed = sessions.resume(id, secret, principal)
    if (resumed instanceof SessionRefused) return Effect.fail(resumed)
    return Effect.succeed({ id, secret, generation: resumed.session.generation })
  })

const resolveSession = (options: SessionOptions) => resolve<SessionOptions>()(rules, options)

/** Begins or resumes a session; its connection lives as long as the scope. */
export const session = (
  sessions: Sessions,
  options: SessionOptions
): Effect.Effect<Connected, InvalidOptions | SessionRefused, Scope.Scope> =>
  Effect.flatMap(resolveSession(options), (resolved) =>
    Effect.map(
      Effect.acquireRelease(connect(sessions, resolved), ({ generation, id }) =>
        Effect.sync(() => sessions.disconnected(id, generation))
      ),
      ({ generation, id, secret }) => ({
        id,
        secret,
        goodbye: Effect.sync(() => sessions.goodbye(id, generation))
      })
    )
  )
