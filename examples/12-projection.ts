/**
 * Keeps accounts as events in a SQLite file. A payment is decided on the balance, and appended only if the account has not
 * changed since: of two payments at once that the balance covers once, one is refused. Balances are read as fresh as each
 * reader needs them. An erased customer shows nowhere.
 *
 * Run: `npm run examples -- 12`. Prints what became of the payments, and the balances.
 */
import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Data, Effect, Option, Schema } from "effect"
import { ChangeLog, Projection } from "effect-recorder"
import * as SqliteChangeLog from "effect-recorder/sql/SqliteChangeLog"

const events = Projection.events({
  opened: Schema.Struct({ owner: Schema.String }),
  deposited: Schema.Struct({ cents: Schema.Number }),
  paid: Schema.Struct({ cents: Schema.Number, to: Schema.String })
})

const accounts = Projection.define({
  name: "accounts",
  events,
  state: Schema.Struct({ owner: Schema.String, cents: Schema.Number }),
  initial: { owner: "", cents: 0 },
  incremental: "on",
  apply: (account, event) => {
    switch (event.kind) {
      case "opened":
        return { ...account, owner: event.data.owner }
      case "deposited":
        return { ...account, cents: account.cents + event.data.cents }
      case "paid":
        return { ...account, cents: account.cents - event.data.cents }
    }
  }
})

const folder = await mkdtemp(join(tmpdir(), "accounts-"))

class NotCovered extends Data.TaggedError("NotCovered")<{ readonly cents: number }> {}

const program = Effect.gen(function* () {
  const filename = join(folder, "accounts.db")
  const log = yield* SqliteChangeLog.make<Projection.EventValue>({
    filename,
    table: "events",
    keys: "indexed"
  })
  const projection = yield* Projection.make(accounts, log)

  /** Decides on a state that is current, and again on the next one if another payment was faster. */
  const pay = (account: string, cents: number, to: string) =>
    projection.decide(account, (state) =>
      Option.exists(state, (found) => found.cents >= cents)
        ? Effect.succeed([{ kind: "paid" as const, data: { cents, to } }])
        : Effect.fail(new NotCovered({ cents }))
    )

  const { append } = log
  yield* append([
    yield* events.change("a1", "opened", { owner: "Ada" }),
    yield* events.change("a1", "deposited", { cents: 100 })
  ])

  // Two payments of 80 at once, of an account that holds 100.
  const outcomes = yield* Effect.all([pay("a1", 80, "bob"), pay("a1", 80, "eve")].map(Effect.either), {
    concurrency: "unbounded"
  })
  assert.deepEqual(outcomes.map(({ _tag }) => _tag).sort(), ["Left", "Right"])
  yield* Effect.log("one of two payments is refused")

  const balance = (freshness?: Projection.Freshness) =>
    Effect.map(
      projection.project("a1", freshness),
      Option.match({ onNone: () => "none", onSome: ({ cents, owner }) => `${owner} ${cents}` })
    )

  // All committed events; a state that may be a minute old; one that has seen a revision of one's own.
  assert.equal(yield* balance(), "Ada 20")
  const own = yield* append([yield* events.change("a1", "deposited", { cents: 5 })])
  assert.equal(yield* balance(Projection.maybeStale("1 minute")), "Ada 20")
  assert.equal(yield* balance(Projection.atLeast(own, "1 second")), "Ada 25")
  yield* Effect.log(`balance: ${yield* balance()}`)

  // What came before counts for nothing, also in states that are cached.
  yield* append([ChangeLog.forgotten("a1")])
  assert.equal(yield* balance(), "none")
  const elsewhere = yield* Projection.make(accounts, log, { name: "elsewhere", slots: 0 })
  assert.equal(yield* elsewhere.project("a1"), Option.none())
  yield* Effect.log(`balance: ${yield* balance()}`)
})

await Effect.runPromise(Effect.scoped(program))
await rm(folder, { recursive: true })
