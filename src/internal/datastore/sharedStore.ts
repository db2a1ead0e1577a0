/**
 * Stores that several processes write. Each operation is decided by a save, and answered after its commit. Reads show the
 * last revision that was read here, and at least what this process has been answered.
 */
import { Effect, type Scope, Stream } from "effect"
import { prefix } from "../../ChangeLog.js"
import type { StorageError } from "../../Storage.js"
import type { Frame } from "../../Watch.js"
import type { HeldValue, Save, StoredValue } from "../catalog/backend.js"
import * as Operations from "../catalog/operations.js"
import type { Outcome } from "../catalog/saving.js"
import { storageError } from "../log/storageError.js"
import { type Accepted, overRate, type Request, repeatedHere } from "./accept.js"
import { WriteError } from "./errors.js"
import { type Outcome as Evaluated, evaluationOf } from "./evaluate.js"
import type { JsonRow } from "./holding.js"
import * as InFlight from "./inFlight.js"
import * as Mirror from "./mirror.js"
import type { Found } from "./permanent.js"
import * as Records from "./records.js"
import type { Done } from "./reply.js"
import type { Runtime } from "./runtime.js"
import { access, end, type Store } from "./store.js"
import type { RowReader } from "./stored.js"

/** What a shared store has beside a {@link Store}. */
export interface SharedParts {
  readonly mirror: Mirror.Mirror
  /** Reads what is held under the lock of the head, whether or not it can be decoded: it may be about to be replaced. */
  readonly read: RowReader
  /** The head that is committed now. */
  readonly head: Effect.Effect<number, StorageError>
  readonly inFlight: InFlight.InFlight<Accepted>
}

/** Makes the store with its parts, and with a reader of its values. */
type MakeStore = (parts: SharedParts, read: RowReader) => Effect.Effect<Store, never, Scope.Scope>

const noteRow = (store: Store, row: JsonRow, value: StoredValue | undefined): void => {
  const { ends, session } = value ?? {}
  Records.set(store.records, row.key, session, ends === undefined ? undefined : ends - store.clockOffset)
  // One that another process has opened ends by its lease, and never here.
  if (session !== undefined && store.shared.isSession(session, undefined)) {
    store.shared.noteSession(session, store)
  }
}

/** Takes a frame of the log into the mirror. */
const take = (
  store: Store,
  mirror: Mirror.Mirror,
  valueOf: (row: JsonRow) => StoredValue | undefined,
  frame: Frame<JsonRow>
): void => {
  switch (frame._tag) {
    case "Events":
      for (const event of frame.events) {
        if (event._tag === "Put") noteRow(store, event.value, valueOf(event.value))
        else Records.clear(store.records, event.key)
      }
      mirror.advance(
        frame.revision.seq,
        frame.events.map((event) => ({ key: event.key, row: event._tag === "Put" ? event.value : undefined }))
      )
      return
    case "Snapshot":
      Records.end(store.records)
      for (const { value } of frame.entries) noteRow(store, value, valueOf(value))
      mirror.replace(
        frame.revision.seq,
        frame.entries.map(({ value }) => value)
      )
      return
    default:
  }
}

/** Begins to read what all processes write, as long as the scope lives. */
export const start = (
  { loaded, opened, rows }: Found,
  { read, reader }: { readonly reader: RowReader; readonly read: RowReader },
  makeStore: MakeStore
): Effect.Effect<Store, never, Scope.Scope> =>
  Effect.gen(function* () {
    const mirror = Mirror.make(loaded.revision.seq, rows)
    /** What belongs to a row beside its data; it is not delivered to anyone. */
    const values = new WeakMap<JsonRow, StoredValue>()
    const readOrEnd: RowReader = (key, value) => {
      try {
        return read(key, value)
      } catch (cause) {
        // One that the store has gone past fails only a follow that reads on from before it.
        if (value.seq > mirror.holding.seq()) end(store, "Failed", cause)
        throw cause
      }
    }
    const readAndNote: RowReader = (key, value) => {
      const row = readOrEnd(key, value)
      if (value.session !== undefined || value.ends !== undefined) values.set(row, value)
      return row
    }
    const head = Effect.mapBoth(opened.log.head, {
      onFailure: storageError,
      onSuccess: ({ head }) => head.seq
    })
    const store = yield* makeStore({ mirror, read: reader, head, inFlight: InFlight.make() }, readAndNote)
    for (const value of loaded.values) noteRow(store, { key: value.key } as JsonRow, value)
    const watch = yield* Effect.orDie(store.following.watch)
    const after = { ...loaded.revision, epoch: store.epoch }
    const following = Effect.scoped(
      Effect.flatMap(watch.open(prefix(""), { after, autoResnapshot: "on" }), ({ frames }) =>
        Stream.runForEach(frames, (frame) =>
          Effect.sync(() => take(store, mirror, (row) => values.get(row), frame))
        )
      )
    )
    yield* following.pipe(
      Effect.catchAllCause((cause) => Effect.sync(() => end(store, "Failed", cause))),
      Effect.interruptible,
      Effect.forkScoped
    )
    return store
  })

const notStored = (outcome: Exclude<Outcome, { readonly _tag: "Saved" }>): WriteError =>
  new WriteError({
    reason: "NotStored",
    message: `the backend could not store it: ${outcome.message}`,
    outcome: outcome._tag === "StorageError" ? outcome.outcome : "NotStored",
    cause: outcome
  })

/** Offers a request, and calls back with what came of it. */
export const offer = (
  runtime: Runtime,
  store: Store,
  parts: SharedParts,
  request: Request,
  settled: (result: { readonly outcome: Evaluated; readonly head: number } | WriteError) => void
): boolean => {
  const { outcome: evaluated, save } = evaluationOf(store, request, (key, value: HeldValue) =>
    parts.read(key, value)
  )
  return runtime.saving.offer(save, (outcome) =>
    settled(outcome._tag === "Saved" ? { outcome: evaluated(), head: outcome.head.seq } : notStored(outcome))
  )
}

/** Counts an outcome, and makes the answer of it. A reply that is given again takes nothing of its principal's rate. */
const answerOf = (
  { operations, shared }: Store,
  { as, id }: Request,
  { kind, reply }: Evaluated
): Done | WriteError => {
  const { count, rates, timers } = shared
  if (kind === "Repeated") {
    count.repeated++
    if (as !== undefined) rates.giveBack(as.principal)
  } else if (reply._tag === "Done") count.applied++
  else count.refused++
  if (kind === "New" && id !== undefined) Operations.remember(operations, id, reply, timers.now())
  return reply._tag === "Done" ? reply : new WriteError(reply.refused)
}

/** Begins a request, and calls back after its commit, when it was read here. */
export const begin = (
  runtime: Runtime,
  store: Store,
  parts: SharedParts,
  request: Request,
  done: (answer: Accepted) => void
): void => {
  const now = store.shared.timers.now()
  const ended = access(store, now)
  const known = ended ?? repeatedHere(store, request, now)
  if (known === undefined && joined(store, parts, request, done)) return
  const early = known === undefined ? overRate(store, request) : undefined
  if (known !== undefined) done(known)
  else if (early === undefined) beginOpen(runtime, store, parts, request, done)
  else {
    store.shared.count.refused++
    done(new WriteError(early))
  }
}

/** Waits for the answer of a request that is under way already; `false`: it is not. */
const joined = (
  store: Store,
  { inFlight }: SharedParts,
  request: Request,
  done: (answer: Accepted) => void
): boolean =>
  request.id !== undefined &&
  InFlight.join(inFlight, request.id, (answer) =>
    // What is remembered by now is shown as its principal may see it now.
    done(repeatedHere(store, request, store.shared.timers.now()) ?? answer)
  )

/** Begins a request on a store that is open. */
const beginOpen: typeof begin = (runtime, store, parts, request, answer) => {
  const { as, id, session } = request
  // Its end may come before the record is read back.
  if (session !== undefined && store.shared.isSession(session, as)) store.shared.noteSession(session, store)
  const done = id === undefined ? answer : InFlight.begin(parts.inFlight, id, answer)
  store.pending++
  const isTaken = offer(runtime, store, parts, request, (settled) => {
    store.pending--
    if (settled instanceof WriteError) done(settled)
    else {
      const { head, outcome } = settled
      parts.mirror.whenAt(head, () => done(answerOf(store, request, outcome)))
    }
  })
  if (isTaken) return
  store.pending--
  done(new WriteError({ reason: "Unavailable", message: "nothing is saved any more, see the status" }))
}

/** Removes a record whose time is over, if it still is when it is decided. */
export const expire = (runtime: Runtime, store: Store, key: string): void => {
  const save: Save = {
    store: store.id,
    name: store.shared.nextName(),
    keys: [key],
    id: undefined,
    decide: ({ get, now }) => {
      const ends = get(key)?.ends
      return { revisions: ends !== undefined && now > ends ? [[{ _tag: "Delete", key }]] : [] }
    }
  }
  runtime.saving.offer(save, () => {})
}
