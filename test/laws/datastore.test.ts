/** Stores as properties: whatever clients send, and how often; over stores in memory and backends in memory. */
import { describe, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import * as Datastore from "../../src/Datastore.js"
import { holdsSeeded, seededTimeout } from "../support/laws/laws.js"
import { runtimeIn, virtualTime } from "../support/time/virtualTime.js"
import { checkClients, type Open, openWith } from "./datastore/checkClients.js"
import { type Plans, plansOf } from "./datastore/clients.js"

const places: ReadonlyArray<readonly [name: string, open: Open, isKept: boolean]> = [
  ["a temporary store", openWith({}), false],
  ["a permanent store with ack memory", openWith({ kind: "permanent", ack: "memory" }), true],
  ["a permanent store with ack flushed", openWith({ kind: "permanent" }), true],
  ["a permanent store that two catalogs write", openWith({ kind: "permanent" }, 2), true]
]

const run = async (effect: Effect.Effect<unknown, unknown, Scope.Scope>): Promise<void> => {
  const time = virtualTime()
  let isDone = false
  const done = Effect.runPromise(Effect.scoped(effect).pipe(Effect.provide(runtimeIn(time)))).finally(() => {
    isDone = true
  })
  done.catch(() => undefined)
  for (await time.settle(); !isDone; ) await time.advance(100)
  await done
}

describe.each(places)("K1, K2: clients of %s", (_, open, isKept) => {
  const check = (plans: Plans, isSmall = false) =>
    run(checkClients(Datastore.memory(), open, isKept, plans, isSmall))

  it.live(
    "see one order of what they do, each operation once",
    () => holdsSeeded("K1", plansOf(5, 40), 3, check),
    seededTimeout
  )

  it.live(
    "see one order of 1,000 operations",
    () => holdsSeeded("K1 of 1,000", plansOf(5, 200), 1, check),
    seededTimeout
  )

  it.live(
    "see an order that a search finds, of few operations",
    () => holdsSeeded("K1 of few", plansOf(4, 2), 12, (plans) => check(plans, true)),
    seededTimeout
  )
})
