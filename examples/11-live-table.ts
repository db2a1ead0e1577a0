/**
 * Looks API keys up in memory, and refuses a revoked one at once: the patch that revokes it is acknowledged after every
 * older value is gone. A second live table on the same log refuses it too. A page "keys of this account" follows.
 *
 * Run: `npm run examples -- 11`. Prints how a key is let in and refused, and the page each time it changes.
 */
import assert from "node:assert/strict"
import { Effect, Fiber, Option, Stream } from "effect"
import { ChangeLog, LiveTable, Storage, Table, Watch } from "effect-recorder"

const { Column, Query } = Storage

const keys = Table.define({
  name: "keys",
  columns: { id: Column.text, account: Column.text, state: Column.text },
  id: "id"
})

/** What a request handler does: a microsecond where the key is in memory, one read of the table where it is not. */
const isAllowed = (live: LiveTable.Of<typeof keys>, id: string) =>
  Effect.gen(function* () {
    const { value } = live.unsafeGet(id) ?? (yield* live.get(id))
    return Option.exists(value, ({ state }) => state === "active")
  })

const program = Effect.gen(function* () {
  const log = yield* ChangeLog.make<Table.TableChange>()
  const table = yield* Table.memory(keys, { log })
  const changes = yield* Watch.make(log)
  const live = yield* LiveTable.make(table, { changes })
  const other = yield* LiveTable.make(table, { changes })

  yield* live.insert({ id: "k1", account: "north", state: "active" })
  yield* live.insert({ id: "k2", account: "north", state: "active" })

  // A page of the keys of an account: the answer now, then every different one.
  const page = yield* live.follow({ where: Query.eq("account", "north"), orderBy: [Query.asc("id")] }).pipe(
    Stream.map(({ value }) => value.map(({ id, state }) => `${id} ${state}`).join(", ")),
    Stream.tap((shown) => Effect.log(`page: ${shown}`)),
    Stream.takeUntil((shown) => shown.includes("revoked")),
    Stream.runCollect,
    Effect.fork
  )

  assert.equal(yield* isAllowed(live, "k1"), true)
  assert.equal(yield* isAllowed(other, "k1"), true)

  const revoked = yield* live.patch("k1", { state: "revoked" })

  // The very next lookup is refused. No event, no time to live, no second cache stands between.
  assert.equal(yield* isAllowed(live, "k1"), false)
  yield* Effect.log("k1 is refused here")

  // Elsewhere it is refused when the log has delivered the change; a reader who knows its revision waits for that.
  const atLeast = Option.getOrThrow(revoked.revision)
  const there = yield* other.get("k1", { atLeast })
  assert.equal(Option.getOrThrow(there.value).state, "revoked")
  assert.equal(yield* isAllowed(other, "k1"), false)
  yield* Effect.log("k1 is refused there")

  const shown = yield* Fiber.join(page)
  assert.equal([...shown].at(-1), "k1 revoked, k2 active")
})

await Effect.runPromise(Effect.scoped(program))
