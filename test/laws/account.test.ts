/**
 * The account as a property: whatever is done with a recorder, in whatever order, every record id ends in exactly one
 * place, and the backend holds what the account says. Here over memory; account.sqlite and account.postgres play the
 * same schedules over real databases.
 *
 * Each of these guards was removed once by hand, and the property failed then:
 *
 * - Book.handBack: what is queued is handed back; so is what is saved again, with its outcome
 * - records.durable: a receipt waits for the outcome, not for the acceptance
 * - saver.leftOf: a save under way has an unknown outcome; bulk.failed: so has every attempt that said so
 * - saver.fails: a stored prefix is counted
 * - Book.isolated, Book.failWaiters, Actor.onDropped: the receipt is settled, and not with success
 * - Book.isolated: what is released is counted, and the oldest goes; Book.runOf: saved again, it keeps its unknown outcome
 * - supervisor.stopCommands: whoever asked is answered; intake.shut: whoever waits for room is, nothing enters later
 * - supervisor.stepInterrupted: an overrun is told; supervisor.forceClose: a storage that hangs is left behind
 * - ask: a load is not passed by saves; mailbox.takeBehind: nor by newcomers; engine.extendCurrent: they are counted
 */
import { describe } from "@effect/vitest"
import { Effect } from "effect"
import { memory } from "../../src/Storage.js"
import { columns, type Table } from "./account/backend.js"
import { accountLaw } from "./account/suite.js"

const fresh = (prefix: string): Effect.Effect<Table, unknown> =>
  Effect.map(memory({ columns, id: "id" }), (storage) => ({
    storage,
    unique: false,
    prefix,
    peek: Effect.sync(() => storage.records.map(({ n }) => n))
  }))

describe("the account", () => {
  accountLaw("memory", 300, Effect.succeed(fresh))
})
