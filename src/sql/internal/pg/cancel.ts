/** Asks a Postgres server to stop the statement of one of its backends. */
import { Effect } from "effect"
import * as Pg from "pg"

/** What `pg` keeps on a connected client: where its backend is, and the secret that permits to stop it. */
export interface CancelTarget {
  readonly host: string
  readonly port: number
  readonly processID: number
  readonly secretKey: unknown
}

/** The target of a client, when it has one: poolers may give none. */
export const cancelTarget = (client: Pg.ClientBase): CancelTarget | undefined => {
  // `pg` does not declare these; all but the secret, which goes back to it as it is, are checked.
  const { host, port, processID, secretKey } = client as unknown as Partial<Record<string, unknown>>
  return typeof host === "string" && typeof port === "number" && typeof processID === "number"
    ? { host, port, processID, secretKey }
    : undefined
}

/** The part of `pg`'s protocol layer that a cancel request needs. It is exported, and declared only in part. */
interface CancelConnection {
  readonly connect: (portOrPath: number | string, host?: string) => void
  readonly cancel: (processID: number, secretKey: unknown) => void
  readonly on: (event: "connect" | "error" | "end", listener: () => void) => void
  readonly stream: { readonly destroy: () => void }
}

/**
 * Sends a CancelRequest (PostgreSQL's documentation, "Canceling Requests in Progress") over a connection of its own and
 * completes when the server has closed that connection, which it does after it has signalled the backend. The request
 * names the backend by a secret, so it cannot hit another one. It is not encrypted, like libpq's, and the server does
 * not ask for it to be. Never fails: a server that cannot be reached cannot be asked by other means.
 */
export const requestCancel = ({ host, port, processID, secretKey }: CancelTarget): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    // `pg` has had these members since its version 7, and makes its own cancel requests with them.
    const connection = new Pg.Connection() as unknown as CancelConnection
    connection.on("connect", () => connection.cancel(processID, secretKey))
    connection.on("error", () => {})
    connection.on("end", () => resume(Effect.void))
    // A host that is a folder holds the server's socket, as libpq has it.
    if (host.startsWith("/")) connection.connect(`${host}/.s.PGSQL.${port}`)
    else connection.connect(port, host)
    return Effect.sync(() => connection.stream.destroy())
  })
