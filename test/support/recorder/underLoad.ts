/**
 * A recorder under load, for tests that break what is below it meanwhile, and the account in the end: what the
 * recorder says, held against what an independent client finds, id by id.
 */
import { expect } from "@effect/vitest"
import { Duration, Effect, Fiber, Schedule, type Scope } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { Column, type RowOf, type Storage } from "../../../src/Storage.js"
import * as PgStorage from "../../../src/sql/PgStorage.js"
import { openClient, ownSchema, type Sql } from "../postgres/tables.js"
import { expectBalance } from "./account.js"

export const columns = { id: Column.integer, note: Column.text }

type Row = RowOf<typeof columns>

/** A storage of {@link columns}, and what another client reads there: the ids in the order of storing. */
export interface Target {
  readonly storage: Storage<Row>
  readonly stored: Effect.Effect<ReadonlyArray<number>>
}

export interface Figures {
  readonly records: number
  readonly saves: number
  readonly retries: number
  readonly duplicates: number
  /** Milliseconds: the longest that a durable save took. */
  readonly longestOutage: number
}

export interface UnderLoad {
  readonly recorder: Recorder.Recorder<Row>
  /** A record that nobody has saved yet. */
  readonly next: () => Row
  /** So many durable saves, one after the other: the recorder stores. */
  readonly progress: (commits?: number) => Effect.Effect<void>
  /** Ends the load, closes the recorder, holds its account against the target, and prints the figures. */
  readonly finish: (name: string, order?: "in order" | "in any order") => Effect.Effect<Figures>
}

/** As the default, but for tests that cannot wait half a minute: at most 300 ms between two attempts. */
const quickRetry = Schedule.exponential("20 millis", 2).pipe(
  Schedule.union(Schedule.spaced("300 millis")),
  Schedule.jittered
)

const note =
  "a note of some length, as an audit trail has it: who did what, when, to which thing, and how it went"

const differences = (saved: number, stored: ReadonlyArray<number>) => {
  const seen = new Set(stored)
  const lost: Array<number> = []
  for (let id = 1; id <= saved; id++) if (!seen.has(id)) lost.push(id)
  return {
    lost,
    doubled: stored.length - seen.size,
    unknown: [...seen].filter((id) => !(id >= 1 && id <= saved))
  }
}

/**
 * A recorder under load: every 5 ms ten plain saves, and beside them four handlers, each of which awaits its record and
 * rests for 5 ms.
 */
export const underLoad = (
  target: Target,
  options: Recorder.Options<Row> = {}
): Effect.Effect<UnderLoad, Recorder.InvalidOptions, Scope.Scope> =>
  Effect.gen(function* () {
    const recorder = yield* Recorder.make(target.storage, { retry: quickRetry, ...options })
    let saved = 0
    const next = (): Row => ({ id: ++saved, note })
    /** The order of these saves is the order of the calls; a handler may be put off between the two. */
    const plain: Array<number> = []
    let acknowledged = 0
    let longestOutage = 0

    const burst = Effect.sync(() => {
      for (let i = 0; i < 10; i++) {
        const row = next()
        plain.push(row.id)
        recorder.unsafeSave(row)
      }
    })
    const durable = Effect.suspend(() => recorder.saveDurable(next())).pipe(
      Effect.timed,
      Effect.flatMap(([took]) =>
        Effect.sync(() => {
          acknowledged++
          longestOutage = Math.max(longestOutage, Duration.toMillis(took))
        })
      )
    )
    const rest = Effect.sleep("5 millis")
    const handler = Effect.zipRight(Effect.ignore(durable), rest)
    const load = yield* Effect.all(
      [burst.pipe(Effect.zipRight(rest)), handler, handler, handler, handler].map(Effect.forever),
      { concurrency: "unbounded", discard: true }
    ).pipe(Effect.forkScoped)

    const finish: UnderLoad["finish"] = (name, order = "in order") =>
      Effect.gen(function* () {
        yield* Fiber.interrupt(load)
        const { setAside, stats, unsaved } = yield* recorder.close
        expectBalance(stats)
        expect({ unsaved, setAside }).toEqual({ unsaved: [], setAside: [] })
        expect(stats).toMatchObject({ accepted: saved, stored: saved, pending: 0, refused: 0 })
        const stored = yield* target.stored
        expect(differences(saved, stored)).toEqual({ lost: [], doubled: 0, unknown: [] })
        expect(acknowledged).toBeGreaterThan(0)
        if (order === "in order") {
          const ofPlain = new Set(plain)
          expect(stored.filter((id) => ofPlain.has(id))).toEqual(plain)
        }
        const { duplicates, retries, saves } = stats
        const figures = { records: saved, saves, retries, duplicates, longestOutage }
        console.log(
          `${name}: ${saved} records in ${saves} saves, ${retries} retries, ` +
            `longest outage ${(longestOutage / 1000).toFixed(1)} s, ${duplicates} duplicates, ` +
            "0 lost, 0 doubled"
        )
        return figures
      })

    return {
      recorder,
      next,
      progress: (commits = 3) => Effect.repeatN(Effect.orDie(durable), commits - 1),
      finish
    }
  })

export interface PgTarget extends Target {
  /** On a connection that is opened for this statement: it works as soon as the server does. */
  readonly sql: Sql
  /** The server as the test sees it, without a proxy. */
  readonly url: string
}

export interface PgTargetOptions {
  /** The server's address for the storage. Default: the same. */
  readonly via?: (url: string) => string
  /** Settings of the storage's sessions, such as `lock_timeout=100`. */
  readonly settings?: ReadonlyArray<string>
  /** Where the table lies. */
  readonly tablespace?: string
  readonly connectTimeout?: Duration.DurationInput
}

/** The same address, with settings for its sessions. */
export const withSettings = (url: string, settings: ReadonlyArray<string>): string => {
  const own = new URL(url)
  const all = [own.searchParams.get("options"), ...settings.map((setting) => `-c ${setting}`)]
  own.searchParams.set("options", all.filter((part) => part !== null).join(" "))
  return own.href
}

/** The columns of the trail's table, and one that counts the rows as they come. */
export const trailTable = `(
  seq bigint GENERATED ALWAYS AS IDENTITY, id bigint PRIMARY KEY, note text COLLATE "C" NOT NULL)`

/** A table `trail` in a schema of its own. */
export const pgTarget = (
  server: string,
  options: PgTargetOptions = {}
): Effect.Effect<PgTarget, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings = [], tablespace = "pg_default", via = (url: string) => url } = options
    const url = yield* ownSchema(server)
    const sql: Sql = (text, params) =>
      Effect.scoped(Effect.flatMap(openClient(url), (run) => run(text, params)))
    yield* sql(`CREATE TABLE trail ${trailTable} TABLESPACE ${tablespace}`)
    const storage = yield* PgStorage.make({
      url: withSettings(via(url), settings),
      connectTimeout: options.connectTimeout,
      table: "trail",
      columns,
      id: "id"
    })
    const stored = Effect.map(sql("SELECT id::int FROM trail ORDER BY seq"), (rows) =>
      rows.map(({ id }) => Number(id))
    )
    return { storage, stored, sql, url }
  })
