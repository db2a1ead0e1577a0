/** The options of catalogs of stores, and of stores. */
import { Context, Effect } from "effect"
import * as Datastore from "../../../src/Datastore.js"
import {
  aFunction,
  aText,
  built,
  durations,
  durationsAbove0,
  inside,
  of,
  type Place,
  place,
  scoped,
  type WrongOf,
  wholes,
  words
} from "./wrong.js"

class Boards extends Context.Tag("test/options/Datastore")<Boards, Datastore.Datastores>() {}

const counts = ["many", -1, 1.5, Number.NaN]

export const inCatalog: WrongOf<Datastore.Options> = {
  name: aText,
  leases: of(5, {}),
  authorize: aFunction,
  quotas: [
    ...of(5),
    ...["stores", "storesPerPrincipal", "records", "bytes", "subscribers"].flatMap((name) =>
      counts.flatMap((value) => inside(name, { [name]: value }))
    ),
    ...["valueBytes", "operationsPerSecond"].flatMap((name) => inside(name, { [name]: 0 })),
    ...inside("recrods", { recrods: 1 })
  ],
  ttl: durationsAbove0,
  janitorInterval: durationsAbove0,
  idleTimeout: durationsAbove0,
  closeDeadline: durations,
  onClosed: aFunction
}

const inStore: WrongOf<Datastore.OpenOptions<unknown, unknown>> = {
  id: of(5, "", "\ud800", "i".repeat(513)),
  kind: of(5, "", "\ud800"),
  primary: of(5, "", "\ud800"),
  schema: of(5, {}),
  version: of("many", -1, 1.5),
  migrate: aFunction,
  ttl: durations,
  expiry: words,
  ack: words,
  start: words,
  maxRevisions: wholes,
  as: of(5, {}, { principal: 5 }, { principal: "p", client: 5 })
}

export const inSession: WrongOf<Datastore.SessionOptions> = {
  client: aText,
  principal: aText,
  grace: durations,
  resume: of(5, {}, { id: "one" })
}

/** An opening fails with its own error, which names the option. */
const opened = (options: Datastore.OpenOptions<unknown, unknown>) =>
  scoped(
    Effect.flatMap(Datastore.memory(), (backend) =>
      Effect.flatMap(Datastore.make(backend), (stores) => stores.open(options))
    )
  ).pipe(
    Effect.mapError((error) =>
      error._tag === "OpenError" && error.option !== undefined
        ? new Datastore.InvalidOptions({ option: error.option, message: error.message })
        : error
    )
  )

export const datastores: ReadonlyArray<Place> = [
  place<Datastore.Options>("Datastore.make", {}, inCatalog, (options) =>
    scoped(Effect.flatMap(Datastore.memory(), (backend) => Datastore.make(backend, options)))
  ),
  place<Datastore.Options>("Datastore.makeDeferred", {}, inCatalog, (options) =>
    scoped(Datastore.makeDeferred(Datastore.memory(), options))
  ),
  place<Datastore.Options>("Datastore.layer", {}, inCatalog, (options) =>
    built(Datastore.layer(Boards, Datastore.memory(), options))
  ),
  place<Datastore.Options>("Datastore.layerMemory", {}, inCatalog, (options) =>
    built(Datastore.layerMemory(Boards, options))
  ),
  place<Datastore.OpenOptions<unknown, unknown>>("Datastores.open", {}, inStore, opened),
  place<Datastore.SessionOptions>("Datastores.session", { client: "tab" }, inSession, (options) =>
    scoped(
      Effect.flatMap(Datastore.memory(), (backend) =>
        Effect.flatMap(Datastore.make(backend), (stores) => stores.session(options))
      )
    )
  )
]
