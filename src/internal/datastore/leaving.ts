/** Removes the records of permanent stores that end with sessions. */
import { Effect } from "effect"
import type { StorageError } from "../../Storage.js"
import type { Backend, Save } from "../catalog/backend.js"
import { flushAll, type Saving } from "../catalog/saving.js"
import { maxRemoved, removeAll } from "./accept.js"
import { WriteError } from "./errors.js"
import * as Records from "./records.js"
import type { Runtime } from "./runtime.js"
import type { Store } from "./store.js"

/** What a write fails with whose session could not be kept. */
export const unavailable = (cause: StorageError): WriteError =>
  new WriteError({
    reason: "Unavailable",
    message: "the lease of the session could not be taken: try again",
    outcome: "NotStored",
    cause
  })

/** Removes the records of some keys that still belong to a session when it is decided. */
const removalOf = (store: string, name: string, session: string, keys: ReadonlyArray<string>): Save => ({
  store,
  name,
  keys,
  id: undefined,
  decide: ({ get }) => {
    const gone = keys.filter((key) => get(key)?.session === session)
    return { revisions: gone.length === 0 ? [] : [gone.map((key) => ({ _tag: "Delete", key }))] }
  }
})

/** Offers the removal of keys of a session: one revision, or more of a session with more records than a log takes at once. */
const offerRemoval = (
  saving: Saving,
  nextName: () => string,
  store: string,
  session: string,
  keys: ReadonlyArray<string>
): void => {
  for (let i = 0; i < keys.length; i += maxRemoved) {
    saving.offer(removalOf(store, nextName(), session, keys.slice(i, i + maxRemoved)), () => {})
  }
}

/** Removes the records of a session from a store that is open. */
export const removeFrom = (saving: Saving, store: Store, session: string): void => {
  const keys = Records.keysOfSession(store.records, session)
  if (store.ended !== undefined || keys.length === 0) return
  if (store.parts === undefined) removeAll(store, keys)
  else offerRemoval(saving, store.shared.nextName, store.id, session, keys)
}

/** Removes what the backend holds of a session from a store that may be open. */
export const removeStored = (
  saving: Saving,
  backend: Backend,
  nextName: () => string,
  { id, open }: { readonly id: string; readonly open: Store | undefined },
  session: string
): Effect.Effect<void, StorageError> =>
  Effect.suspend(() => {
    if (open?.outbox !== undefined) return Effect.sync(() => removeFrom(saving, open, session))
    return Effect.map(backend.sessions.keysOf(id, session), (keys) =>
      offerRemoval(saving, nextName, id, session, keys)
    )
  })

/** The stores in which a session may have left records, by id; `true`: one process owns it. */
export type Left = Map<string, boolean>

/** What removes records that are left. */
interface Removing
  extends Pick<Runtime, "backend" | "entries" | "inOrder" | "leasing" | "owning" | "saving"> {
  readonly shared: Pick<Runtime["shared"], "nextName">
}

/** Removes what is left in one store, which is not loaded meanwhile. */
const removeFromOne = (
  { entries, inOrder, owning, saving, shared }: Removing,
  backend: Backend,
  id: string,
  isOwned: boolean,
  session: string
): Effect.Effect<void> => {
  const remove = Effect.gen(function* () {
    const open = entries.get(id)?.store
    const by = isOwned && open === undefined ? yield* owning.take(backend) : saving
    yield* removeStored(by, backend, shared.nextName, { id, open }, session)
    yield* by.flush
  })
  // What it cannot remove ends by the lease.
  return inOrder(id, Effect.ignoreLogged(remove))
}

/** Removes what a session that has ended here has left in permanent stores, behind what was accepted before. */
export const removeLeft = (runtime: Removing, left: Left, session: string): Effect.Effect<void> => {
  const { backend, leasing, owning, saving } = runtime
  const flush = flushAll(() => [saving, ...owning.savings()])
  const removed = Effect.flatMap(backend, (backend) =>
    Effect.forEach(left, ([id, isOwned]) => removeFromOne(runtime, backend, id, isOwned, session), {
      discard: true
    })
  )
  return Effect.ignoreLogged(flush.pipe(Effect.andThen(removed), Effect.andThen(leasing.release(session))))
}
