/** Counts actions by actor and hour: an event log of the saved records, and a projection of it. */
import { Effect, Option, Schema } from "effect"
import { ChangeLog, Projection } from "effect-recorder"
import type * as HttpAudit from "effect-recorder/platform/HttpAudit"

const hoursShown = 24
const actorsShown = 100

const events = Projection.events({ recorded: Schema.Struct({ action: Schema.String, hour: Schema.String }) })

/** The actions of one actor in one hour of UTC, such as `2026-01-31T09`. */
const Hour = Schema.Struct({
  hour: Schema.String,
  actions: Schema.Record({ key: Schema.String, value: Schema.Number })
})

/** The last hours of an actor, in order. */
const activity = Projection.define({
  name: "activity",
  events,
  state: Schema.Array(Hour),
  initial: [],
  incremental: "on",
  apply: (hours, { data: { action, hour } }) => {
    const found = hours.find((each) => each.hour === hour) ?? { hour, actions: {} }
    const counted = { hour, actions: { ...found.actions, [action]: (found.actions[action] ?? 0) + 1 } }
    return [...hours.filter((each) => each.hour !== hour), counted]
      .sort((a, b) => (a.hour < b.hour ? -1 : 1))
      .slice(-hoursShown)
  }
})

/** What an actor has done, hour by hour. */
export interface Activity {
  readonly actor: string
  readonly hours: Schema.Schema.Type<typeof activity.state>
}

/** Appends saved records to the event log, and returns the new activity of their actors. */
export type Count = (
  rows: ReadonlyArray<HttpAudit.NewRow>
) => Effect.Effect<ReadonlyArray<Activity>, ChangeLog.ChangeLogError | Projection.ProjectionError>

/** Makes the event log in memory, and the projection over it. */
export const make = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Projection.EventValue>({ keys: "indexed" })
  const hours = yield* Projection.make(activity, log, { slots: actorsShown + 1 })
  const actors = new Set<string>()
  // Clients choose their names: beyond a hundred, they are counted together.
  const nameOf = ({ actor }: HttpAudit.NewRow): string => {
    const name = actor == null || actor === "" ? "-" : actor.slice(0, 40)
    if (actors.size < actorsShown) actors.add(name)
    return actors.has(name) ? name : "others"
  }
  const changeOf = (row: HttpAudit.NewRow) =>
    events.change(nameOf(row), "recorded", {
      action: row.action,
      hour: new Date(row.at).toISOString().slice(0, 13)
    })
  const count: Count = (rows) =>
    Effect.gen(function* () {
      // Each is of its Schema: both fields are text.
      const changes = yield* Effect.orDie(Effect.forEach(rows, changeOf))
      yield* log.append(changes)
      return yield* Effect.forEach(new Set(changes.map(({ key }) => key)), (actor) =>
        Effect.map(hours.project(actor), (state) => ({ actor, hours: Option.getOrElse(state, () => []) }))
      )
    })
  return count
})
