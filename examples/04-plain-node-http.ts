/**
 * Records the requests of a plain Node.js server, in the style of Express: its handlers use a facade of plain functions
 * and no Effect code.
 *
 * Run: `npm run examples -- 04`. Prints how many records were stored, and that a save after the close is refused.
 */
import assert from "node:assert/strict"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import SqliteDriver from "better-sqlite3"
import { Context, ManagedRuntime } from "effect"
import { Id, Recorder, Storage } from "effect-recorder"
import * as SqliteStorage from "effect-recorder/sql/SqliteStorage"

const columns = {
  id: Storage.Column.uuid,
  at: Storage.Column.timestamp,
  actor: Storage.Column.text,
  url: Storage.Column.text
}

class Audit extends Context.Tag("Audit")<Audit, Recorder.OfTable<typeof columns>>() {}

/** The functions for the handlers. `save` never waits and never throws; `close` is awaited once, at the end. */
const openAudit = async (filename: string) => {
  const storage = SqliteStorage.make({ filename, table: "audit", columns, id: "id" })
  const runtime = ManagedRuntime.make(Recorder.layer(Audit, storage))
  const audit = await runtime.runPromise(Audit)
  const nextId = await runtime.runPromise(Id.makeUuid7)
  return {
    save: (actor: string, url: string): boolean =>
      audit.unsafeSave({ id: nextId(), at: new Date(), actor, url }),
    find: (query: Storage.Query<typeof columns>) => runtime.runPromise(audit.load(query)),
    overloaded: (): boolean => audit.unsafeStats().pending > 50_000,
    close: async () => {
      const { stats, unsaved } = await runtime.runPromise(audit.closeWithin("10 seconds"))
      await runtime.dispose()
      return { stats, unsaved }
    }
  }
}

const folder = await mkdtemp(join(tmpdir(), "audit-"))
const filename = join(folder, "audit.db")
const audit = await openAudit(filename)

const server = createServer((request, response) => {
  audit.save(request.headers["x-user"]?.toString() ?? "anonymous", request.url ?? "")
  response.statusCode = audit.overloaded() ? 503 : 200
  response.end("hello\n")
})
server.listen(0, "127.0.0.1")
await once(server, "listening")
const { port } = server.address() as AddressInfo

for (const user of ["alice", "bob", "alice"]) {
  await fetch(`http://127.0.0.1:${port}/hello`, { headers: { "x-user": user } })
}
const alice = await audit.find({ where: Storage.Query.eq("actor", "alice") })
assert.equal(alice.length, 2)

server.close()
await once(server, "close")
const { stats } = await audit.close()
assert.deepEqual([stats.stored, audit.save("carol", "/late")], [3, false])

const file = new SqliteDriver(filename, { readonly: true })
assert.deepEqual(file.prepare("SELECT actor FROM audit ORDER BY id").pluck().all(), ["alice", "bob", "alice"])
file.close()
await rm(folder, { recursive: true })
console.log(`${stats.stored} records from plain handlers; after the close a save is refused, not thrown`)
