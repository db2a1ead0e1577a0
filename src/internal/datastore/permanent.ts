/**
 * Makes permanent stores of what a backend has loaded. One that this process owns decides in memory, and saves behind; any
 * other one decides while the backend holds its head.
 */
import { Effect, ExecutionStrategy, Exit, Scope } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend, Loaded, OpenedStore, Save, Stored, StoredValue } from "../catalog/backend.js"
import * as Finding from "../catalog/finding.js"
import * as Following from "../catalog/following.js"
import * as Operations from "../catalog/operations.js"
import * as Policy from "../catalog/policy.js"
import type { Saving } from "../catalog/saving.js"
import { offerDecided } from "../catalog/unsaved.js"
import { readView } from "../log/readView.js"
import { removeAll } from "./accept.js"
import type { Codec } from "./data.js"
import { OpenError } from "./errors.js"
import { type Holding, type JsonRow, maxRevisionBytes, ofRows } from "./holding.js"
import type { Owned } from "./operation.js"
import { bytesOf } from "./recordQuota.js"
import * as Records from "./records.js"
import { decodeReply, type Reply } from "./reply.js"
import { handBack, type Runtime } from "./runtime.js"
import type { Opening } from "./settings.js"
import * as Shared from "./sharedStore.js"
import { end, type Store } from "./store.js"
import { decodableReader, type RowReader, rowReader } from "./stored.js"
import { limitsOf } from "./temporary.js"

/** A store that a backend has opened and loaded. */
export interface Found {
  readonly opened: OpenedStore
  readonly loaded: Loaded
  readonly rows: ReadonlyArray<JsonRow>
}

const unavailable = (cause: StorageError): OpenError => Finding.unavailable("store", cause)

const tooOld = (message: string): OpenError => new OpenError({ reason: "SchemaTooOld", message })

/** Judges the version of what is stored, and raises it. */
const judgeVersion = (
  backend: Backend,
  { id, version: stored }: Stored,
  { migrate, version }: Opening
): Effect.Effect<void, OpenError> => {
  if (stored > version) {
    return tooOld(`the store has version ${stored} of its schema, above ${version}: use a newer program`)
  }
  if (stored === version) return Effect.void
  if (migrate === undefined) {
    return tooOld(`the store has version ${stored} of its schema: pass migrate, which makes ${version} of it`)
  }
  return Effect.mapError(backend.setVersion(id, version), unavailable)
}

const decodeAll = ({ values }: Loaded, read: RowReader): Effect.Effect<ReadonlyArray<JsonRow>, OpenError> =>
  Effect.try({
    try: () => values.map((value) => read(value.key, value)),
    // Nothing else is thrown.
    catch: (cause) => cause as OpenError
  })

/** Finds a store in the backend, or makes it there. */
const find = (
  backend: Backend,
  wanted: Stored,
  opening: Opening,
  read: RowReader
): Effect.Effect<Found, OpenError, Scope.Scope> =>
  Effect.gen(function* () {
    const opened = yield* Finding.find(backend, wanted)
    yield* judgeVersion(backend, opened.stored, opening)
    const loaded = yield* Effect.mapError(opened.load, unavailable)
    return { opened, loaded, rows: yield* decodeAll(loaded, read) }
  })

const restore = (operations: Operations.Operations<Reply>, loaded: Loaded, now: number): void => {
  for (const { at, reply, ...id } of loaded.operations) {
    Operations.remember(operations, id, decodeReply(reply), now - (loaded.now - at))
  }
  for (const [client, window] of loaded.windows) Operations.setWindow(operations, client, window)
}

/** Notes the sessions and the ends of values that were loaded. */
const noteExtras = (store: Store, values: ReadonlyArray<StoredValue & { readonly key: string }>): void => {
  for (const { ends, key, session } of values) {
    if (ends === undefined && session === undefined) continue
    Records.set(store.records, key, session, ends === undefined ? undefined : ends - store.clockOffset)
    // One of an earlier process ends by its lease, and never here.
    if (session !== undefined && store.shared.isSession(session, undefined)) {
      store.shared.noteSession(session, store)
    }
  }
}

/** Hands back what could not be stored, and ends the store: nothing later of it may be saved. */
const outboxOf =
  (runtime: Runtime, saving: Saving, store: () => Store) =>
  (save: Save, steps: Owned["steps"]): boolean =>
    offerDecided(saving, store(), save, (error) => {
      handBack(runtime, { store: store().id, steps, error })
      end(store(), "Failed", error)
    })

/** How a permanent store is opened. */
export interface PermanentOptions {
  readonly runtime: Runtime
  readonly backend: Backend
  readonly saving: Saving
  readonly opening: Opening
  readonly id: string
  readonly codec: Codec<never>
  /** The name that owns it; empty: any process writes it. */
  readonly owner: string
}

const storeOf = (
  { codec, id, opening, owner, runtime, saving }: PermanentOptions,
  { loaded, opened }: Found,
  holding: Holding,
  read: RowReader,
  release: Effect.Effect<void>,
  parts?: Shared.SharedParts
): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { settings, shared } = runtime
    const now = shared.timers.now()
    const operations = Operations.make<Reply>()
    restore(operations, loaded, now)
    const log = readView(opened.log, read, shared.mark)
    const store: Store = {
      id,
      kind: opening.kind,
      primary: opening.primary,
      version: opening.version,
      epoch: `${loaded.revision.epoch}${shared.mark}`,
      life: { store: undefined, ended: undefined },
      shared,
      limits: limitsOf(opening.primary),
      problem: codec.problem,
      holding,
      operations,
      records: Records.make(shared.timers, settings.quotas.bytes !== undefined, (key) =>
        owner === "" ? Shared.expire(runtime, store, key) : removeAll(store, [key])
      ),
      marks: Policy.makeMarks(),
      lifetime: undefined,
      expiry: undefined,
      usedAt: now,
      ended: undefined,
      outbox: owner === "" ? undefined : outboxOf(runtime, saving, () => store),
      clockOffset: loaded.now - now,
      following: yield* Following.make(log, `${settings.name}/${id}`, settings.closeDeadline),
      parts,
      pending: 0,
      tidy: opened.tidy,
      tidiedAt: now,
      release,
      sessions: new Set(),
      members: new Set()
    }
    store.life.store = store
    return store
  })

/** Opens a permanent store. What it has of the backend lives until it ends, or the catalog does. */
export const open = (options: PermanentOptions): Effect.Effect<Store, OpenError> =>
  Effect.gen(function* () {
    const { backend, codec, id, opening, owner, runtime } = options
    const { migrate, primary, version } = opening
    const wanted: Stored = { id, part: "store", primary, version, fingerprint: "", owner }
    const scope = yield* Scope.fork(runtime.scope, ExecutionStrategy.sequential)
    const release = Scope.close(scope, Exit.void)
    const begin = Effect.gen(function* () {
      const reader = rowReader(version, migrate)
      const read = decodableReader(reader, codec.problem)
      const found = yield* find(backend, wanted, opening, read)
      const { loaded, rows } = found
      if (owner === "") {
        return yield* Shared.start(found, { reader, read }, (parts, read) =>
          storeOf(options, found, parts.mirror.holding, read, release, parts)
        )
      }
      const holding = ofRows(loaded.revision.seq, rows, maxRevisionBytes)
      const store = yield* storeOf(options, found, holding, read, release)
      noteExtras(store, loaded.values)
      if (store.records.sizes !== undefined) {
        for (const row of rows) Records.measure(store.records, row.key, bytesOf(row))
      }
      return store
    })
    return yield* Effect.onError(Scope.extend(begin, scope), (cause) =>
      Scope.close(scope, Exit.failCause(cause))
    )
  })
