/** Opens stores: the rows that describe them, their logs, and what they hold. */
import { Effect } from "effect"
import type { ClientWindow, Loaded, Stored } from "../../../internal/catalog/backend.js"
import { StorageError } from "../../../Storage.js"
import type { Row, Statement } from "../dialect.js"
import { storageError, whileBusy } from "../errors.js"
import { noTransaction } from "../log/sqlChangeLog.js"
import { type LogStore, openFeed, unreadableRow, withHead } from "../log/store.js"
import type { Step } from "../transaction.js"
import { decodeOperation, decodeValue } from "./reading.js"
import type { SavePlace } from "./saving.js"
import { feedOf, lostStore } from "./tables.js"

const lost = ({ tables }: SavePlace, id: string): StorageError =>
  new StorageError({ kind: "Fatal", outcome: "NotStored", message: lostStore(tables, id) })

/** Runs one statement outside of all transactions. */
export const runAlone = (
  { dialect, executor }: SavePlace,
  statement: Statement
): Effect.Effect<ReadonlyArray<Row>, StorageError> =>
  Effect.map(whileBusy(storageError(dialect, { saved: true })(executor.run(statement))), dialect.rows)

const decodeStored = (id: string, row: Row): Stored => ({
  id,
  part: row.part === "pool" ? "pool" : "store",
  primary: String(row.primary),
  version: Number(row.version),
  fingerprint: String(row.fingerprint),
  owner: String(row.owner)
})

/** A store that is there: as it is described, and its log. */
export interface OpenStore {
  readonly stored: Stored
  readonly store: LogStore
}

/** Opens what is there under the id, or makes it as it is described. Several processes may do it at once. */
export const openStored = (place: SavePlace, asked: Stored): Effect.Effect<OpenStore, StorageError> =>
  Effect.gen(function* () {
    const { executor, limits, logStatements, random, statements, tables } = place
    const { id } = asked
    const feed = feedOf(tables, id)
    const ofFeed = logStatements(feed, limits)
    const backend = { executor, joined: noTransaction }
    const [there] = yield* runAlone(place, statements.look(id))
    if (there !== undefined && there.bell != null && there.state === feed.state) {
      const store: LogStore = { feed, statements: ofFeed, backend, random, logId: String(there.bell) }
      return { stored: decodeStored(id, there), store }
    }
    const store = yield* openFeed(feed, ofFeed, backend, random)
    yield* runAlone(place, statements.create(asked))
    const [made] = yield* runAlone(place, statements.look(id))
    if (made === undefined) return yield* lost(place, id)
    return { stored: decodeStored(id, made), store }
  })

/** Changes the version of a store's schema. */
export const setVersion = (
  place: SavePlace,
  id: string,
  version: number
): Effect.Effect<void, StorageError> => {
  const { dialect, executor, statements } = place
  return whileBusy(
    storageError(dialect, { saved: true })(executor.run(statements.setVersion(id, version)))
  ).pipe(
    Effect.flatMap((result) => (dialect.affected(result) === 0 ? Effect.fail(lost(place, id)) : Effect.void))
  )
}

const decodeLoaded = (
  revision: Loaded["revision"],
  now: ReadonlyArray<Row>,
  values: ReadonlyArray<Row>,
  operations: ReadonlyArray<Row>,
  clients: ReadonlyArray<Row>
): Loaded => ({
  revision,
  now: Number(now[0]?.now),
  values: values.map(({ key, value }) => decodeValue(String(key), String(value))),
  operations: operations.map(({ at, client, content, n, principal, reply }) =>
    decodeOperation([client, n, principal, content, reply, at])
  ),
  windows: new Map(
    clients.map(({ client, floor, top }): [string, ClientWindow] => [
      String(client),
      { top: Number(top), floor: Number(floor) }
    ])
  )
})

/** Forgets the store's old operations, and clients of which none is left, while no other commit is possible. */
export const tidy = ({ statements }: SavePlace, store: LogStore): Effect.Effect<void, StorageError> => {
  const { feed } = store.feed
  const all = [...statements.forgetOld(feed), statements.forgetClients(feed)]
  return withHead(store, (run) => Effect.forEach(all, run, { discard: true }))
}

/** Forgets the store's old operations, and reads all that it holds, while no other commit is possible. */
export const load = (place: SavePlace, store: LogStore): Effect.Effect<Loaded, StorageError> => {
  const { dialect, statements } = place
  const { feed } = store.feed
  const read = (run: Step, statement: Statement) => Effect.map(run(statement), dialect.rows)
  const reading = withHead(store, (run, { head }) =>
    Effect.gen(function* () {
      yield* Effect.forEach(statements.forgetOld(feed), run, { discard: true })
      const now = yield* read(run, statements.now)
      const values = yield* read(run, statements.values(feed))
      const operations = yield* read(run, statements.operations(feed))
      const clients = yield* read(run, statements.clients(feed))
      return () => decodeLoaded(head, now, values, operations, clients)
    })
  )
  // Decoded when the head is free again.
  return Effect.flatMap(reading, (decode) =>
    Effect.try({ try: decode, catch: () => unreadableRow(store.feed) })
  )
}
