/**
 * Histories over a log on Postgres, as two processes see it: both write, one has the watch that publishes, and the other
 * one hears of commits by a doorbell alone. Links that are cut go by proxies.
 */
import { Effect, type Scope, Stream } from "effect"
import * as PgChangeLog from "../../../src/sql/PgChangeLog.js"
import * as PgDoorbell from "../../../src/sql/PgDoorbell.js"
import { type Rules, tcpProxy, throughProxy } from "../../support/http/tcpProxy.js"
import { openClient, ownSchema } from "../../support/postgres/tables.js"
import type { Log, OpenPlace } from "./place.js"
import type { Action, Fault, Sample } from "./schedule.js"
import { diary, forget, livesOf, noteEpoch, noteRevision, readDiary, table } from "./tables.js"
import type { Value } from "./validators.js"

const never = { poll: "1 day", pollWhileDown: "1 day" } as const

const trigger = (name: string, when: string, body: string): string =>
  `CREATE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ${body}; RETURN NULL; END $$;
   CREATE TRIGGER ${name} ${when} FOR EACH ROW EXECUTE FUNCTION ${name}();`

/** A link is cut at one of its next chunks, once. */
const cutOnce = ({ after, from, how }: Fault): Rules => {
  let left = after
  const decide = () => (left-- === 0 && how !== "end" ? how : "pass")
  return from === "client" ? { fromClient: decide } : { fromServer: decide }
}

const isUpAgain = ({ states }: PgDoorbell.PgDoorbell): Effect.Effect<unknown> =>
  Stream.runHead(Stream.filter(states, ({ _tag }) => _tag === "Up"))

const cutsLog = (action: Action): boolean =>
  action.do === "fault" && action.fault.what === "log" && action.fault.how !== "end"

/** One schema, one pair of logs and of doorbells for all histories. */
export const pgPlaces = (server: string): Effect.Effect<OpenPlace, unknown, Scope.Scope> =>
  Effect.gen(function* () {
    const url = yield* ownSchema(server)
    const port = Number(new URL(url).port)
    const proxies = {
      log: yield* tcpProxy(port),
      listener: yield* tcpProxy(port),
      ringer: yield* tcpProxy(port)
    }
    const direct = (what: Fault["what"]) => ({
      url,
      applicationName: what,
      connectTimeout: "2 seconds" as const
    })
    const via = (what: Fault["what"]) => ({ ...direct(what), url: throughProxy(url, proxies[what]) })
    const ringer = yield* PgDoorbell.make({ ...via("ringer"), ...never })
    const listener = yield* PgDoorbell.make({ ...via("listener"), ...never })
    const pair = (state: Sample["state"], to: PgChangeLog.PgConnectOptions) =>
      Effect.gen(function* () {
        const open = PgChangeLog.make<Value>({ ...to, table, feed: state, state, doorbell: ringer })
        const near = yield* open
        const far: Log = { ...(yield* open), doorbell: (ring) => listener.listen(table, state, ring) }
        return [near, far] as const
      })
    const pairs = (to: PgChangeLog.PgConnectOptions) =>
      Effect.all({ latest: pair("latest", to), none: pair("none", to) })
    const cut = yield* pairs(via("log"))
    const whole = yield* pairs(direct("log"))
    const sql = yield* openClient(url)
    yield* sql(
      `CREATE TABLE ${diary} (nth bigserial, epoch text, seq bigint, tag bigint, id text, changes jsonb)`
    )
    yield* sql(trigger("note_revision", `AFTER INSERT ON ${table}`, noteRevision))
    yield* sql(trigger("note_epoch", `AFTER UPDATE OF epoch ON ${table}_heads`, noteEpoch))
    const heal = Effect.sync(() => {
      for (const proxy of Object.values(proxies)) proxy.follow({})
    })
    const place: OpenPlace = ({ actions, state }) =>
      Effect.gen(function* () {
        // Half of the time would go to proxies that cut nothing.
        const logs = (actions.some(cutsLog) ? cut : whole)[state]
        yield* sql(forget)
        // What was cut last may be in its pool yet.
        yield* Effect.retry(logs[0].renewEpoch, { times: 10 })
        return {
          logs,
          lives: Effect.map(sql(readDiary), (rows) => livesOf(rows, (changes) => changes)),
          fails: true,
          isUp: Effect.map(
            Effect.forEach([ringer, listener], ({ state }) => state),
            (states) => states.every(({ _tag }) => _tag === "Up")
          ),
          up: Effect.forEach([ringer, listener], isUpAgain, { discard: true }),
          evicts: false,
          fault: (fault: Fault) =>
            fault.how === "end"
              ? sql(
                  "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()",
                  [fault.what]
                )
              : Effect.sync(() => proxies[fault.what].follow(cutOnce(fault))),
          heal
        }
      }).pipe(Effect.orDie)
    return place
  })
