/** A backend that keeps every law, on a place that can be made to fail, in calls that a wrong one replaces. */
import { Effect, type Scope } from "effect"
import type { Backend, OpenedStore } from "../../src/internal/catalog/backend.js"
import { memory } from "../../src/internal/catalog/memoryBackend.js"
import { StorageError } from "../../src/Storage.js"
import type { Subject } from "../../src/testing/DatastoreLaws.js"
import { passingClock } from "../support/time/passing.js"

/** Where stores are kept: every backend works on it. */
export interface Disk {
  readonly backend: Backend
  down: boolean
  /** Whatever a wrong backend remembers. */
  readonly notes: Map<string, unknown>
}

const gone = new StorageError({ kind: "Transient", outcome: "NotStored", message: "the place is down" })

/** Takes a turn before and after a call, as a database does, and fails while the place is down. */
const guarded = <A, E, R>(disk: Disk, call: Effect.Effect<A, E, R>): Effect.Effect<A, E | StorageError, R> =>
  Effect.andThen(
    Effect.yieldNow(),
    Effect.suspend(
      (): Effect.Effect<A, E | StorageError, R> =>
        disk.down ? Effect.fail(gone) : Effect.zipLeft(call, Effect.yieldNow())
    )
  )

/** The right backend on a disk. */
export const right = (disk: Disk): Backend => {
  const { name, now, open, own, save, sessions, setVersion } = disk.backend
  return {
    name,
    now: guarded(disk, now),
    open: (stored): Effect.Effect<OpenedStore, StorageError, Scope.Scope> =>
      Effect.map(guarded(disk, open(stored)), (opened) => ({
        ...opened,
        load: guarded(disk, opened.load),
        tidy: guarded(disk, opened.tidy)
      })),
    own: (name) => guarded(disk, own(name)),
    save: (batch, token) => guarded(disk, save(batch, token)),
    setVersion: (id, version) => guarded(disk, setVersion(id, version)),
    sessions: {
      extend: (all) => guarded(disk, sessions.extend(all)),
      ended: (limit) => guarded(disk, sessions.ended(limit)),
      forget: (all) => guarded(disk, sessions.forget(all)),
      keysOf: (store, session) => guarded(disk, sessions.keysOf(store, session))
    }
  }
}

/** A wrong backend, or the right one, as a subject of the laws. */
export const subjectOf = (name: string, open: (disk: Disk) => Backend): Subject => ({
  name,
  place: Effect.gen(function* () {
    const { clock, pass } = yield* passingClock
    const backend = yield* Effect.withClock(memory(), clock)
    const disk: Disk = { backend, down: false, notes: new Map() }
    const fail = Effect.sync(() => {
      disk.down = true
    })
    return { open: Effect.sync(() => open(disk)), pass, fail }
  }),
  capabilities: { faults: "on demand", time: "on demand" }
})
