/** The options of connections to a Postgres server, and the driver's configuration from them. */
import type * as PgClient from "@effect/sql-pg/PgClient"
import { Duration, Effect, Redacted } from "effect"
import * as Pg from "pg"
import {
  InvalidOptions,
  optional,
  or,
  type Resolved,
  type Rule,
  type Rules,
  text,
  that,
  whole
} from "../../../internal/options.js"
import { timer } from "../options.js"

/** Where the server is, and who logs in. `url` wins over the options that it covers; libpq's PG* variables fill gaps. */
export interface PgConnectOptions {
  /** `postgres://user:password@host:port/database`; special characters in it are percent-encoded. */
  readonly url?: string | Redacted.Redacted | undefined
  /** A name, an address, or the folder of the server's socket. Default localhost. */
  readonly host?: string | undefined
  /** Default 5432. */
  readonly port?: number | undefined
  readonly database?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | Redacted.Redacted | undefined
  /** `true` checks the server's certificate; an object is given to Node's TLS as it is. Default: no TLS. */
  readonly ssl?: PgClient.PgClientConfig["ssl"]
  /** The name that the server shows for these connections. Default `effect-recorder`. */
  readonly applicationName?: string | undefined
  /** How long a new connection may take. Default 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** Saves need one; reads beside the queue take others. At least 2, default 4; opened when needed. */
  readonly maxConnections?: number | undefined
}

/** Before the kernel probes an idle connection, so that its death is known before a statement needs it. */
const keepAliveDelay = Duration.seconds(10)

/** A text that may be secret. No message shows any of it, nor a number that is given in its place. */
const secret: Rule<string> = {
  read: (option, given) => {
    const value = Redacted.isRedacted(given) ? Redacted.value(given) : given
    return typeof value === "string"
      ? value
      : new InvalidOptions({ option, message: "must be a string, or a Redacted of one" })
  }
}

const urlMessage =
  "must be postgres://user:password@host:port/database, with special characters percent-encoded"

/** The rules of the options of one connection. */
export const connectRules = {
  url: optional(secret),
  host: optional(text),
  port: optional(whole(1, "", 65_535)),
  database: optional(text),
  username: optional(text),
  password: optional(secret),
  ssl: optional(
    that("true, false, or an object of Node's TLS options", (given) =>
      typeof given === "object" ? given !== null : typeof given === "boolean"
    )
  ),
  applicationName: or(text, "effect-recorder"),
  connectTimeout: or(timer, 5000)
} satisfies Rules<ConnectOptions>

type ConnectOptions = Omit<PgConnectOptions, "maxConnections">

/** The rules of the options of a pool. */
export const poolRules = {
  ...connectRules,
  maxConnections: or(
    that("a whole number of at least 2", (given) => Number.isSafeInteger(given) && Number(given) >= 2),
    4
  )
} satisfies Rules<PgConnectOptions>

/** Makes the driver's configuration; fails where the driver cannot read the url. */
export const connectionConfig = (
  options: Resolved<ConnectOptions, typeof connectRules>
): Effect.Effect<Pg.ClientConfig, InvalidOptions> => {
  const { url } = options
  const config: Pg.ClientConfig = {
    connectionString: url,
    host: options.host,
    port: options.port,
    database: options.database,
    user: options.username,
    password: options.password,
    ssl: options.ssl,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.connectTimeout,
    keepAlive: true,
    keepAliveInitialDelayMillis: Duration.toMillis(keepAliveDelay)
  }
  const wrongUrl = () => new InvalidOptions({ option: "url", message: urlMessage })
  if (url !== undefined && !/^(?:postgres(?:ql)?:\/\/|socket:|\/)/.test(url)) return Effect.fail(wrongUrl())
  // The driver reads the url, and the files that it names, when it makes a client.
  return Effect.as(Effect.try({ try: () => new Pg.Client(config), catch: wrongUrl }), config)
}
